"""One ceremony for everything that a user confirms with a passkey: a call, a consent, a further credential.

The checks are SEP-2672 §4.8 in its order. `check` verifies on a snapshot, outside the writer; `conclude` consumes in
the transaction, so that a forged assertion cannot burn the user's challenge (APPR-4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..protocol.canonical import Json, action_hash, canonicalize
from ..protocol.challenge import CALL_CHALLENGE_LIFETIME, NONCE_BYTES, Challenge, Purpose
from ..protocol.credential import AuthenticatorClass, Credential, counter_moves
from ..protocol.entry import Entry, evidence_s256
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.ids import ChallengeId, Jkt, UserId, make_id
from .moment import Moment
from .ports import Assertion, CeremonyVerifier, Reader, Tx

_COUNTED = frozenset(
    {
        Code.UNKNOWN_CREDENTIAL,
        Code.AUTHENTICATOR_CLASS_MISMATCH,
        Code.SIGNATURE_VERIFICATION_FAILED,
        Code.SIGNATURE_COUNTER_REGRESSION,
        Code.ARGUMENT_HASH_MISMATCH,
    }
)


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be confirmed: by whom, from which page, for which subject, as which tool with which arguments."""

    purpose: Purpose
    subject: str
    tool: str
    arguments: Json
    authenticator_class: AuthenticatorClass
    owner: UserId
    page_jkt: Jkt | None

    def is_(self, other: "Action") -> bool:
        """Tell whether the other is this very action; in Python `1 == True`, so arguments go by their bytes."""
        same = replace(self, arguments=None) == replace(other, arguments=None)
        return same and canonicalize(self.arguments) == canonicalize(other.arguments)


@dataclass(frozen=True, slots=True)
class Verified:
    """An assertion that passed every check but the ones that only a transaction can make.

    It names what it is over: the action and the challenge as they were read. Who acts on it holds that against what is
    there by then (APPR-8).
    """

    action: Action
    challenge: Challenge
    assertion: Assertion
    evidence_s256: str | None

    @property
    def challenge_id(self) -> ChallengeId:
        """Return the id of the challenge."""
        return self.challenge.challenge_id


@dataclass(frozen=True, slots=True)
class Rejected:
    """An assertion that did not pass; `challenge_id` is the challenge to count it against, if one was met."""

    refusal: Refusal
    challenge_id: ChallengeId | None
    evidence_s256: str | None


Verdict = Verified | Rejected


@dataclass(frozen=True, slots=True)
class Minted:
    """A fresh challenge and the credentials that may answer it."""

    challenge: Challenge
    allowed: list[Credential]


def eligible(reader: Reader, owner: UserId, wanted: AuthenticatorClass) -> list[Credential] | Refusal:
    """List the credentials of a user that may confirm something; a refusal if there is none."""
    return [each for each in reader.credentials(owner) if each.satisfies(wanted)] or Refusal(
        Code.NO_ELIGIBLE_CREDENTIAL,
        "You have no passkey that may confirm this. Add one on the account page.",
        {"authenticator_class": wanted.value},
    )


def mint(tx: Tx, at: Moment, action: Action) -> Minted | Refusal:
    """Make and store a challenge over the action (APPR-1); refuse if no credential of the owner could answer it."""
    allowed = eligible(tx, action.owner, action.authenticator_class)
    if isinstance(allowed, Refusal):
        return allowed
    challenge = Challenge(
        challenge_id=ChallengeId(make_id("chl", at.random(16))),
        purpose=action.purpose,
        nonce=at.random(NONCE_BYTES),
        action_hash=action_hash(action.tool, action.arguments, at.policy.site.issuer),
        tool=action.tool,
        subject=action.subject,
        owner=action.owner,
        page_jkt=action.page_jkt,
        expires_at=at.now + CALL_CHALLENGE_LIFETIME,
    )
    tx.add_challenge(challenge)
    return Minted(challenge, allowed)


