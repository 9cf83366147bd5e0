"""The decision: deny by default, in one order (CALL-1)."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.agent import Agent, Assurance, Ceiling
from deputize.protocol.authorization import (
    Able,
    Authorized,
    Decision,
    Standing,
    decide_arguments,
    known_tool,
    misfit,
    permits,
    permits_page,
)
from deputize.protocol.canonical import Json
from deputize.protocol.credential import AuthenticatorClass
from deputize.protocol.definition import Described, definition_s256
from deputize.protocol.endpoint import Endpoint
from deputize.protocol.errors import Code, Refusal
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.ids import NO_KEY, ClientId, GrantId, Jkt, UserId
from deputize.protocol.policy import Api, Policy, Site
from deputize.protocol.scope import Scope, ScopeSet
from deputize.protocol.token import Delegation
from deputize.protocol.tool import Schema, Tool

NOW = 1_000
NAMES = ["a", "b", "c"]
USER = UserId("usr_x")
AGENT = Agent(ClientId("agt_x"), Assurance.OPAQUE, Jkt("k"), USER, 0)
GRANT = Grant(
    GrantId("grt_x"), USER, AGENT.client_id, ScopeSet.of(NAMES), GrantState.ACTIVE, {}, 0, NOW + 1, Jkt("k")
)
DESCRIBED = Described("t", definition_s256("t", "Does it."), by_page=True)

subsets = st.frozensets(st.sampled_from(NAMES)).map(ScopeSet)
some = st.frozensets(st.sampled_from(NAMES), min_size=1).map(ScopeSet)


def nobody(wanted: AuthenticatorClass) -> bool:
    """Say that the user has nothing to approve with."""
    return False


def anybody(wanted: AuthenticatorClass) -> bool:
    """Say that the user can approve."""
    return True


def decide(
    policy: Policy,
    tool: Tool,
    agent: Agent | None,
    lineage: Sequence[Grant],
    arguments: dict[str, Json],
    able: Able,
    parents: Sequence[Agent] = (),
    described: Described = DESCRIBED,
) -> Decision:
    """Decide an agent's call as use cases do: what it may, then what is asked."""
    closed = permits(policy, tool, described, Standing(agent, lineage, parents), arguments, NOW)
    return closed or decide_arguments(tool, arguments, able, tool.approval.required(arguments))


def policy(tool: Tool, ceiling: ScopeSet) -> Policy:
    site = Site("S", "https://s.example", "https://s.example/deputize", "s.example")
    scopes = {name: Scope(name, name, True) for name in NAMES}
    return Policy(site, Api("https://s.example", ()), scopes, {tool.name: tool}, Ceiling(ceiling))


@given(some, subsets, subsets)
def test_a_call_may_do_the_least_of_tool_grant_and_ceiling(
    asked: ScopeSet, granted: ScopeSet, ceiling: ScopeSet
) -> None:
    tool = Tool("t", asked)
    decision = decide(policy(tool, ceiling), tool, AGENT, [replace(GRANT, scopes=granted)], {}, nobody)
    if asked <= ceiling and asked <= granted:
        assert isinstance(decision, Authorized)
    else:
        assert isinstance(decision, Refusal)
        assert decision.code is (Code.INSUFFICIENT_SCOPE if asked <= ceiling else Code.AGENT_NOT_ALLOWED)


@given(st.sampled_from(GrantState), st.integers(NOW - 2, NOW + 2))
def test_only_an_active_grant_that_has_not_expired_grants(
    state: GrantState, expires_at: int
) -> None:  # TOKEN-5
    tool = Tool("t", ScopeSet.of(["a"]))
    grant = replace(GRANT, state=state, expires_at=expires_at)
    decision = decide(policy(tool, ScopeSet.of(NAMES)), tool, AGENT, [grant], {}, nobody)
    assert isinstance(decision, Authorized) == (state is GrantState.ACTIVE and expires_at > NOW)


def test_agents_and_grants_that_do_not_belong_together_are_refused() -> None:
    tool = Tool("t", ScopeSet.of(["a"]))
    rules = policy(tool, ScopeSet.of(NAMES))
    cases = [
        (None, GRANT, Code.UNKNOWN_AGENT),
        (replace(AGENT, revoked_at=1), GRANT, Code.UNKNOWN_AGENT),
        (AGENT, None, Code.CONSENT_REQUIRED),
        (AGENT, replace(GRANT, client_id=ClientId("agt_y")), Code.CONSENT_REQUIRED),
        (AGENT, replace(GRANT, user_id=UserId("usr_y")), Code.CONSENT_REQUIRED),
    ]
    for agent, grant, code in cases:
        decision = decide(rules, tool, agent, [grant] if grant else [], {}, nobody)
        assert isinstance(decision, Refusal)
        assert decision.code is code


