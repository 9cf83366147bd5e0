"""What our tokens say (PROTOCOL §3). Signing and checking of signatures is in `crypto/jwt.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .agent import Agent, Assurance
from .call import CALL_TOKEN_LIFETIME, Call
from .constraint import Constraints
from .errors import Code, Refused
from .grant import Grant, acting
from .ids import NO_KEY, CallId, ClientId, GrantId, Jkt, UserId, is_id
from .scope import ScopeSet
from .value import value

DELEGATION_TYP = "at+jwt"
CALL_TYP = "txntoken+jwt"
DELEGATION_LIFETIME = 300  # seconds


@dataclass(frozen=True, slots=True)
class Delegation:
    """The claims of a delegation token (TOKEN-2). It names a grant; it is never authority by itself.

    That of an agent that proved nothing is for `{issuer}/mcp`, and may have no key (BEARER-1).
    """

    user_id: UserId
    client_id: ClientId
    grant_id: GrantId
    scopes: ScopeSet
    assurance: Assurance
    jkt: Jkt
    jti: str
    issued_at: int
    expires_at: int
    auth_time: int
    unproven: bool = False

    @classmethod
    def of(cls, grant: Grant, agent: Agent, jti: str, now: int) -> "Delegation":
        """Make the claims for a live grant; they never outlive it."""
        return cls(
            user_id=grant.user_id,
            client_id=agent.client_id,
            grant_id=grant.grant_id,
            scopes=grant.scopes,
            assurance=acting(agent, grant).assurance,
            jkt=grant.jkt,
            jti=jti,
            issued_at=now,
            expires_at=min(now + DELEGATION_LIFETIME, grant.expires_at),
            auth_time=grant.auth_time,
            unproven=grant.unproven,
        )

    @property
    def bearer(self) -> bool:
        """Tell whether no key holds it."""
        return self.jkt == NO_KEY

    def claims(self, issuer: str, constraints: Constraints, parents: Sequence[Agent]) -> dict[str, object]:
        """Return the JWT claims set. `parents` are the agents that handed it on, nearest first (RFC 8693 §4.1)."""
        return {
            **({"authorization_details": constraints.details()} if constraints.parts else {}),
            "iss": issuer,
            "aud": f"{issuer}/mcp" if self.unproven else issuer,
            "sub": self.user_id,
            "client_id": self.client_id,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "jti": self.jti,
            "scope": str(self.scopes),
            **({} if self.bearer else {"cnf": {"jkt": self.jkt}}),
            "act": nested_act(
                [(self.client_id, self.assurance), *((p.client_id, p.assurance) for p in parents)]
            ),
            "grant_id": self.grant_id,
            "auth_time": self.auth_time,
            "amr": ["hwk", "user"],
        }

    @classmethod
    def parse(cls, claims: Mapping[str, object], issuer: str, now: int) -> "Delegation":
        """Read claims whose signature was checked; Refused(invalid_token) for anything that is not exactly ours."""
        match claims:
            case {
                "iss": str(iss),
                "aud": str(aud),
                "sub": str(sub),
                "client_id": str(client_id),
                "iat": int(iat),
                "exp": int(exp),
                "jti": str(jti),
                "scope": str(scope),
                "act": {"sub": str(actor), "assurance": str(assurance)},
                "grant_id": str(grant_id),
                "auth_time": int(auth_time),
            } if (
                iss == issuer
                and actor == client_id
                and is_id("grt", grant_id)
                and assurance in frozenset(Assurance)
            ):
                jkt, unproven = _key(claims), aud == f"{issuer}/mcp"
            case _:
                raise _not_ours()
        if not unproven and (aud != issuer or jkt == NO_KEY):  # BEARER-1
            raise _not_ours()
        token = cls(
            UserId(sub),
            ClientId(client_id),
            GrantId(grant_id),
            ScopeSet.parse(scope),
            Assurance(assurance),
            jkt,
            jti,
            iat,
            exp,
            auth_time,
            unproven,
        )
        token.check_expiry(now)
        return token

    def check_expiry(self, now: int) -> None:
        """Refuse an expired token (TOKEN-5); asked at every use, also of a cached one."""
        if now >= self.expires_at:
            raise Refused(
                Code.INVALID_TOKEN, "The delegation token has expired. Renew it with the refresh token."
            )


def _key(claims: Mapping[str, object]) -> Jkt:
    """Read which key a delegation is bound to; one that says nothing of keys has none (BEARER-1)."""
    if "cnf" not in claims:
        return NO_KEY
    match claims["cnf"]:
        case {"jkt": str(jkt)} if jkt:
            return Jkt(jkt)
    raise _not_ours()


def _not_ours() -> Refused:
    return Refused(Code.INVALID_TOKEN, "This is not a delegation token of this authority.")


def nested_act(actors: Sequence[tuple[ClientId, Assurance]]) -> dict[str, object]:
    """Nest actors, the caller outermost; what is inside is history, never authority (RFC 8693 §4.1)."""
    (client_id, assurance), *earlier = actors
    act: dict[str, object] = {"sub": client_id, "assurance": assurance.value}
    return {**act, "act": nested_act(earlier)} if earlier else act


@value
class CallToken:
    """The claims of a call token (TOKEN-3): this call may run, with these arguments, now."""

    call_id: CallId
    user_id: UserId
    client_id: ClientId | None
    grant_id: GrantId | None
    tool: str
    args_s256: str
    scopes: ScopeSet
    approval: Mapping[str, str] | None
    entry: int
    issued_at: int
    expires_at: int

    @classmethod
    def of(cls, call: Call, now: int) -> "CallToken":
        """Make the claims for an approved call."""
        return cls(
            call_id=call.call_id,
            user_id=call.user_id,
            client_id=call.client_id,
            grant_id=call.grant_id,
            tool=call.tool,
            args_s256=call.args_s256,
            scopes=call.scopes,
            approval=call.approval,
            entry=call.entry,
            issued_at=now,
            expires_at=now + CALL_TOKEN_LIFETIME,
        )

    def claims(self, issuer: str, audience: str) -> dict[str, object]:
        """Return the JWT claims set (OAuth Transaction Tokens)."""
        return {
            "iss": issuer,
            "aud": audience,
            "sub": self.user_id,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "txn": self.call_id,
            "scope": str(self.scopes),
            "tctx": {
                "tool": self.tool,
                "args_s256": self.args_s256,
                "approval": self.approval,
                "entry": self.entry,
            },
            "rctx": {"client_id": self.client_id, "grant_id": self.grant_id},
        }

    @classmethod
    def parse(cls, claims: Mapping[str, object], issuer: str, audience: str, now: int) -> "CallToken":
        """Read claims whose signature was checked; Refused(invalid_call_token) for anything else."""
        match claims:
            case {
                "iss": str(iss),
                "aud": str(aud),
                "sub": str(sub),
                "iat": int(iat),
                "exp": int(exp),
                "txn": str(txn),
                "scope": str(scope),
                "tctx": {
                    "tool": str(tool),
                    "args_s256": str(args_s256),
                    "approval": approval,
                    "entry": int(entry),
                },
                "rctx": {"client_id": str() | None as client_id, "grant_id": str() | None as grant_id},
            } if is_id("cal", txn):
                pass
            case _:
                raise Refused(Code.INVALID_CALL_TOKEN, "This is not a call token.")
        # The authority has signed it: so this guard was given another name for that, or for its API.
        if iss != issuer:
            raise Refused(
                Code.INVALID_CALL_TOKEN,
                f"This call token was issued by {iss}, and this guard is for the issuer {issuer}.",
            )
        if aud != audience:
            raise Refused(
                Code.INVALID_CALL_TOKEN,
                f"This call token is for the API {aud}, and this guard is for {audience}: that is the policy's [api] "
                "audience, or the site's origin.",
            )
        token = cls(
            CallId(txn),
            UserId(sub),
            ClientId(client_id) if client_id is not None else None,
            GrantId(grant_id) if grant_id is not None else None,
            tool,
            args_s256,
            ScopeSet.parse(scope),
            approval if isinstance(approval, dict) else None,
            entry,
            iat,
            exp,
        )
        token.check_expiry(now)
        return token

    def check_expiry(self, now: int) -> None:
        """Refuse an expired token (TOKEN-5)."""
        if now >= self.expires_at:
            raise Refused(
                Code.INVALID_CALL_TOKEN,
                f"The call token expired {now - self.expires_at} s ago, by the clock here. Call the tool again; where "
                "that never helps, this clock is ahead of the authority's.",
            )
