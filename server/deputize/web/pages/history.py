"""What was done in a user's name, as pages tell it: what, when, by whom, why not, and whether he saw it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import orjson

from ...protocol.asker import asker_of
from ...protocol.call import Call, State
from ...protocol.canonical import Json
from ...protocol.description import Row, title_of
from ...protocol.shown import isolated, visible, warning
from ...service import questions
from ...service.calls.answers import code_of
from ...service.moment import Moment
from ...service.ports import Reader
from ...words.asker import asker_line
from ...words.catalogue import Words, words

_MOST, _LEAST = 4000, 40
"""Characters of all arguments of a call that the page shows, shared out evenly, and of each name and value at least."""

_GIST = 40
"""Characters of a name and a value where few stand for all."""

_RAN = frozenset({State.APPROVED, State.REDEEMED, State.SUCCEEDED, State.FAILED, State.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Done:
    """One call. `asker` are the lines that say who asked (`words/asker.py`).

    `became` is its state, `why` says why it was refused, and `seen` is the message that says whether he saw it; each
    is empty where there is nothing to say. It can still be called off until `open_until`, in seconds. Of a call without
    words of its own, `gist` has a few values. `values` are the arguments, by their titles, without the `unshown`
    characters that are too many.
    """

    call: Call
    what: str
    asker: list[str]
    became: State
    why: str
    seen: str
    gist: list[Row]
    values: list[Row]
    unshown: int
    open_until: int | None


def told(tx: Reader, at: Moment, calls: Iterable[Call]) -> list[Done]:
    """Tell of calls."""
    said = words(at.language)
    return [_done(tx, at, call, said) for call in calls]


def _done(tx: Reader, at: Moment, call: Call, words: Words) -> Done:
    state = call.overdue(at.now) or call.state
    seen = ""
    if call.challenge_id is not None:
        seen = "done-seen.webauthn" if call.method == "webauthn" else "done-seen"
    elif state in _RAN:
        seen = "done-not-asked"
    agent = tx.agent(call.client_id) if call.client_id else None
    lineage = tx.lineage(call.grant_id) if call.grant_id else ()
    asker = asker_line(words, asker_of(agent, lineage, call.page_jkt is not None), at.policy.site.name)
    values, unshown = _values(at, call)
    return Done(
        call,
        what=questions.told_of(at, call).headline,
        asker=[line for _, line in asker],
        became=state,
        why=_why(tx, call, words),
        seen=seen,
        gist=[] if call.description else _gist(at, call),
        values=values,
        unshown=unshown,
        open_until=call.deadline if state in (State.PENDING, State.APPROVED) else None,
    )


def _why(tx: Reader, call: Call, words: Words) -> str:
    """Say why a call was refused, as a dialog would have (SHIM-10); nothing of any other."""
    if call.state is not State.DENIED:
        return ""
    code = code_of(tx, call)
    name = f"refusal-{code.replace('_', '-')}.human" if code else ""
    return words(name if name in words.variables else "refusal-other.human")


def _schema(at: Moment, call: Call) -> Json:
    tool = at.policy.tools.get(call.tool)
    return tool.input_schema.source if tool is not None and tool.input_schema is not None else None


def _gist(at: Moment, call: Call) -> list[Row]:
    own = _schema(at, call)
    return [_cut(own, name, text, _GIST) for name, text in islice(_texts(call).items(), 3)]


def _values(at: Moment, call: Call) -> tuple[list[Row], int]:
    """Put the arguments in rows, and count the characters that are left out.

    Names that differ in what is hidden only look the same, and all are there. Where they are many, each has its share,
    so that a long one puts none out of sight, and nobody makes a page that cannot be opened any more.
    """
    texts = _texts(call)
    if _characters(texts.items()) <= _MOST:
        return [*questions.rows_of(at, call)], 0
    own, share = _schema(at, call), max(_MOST // len(texts), _LEAST)
    shown = [*islice(texts.items(), _MOST // _LEAST)]
    left_out = _characters(texts.items()) - _characters((name[:share], text[:share]) for name, text in shown)
    return [_cut(own, name, text, share) for name, text in shown], left_out


def _cut(own: Json, name: str, text: str, most: int) -> Row:
    """Show so much of a value, and that there is more."""
    more = "…" if len(text) > most else ""
    known = own if len(name) <= most else None  # a part of a name is no name of the site's
    title = title_of(known, name[:most])
    return Row(title, (isolated(visible(text[:most]) + more) + warning(text[:most]),))


def _texts(call: Call) -> dict[str, str]:
    arguments = call.arguments if isinstance(call.arguments, dict) else {}
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in arguments.items()
    }


def _characters(texts: Iterable[tuple[str, str]]) -> int:
    return sum(len(name) + len(text) for name, text in texts)
