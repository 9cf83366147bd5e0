"""A page and MCP get the same decision for the same agent, tool and arguments; what differs is written down here."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.service.kit import ALL, TRANSFER, Desk, Person, outcome

from deputize.protocol.canonical import Json
from deputize.protocol.grant import GrantState
from deputize.protocol.token import Delegation
from deputize.service.approvals import Minted
from deputize.service.calls import approving, arrivals
from deputize.service.calls.answers import Answered, Denied
from deputize.service.calls.request import MCP, PAGE
from deputize.service.calls.standing import standing_of
from deputize.service.ports import Tx

BEFORE_EVIDENCE = {
    "pending": "evidence comes with the call, and is not waited for (MCP-9)",
    "invalid_arguments": "SEP-2672 §4.3",
    "no_eligible_credential": "said when a challenge is asked for (MCP-8)",
}
"""What a page hears of a call that needs an approval, where a call over MCP without evidence is `missing_evidence`."""

TOLD_BY_MCP = {"via": "mcp"}
"""What the record tells of a call over MCP, and not of one from a page."""

TOOLS = [
    "get_balance",
    "note",
    "transfer_money",
    "pay_bill",
    "close_account",
    "open_vault",
    "search_help",
    "steal",
]
LIMITS: list[Json] = [
    [],
    [{"type": "webmcp_tool", "tool": "pay_bill", "schema": {"properties": {"amount": {"maximum": 200}}}}],
    [{"type": "webmcp_tool", "tool": "pay_bill", "sum": {"/amount": 150}}],
    [{"type": "webmcp_tool", "tool": "note", "max_calls": 1}],
    [{"type": "webmcp_tool", "tool": "get_balance", "not_after": 1}],
]

scopes = st.sets(st.sampled_from(ALL.split()), min_size=1).map(" ".join)
amounts = st.sampled_from([0, 1, 100, 100.5, 199, 201, "no", None])
arguments = st.fixed_dictionaries(
    {}, optional={"amount": amounts, "name": st.sampled_from(["Ada", "x" * 600, 5])}
)
standings = st.fixed_dictionaries(
    {
        "scopes": scopes,
        "details": st.sampled_from(LIMITS),
        "state": st.sampled_from([GrantState.ACTIVE] * 4 + [GrantState.REVOKED, GrantState.SUPERSEDED]),
        "expires_in": st.sampled_from([3600, 3600, 3600, 0]),
        "passkeys": st.sampled_from([(), ("internal",), ("usb",)]),
        "agent_revoked": st.sampled_from([False, False, False, True]),
        "other_key": st.sampled_from([False, False, False, True]),
        "above": st.sampled_from([None, None, None, GrantState.ACTIVE, GrantState.REVOKED]),
    }
)


def standing(desk: Desk, drawn: dict[str, Any]) -> tuple[Person, Delegation]:
    """Let somebody deputize an agent like this."""
    person = desk.person(*drawn["passkeys"])
    above = desk.deputize(person, state=drawn["above"]) if drawn["above"] else None
    expires_at = desk.now + drawn["expires_in"]
    delegation = desk.deputize(
        person, drawn["scopes"], drawn["details"], above, state=drawn["state"], expires_at=expires_at
    )
    if drawn["agent_revoked"]:
        desk.do(lambda tx: tx.revoke_agent(delegation.client_id, desk.now))
    if drawn["other_key"]:
        other = desk.deputize(desk.person())
        return person, Delegation(**{**_members(delegation), "jkt": other.jkt})
    return person, delegation


def _members(delegation: Delegation) -> dict[str, Any]:
    return {name: getattr(delegation, name) for name in Delegation.__slots__}


def needs(desk: Desk, name: str, arguments: dict[str, Json]) -> bool:
    tool = desk.policy.tools.get(name)
    return tool is not None and not tool.public and tool.approval.required(arguments)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(standings, st.sampled_from(TOOLS), arguments)
def test_a_page_and_mcp_get_the_same_decision(
    desk: Desk, drawn: dict[str, Any], tool: str, arguments: dict[str, Json]
) -> None:
    def both(_: Tx) -> tuple[Any, Any]:
        person, delegation = standing(desk, drawn)
        return desk.call(person, delegation, tool, arguments), desk.call(
            person, delegation, tool, arguments, MCP
        )

    by_page, by_mcp = desk.do(both)
    expected = outcome(by_page)
    if needs(desk, tool, arguments) and expected in BEFORE_EVIDENCE:
        expected = "missing_evidence"
    if isinstance(by_page, Answered) and by_page.call.state == "approved" and drawn["details"]:
        assert outcome(by_mcp) in (expected, "constraint_exhausted")  # the first has taken from the counter
    else:
        assert outcome(by_mcp) == expected


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(standings, st.sampled_from(["transfer_money", "close_account"]), arguments)
def test_who_gets_a_challenge_over_mcp_would_be_asked_on_a_page(
    desk: Desk, drawn: dict[str, Any], tool: str, arguments: dict[str, Json]
) -> None:
    """Counters are looked at when the call comes (CONS-3); else both hear the same, and in the same words."""

    def both(tx: Tx) -> tuple[Any, Any]:
        person, delegation = standing(desk, drawn)
        over_mcp = desk.request(person, delegation, tool, arguments, MCP)
        return desk.call(person, delegation, tool, arguments), approving.challenge_ahead(
            tx, desk.at, over_mcp
        )

    by_page, by_mcp = desk.do(both)
    if isinstance(by_page, Answered):
        assert isinstance(by_mcp, Minted)
        assert by_page.call.description is not None
        assert by_mcp.text.lines[0] == by_page.call.description.headline
    else:
        assert outcome(by_mcp) == outcome(by_page)


def test_the_record_tells_the_same_of_both(desk: Desk) -> None:  # LOG-6
    """Of a page in two entries, the arrival and the approval; over MCP both are one."""
    person = desk.person("internal")
    delegation = desk.deputize(person)
    pending = desk.allowed(person, delegation, "transfer_money", TRANSFER)
    shown = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(person, pending)))
    assert isinstance(shown, Minted)
    evidence, asked = desk.evidence(shown, person.devices[0]), desk.page_call(person, pending)
    verdict = desk.look(lambda tx: approving.check(tx, desk.at, asked, evidence))
    assert outcome(desk.do(lambda tx: approving.approve(tx, desk.at, asked, verdict))) == "approved"
    arrival, approval = desk.entries()[-2:]
    ahead = desk.request(person, delegation, "transfer_money", TRANSFER, MCP)
    minted = desk.do(lambda tx: approving.challenge_ahead(tx, desk.at, ahead))
    assert isinstance(minted, Minted)
    request = desk.request(person, delegation, "transfer_money", TRANSFER, MCP)
    evidence = desk.evidence(minted, person.devices[0])
    given = desk.look(lambda tx: approving.check_ahead(tx, desk.at, request, evidence))
    assert outcome(desk.do(lambda tx: arrivals.create(tx, desk.at, request, given))) == "approved"
    at_once = desk.last()
    assert {**arrival, **approval}.keys() | TOLD_BY_MCP.keys() == at_once.keys()
    for name in (
        "sub",
        "client_id",
        "grant_id",
        "tool",
        "scope",
        "assurance",
        "method",
        "credential_id",
        "policy_s256",
    ):
        assert {**arrival, **approval}.get(name) == at_once.get(name), name
    assert {name: at_once[name] for name in TOLD_BY_MCP} == TOLD_BY_MCP
    assert at_once["assurance"] == "opaque"


def test_a_missing_scope_is_told_so_that_a_grant_can_be_asked_for(desk: Desk) -> None:
    """A page is told what is missing (CALL-1), a client of MCP all that the next grant has to have (MCP-7)."""
    person = desk.person()
    delegation = desk.deputize(person, "account:read account:admin")
    told = {}
    for way in (PAGE, MCP):
        denied = desk.call(person, delegation, "note", way=way)
        assert isinstance(denied, Denied)
        told[way] = denied.refusal.facts["scope"]
    assert told == {PAGE: "payments:write", MCP: "account:admin account:read payments:write"}


@pytest.mark.parametrize("tool", ["get_balance", "transfer_money", "pay_bill"])
def test_alone_the_page_asks_and_over_mcp_the_user_himself(desk: Desk, tool: str) -> None:  # CALL-7, MCP-4
    person = desk.person("internal")
    by_page = desk.call(person, None, tool, {"amount": 1, "name": "Ada"} if tool == "transfer_money" else {})
    assert outcome(by_page) == ("pending" if tool == "transfer_money" else "consent_required")
    assert desk.last()["asked_by"] == "page"
    by_mcp = desk.call(person, None, tool, {}, MCP)
    assert outcome(by_mcp) == ("missing_evidence" if tool == "transfer_money" else "approved")
    assert ("asked_by" in desk.last(), desk.last()["via"]) == (False, "mcp")


def test_what_stands_behind_a_call_is_read_once(desk: Desk) -> None:
    """Each transaction reads the grants once, and another reads them again: one may have ended meanwhile."""
    person = desk.person()
    parent = desk.deputize(person)
    child = desk.deputize(person, above=parent)
    found = desk.look(lambda tx: standing_of(tx, child))
    assert [link.grant_id for link in found.lineage] == [child.grant_id, parent.grant_id]
    assert [agent.client_id for agent in found.parents] == [parent.client_id]
    assert found.agent is not None
    assert found.agent.client_id == child.client_id
    assert found.lost(child, desk.now) is None
    assert outcome(desk.allowed(person, child)) == "approved"
    desk.do(lambda tx: tx.move_grant(parent.grant_id, GrantState.REVOKED, desk.now))
    assert outcome(desk.call(person, child)) == "grant_revoked"  # CHAIN-3
