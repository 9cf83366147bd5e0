"""A call comes: it is decided, and the decision recorded (CALL-1, CALL-3, CALL-5, CALL-7)."""

from dataclasses import replace

import pytest
from tests.service.kit import TRANSFER, Desk, Person, outcome

from deputize.protocol.canonical import Json
from deputize.protocol.errors import Code, Refused
from deputize.protocol.grant import GrantState
from deputize.protocol.quota import Rate
from deputize.protocol.token import Delegation
from deputize.protocol.tool import Executes
from deputize.service.calls import counters
from deputize.service.calls.answers import Answered, Denied
from deputize.service.calls.request import MCP, PAGE, Principal, Way

Standing = tuple[Person, Delegation]
TWICE: Json = [{"type": "webmcp_tool", "tool": "note", "max_calls": 2}]
WAYS = pytest.mark.parametrize("way", [PAGE, MCP], ids=["page", "mcp"])


@pytest.fixture
def ada(desk: Desk) -> Standing:
    person = desk.person("internal")
    return person, desk.deputize(person)


def test_the_first_failure_answers(desk: Desk) -> None:  # CALL-1
    """From the last to the first: each time one more thing is wrong."""
    person = desk.person()
    wrong: dict[str, Json] = {"amount": "no"}
    assert (
        outcome(desk.call(person, desk.deputize(person), "transfer_money", TRANSFER))
        == "no_eligible_credential"
    )
    assert outcome(desk.call(person, desk.deputize(person), "transfer_money", wrong)) == "invalid_arguments"
    limits: Json = [{"type": "webmcp_tool", "tool": "transfer_money", "not_after": 1}]
    standings = {
        "constraint_violated": desk.deputize(person, details=limits),
        "insufficient_scope": desk.deputize(person, "account:read", limits),
        "grant_revoked": desk.deputize(person, "account:read", limits, state=GrantState.REVOKED),
    }
    for code, delegation in standings.items():
        assert outcome(desk.call(person, delegation, "transfer_money", wrong)) == code
    revoked = standings["grant_revoked"]
    desk.do(lambda tx: tx.revoke_agent(revoked.client_id, desk.now))
    assert outcome(desk.call(person, revoked, "transfer_money", wrong)) == "unknown_agent"
    assert outcome(desk.call(person, revoked, "steal", wrong)) == "unknown_tool"
    assert outcome(desk.call(person, revoked, "search_help", wrong)) == "tool_is_public"  # CALL-8
    assert outcome(desk.call(desk.person(), revoked, "steal", wrong)) == "wrong_user"
    assert outcome(desk.call(person, desk.deputize(person), "open_vault")) == "agent_not_allowed"  # AGENT-2


@WAYS
def test_a_refusal_is_recorded_under_the_id_that_is_told(
    desk: Desk, ada: Standing, way: Way
) -> None:  # CALL-3
    denied = desk.call(*ada, "open_vault", way=way)
    assert isinstance(denied, Denied)
    told = desk.last()
    assert (told["kind"], told["call_id"], told["code"]) == (
        "call.denied",
        denied.call_id,
        denied.refusal.code,
    )
    assert (told["sub"], told["client_id"]) == (ada[0].user.user_id, ada[1].client_id)
    kept = desk.look(lambda tx: tx.call(denied.call_id))  # for its user to see
    assert kept is not None
    assert (kept.state, kept.entry, kept.match_key) == ("denied", told["i"], None)  # it can go nowhere


def test_nobody_leaves_no_trace(desk: Desk, ada: Standing) -> None:
    """Who is not signed in and brings no delegation: not even the proof is kept."""
    request = desk.request(*ada)
    nobody, before = Principal(None, None, request.principal.proofs), len(desk.entries())
    with pytest.raises(Refused) as caught:
        desk.call(*ada, principal=nobody)
    assert caught.value.refusal.code is Code.LOGIN_REQUIRED
    assert len(desk.entries()) == before
    assert desk.do(lambda tx: nobody.spend(tx))


def test_a_delegation_without_its_users_session_is_refused_with_an_entry(desk: Desk, ada: Standing) -> None:
    request = desk.request(*ada)
    denied = desk.call(*ada, principal=replace(request.principal, present=None))
    assert outcome(denied) == "login_required"
    assert desk.last()["sub"] == ada[0].user.user_id


@pytest.mark.parametrize(("amount", "state"), [(100, "approved"), (100.01, "pending")])
def test_approval_can_depend_on_the_arguments(desk: Desk, ada: Standing, amount: float, state: str) -> None:
    assert outcome(desk.call(*ada, "pay_bill", {"amount": amount})) == state  # CALL-5


@WAYS
def test_the_record_does_not_tell_the_arguments(desk: Desk, ada: Standing, way: Way) -> None:  # LOG-2
    desk.allowed(*ada, "note", {"text": "Secret Payee"}, way)
    told = desk.last()
    assert "Secret Payee" not in str(told)
    assert "args_commitment" in told


