"""AGENT-2, BEARER-2: what each agent may have at most."""

import pytest

from deputize.protocol.agent import Agent, Assurance, Ceiling
from deputize.protocol.ids import ClientId
from deputize.protocol.scope import ScopeSet

OPAQUE, ORIGIN, REGISTERED = (ScopeSet.of([name]) for name in ("opaque", "origin", "registered"))
CEILING = Ceiling(
    OPAQUE,
    ORIGIN,
    frozenset({"https://agent.example", "http://localhost:9000"}),
    {ClientId("https://known.example/agent.json"): REGISTERED},
)


@pytest.mark.parametrize(
    ("assurance", "client_id", "most"),
    [
        (Assurance.OPAQUE, "agt_x", OPAQUE),
        (Assurance.ORIGIN, "https://agent.example/agent.json", ORIGIN),
        (Assurance.ORIGIN, "https://agent.example/other/agent.json", ORIGIN),
        (Assurance.ORIGIN, "http://localhost:9000/agent.json", ORIGIN),
        (Assurance.ORIGIN, "http://localhost:9001/agent.json", ScopeSet()),
        (Assurance.ORIGIN, "http://agent.example/agent.json", ScopeSet()),
        (Assurance.ORIGIN, "https://agent.example.evil.example/agent.json", ScopeSet()),
        (Assurance.ORIGIN, "https://agent.example:8443/agent.json", ScopeSet()),
        (Assurance.ORIGIN, "https://known.example/agent.json", ScopeSet()),
        (Assurance.ORIGIN, "agt_x", ScopeSet()),
        (Assurance.REGISTERED, "https://known.example/agent.json", REGISTERED),
        (Assurance.REGISTERED, "https://known.example/agent.json/", ScopeSet()),
        (Assurance.REGISTERED, "https://agent.example/agent.json", ScopeSet()),
    ],
)
def test_an_agent_that_the_policy_does_not_name_gets_nothing(
    assurance: Assurance, client_id: str, most: ScopeSet
) -> None:
    agent = Agent(ClientId(client_id), assurance, None, None, 0)
    assert CEILING.of(agent) == most
    if assurance is not Assurance.OPAQUE:
        assert Ceiling(OPAQUE).of(agent) == ScopeSet()


@pytest.mark.parametrize(
    ("client_id", "most"),
    [
        ("https://agent.example/app.json", ScopeSet.of(["both"])),
        ("https://other.example/app.json", ScopeSet()),
        ("https://known.example/agent.json", ScopeSet()),
        ("agt_x", ScopeSet.of(["both", "opaque"])),
    ],
)
def test_nobody_gains_by_leaving_a_key_out(client_id: str, most: ScopeSet) -> None:
    """BEARER-2: what shows a document and proves nothing has what both kinds may have."""
    ceiling = Ceiling(
        ScopeSet.of(["both", "opaque"]),
        ScopeSet.of(["both", "origin"]),
        CEILING.origins,
        {ClientId("https://known.example/agent.json"): ScopeSet.of(["both"])},
    )
    assert ceiling.of(Agent(ClientId(client_id), Assurance.OPAQUE, None, None, 0)) == most