@pytest.mark.parametrize(
    ("standing", "code"),
    [
        (Standing(None, [GRANT]), Code.UNKNOWN_AGENT),
        (Standing(replace(AGENT, revoked_at=1), [GRANT]), Code.UNKNOWN_AGENT),
        (Standing(AGENT), Code.CONSENT_REQUIRED),
        (Standing(AGENT, [replace(GRANT, jkt=Jkt("another"))]), Code.CONSENT_REQUIRED),
        (Standing(AGENT, [replace(GRANT, state=GrantState.REVOKED)]), Code.GRANT_REVOKED),
        (Standing(AGENT, [GRANT, replace(GRANT, expires_at=NOW)]), Code.GRANT_EXPIRED),
        (Standing(AGENT, [GRANT]), None),
    ],
)
def test_a_connection_stands_on_agent_key_and_every_grant_above(
    standing: Standing, code: Code | None
) -> None:  # MCP-2, CHAIN-3
    lost = standing.lost(Delegation.of(GRANT, AGENT, "jti", NOW), NOW)
    assert (lost.code if lost else None) is code


def test_classes_of_agents_without_a_rule_get_nothing() -> None:  # AGENT-2
    tool = Tool("t", ScopeSet.of(["a"]))
    for assurance in (Assurance.REGISTERED, Assurance.ORIGIN):
        agent = replace(AGENT, assurance=assurance)
        decision = decide(policy(tool, ScopeSet.of(NAMES)), tool, agent, [GRANT], {}, nobody)
        assert isinstance(decision, Refusal)
        assert decision.code is Code.AGENT_NOT_ALLOWED


def test_arguments_are_looked_at_last() -> None:
    tool = Tool("t", ScopeSet.of(["a"]), input_schema=Schema({"required": ["x"]}))
    rules = policy(tool, ScopeSet.of(NAMES))
    decision = decide(rules, tool, AGENT, [GRANT], {}, nobody)
    assert isinstance(decision, Refusal)
    assert decision.code is Code.INVALID_ARGUMENTS
    assert isinstance(decide(rules, tool, AGENT, [GRANT], {"x": 1}, nobody), Authorized)


@given(some, subsets, st.booleans(), st.booleans())
def test_leaving_the_delegation_out_gains_nothing(
    asked: ScopeSet, ceiling: ScopeSet, opaque: bool, said: bool
) -> None:
    """CALL-7: what an agent that nobody knows could never call, whatever the user gives it, the page cannot either."""
    tool = Tool("t", asked, direct=True, opaque=opaque, direct_when_closed=said, describe=lambda _: "Do it")
    rules = policy(tool, ceiling)
    agents = decide(rules, tool, AGENT, [GRANT], {}, anybody)
    pages = permits_page(rules, tool) or decide_arguments(tool, {}, anybody, True)
    assert isinstance(pages, Authorized) == (said or isinstance(agents, Authorized))
    if isinstance(pages, Refusal):
        assert pages.code is Code.AGENT_NOT_ALLOWED
    with suppress(ValueError):
        tool.check_direct(ceiling)
        assert isinstance(pages, Authorized)  # a policy without a fault refuses no page


def test_tools_that_nobody_declared_are_unknown() -> None:  # SHIM-1, CALL-8
    public = Tool("help", public=True)
    rules = policy(public, ScopeSet())
    for name, code in (("t", Code.UNKNOWN_TOOL), ("help", Code.TOOL_IS_PUBLIC)):
        answer = known_tool(rules, name)
        assert isinstance(answer, Refusal)
        assert answer.code is code


@given(some, subsets, subsets)
def test_nobody_hands_on_what_the_policy_does_not_let_him_have(
    asked: ScopeSet, childs: ScopeSet, parents: ScopeSet
) -> None:  # AGENT-2, CHAIN-3
    tool = Tool("t", asked)
    child, parent = ClientId("https://c.example/c.json"), ClientId("https://p.example/p.json")
    ceiling = Ceiling(ScopeSet(), registered={child: childs, parent: parents})
    rules = replace(policy(tool, ScopeSet()), ceiling=ceiling)
    agents = [Agent(name, Assurance.REGISTERED, None, None, 0) for name in (child, parent)]
    links = [replace(GRANT, client_id=child, parent_id=GRANT.grant_id), replace(GRANT, client_id=parent)]
    decision = decide(rules, tool, agents[0], links, {}, nobody, agents[1:])
    assert isinstance(decision, Authorized) == (asked <= childs and asked <= parents)


