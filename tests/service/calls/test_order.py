"""SEP-2672 §4.8: the order of the steps. Where two fail at once, the earlier one answers (MCP-9, APPR-3).

Each fault spoils one thing about a good approval; two of them are put into one, for every pair that can be built. With
the evidence absent (step 1) nothing is left in which another step could fail, so step 1 stands alone. Of a call that
waits on a page neither the tool nor the arguments can be others than those of its challenge.
"""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from tests.service.kit import ALL, CLOSE, TRANSFER, Desk, Person, outcome

from deputize.protocol.canonical import Json, b64u
from deputize.protocol.token import Delegation
from deputize.service.approvals import Minted
from deputize.service.calls import approving, arrivals
from deputize.service.calls.answers import Answered
from deputize.service.calls.request import MCP

STEPS = {
    2: "missing_evidence",
    3: "unsupported_method",
    4: "challenge_unknown",
    5: "challenge_consumed",
    6: "challenge_expired",
    7: "challenge_wrong_tool",
    8: "unknown_credential",
    9: "authenticator_class_mismatch",
    10: "signature_verification_failed",
    11: "signature_counter_regression",
    12: "argument_hash_mismatch",
}
ON_A_PAGE = STEPS.keys() - {7, 12}
ROAMING, INTERNAL = 0, 1
Standing = tuple[Person, Delegation]


def standing(desk: Desk) -> Standing:
    person = desk.person("usb", "internal")
    return person, desk.deputize(person, ALL)


def spoiled(desk: Desk, shown: Any, user: Person, stranger: Person, faults: set[int]) -> dict[str, Any]:
    """Sign a challenge, with those faults that are the evidence's."""
    device = (stranger if 8 in faults else user).devices[INTERNAL if 9 in faults else ROAMING]
    if 11 in faults:
        next(iter(device.keys.values())).count = 0  # which makes the next one 1, and 1 was seen
    evidence = desk.evidence(shown, device)
    if 10 in faults:
        evidence["response"]["response"]["signature"] = b64u(b"0" * 70)
    if 3 in faults:
        evidence["method"] = "pin"
    if 2 in faults:
        del evidence["response"]
    return evidence


def over_mcp(desk: Desk, faults: set[int]) -> str:
    """Close an account with all these faults in one call."""
    user, stranger = standing(desk), standing(desk)
    asker = stranger if 4 in faults else user
    tool, arguments = ("transfer_money", TRANSFER) if 7 in faults else ("close_account", CLOSE)

    def call(of: Standing, tool: str, arguments: dict[str, Json], evidence: Json) -> str:
        request = desk.request(*of, tool, arguments, MCP)
        verdict = desk.look(lambda tx: approving.check_ahead(tx, desk.at, request, evidence))
        return outcome(desk.do(lambda tx: arrivals.create(tx, desk.at, request, verdict)))

    request = desk.request(*asker, tool, arguments, MCP)
    shown = desk.do(lambda tx: approving.challenge_ahead(tx, desk.at, request))
    assert isinstance(shown, Minted)
    if 5 in faults:
        assert call(asker, tool, arguments, desk.evidence(shown, asker[0].devices[ROAMING])) == "approved"
    evidence = spoiled(desk, shown, user[0], stranger[0], faults)
    if 6 in faults:
        desk.now += 60
    return call(user, "close_account", {"why": "staying"} if 12 in faults else CLOSE, evidence)


def on_a_page(desk: Desk, faults: set[int]) -> str:
    """Approve a call that waits, with all these faults."""
    user, stranger = standing(desk), standing(desk)
    waits = desk.allowed(*user, "close_account", CLOSE)
    other = desk.allowed(*user, "close_account", {"why": "another"})

    def challenge(made: Answered) -> Minted:
        shown = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(user[0], made)))
        assert isinstance(shown, Minted)
        return shown

    def approve(made: Answered, evidence: Json) -> str:
        asked = desk.page_call(user[0], made)
        verdict = desk.look(lambda tx: approving.check(tx, desk.at, asked, evidence))
        return outcome(desk.do(lambda tx: approving.approve(tx, desk.at, asked, verdict)))

    asked = other if 4 in faults else waits
    shown = challenge(asked)
    if 5 in faults:
        assert approve(asked, desk.evidence(shown, user[0].devices[ROAMING])) == "approved"
    evidence = spoiled(desk, shown, user[0], stranger[0], faults)
    if 6 in faults:
        desk.now += 60
    return approve(waits, evidence)


Way = Callable[[Desk, set[int]], str]
ALONE = [(over_mcp, {step}) for step in STEPS] + [(on_a_page, {step}) for step in sorted(ON_A_PAGE)]
PAIRS = [(over_mcp, set(pair)) for pair in combinations(STEPS, 2)]
PAIRS += [(on_a_page, set(pair)) for pair in combinations(sorted(ON_A_PAGE), 2)]


@pytest.mark.parametrize("way", [over_mcp, on_a_page])
def test_without_a_fault_it_is_approved(desk: Desk, way: Way) -> None:
    assert desk.do(lambda _: way(desk, set())) == "approved"


def _named(value: Way | set[int]) -> str:
    return "+".join(map(str, sorted(value))) if isinstance(value, set) else value.__name__


@pytest.mark.parametrize(("way", "faults"), ALONE + PAIRS, ids=_named)
def test_the_earliest_fault_answers(desk: Desk, way: Way, faults: set[int]) -> None:
    before = len(desk.entries())
    assert desk.do(lambda _: way(desk, faults)) == STEPS[min(faults)]
    told = desk.entries()[before:]
    assert (told[-1]["kind"], told[-1]["code"]) == ("approval.refused", STEPS[min(faults)])  # APPR-4
    assert [entry["kind"] for entry in told].count("call.approved") == (
        5 in faults
    )  # what consumed the challenge


@pytest.mark.parametrize(("way", "faults"), [(over_mcp, STEPS.keys()), (on_a_page, ON_A_PAGE)])
def test_of_all_at_once_the_first_answers(desk: Desk, way: Way, faults: set[int]) -> None:
    assert desk.do(lambda _: way(desk, set(faults))) == "missing_evidence"
