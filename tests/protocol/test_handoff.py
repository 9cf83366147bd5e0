"""A handoff is for one agent with one key, for a minute, at this authority (CHAIN-1)."""

from typing import Any

import pytest

from deputize.protocol.constraint import Constraints
from deputize.protocol.errors import Code, Refused
from deputize.protocol.handoff import LIFETIME, Handoff
from deputize.protocol.ids import ClientId, GrantId, Jkt, UserId
from deputize.protocol.scope import ScopeSet

ISSUER = "https://bank.example/deputize"
HANDOFF = Handoff(
    UserId("usr_x"),
    GrantId("grt_" + "x" * 22),
    ClientId("https://agent.example/agent.json"),
    Jkt("k"),
    ScopeSet.of(["a"]),
    Constraints.parse([{"type": "webmcp_tool", "tool": "pay", "max_calls": 2}]),
)


def test_it_is_read_as_it_was_made_and_until_its_second() -> None:  # TOKEN-5
    told: Any = HANDOFF.claims(ISSUER, "j", 1000)
    assert Handoff.parse(told, ISSUER, 1000 + LIFETIME - 1) == HANDOFF
    with pytest.raises(Refused, match="has run out") as refused:
        Handoff.parse(told, ISSUER, 1000 + LIFETIME)
    assert refused.value.refusal.code is Code.INVALID_GRANT


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.example/deputize"},
        {"aud": f"{ISSUER}/mcp"},
        {"aud": [ISSUER]},
        {"sub": None},
        {"exp": "1060"},
        {"grant_id": "cal_" + "x" * 22},
        {"scope": ["a"]},
        {"authorization_details": None},
        {"may_act": {}},
        {"may_act": HANDOFF.child},
        {"cnf": {}},
        {"cnf": {"jkt": None}},
    ],
    ids=str,
)
def test_what_is_not_exactly_ours(changed: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="not a handoff of this authority") as refused:
        Handoff.parse({**HANDOFF.claims(ISSUER, "j", 1000), **changed}, ISSUER, 1000)  # type: ignore[dict-item]
    assert refused.value.refusal.code is Code.INVALID_GRANT
