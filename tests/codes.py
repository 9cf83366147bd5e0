"""A second method of approval, as somebody would add one: a code that the user's telephone makes of the challenge."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deputize.protocol.canonical import Json, b64u, unb64u
from deputize.protocol.challenge import Challenge
from deputize.protocol.credential import AuthenticatorClass
from deputize.protocol.errors import Code, Refusal, Refused
from deputize.protocol.ids import UserId
from deputize.protocol.question import Surface
from deputize.service.methods import Offer
from deputize.service.ports import Reader, Tx


@dataclass(frozen=True)
class Coded:
    """A code that was right."""

    facts: Mapping[str, Json]

    def settle(self, tx: Tx) -> Refusal | None:
        return None


@dataclass(frozen=True)
class Codes:
    """Whoever has a telephone can answer; it has a key that it shares with us."""

    telephones: bytes = b"shared with each telephone"
    without: frozenset[UserId] = frozenset()
    name: str = "code"

    def offer(self, reader: Reader, approver: UserId, wanted: AuthenticatorClass) -> Offer | None:
        if approver in self.without:
            return None

        def request(challenge: Challenge, lifetime: int) -> dict[str, Json]:
            told: dict[str, Json] = {"user": approver, "seconds": lifetime}
            return {"method": self.name, "challenge": b64u(challenge.wire), "request": told}

        return request

    def well_formed(self, evidence: Mapping[str, Json]) -> bool:
        return isinstance(evidence.get("code"), str)

    def verify(
        self,
        reader: Reader,
        challenge: Challenge,
        wanted: AuthenticatorClass,
        surface: Surface,
        evidence: Mapping[str, Json],
    ) -> Coded:
        right = self.code(str(challenge.owner), challenge.wire)
        if not hmac.compare_digest(str(evidence["code"]).encode(), right.encode()):
            raise Refused(Code.SIGNATURE_VERIFICATION_FAILED, "This code is not the one. Try again.")
        return Coded({"telephone": "…42"})

    def code(self, user: str, wire: bytes) -> str:
        """Make the code, as the telephone does."""
        return hmac.new(self.telephones, user.encode() + b"\0" + wire, hashlib.sha256).hexdigest()

    def evidence(self, envelope: Mapping[str, Any]) -> dict[str, Any]:
        """Answer an envelope, as the page does with what its user has typed."""
        code = self.code(envelope["request"]["user"], unb64u(envelope["challenge"]))
        return {"method": self.name, "challengeId": envelope["challengeId"], "code": code}
