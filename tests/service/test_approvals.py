"""The question that is signed with an approval, and what becomes of it (APPR-9 to APPR-11)."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import rfc8785
from tests.codes import Codes
from tests.store import values as v

from deputize import settings
from deputize.protocol.canonical import Json, b64u
from deputize.protocol.challenge import CALL_CHALLENGE_LIFETIME, Challenge, Purpose
from deputize.protocol.errors import Code, Refusal
from deputize.protocol.question import Question, Surface, Text
from deputize.service import approvals
from deputize.service.approvals import Action, Minted, Rejected, Verified
from deputize.service.methods import Methods
from deputize.service.moment import Moment
from deputize.service.ports import Tx
from deputize.store.sqlite import SqliteStore

T = TypeVar("T")
POLICY = settings.loads(b'[site]\nname = "Bank"\norigin = "https://bank.example"\n')
CODES = Codes()
AT = Moment(POLICY, secrets.token_bytes, v.NOW, methods=Methods((CODES, Codes(name="other"))))
TEXT = Text("en", ("Send 250 EUR to Ada",))
ACTION = Action(
    Purpose.CALL,
    v.call_id(),
    "transfer_money",
    {"amount": 250},
    v.user_id(),
    page_jkt=v.jkt(),
    methods=("code",),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "deputize.db")) as store:
        do(store, lambda tx: tx.add(v.user()))
        yield store


def do(store: SqliteStore, fn: Callable[[Tx], T]) -> T:
    return asyncio.run(store.transact(fn))


def minted(store: SqliteStore, action: Action = ACTION, text: Text = TEXT) -> Minted:
    made = do(store, lambda tx: approvals.mint(tx, AT, action, text))
    assert isinstance(made, Minted)
    return made


def evidence(challenge: Challenge, method: Codes = CODES) -> dict[str, Any]:
    code = method.code(str(challenge.owner), challenge.wire)
    return {"method": method.name, "challengeId": challenge.challenge_id, "code": code}


def verified(store: SqliteStore, made: Minted, action: Action = ACTION) -> Verified:
    verdict = store.look(lambda tx: approvals.check(tx, AT, action, evidence(made.challenge)))
    assert isinstance(verdict, Verified)
    return verdict


def conclude(
    store: SqliteStore, verdict: Verified, action: Action = ACTION, text: Text = TEXT, at: Moment = AT
) -> Refusal | None:
    concluded = do(store, lambda tx: approvals.conclude(tx, at, verdict, action, text))
    return concluded if isinstance(concluded, Refusal) else None


def test_appr_10_what_is_signed_commits_to_the_question(store: SqliteStore) -> None:
    """Computed here by the words of the clause, with another implementation of JCS."""
    challenge = minted(store).challenge
    question: Any = {
        "what": {
            "kind": "call",
            "subject": v.call_id(),
            "tool": "transfer_money",
            "authenticator_class": "platform",
        },
        "approver": v.user_id(),
        "until": v.NOW + 60,
        "language": "en",
        "text_s256": b64u(hashlib.sha256(rfc8785.dumps(["Send 250 EUR to Ada"])).digest()),
        "methods": ["code"],
        "surface": "page",
        "approvals": 1,
    }
    digest = hashlib.sha256(rfc8785.dumps(question)).digest()
    assert len(challenge.salt) == 32
    assert challenge.nonce == hashlib.sha256(challenge.salt + digest).digest()
    assert challenge.wire == challenge.nonce + challenge.action_hash


OTHERS: dict[str, Any] = {
    "what": {"kind": "consent"},
    "approver": v.user_id("eve"),
    "until": v.NOW + 61,
    "text": replace(TEXT, lines=("Send 250 EUR to", "Ada")),
    "methods": ("code", "other"),
    "surface": Surface.EITHER,
    "approvals": 2,
}


def test_appr_10_each_part_of_a_question_counts() -> None:
    question = Question({"kind": "call"}, v.user_id(), v.NOW + 60, TEXT, ("code",))
    assert OTHERS.keys() == {field.name for field in fields(Question)}
    others = [replace(question, **{name: other}) for name, other in OTHERS.items()]
    others.append(replace(question, text=replace(TEXT, language="en-GB")))
    salt = bytes(32)
    assert len({each.commitment(salt) for each in (question, *others)}) == 1 + len(others)
    assert question.commitment(bytes(31) + b"\1") != question.commitment(salt)


@pytest.mark.parametrize("each", [{}, *({name: other} for name, other in OTHERS.items())], ids=str)
def test_a_question_is_read_as_it_was_written(each: dict[str, Any]) -> None:
    question = replace(Question({"kind": "call"}, v.user_id(), v.NOW, TEXT, ("code",)), **each)
    assert Question.parse(question.to_json()) == question


@pytest.mark.parametrize(
    "change",
    [
        {"lines": [1]},
        {"lines": "x"},
        {"methods": [None]},
        {"surface": "wall"},
        {"until": "1"},
        {"more": 1},
        {"what": []},
    ],
    ids=str,
)
def test_what_is_no_question(change: dict[str, Any]) -> None:
    written = Question({"kind": "call"}, v.user_id(), v.NOW, TEXT, ("code",)).to_json()
    with pytest.raises(ValueError):  # noqa: PT011  # an enum's own message is as good
        Question.parse({**written, **change})


@pytest.mark.parametrize(
    "text",
    [
        Text("en", ("Send 251 EUR to Ada",)),
        Text("de", TEXT.lines),
        Text("en", ()),
        Text("en", (*TEXT.lines, "")),
    ],
    ids=str,
)
def test_appr_10_other_words_than_were_shown_are_not_acted_upon(store: SqliteStore, text: Text) -> None:
    made = minted(store)
    verdict = verified(store, made)
    refusal = conclude(store, verdict, text=text)
    assert refusal is not None
    assert refusal.code is Code.CHALLENGE_UNKNOWN
    left = store.look(lambda tx: tx.challenge(made.challenge.challenge_id))
    assert left == made.challenge  # neither used nor counted
    assert store.look(lambda tx: tx.asked(made.challenge.challenge_id)) is None
    assert conclude(store, verdict) is None


def test_appr_10_a_question_that_more_may_answer_by_now_is_another(store: SqliteStore) -> None:
    action = replace(ACTION, methods=None)
    verdict = verified(store, minted(store, action), action)
    assert verdict.challenge.method == "code"
    more = replace(AT, methods=Methods((*AT.methods, Codes(name="weak"))))
    refusal = conclude(store, verdict, action, at=more)
    assert refusal is not None
    assert refusal.code is Code.CHALLENGE_UNKNOWN


def test_appr_11_what_was_answered_is_kept_with_what_opens_it(store: SqliteStore) -> None:
    verdict = verified(store, minted(store))
    assert conclude(store, verdict) is None
    do(store, lambda tx: tx.sweep(v.NOW + 10**6))
    asked = store.look(lambda tx: tx.asked(verdict.challenge_id))
    assert asked is not None
    assert asked.question.text == TEXT
    assert verdict.facts["question_commitment"] == b64u(asked.question.commitment(asked.salt))
    assert (verdict.facts["method"], verdict.facts["telephone"]) == ("code", "…42")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"approvals": 2}, Code.UNSUPPORTED_METHOD),
        ({"approvals": 0}, Code.UNSUPPORTED_METHOD),
        ({"takes": Surface.AUTHORITY}, Code.WRONG_SURFACE),
        ({"takes": Surface.PAGE, "surface": Surface.AUTHORITY}, Code.WRONG_SURFACE),
    ],
    ids=str,
)
def test_appr_10_what_cannot_be_answered_here_is_refused_not_taken_for_what_it_can(
    store: SqliteStore, values: dict[str, Any], code: Code
) -> None:
    action = replace(ACTION, **values)
    refusal = do(store, lambda tx: approvals.mint(tx, AT, action, TEXT))
    assert isinstance(refusal, Refusal)
    assert refusal.code is code
    made = minted(store)
    verdict = store.look(lambda tx: approvals.check(tx, AT, action, evidence(made.challenge)))
    assert isinstance(verdict, Rejected)
    assert (verdict.refusal.code, verdict.counts) == (code, False)


def test_appr_12_a_policy_that_has_become_stricter_takes_no_answer_that_was_verified_before(
    store: SqliteStore,
) -> None:
    made = minted(store)
    verdict, stricter = verified(store, made), replace(ACTION, takes=Surface.AUTHORITY)
    refusal = conclude(store, verdict, stricter)
    assert refusal is not None
    assert refusal.code is Code.WRONG_SURFACE
    left = store.look(lambda tx: tx.challenge(made.challenge.challenge_id))
    assert left == made.challenge


def test_appr_9_a_method_that_the_question_does_not_allow_is_not_taken(store: SqliteStore) -> None:
    made = minted(store)
    given = evidence(made.challenge, Codes(name="other"))
    verdict = store.look(lambda tx: approvals.check(tx, AT, ACTION, given))
    assert isinstance(verdict, Rejected)
    assert (verdict.refusal.code, verdict.challenge_id) == (Code.UNSUPPORTED_METHOD, None)


def test_appr_9_a_question_that_allows_none_that_is_there_is_not_asked(store: SqliteStore) -> None:
    for methods in ((), ("webauthn",)):
        action = replace(ACTION, methods=methods)
        refusal = do(store, lambda tx, it=action: approvals.mint(tx, AT, it, TEXT))  # type: ignore[misc]
        assert isinstance(refusal, Refusal)
        assert refusal.code is Code.NO_ELIGIBLE_CREDENTIAL


def test_appr_9_the_order_of_registration_decides_and_not_that_of_the_question(store: SqliteStore) -> None:
    """No question puts a weaker method first."""
    for methods in (None, ("other", "code"), ("code", "other")):
        assert minted(store, replace(ACTION, methods=methods)).challenge.method == "code"
    assert minted(store, replace(ACTION, methods=("other",))).challenge.method == "other"


@pytest.mark.parametrize(
    ("later", "code"), [(0, Code.CHALLENGE_CONSUMED), (CALL_CHALLENGE_LIFETIME, Code.CHALLENGE_EXPIRED)]
)
def test_appr_4_of_two_who_have_verified_one_answer_the_slower_is_told_why_not(
    store: SqliteStore, later: int, code: Code
) -> None:
    verdict = verified(store, minted(store))
    if not later:
        assert conclude(store, verdict) is None
    refusal = conclude(store, verdict, at=replace(AT, now=AT.now + later))
    assert refusal is not None
    assert refusal.code is code


@pytest.mark.parametrize(
    "given",
    [None, {}, [], "code", {"method": "code"}, {"method": 1, "challengeId": "chl_x", "code": "1"}],
    ids=str,
)
def test_appr_3_what_is_no_evidence_meets_no_challenge(store: SqliteStore, given: Json) -> None:
    verdict = store.look(lambda tx: approvals.check(tx, AT, ACTION, given))
    assert isinstance(verdict, Rejected)
    assert (verdict.refusal.code, verdict.challenge_id) == (Code.MISSING_EVIDENCE, None)


def test_appr_4_the_fifth_wrong_answer_closes_a_challenge_and_the_fourth_does_not(
    store: SqliteStore,
) -> None:
    for wrong, then in ((4, None), (5, Code.CHALLENGE_CONSUMED)):
        made = minted(store)
        right = evidence(made.challenge)
        for _ in range(wrong):
            assert answered(store, {**right, "code": "0"}) is Code.SIGNATURE_VERIFICATION_FAILED
        assert answered(store, right) is then


def answered(store: SqliteStore, given: dict[str, Any]) -> Code | None:
    """Answer a question; return what is wrong with it."""
    verdict = store.look(lambda tx: approvals.check(tx, AT, ACTION, given))
    concluded = do(store, lambda tx: approvals.conclude(tx, AT, verdict, ACTION, TEXT))
    return concluded.code if isinstance(concluded, Refusal) else None


def test_two_methods_of_one_name_are_not_registered() -> None:
    with pytest.raises(ValueError, match="one name"):
        Methods((CODES, Codes(b"another")))
