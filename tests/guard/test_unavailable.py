"""What is wrong between a guard and its authority is told to who runs the API, with the cure (GUARD-6)."""

import logging
import re
from typing import Any

import httpx2
import pytest

from deputize.guard.unavailable import Unavailable, explained, not_reached, refused_us
from deputize.protocol.errors import Code, Refused

URL = "https://bank.example/deputize/calls/cal_1/redemption"


def logged(refused: Refused, caplog: pytest.LogCaptureFixture) -> list[str]:
    with (
        caplog.at_level(logging.ERROR, "deputize.guard"),
        pytest.raises(Refused) as caught,
        explained("POST", URL),
    ):
        raise refused
    assert caught.value is refused
    return [record.getMessage() for record in caplog.records]


CASES: dict[str, tuple[Unavailable, str]] = {
    "nobody is there": (
        not_reached(httpx2.ConnectError("refused")),
        r"ConnectError refused\. Is the authority.*`issuer`",
    ),
    "something else is there": (
        Unavailable("answered 404, and not in JSON"),
        r"answered 404, and not in JSON\. Is this the authority's",
    ),
    "the clock is wrong": (
        refused_us({"code": "invalid_dpop_proof", "detail": "It is 900 s ago.", "now": 1}),
        r"\(invalid_dpop_proof\): It is 900 s ago\. Set the clock of this machine right\.$",
    ),
    "the issuer is another": (
        refused_us({"code": "invalid_dpop_proof", "detail": "For another URL than https://b/."}),
        r"than https://b/\. The guard and the authority have to have the same `issuer`",
    ),
    "the version is another": (
        refused_us({"code": "version_skew", "detail": "1 and 2: install."}),
        r"\(version_skew\): 1 and 2: install\.$",
    ),
    "an error there": (
        refused_us({"code": "server_error", "detail": "Oops."}),
        r"Oops\. Its log tells more\.$",
    ),
    "a code that is none": (
        refused_us({"code": ["x"], "detail": 7}),
        r"refused this guard \(\['x'\]\)\. Is this the",
    ),
    "what would write a line of its own": (
        refused_us({"code": "x", "detail": "a\n2026 ERROR b\x1b[0m"}),
        r"a\\n2026 ERROR b\\x1b\[0m",
    ),
}


@pytest.mark.parametrize(("refused", "told"), CASES.values(), ids=CASES.keys())
def test_who_runs_the_api_reads_what_to_look_at(
    refused: Unavailable, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    (line,) = logged(refused, caplog)
    assert line.startswith(f"POST {URL}: ")
    assert re.search(told, line), line
    assert "\n" not in line


@pytest.mark.parametrize("refused", [refused for refused, _ in CASES.values()], ids=CASES.keys())
def test_who_sent_the_call_learns_nothing_of_the_way(refused: Unavailable) -> None:
    told: Any = refused.refusal
    assert told.code is Code.AUTHORITY_UNAVAILABLE
    assert told.detail.endswith("Try again later; whoever runs this API finds more in its log.")
    for secret in (URL, "refused to", "900 s", "https://b/", "Oops", "\n", "\x1b"):
        assert secret not in told.detail


def test_a_key_that_the_policy_does_not_have_is_told_of_with_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (line,) = logged(Refused(Code.REDEEMER_NOT_ALLOWED, "This key is not registered."), caplog)
    assert "not registered. `deputize guard public` prints what belongs there." in line


def test_what_is_said_of_a_call_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(Refused(Code.CALL_REDEEMED, "It was."), caplog) == []
