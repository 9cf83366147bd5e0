"""The handoff: a piece of a delegation on its way to a sub-agent (CHAIN-1). Only the authority reads it."""

from collections.abc import Mapping
from dataclasses import dataclass

from .canonical import Json
from .constraint import Constraints
from .errors import Code, Refused
from .ids import ClientId, GrantId, Jkt, UserId, is_id
from .scope import ScopeSet

TYP = "handoff+jwt"
LIFETIME = 60  # seconds
MAX_CHAIN = 3  # agents in a chain (CHAIN-4)


@dataclass(frozen=True, slots=True)
class Handoff:
    """What is handed on, by which grant, and to whom: the child's client id and the thumbprint of its key."""

    user_id: UserId
    parent_id: GrantId
    child: ClientId
    child_jkt: Jkt
    scopes: ScopeSet
    constraints: Constraints

    def claims(self, issuer: str, jti: str, now: int) -> dict[str, object]:
        """Return the JWT claims set; `may_act` is RFC 8693 §4.4."""
        return {
            "iss": issuer,
            "aud": issuer,
            "sub": self.user_id,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": jti,
            "grant_id": self.parent_id,
            "scope": str(self.scopes),
            "authorization_details": self.constraints.details(),
            "may_act": {"sub": self.child},
            "cnf": {"jkt": self.child_jkt},
        }

    @classmethod
    def parse(cls, claims: Mapping[str, Json], issuer: str, now: int) -> "Handoff":
        """Read claims whose signature was checked; Refused(invalid_grant) for anything that is not exactly ours."""
        match claims:
            case {
                "iss": str(iss),
                "aud": str(aud),
                "sub": str(sub),
                "exp": int(exp),
                "grant_id": str(grant_id),
                "scope": str(scope),
                "authorization_details": list() as details,
                "may_act": {"sub": str(child)},
                "cnf": {"jkt": str(jkt)},
            } if iss == aud == issuer and is_id("grt", grant_id):
                pass
            case _:
                raise Refused(Code.INVALID_GRANT, "This is not a handoff of this authority.")
        if now >= exp:  # TOKEN-5
            raise Refused(Code.INVALID_GRANT, "This handoff has run out. Ask the parent for a new one.")
        return cls(
            UserId(sub),
            GrantId(grant_id),
            ClientId(child),
            Jkt(jkt),
            ScopeSet.parse(scope),
            Constraints.parse(details),
        )
