"""The method of approval `webauthn`: an assertion by a passkey (SEP-2672 §4.5, §4.8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from ..crypto.webauthn import Ceremonies, request_options
from ..protocol.canonical import Json
from ..protocol.challenge import Challenge
from ..protocol.credential import AuthenticatorClass, counter_moves
from ..protocol.errors import Code, Refused
from ..protocol.ids import UserId
from ..protocol.policy import Policy
from ..protocol.question import Surface
from ..service.methods import Offer
from ..service.ports import Assertion, Reader

RANK = 0


def method(policy: Policy, secret: bytes) -> "Passkeys":
    """Approve by the passkeys of this site; they need no secret of ours."""
    return Passkeys({each: Ceremonies(policy.site.rp_id, policy.origins(each)) for each in Surface})


@dataclass(frozen=True, slots=True)
class Passkeys:
    """Approval by passkey (`service.methods.Method`); each surface has the origins at which it may be used there."""

    ceremonies: Mapping[Surface, Ceremonies]
    name: str = "webauthn"

    def offer(self, reader: Reader, approver: UserId, wanted: AuthenticatorClass) -> Offer | None:
        """Offer the passkeys of this class, as PublicKeyCredentialRequestOptionsJSON."""
        allowed = [each for each in reader.credentials(approver) if each.satisfies(wanted)]

        def options(challenge: Challenge, lifetime: int) -> dict[str, Json]:
            rp_id = self.ceremonies[Surface.EITHER].rp_id
            return {"requestOptions": request_options(challenge.wire, rp_id, allowed, lifetime)}

        return options if allowed else None

    def well_formed(self, evidence: Mapping[str, Json]) -> bool:
        """Tell whether there is an AuthenticationResponseJSON, and which passkey it is by."""
        response = evidence.get("response")
        return isinstance(response, dict) and isinstance(response.get("id"), str)

    def verify(
        self,
        reader: Reader,
        challenge: Challenge,
        wanted: AuthenticatorClass,
        surface: Surface,
        evidence: Mapping[str, Json],
    ) -> Assertion:
        """Verify an assertion by one of the owner's passkeys: steps 8 to 11 of SEP-2672 §4.8."""
        response = cast(Mapping[str, Json], evidence["response"])
        user = reader.user(challenge.owner) if challenge.owner is not None else None
        theirs = reader.credentials(user.user_id) if user is not None else []
        credential = next((each for each in theirs if each.credential_id == response["id"]), None)
        if user is None or credential is None:  # step 8
            raise Refused(Code.UNKNOWN_CREDENTIAL, "This passkey is not one of yours on this site.")
        if not credential.satisfies(wanted):  # step 9
            raise Refused(
                Code.AUTHENTICATOR_CLASS_MISMATCH, "This needs a passkey on another device or a security key."
            )
        # step 10
        assertion = self.ceremonies[surface].authentication(response, challenge.wire, credential, user.handle)
        if not counter_moves(credential.sign_count, assertion.sign_count):  # step 11, APPR-7
            raise Refused(
                Code.SIGNATURE_COUNTER_REGRESSION, "This passkey may have been copied: its counter went back."
            )
        return assertion
