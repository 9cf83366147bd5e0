"""Pins are written into a policy file of which nothing else changes (PIN-2)."""

import pytest

from deputize.settings.pinning import pinned

A, B = "A" * 43, "B" * 42 + "A"
WRITTEN = f'pinned = ["{A}"]'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[tools.t]\nscopes = []\n", f"[tools.t]\nscopes = []\n{WRITTEN}\n"),
        ("[tools.t]\nscopes = []", f"[tools.t]\nscopes = []\n{WRITTEN}\n"),
        (
            "[tools.t] # one\nscopes = [ # two\n] # three\n\n# of u\n[tools.u]\npublic = true\n",
            f"[tools.t] # one\nscopes = [ # two\n] # three\n{WRITTEN}\n\n# of u\n[tools.u]\npublic = true\n",
        ),
        (
            "[tools.t]\n  direct = true\n[tools.t.input_schema]\ntype = 'object'\n",
            f"[tools.t]\n  direct = true\n  {WRITTEN}\n[tools.t.input_schema]\ntype = 'object'\n",
        ),
        (
            "[tools.t]\ndirect = true\napproval.when.type = 'object'\n",
            f"[tools.t]\ndirect = true\n{WRITTEN}\napproval.when.type = 'object'\n",
        ),
        (
            "[tools.t]\ndescribe = '''\nSend\n[tools.u]\n'''\n",
            f"[tools.t]\ndescribe = '''\nSend\n[tools.u]\n'''\n{WRITTEN}\n",
        ),
        (f"[tools.t]\npinned = '{B}' # old\n", f'[tools.t]\npinned = ["{A}"] # old\n'),
        (
            f"[tools.t]\npinned = [\n'{B}', # old\n]\nopaque = true\n",
            f"[tools.t]\n{WRITTEN}\nopaque = true\n",
        ),
        ("[tools]\nt = { direct = true }\n", f"[tools]\nt = {{ direct = true, {WRITTEN} }}\n"),
        ("tools = { t = { direct = true } }\n", f"tools = {{ t = {{ direct = true, {WRITTEN} }} }}\n"),
        ("[tools]\nt.direct = true\n", f"[tools]\nt.direct = true\nt.{WRITTEN}\n"),
        ("tools.t.direct = true\n", f"tools.t.direct = true\ntools.t.{WRITTEN}\n"),
        ('[tools."t"]\ndirect = true\n', f'[tools."t"]\ndirect = true\n{WRITTEN}\n'),
        ("[tools.t]\r\ndirect = true\r\n# end\r\n", f"[tools.t]\r\ndirect = true\r\n{WRITTEN}\r\n# end\r\n"),
        ("\ufeff[tools.t]\ndirect = true\n", f"\ufeff[tools.t]\ndirect = true\n{WRITTEN}\n"),
        ("# grüße\n[tools.t]\ndirect = true # ✂\n", f"# grüße\n[tools.t]\ndirect = true # ✂\n{WRITTEN}\n"),
    ],
)
def test_a_pin_stands_with_the_tools_other_words_and_all_else_stays(before: str, after: str) -> None:
    assert pinned(before.encode(), {"t": [A]}).decode() == after


def test_several_tools_and_several_digests_are_pinned_at_once() -> None:
    text = b"[tools.t]\ndirect = true\n[tools.'u.v']\ndirect = true\n"
    assert pinned(text, {"t": [A, B], "u.v": [B]}).decode() == (
        f'[tools.t]\ndirect = true\npinned = ["{A}", "{B}"]\n[tools.\'u.v\']\ndirect = true\npinned = ["{B}"]\n'
    )
    assert pinned(text, {}) == text


@pytest.mark.parametrize(
    "text",
    ["", "[tools.u]\ndirect = true\n", "[tools.t.input_schema]\ntype = 'object'\n", "[[tools.t]]\na = 1\n"],
)
def test_what_is_not_there_is_not_pinned(text: str) -> None:
    with pytest.raises(ValueError, match="there is no tool t in this file"):
        pinned(text.encode(), {"t": [A]})
