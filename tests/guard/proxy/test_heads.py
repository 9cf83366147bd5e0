"""What the proxy's own server does not let come so far is refused all the same: another may stand there (PROXY-4)."""

import pytest

from deputize.guard.proxy import heads
from deputize.protocol.errors import Code, Refused


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        *((b"x-note", value, "control characters") for value in (b"a\0b", b"a\rb", b"a\nfacts: b", b"a\x7f")),
        *(
            (b"content-length", value, "no number")
            for value in (b"", b"+5", b"-1", b"5, 5", b"0x5", b"9" * 16)
        ),
    ],
)
def test_a_field_that_not_all_read_alike_goes_to_nobody(name: bytes, value: bytes, why: str) -> None:
    host = (b"host", b"bank.example")
    with pytest.raises(Refused, match=why) as refused:
        heads.onward([host, (name, value)], "1.1")
    assert refused.value.refusal.code is Code.INVALID_REQUEST
    assert heads.onward([host, (b"content-length", b"5"), (b"x-note", b"\tcaf\xe9 ")], "1.1")[1:] == [
        (b"content-length", b"5"),
        (b"x-note", b"\tcaf\xe9 "),
    ]
