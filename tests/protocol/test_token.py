"""TOKEN-2, BEARER-1: a delegation is bound to a key, or is for MCP only and says nothing of keys."""

from typing import Any

import pytest

from deputize.protocol.agent import Agent, Assurance
from deputize.protocol.constraint import Constraints
from deputize.protocol.errors import Code, Refused
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.ids import NO_KEY, ClientId, GrantId, Jkt, UserId
from deputize.protocol.scope import ScopeSet
from deputize.protocol.token import Delegation

ISSUER = "https://bank.example/deputize"
MCP = f"{ISSUER}/mcp"
AGENT = Agent(ClientId("https://agent.example/agent.json"), Assurance.ORIGIN, None, None, 0)


def claims(jkt: Jkt, **changed: Any) -> dict[str, Any]:
    """Make the claims of a grant for this key; those that are None are left out."""
    grant = Grant(
        GrantId("grt_" + "x" * 22),
        UserId("usr_x"),
        AGENT.client_id,
        ScopeSet.of(["a"]),
        GrantState.ACTIVE,
        {},
        0,
        1000,
        jkt,
    )
    made = Delegation.of(grant, AGENT, "j", 0).claims(ISSUER, Constraints(), ())
    return {name: value for name, value in {**made, **changed}.items() if value is not None}


@pytest.mark.parametrize(("jkt", "assurance"), [(Jkt("k"), Assurance.ORIGIN), (NO_KEY, Assurance.OPAQUE)])
def test_both_are_read_as_they_were_made(jkt: Jkt, assurance: Assurance) -> None:
    """BEARER-2: without a key nobody is better known than opaque."""
    read = Delegation.parse(claims(jkt), ISSUER, 0)
    assert (read.jkt, read.bearer, read.assurance) == (jkt, jkt == NO_KEY, assurance)


@pytest.mark.parametrize(
    ("jkt", "changed"),
    [
        (NO_KEY, {"aud": ISSUER}),
        (NO_KEY, {"aud": [MCP]}),
        (NO_KEY, {"aud": MCP + "/"}),
        (NO_KEY, {"cnf": {}}),
        (NO_KEY, {"cnf": {"jkt": ""}}),
        (NO_KEY, {"cnf": {"jkt": None}}),
        (NO_KEY, {"cnf": "k"}),
        (NO_KEY, {"cnf": []}),
        (Jkt("k"), {"cnf": None}),
        (Jkt("k"), {"aud": MCP}),
        (Jkt("k"), {"cnf": {"jkt": ""}}),
        (Jkt("k"), {"cnf": {"jkt": ""}, "aud": MCP}),
        (Jkt("k"), {"cnf": {"x5t#S256": "k"}}),
    ],
)
def test_nothing_between_them(jkt: Jkt, changed: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        Delegation.parse(claims(jkt, **changed), ISSUER, 0)
    assert caught.value.refusal.code is Code.INVALID_TOKEN


def test_a_confirmation_that_is_null_is_not_none_at_all() -> None:
    with pytest.raises(Refused):
        Delegation.parse({**claims(NO_KEY), "cnf": None}, ISSUER, 0)