def check(reader: Reader, at: Moment, action: Action, evidence: Json, verifier: CeremonyVerifier) -> Verdict:
    """Check evidence against the action: steps 1 to 12 of SEP-2672 §4.8, the first failure answers (APPR-3)."""
    digest = evidence_s256(evidence)
    challenge: Challenge | None = None
    try:
        challenge_id, credential_id, response = _well_formed(evidence)  # steps 1 to 3
        challenge = reader.challenge(challenge_id)  # step 4, with our additions
        if challenge is None or not _belongs(challenge, action):
            challenge = None
            raise Refused(
                Code.CHALLENGE_UNKNOWN, "There is no such challenge for this. Start again to get one."
            )
        if closed := challenge.closed(at.now):  # steps 5 and 6
            raise Refused.of(closed)
        if challenge.tool != action.tool:  # step 7
            raise Refused(Code.CHALLENGE_WRONG_TOOL, "This challenge was issued for another tool.")
        credential = next(
            (c for c in reader.credentials(action.owner) if c.credential_id == credential_id), None
        )
        if credential is None:  # step 8
            raise Refused(Code.UNKNOWN_CREDENTIAL, "This passkey is not one of yours on this site.")
        if not credential.satisfies(action.authenticator_class):  # step 9
            raise Refused(
                Code.AUTHENTICATOR_CLASS_MISMATCH, "This needs a passkey on another device or a security key."
            )
        user = reader.user(action.owner)
        if user is None:
            raise Refused(Code.UNKNOWN_CREDENTIAL, "This passkey is not one of yours on this site.")
        assertion = verifier.assertion(response, challenge.wire, credential, user.handle)  # step 10
        if not counter_moves(credential.sign_count, assertion.sign_count):  # step 11, APPR-7
            raise Refused(
                Code.SIGNATURE_COUNTER_REGRESSION, "This passkey may have been copied: its counter went back."
            )
        if (
            action_hash(action.tool, action.arguments, at.policy.site.issuer) != challenge.action_hash
        ):  # step 12
            raise Refused(Code.ARGUMENT_HASH_MISMATCH, "What was approved is not what was asked for.")
    except Refused as refused:
        return Rejected(refused.refusal, challenge.challenge_id if challenge else None, digest)
    return Verified(action, challenge, assertion, digest)


def conclude(tx: Tx, verdict: Verdict, action: Action, now: int) -> Refusal | None:
    """Steps 13 and 14 in the transaction that acts on the approval: consume once, store the counter.

    `action` is what is about to be done, as this transaction reads it: a verdict over another one is none (APPR-8). A
    verdict that was a no is counted against its challenge here.
    """
    if isinstance(verdict, Rejected):
        if verdict.challenge_id is not None and verdict.refusal.code in _COUNTED:
            tx.fail_challenge(verdict.challenge_id)
        return verdict.refusal
    if not verdict.action.is_(action):
        return _NO_CHALLENGE
    if not tx.consume_challenge(verdict.challenge, now):  # another was quicker, or it ran out meanwhile
        challenge = tx.challenge(verdict.challenge_id)
        return (challenge.closed(now) if challenge is not None else None) or _NO_CHALLENGE
    return advance(tx, verdict.assertion)


def advance(tx: Tx, assertion: Assertion) -> Refusal | None:
    """Store the counter of a passkey that is still the one that was verified (APPR-7, APPR-8)."""
    if tx.advance_counter(assertion.credential, assertion.sign_count):
        return None
    there = tx.credential(assertion.credential_id)
    if there is None or not there.is_(assertion.credential):
        return Refusal(Code.UNKNOWN_CREDENTIAL, "This passkey was removed meanwhile.")
    return Refusal(
        Code.SIGNATURE_COUNTER_REGRESSION, "This passkey may have been copied: its counter went back."
    )


_NO_CHALLENGE = Refusal(
    Code.CHALLENGE_UNKNOWN, "What was confirmed is not what is asked any more. Start again to see what is."
)


def refused_entry(kind: str, verdict: Verdict, refusal: Refusal, **facts: object) -> Entry:
    """Tell of an attempt that failed (APPR-4)."""
    return Entry(
        kind,
        {
            "challenge_id": verdict.challenge_id,
            "code": refusal.code,
            "evidence_s256": verdict.evidence_s256,
            **facts,
        },
    )


def _well_formed(evidence: Json) -> tuple[ChallengeId, str, Mapping[str, Json]]:
    if not isinstance(evidence, dict) or not evidence:  # step 1
        raise Refused(Code.MISSING_EVIDENCE, "The evidence of the approval is missing.")
    method, challenge_id, response = (evidence.get(name) for name in ("method", "challengeId", "response"))
    if (
        not isinstance(method, str) or not isinstance(challenge_id, str) or not isinstance(response, dict)
    ):  # step 2
        raise Refused(Code.MISSING_EVIDENCE, "Evidence has `method`, `challengeId` and `response`.")
    if method != "webauthn":  # step 3
        raise Refused(Code.UNSUPPORTED_METHOD, "The only method of approval is `webauthn`.")
    credential_id = response.get("id")
    if not isinstance(credential_id, str):
        raise Refused(Code.MISSING_EVIDENCE, "The response has no credential `id`.")
    return ChallengeId(challenge_id), credential_id, response


def _belongs(challenge: Challenge, action: Action) -> bool:
    wanted = (action.purpose, action.subject, action.owner, action.page_jkt)
    return (challenge.purpose, challenge.subject, challenge.owner, challenge.page_jkt) == wanted
