"""LOG-9: who was part of a call gets proof of what was recorded of it, and nobody else learns that there was one."""

import json

import pytest
from tests.service.kit import TRANSFER, Desk, Person
from tests.store import values as v

from deputize.protocol.call import State
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.errors import Refusal
from deputize.protocol.ids import CallId, UserId
from deputize.protocol.proof import Proof
from deputize.protocol.quota import RECEIPTS
from deputize.protocol.receipt import Receipt
from deputize.protocol.retention import DAY, Retention
from deputize.protocol.token import Delegation
from deputize.service import trails
from deputize.service.calls import moves, receipts
from deputize.service.calls.answers import Answered
from deputize.service.calls.moves import NO_CALL
from deputize.service.calls.receipts import Found
from deputize.service.record import Signed

Standing = tuple[Person, Delegation]


@pytest.fixture
def ada(desk: Desk) -> Standing:
    person = desk.person("internal")
    return person, desk.deputize(person)


def find(desk: Desk, call_id: CallId, by: UserId | Proof, with_arguments: bool = False) -> Found | Refusal:
    call = desk.do(lambda tx: receipts.begin(tx, desk.at, by, call_id, with_arguments))
    if isinstance(call, Refusal):
        return call
    return desk.look(lambda reader: receipts.find(reader, desk.at, call, with_arguments))


def made(desk: Desk, found: Found | Refusal) -> tuple[Receipt, Checkpoint]:
    assert isinstance(found, Found)
    head = desk.look(lambda tx: tx.head())
    signed = Signed(head.size, "a note")
    receipt = desk.look(lambda tx: receipts.make(tx, desk.at, found, signed))
    return Receipt.parse(json.loads(json.dumps(receipt.to_json()))), Checkpoint("x", head.size, head.root())


def asked(desk: Desk, ada: Standing) -> Answered:
    answer = desk.call(*ada, "transfer_money", TRANSFER)
    assert isinstance(answer, Answered)
    return answer


def test_its_user_and_a_guard_get_all_entries_of_a_call_proven(desk: Desk, ada: Standing) -> None:
    call = asked(desk, ada).call
    desk.allowed(*ada, "note")
    desk.do(lambda tx: moves.move(tx, call, State.DECLINED, desk.now))
    for by in (ada[0].user.user_id, desk.proof(v.jkt("guard"))):
        receipt, checkpoint = made(desk, find(desk, call.call_id, by))
        assert [entry.told()["kind"] for entry in receipt.entries] == ["call.pending", "call.declined"]
        assert receipt.unproven(checkpoint) == []
        assert (receipt.opening, receipt.questions) == (None, ())


def test_its_user_gets_what_opens_it_too_and_a_guard_does_not(desk: Desk, ada: Standing) -> None:
    call = asked(desk, ada).call
    receipt, _ = made(desk, find(desk, call.call_id, ada[0].user.user_id, with_arguments=True))
    assert receipt.opens()
    assert receipt.opening is not None
    assert receipt.opening.arguments == TRANSFER
    refused = find(desk, call.call_id, desk.proof(v.jkt("guard")), with_arguments=True)
    assert isinstance(refused, Refusal)
    assert refused.code == "invalid_request"


def test_what_the_index_does_not_reach_is_looked_through_up_to_a_length(
    desk: Desk, ada: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, by = asked(desk, ada).call, ada[0].user.user_id
    size = desk.look(lambda tx: tx.head()).size
    monkeypatch.setattr(receipts, "MOST_BEHIND", size)
    assert isinstance(find(desk, call.call_id, by), Found)
    monkeypatch.setattr(receipts, "MOST_BEHIND", size - 1)
    refused = find(desk, call.call_id, by)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.facts) == ("record_unavailable", {"retry_after": 1})
    desk.do(trails.step)
    assert isinstance(find(desk, call.call_id, by), Found)


def test_to_everybody_else_a_call_is_as_unknown_as_one_that_never_was(desk: Desk, ada: Standing) -> None:
    call, eve = asked(desk, ada).call, desk.person("internal")
    there, never = (find(desk, each, eve.user.user_id) for each in (call.call_id, CallId("cal_never")))
    assert there == never
    assert isinstance(never, Refusal)
    assert never.code == "call_unknown"
    assert find(desk, CallId("cal_never"), desk.proof(v.jkt("guard"))) == never


def test_a_guards_proof_is_good_once(desk: Desk, ada: Standing) -> None:  # PROOF-2
    call, proof = asked(desk, ada).call, desk.proof(v.jkt("guard"))
    assert isinstance(find(desk, call.call_id, proof), Found)
    again = find(desk, call.call_id, proof)
    assert isinstance(again, Refusal)
    assert again.code == "invalid_dpop_proof"


def test_what_is_kept_no_more_is_not_opened_as_nothing(desk: Desk, ada: Standing) -> None:  # KEEP-1
    call = asked(desk, ada).call
    desk.do(lambda tx: moves.move(tx, call, State.DECLINED, desk.now))
    desk.do(lambda tx: tx.retire(Retention(arguments=DAY), desk.now + DAY))
    whose = ada[0].user.user_id
    refused = find(desk, call.call_id, whose, with_arguments=True)
    assert isinstance(refused, Refusal)
    assert refused.code == "expired"
    receipt, checkpoint = made(desk, find(desk, call.call_id, whose))
    assert receipt.unproven(checkpoint) == []


def test_a_user_has_so_many_and_takes_none_from_another(desk: Desk, ada: Standing) -> None:
    call, eve = asked(desk, ada).call, desk.person("internal")
    for _ in range(RECEIPTS.most):
        assert find(desk, call.call_id, eve.user.user_id) == NO_CALL
    refused = find(desk, call.call_id, eve.user.user_id)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.facts["retry_after"]) == ("too_many_requests", RECEIPTS.within)
    assert isinstance(find(desk, call.call_id, ada[0].user.user_id), Found)
