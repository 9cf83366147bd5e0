"""One way for everything that a user confirms: a call, a consent, a further credential, the window of enrollment.

Who is asked, and in which words, is the question (APPR-10); how it is answered is a method of approval (APPR-9). The
checks are SEP-2672 §4.8 in its order. `check` verifies outside the writer, perhaps by what is no more; `conclude`
consumes in the transaction, so that a forged assertion cannot burn the user's challenge (APPR-4).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ..protocol.authorization import Able
from ..protocol.canonical import Json, action_hash, b64u, canonicalize
from ..protocol.challenge import CALL_CHALLENGE_LIFETIME, NONCE_BYTES, Challenge, Purpose
from ..protocol.credential import AuthenticatorClass
from ..protocol.entry import Entry, evidence_s256
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.ids import ChallengeId, Jkt, UserId, make_id
from ..protocol.question import Question, Surface, Text
from ..protocol.value import value
from .methods import Answer, Method, Methods, Offer
from .moment import Moment
from .ports import Reader, Tx


@value
class Action:
    """What is to be confirmed: by whom, from which page, for which subject, as which tool with which arguments.

    And how: by one of `methods` (None: any that is registered), by how many, and on which surface that is asked
    (APPR-10); an answer counts where the policy `takes` it (APPR-12).
    """

    purpose: Purpose
    subject: str
    tool: str
    arguments: Json
    owner: UserId
    authenticator_class: AuthenticatorClass = AuthenticatorClass.PLATFORM
    page_jkt: Jkt | None = None
    methods: tuple[str, ...] | None = None
    surface: Surface = Surface.PAGE
    approvals: int = 1
    takes: Surface = Surface.EITHER

    def is_(self, other: "Action") -> bool:
        """Tell whether the other is this very action; in Python `1 == True`, so arguments go by their bytes."""
        mine, its = self.arguments, other.arguments
        return self == other and (mine is its or canonicalize(mine) == canonicalize(its))

    def allowed(self, registered: Methods) -> tuple[str, ...]:
        """Return the names of the methods that it may be confirmed by, best first."""
        return tuple(name for name in registered.names if self.methods is None or name in self.methods)

    def question(self, registered: Methods, text: Text, until: int) -> Question:
        """Return what its approver is asked, in these words (APPR-10)."""
        what: dict[str, Json] = {
            "kind": self.purpose.value,
            "subject": self.subject,
            "tool": self.tool,
            "authenticator_class": self.authenticator_class.value,
        }
        methods = self.allowed(registered)
        return Question(what, self.owner, until, text, methods, self.surface, self.approvals)

    def unanswerable(self) -> Refusal | None:
        """Say why no answer given here counts: the policy takes it elsewhere, or wants more than one (APPR-10)."""
        if not self.takes.has(self.surface):
            return Refusal(
                Code.WRONG_SURFACE, f"This is not approved here: the site takes it on {self.takes} only."
            )
        if self.approvals != 1:
            detail = f"One approval can be asked for here; this needs {self.approvals}."
            return Refusal(Code.UNSUPPORTED_METHOD, detail)
        return None


@dataclass(frozen=True, slots=True)
class Verified:
    """An answer that passed every check but the ones that only a transaction can make.

    It names what it is over: the action and the challenge as they were read. Who acts on it holds that against what is
    there by then (APPR-8). `digits_typed`: those of its question came with it (PHONE-3).
    """

    action: Action
    challenge: Challenge
    answer: Answer
    evidence_s256: str | None
    digits_typed: bool = False

    @property
    def challenge_id(self) -> ChallengeId:
        """Return the id of the challenge."""
        return self.challenge.challenge_id

    @property
    def facts(self) -> dict[str, object]:
        """Return what the record says of an approval: by what, over which challenge, of which question, and where."""
        return {
            **self.answer.facts,
            "challenge_id": self.challenge_id,
            "method": self.challenge.method,
            "evidence_s256": self.evidence_s256,
            "question_commitment": b64u(self.challenge.nonce),  # APPR-11
            "surface": self.action.surface.value,
            "digits_typed": self.digits_typed or None,
        }


@dataclass(frozen=True, slots=True)
class Rejected:
    """An answer that did not pass. `challenge_id` is the challenge that it met, if any; `counts`: it is one of its
    failures (APPR-4)."""

    refusal: Refusal
    challenge_id: ChallengeId | None
    evidence_s256: str | None
    counts: bool = False


Verdict = Verified | Rejected


@dataclass(frozen=True, slots=True)
class Minted:
    """A fresh challenge, the words that are shown with it, and what the page is given to answer it with."""

    challenge: Challenge
    text: Text
    offer: Offer


def eligible(
    reader: Reader,
    at: Moment,
    owner: UserId,
    wanted: AuthenticatorClass,
    allowed: tuple[str, ...] | None = None,
) -> tuple[Method, Offer] | Refusal:
    """Find the best method, of all or of those `allowed`, by which a user can confirm something; a refusal if there is
    none."""
    for method in at.methods:
        offer = method.offer(reader, owner, wanted) if allowed is None or method.name in allowed else None
        if offer is not None:
            return method, offer
    return Refusal(
        Code.NO_ELIGIBLE_CREDENTIAL,
        "You have nothing here that may confirm this. A passkey can be added on the account page.",
        {"authenticator_class": wanted.value},
    )


def able(reader: Reader, at: Moment, owner: UserId | None) -> Able:
    """Return what tells whether somebody could approve something at all, by whichever method (CALL-5)."""
    return lambda wanted: owner is not None and not isinstance(eligible(reader, at, owner, wanted), Refusal)


def asked_by(reader: Reader, at: Moment, owner: UserId) -> str | None:
    """Name the method by which somebody is asked where any authenticator will do; None who can answer by none."""
    found = eligible(reader, at, owner, AuthenticatorClass.PLATFORM)
    return None if isinstance(found, Refusal) else found[0].name


def mint(tx: Tx, at: Moment, action: Action, text: Text) -> Minted | Refusal:
    """Make and store a challenge over the action and the question in these words (APPR-1, APPR-10); refuse if its owner
    could not answer it by any method."""
    if refusal := action.unanswerable():
        return refusal
    found = eligible(tx, at, action.owner, action.authenticator_class, action.methods)
    if isinstance(found, Refusal):
        return found
    method, offer = found
    salt, until = at.random(NONCE_BYTES), at.now + CALL_CHALLENGE_LIFETIME
    question = action.question(at.methods, text, until)
    challenge = Challenge(
        challenge_id=ChallengeId(make_id("chl", at.random(16))),
        purpose=action.purpose,
        nonce=question.commitment(salt),
        action_hash=action_hash(action.tool, action.arguments, at.policy.site.issuer),
        tool=action.tool,
        subject=action.subject,
        owner=action.owner,
        page_jkt=action.page_jkt,
        expires_at=until,
        method=method.name,
        salt=salt,
    )
    tx.ask(challenge, question)
    return Minted(challenge, text, offer)


def check(reader: Reader, at: Moment, action: Action, evidence: Json) -> Verdict:
    """Check evidence against the action: steps 1 to 12 of SEP-2672 §4.8, the first failure answers (APPR-3)."""
    digest = evidence_s256(evidence)
    challenge: Challenge | None = None
    counts = False
    try:
        method, challenge_id, given = _well_formed(at.methods, action, evidence)  # steps 1 to 3
        challenge = reader.challenge(challenge_id)  # step 4, with our additions
        if challenge is None or not _belongs(challenge, action, method):
            challenge = None
            raise Refused(
                Code.CHALLENGE_UNKNOWN, "There is no such challenge for this. Start again to get one."
            )
        if closed := challenge.closed(at.now):  # steps 5 and 6
            raise Refused.of(closed)
        if challenge.tool != action.tool:  # step 7
            raise Refused(Code.CHALLENGE_WRONG_TOOL, "This challenge was issued for another tool.")
        counts = True
        answer = method.verify(
            reader, challenge, action.authenticator_class, action.surface, given
        )  # steps 8 to 11
        # step 12
        if action_hash(action.tool, action.arguments, at.policy.site.issuer) != challenge.action_hash:
            raise Refused(Code.ARGUMENT_HASH_MISMATCH, "What was approved is not what was asked for.")
    except Refused as refused:
        met = challenge.challenge_id if challenge else None
        return Rejected(refused.refusal, met, digest, counts)
    return Verified(action, challenge, answer, digest)


def conclude(tx: Tx, at: Moment, verdict: Verdict, action: Action, text: Text) -> Verified | Refusal:
    """Steps 13 and 14 in the transaction that acts on the approval: consume once, store what the method stores.

    `action` and `text` are what this transaction would do, and how that is put: a verdict over anything else does not
    count (APPR-8, APPR-10). A no is counted against its challenge here.
    """
    if isinstance(verdict, Rejected):
        if verdict.challenge_id is not None and verdict.counts:
            tx.fail_challenge(verdict.challenge_id)
        return verdict.refusal
    if refusal := action.unanswerable():  # the policy may have become stricter meanwhile
        return refusal
    challenge = verdict.challenge
    question = action.question(at.methods, text, challenge.expires_at)
    if not verdict.action.is_(action) or question.commitment(challenge.salt) != challenge.nonce:
        return _NO_CHALLENGE
    if not tx.consume_challenge(challenge, at.now):  # another was quicker, or it ran out meanwhile
        left = tx.challenge(challenge.challenge_id)
        return (left.closed(at.now) if left is not None else None) or _NO_CHALLENGE
    return verdict.answer.settle(tx) or verdict


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


def _well_formed(
    methods: Methods, action: Action, evidence: Json
) -> tuple[Method, ChallengeId, Mapping[str, Json]]:
    if not isinstance(evidence, dict) or not evidence:  # step 1
        raise Refused(Code.MISSING_EVIDENCE, "The evidence of the approval is missing.")
    name, challenge_id = evidence.get("method"), evidence.get("challengeId")
    method = methods.named(name) if isinstance(name, str) else None
    # Of a method that nobody knows, evidence is as the proposal has it.
    whole = isinstance(evidence.get("response"), dict) if method is None else method.well_formed(evidence)
    if not isinstance(name, str) or not isinstance(challenge_id, str) or not whole:  # step 2
        raise Refused(
            Code.MISSING_EVIDENCE, "Evidence has `method`, `challengeId`, and what the method answers."
        )
    if method is None or name not in action.allowed(methods):  # step 3
        known = ", ".join(f"`{each}`" for each in action.allowed(methods))
        raise Refused(
            Code.UNSUPPORTED_METHOD, f"This is not approved by that method, but by {known or 'none'}."
        )
    if refusal := action.unanswerable():
        raise Refused.of(refusal)
    return method, ChallengeId(challenge_id), evidence


def _belongs(challenge: Challenge, action: Action, method: Method) -> bool:
    """Tell whether a challenge is for this action, and for this method: none is answered by another (APPR-9)."""
    wanted = (action.purpose, action.subject, action.owner, action.page_jkt, method.name)
    its = (challenge.purpose, challenge.subject, challenge.owner, challenge.page_jkt, challenge.method)
    return its == wanted