def test_a_grant_without_a_key_is_good_while_the_policy_says_so_and_for_an_opaque_agent_only() -> None:
    """BEARER-2, BEARER-5; AGENT-3: whatever is known of the agent when it comes with a key."""
    agent = Agent(ClientId("https://a.example/agent.json"), Assurance.ORIGIN, None, None, 0)
    grant = replace(GRANT, client_id=agent.client_id, jkt=NO_KEY, shown={"unproven": True})
    scopes = ScopeSet.of(["a"])
    for tool, bearer, code in (
        (Tool("t", scopes), True, None),
        (Tool("t", scopes), False, Code.AGENT_NOT_ALLOWED),
        (Tool("t", scopes, opaque=False), True, Code.AGENT_NOT_ALLOWED),
        (
            Tool("t", ScopeSet.of(["b"])),
            True,
            Code.AGENT_NOT_ALLOWED,
        ),  # for agents of its origin, not for opaque ones
    ):
        ceiling = Ceiling(scopes, ScopeSet.of(["a", "b"]), frozenset({"https://a.example"}))
        rules = replace(policy(tool, scopes), ceiling=ceiling, bearer=bearer)
        decision = decide(rules, tool, agent, [grant], {}, nobody)
        assert (decision.code if isinstance(decision, Refusal) else None) is code
        keyed = decide(rules, tool, agent, [replace(grant, jkt=Jkt("k"), shown={})], {}, nobody)
        assert isinstance(keyed, Authorized)


OTHERWISE = replace(DESCRIBED, s256=definition_s256("t", "Does it, and something else."))
LISTED = replace(OTHERWISE, by_page=False)


@pytest.mark.parametrize(
    ("pinned", "described", "code"),
    [
        ((), OTHERWISE, None),
        ((DESCRIBED.s256,), DESCRIBED, None),
        ((OTHERWISE.s256, DESCRIBED.s256), DESCRIBED, None),
        ((DESCRIBED.s256,), OTHERWISE, Code.DEFINITION_CHANGED),
        ((DESCRIBED.s256,), replace(DESCRIBED, s256=""), Code.DEFINITION_CHANGED),
        ((DESCRIBED.s256,), LISTED, None),  # the authority's own words
    ],
)
def test_a_tool_is_described_as_it_is_pinned(
    pinned: tuple[str, ...], described: Described, code: Code | None
) -> None:  # PIN-1
    tool = Tool("t", ScopeSet.of(["a"]), pinned=pinned)
    decision = decide(policy(tool, tool.scopes), tool, AGENT, [GRANT], {}, nobody, described=described)
    assert (decision.code if isinstance(decision, Refusal) else None) is code


@pytest.mark.parametrize(
    ("known", "described", "code"),
    [
        ({}, OTHERWISE, None),  # the first joins the consent
        ({"t": [DESCRIBED.s256]}, DESCRIBED, None),
        ({"t": [DESCRIBED.s256, OTHERWISE.s256]}, OTHERWISE, None),
        ({"t": [DESCRIBED.s256]}, OTHERWISE, Code.CONSENT_OUTDATED),
        ({"t": [DESCRIBED.s256]}, LISTED, None),
        ({"mcp/t": [DESCRIBED.s256]}, OTHERWISE, None),
        ({"mcp/t": [DESCRIBED.s256]}, LISTED, Code.CONSENT_OUTDATED),
        ({"u": [DESCRIBED.s256]}, OTHERWISE, None),
    ],
)
def test_a_tool_is_described_as_when_the_user_consented(
    known: dict[str, list[str]], described: Described, code: Code | None
) -> None:  # GRANT-8
    tool, consented = Tool("t", ScopeSet.of(["a"])), replace(GRANT, definitions=known)
    child = replace(GRANT, grant_id=GrantId("grt_child"), parent_id=GRANT.grant_id)
    for lineage in (
        [consented],
        [child, consented],
    ):  # those of the user's own consent count, in the whole chain
        decision = decide(policy(tool, tool.scopes), tool, AGENT, lineage, {}, nobody, described=described)
        assert (decision.code if isinstance(decision, Refusal) else None) is code
        assert code is None or decision.facts["scope"] == str(GRANT.scopes)  # type: ignore[union-attr]  # a Refusal


def test_a_public_tool_has_no_pin() -> None:  # PIN-1, CALL-8
    with pytest.raises(ValueError, match="nobody could hold it to a pin"):
        Tool("t", public=True, pinned=(DESCRIBED.s256,))


def test_endpoint_2_arguments_that_its_endpoint_cannot_be_sent_do_not_fit_a_tool() -> None:
    """Told before anything is asked of anybody."""
    schema = Schema({"required": ["to"], "properties": {"to": {"type": "string"}}})
    pay = Tool("pay", ScopeSet.of(["a"]), input_schema=schema, endpoint=Endpoint.parse("POST /pay/{to}"))
    assert misfit(pay, {"to": "Ada"}) is None
    for fitting in ("a/b", ".."):
        refusal = misfit(pay, {"to": fitting})
        assert refusal is not None
        assert refusal.code is Code.INVALID_ARGUMENTS
        assert decide_arguments(pay, {"to": fitting}, None, True) == refusal
