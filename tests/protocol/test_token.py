"""TOKEN-2, BEARER-1: a delegation is bound to a key, or is for MCP only and says nothing of keys."""

from typing import Any

import pytest
from tests.store import values as v

from deputize.protocol.agent import Agent, Assurance
from deputize.protocol.constraint import Constraints
from deputize.protocol.errors import Code, Refused
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.ids import NO_KEY, ChallengeId, ClientId, GrantId, Jkt, UserId
from deputize.protocol.scope import ScopeSet
from deputize.protocol.token import CallToken, Delegation

ISSUER = "https://bank.example/deputize"
MCP = f"{ISSUER}/mcp"
AGENT = Agent(ClientId("https://agent.example/agent.json"), Assurance.ORIGIN, None, None, 0)


def claims(jkt: Jkt, unproven: bool, **changed: Any) -> dict[str, Any]:
    """Make the claims of a grant for this key; those that are None are left out."""
    grant = Grant(
        GrantId("grt_" + "x" * 22),
        UserId("usr_x"),
        AGENT.client_id,
        ScopeSet.of(["a"]),
        GrantState.ACTIVE,
        {"unproven": True} if unproven else {},
        0,
        1000,
        jkt,
    )
    made = Delegation.of(grant, AGENT, "j", 0).claims(ISSUER, Constraints(), ())
    return {name: value for name, value in {**made, **changed}.items() if value is not None}


@pytest.mark.parametrize(("jkt", "unproven"), [(Jkt("k"), False), (Jkt("k"), True), (NO_KEY, True)])
def test_each_is_read_as_it_was_made(jkt: Jkt, unproven: bool) -> None:
    """BEARER-2, BEARER-7: who proved nothing is not known better than opaque, with a key or without."""
    read = Delegation.parse(claims(jkt, unproven), ISSUER, 0)
    assert (read.jkt, read.bearer, read.unproven) == (jkt, jkt == NO_KEY, unproven)
    assert read.assurance is (Assurance.OPAQUE if unproven else Assurance.ORIGIN)


@pytest.mark.parametrize(
    ("jkt", "unproven", "changed"),
    [
        (NO_KEY, True, {"aud": ISSUER}),
        (NO_KEY, True, {"aud": [MCP]}),
        (NO_KEY, True, {"aud": MCP + "/"}),
        (NO_KEY, True, {"cnf": {}}),
        (NO_KEY, True, {"cnf": {"jkt": ""}}),
        (NO_KEY, True, {"cnf": {"jkt": None}}),
        (NO_KEY, True, {"cnf": "k"}),
        (NO_KEY, True, {"cnf": []}),
        (NO_KEY, False, {}),  # there is no such grant
        (Jkt("k"), False, {"cnf": None}),
        (Jkt("k"), False, {"cnf": {"jkt": ""}}),
        (Jkt("k"), False, {"cnf": {"x5t#S256": "k"}}),
        (Jkt("k"), False, {"aud": f"{ISSUER}/calls"}),
        (Jkt("k"), False, {"act": {"sub": AGENT.client_id, "assurance": "famous"}}),
    ],
)
def test_a_token_of_one_type_is_none_of_another(jkt: Jkt, unproven: bool, changed: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        Delegation.parse(claims(jkt, unproven, **changed), ISSUER, 0)
    assert caught.value.refusal.code is Code.INVALID_TOKEN


@pytest.mark.parametrize(
    ("challenge_id", "approval"),
    [(v.challenge_id(), {"challenge_id": v.challenge_id(), "method": "webauthn"}), (None, None)],
)
def test_a_call_token_says_by_which_challenge_somebody_approved(
    challenge_id: ChallengeId | None, approval: dict[str, str] | None
) -> None:  # TOKEN-3
    call = v.call(challenge_id=challenge_id, method="webauthn" if challenge_id else None)
    token = CallToken.of(call, v.NOW)
    said: Any = token.claims(ISSUER, "api")
    assert said["tctx"]["approval"] == approval
    assert CallToken.parse(said, ISSUER, "api", v.NOW) == token


@pytest.mark.parametrize(
    ("issuer", "audience", "now", "told"),
    [
        (
            "https://other.example",
            "api",
            v.NOW,
            f"issued by {ISSUER}, and this guard is for the issuer https://other",
        ),
        (
            ISSUER,
            "other",
            v.NOW,
            r"for the API api, and this guard is for other: that is the policy's \[api\]",
        ),
        (ISSUER, "api", v.NOW + 90, "expired 60 s ago, by the clock here.*this clock is ahead"),
    ],
)
def test_a_call_token_that_does_not_fit_its_guard_says_what_to_mend(
    issuer: str, audience: str, now: int, told: str
) -> None:
    said: Any = CallToken.of(v.call(), v.NOW).claims(ISSUER, "api")
    with pytest.raises(Refused, match=told) as caught:
        CallToken.parse(said, issuer, audience, now)
    assert caught.value.refusal.code is Code.INVALID_CALL_TOKEN


def test_a_confirmation_that_is_null_is_not_none_at_all() -> None:
    with pytest.raises(Refused):
        Delegation.parse({**claims(NO_KEY, True), "cnf": None}, ISSUER, 0)


def test_a_delegation_is_good_until_its_second_and_no_longer() -> None:  # TOKEN-5
    told = claims(Jkt("k"), False)
    assert Delegation.parse(told, ISSUER, 299).expires_at == 300
    for late in (300, 301):
        with pytest.raises(Refused, match="has expired") as refused:
            Delegation.parse(told, ISSUER, late)
        assert refused.value.refusal.code is Code.INVALID_TOKEN