@WAYS
def test_so_many_calls_are_counted_and_those_that_are_refused_beyond_leave_no_entry(
    desk: Desk, ada: Standing, way: Way
) -> None:  # QUOTA-1, QUOTA-2
    policy = desk.policy
    quotas = replace(policy.quotas, entries=Rate(3, 60), refused_calls=Rate(1, 60))
    desk.policy = replace(policy, quotas=quotas)
    try:
        came = [outcome(desk.call(*ada, tool, way=way)) for tool in ("steal", "steal", "note", "note")]
        before = len(desk.entries())
        assert came == ["unknown_tool", "too_many_requests", "approved", "too_many_requests"]
        assert outcome(desk.call(*ada, "note", way=way)) == "too_many_requests"
        assert len(desk.entries()) == before
    finally:
        desk.policy = policy


class TestCounters:
    """CONS-3: what is taken is taken in the transaction that approves, here and in all that it was handed on from."""

    @WAYS
    def test_one_that_was_handed_on_takes_from_all_above(self, desk: Desk, way: Way) -> None:
        person = desk.person()
        parent = desk.deputize(person, details=TWICE)
        child = desk.deputize(person, above=parent)
        came = [
            outcome(desk.call(person, each, "note", {"n": n}, way))
            for n, each in enumerate([child, parent, child])
        ]
        assert came == ["approved", "approved", "constraint_exhausted"]
        assert list(desk.look(lambda tx: tx.used(parent.grant_id)).values()) == [2]

    def test_a_call_that_waits_has_taken_nothing(self, desk: Desk, ada: Standing) -> None:
        details: Json = [{"type": "webmcp_tool", "tool": "transfer_money", "max_calls": 1}]
        delegation = desk.deputize(ada[0], details=details)
        waiting = [
            desk.allowed(ada[0], delegation, "transfer_money", {**TRANSFER, "amount": n}) for n in (1, 2)
        ]
        assert [each.call.state for each in waiting] == ["pending", "pending"]
        assert desk.look(lambda tx: tx.used(delegation.grant_id)) == {}

    def test_who_looked_and_finds_it_taken_takes_nothing(self, desk: Desk, ada: Standing) -> None:
        """As where two processes look before either takes: of two counters, the first had still had enough."""
        details: Json = [{"type": "webmcp_tool", "tool": "note", "max_calls": 9, "sum": {"/amount": 10}}]
        delegation = desk.deputize(ada[0], details=details)
        call = desk.allowed(ada[0], delegation, "note", {"amount": 4}).call
        lineage = desk.look(lambda tx: tx.lineage(delegation.grant_id))
        quick, slow = (desk.look(lambda tx: counters.left(tx, lineage, call)) for _ in range(2))
        assert isinstance(quick, counters.Uses)
        assert isinstance(slow, counters.Uses)
        desk.do(quick.take)
        used = desk.look(lambda tx: tx.used(delegation.grant_id))
        with pytest.raises(Refused) as refused:
            desk.do(slow.take)
        assert refused.value.refusal.code is Code.CONSTRAINT_EXHAUSTED
        assert desk.look(lambda tx: tx.used(delegation.grant_id)) == used


class TestDirect:
    """CALL-7: the page asks by itself."""

    def test_is_always_approved_and_names_no_agent(self, desk: Desk, ada: Standing) -> None:
        made = desk.allowed(ada[0], None, "transfer_money", TRANSFER)
        assert (made.call.state, made.call.client_id, made.standing.agent) == ("pending", None, None)
        assert desk.last()["asked_by"] == "page"
        assert "client_id" not in desk.last()

    def test_does_not_meet_what_an_agent_asked_for(self, desk: Desk, ada: Standing) -> None:
        agents = desk.allowed(*ada, "transfer_money", TRANSFER)
        own = desk.allowed(ada[0], None, "transfer_money", TRANSFER)
        assert own.call.call_id != agents.call.call_id

    @pytest.mark.parametrize("tool", ["get_balance", "pay_bill", "note"])
    def test_only_where_the_policy_says_so(self, desk: Desk, ada: Standing, tool: str) -> None:
        assert outcome(desk.call(ada[0], None, tool)) == "consent_required"


def test_who_makes_a_call_is_told_with_it(desk: Desk, ada: Standing) -> None:
    made = desk.call(*ada, "transfer_money", TRANSFER)
    assert isinstance(made, Answered)
    assert made.standing.agent is not None
    assert made.standing.agent.client_id == ada[1].client_id
    assert [link.grant_id for link in made.standing.lineage] == [ada[1].grant_id]


@pytest.mark.parametrize(("way", "runs"), [(PAGE, "page"), (MCP, "api")])
def test_a_call_over_mcp_runs_where_no_page_is(desk: Desk, ada: Standing, way: Way, runs: str) -> None:
    note = replace(desk.policy.tools["note"], executes=Executes.PAGE)
    desk.policy = replace(desk.policy, tools={**desk.policy.tools, "note": note})
    assert desk.allowed(*ada, "note", way=way).call.executes == runs
