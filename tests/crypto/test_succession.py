"""LOG-12: which keys somebody believes who holds one of them, and what of all that is refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deputize.crypto.note import NoteError, Verifier, sign
from deputize.crypto.succession import Succession, hand_over
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.handover import Handover, joined, parted

NAME = "bank.example/deputize"
A, B, C, THIEF = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(4))


def held(key: Ed25519PrivateKey) -> Verifier:
    return Verifier(NAME, key.public_key())


def head(size: int, fill: int = 7) -> Checkpoint:
    return Checkpoint(NAME, size, bytes([fill]) * 32)


def over(old: Ed25519PrivateKey, new: Ed25519PrivateKey, size: int, fill: int = 7) -> str:
    return hand_over(head(size, fill), old, new.public_key())


def note(key: Ed25519PrivateKey, size: int, fill: int = 7) -> bytes:
    return sign(head(size, fill).body(), NAME, key).encode()


CHAIN = (over(A, B, 5), over(B, C, 9))


def refused(key: Ed25519PrivateKey, *notes: str) -> str:
    with pytest.raises(NoteError) as error:
        Succession.of(held(key), notes)
    return error.value.reason


def unopened(keys: Succession, text: bytes) -> str:
    with pytest.raises(NoteError) as error:
        keys.opened(text)
    return error.value.reason


@pytest.mark.parametrize(("key", "steps"), [(A, 2), (B, 1), (C, 0)])
def test_whoever_holds_any_of_the_keys_comes_to_the_newest(key: Ed25519PrivateKey, steps: int) -> None:
    keys = Succession.of(held(key), CHAIN)
    assert (len(keys.handovers), keys.newest) == (steps, held(C))
    assert keys.opened(note(C, 10)) == head(10)


def test_a_key_is_believed_for_its_own_entries_only() -> None:
    keys = Succession.of(held(A), CHAIN)
    for key, size in ((A, 0), (A, 5), (B, 6), (B, 9), (C, 10)):
        assert keys.opened(note(key, size)) == head(size)
    for key, size in ((A, 6), (B, 5), (B, 10), (C, 9)):
        assert unopened(keys, note(key, size)) == "key_handed_over"
    assert unopened(keys, note(A, 5, fill=8)) == "key_handed_over"
    assert unopened(keys, note(THIEF, 10)) == "no_known_signature"


def test_an_older_key_is_nothing_to_who_holds_the_newer() -> None:
    """Somebody may have found it since."""
    assert unopened(Succession.of(held(B), CHAIN), note(A, 3)) == "no_known_signature"


def test_a_forged_handover_is_refused() -> None:
    assert refused(A, CHAIN[0].replace("\n5\n", "\n6\n")) == "bad_signature"


def test_a_handover_by_another_key_is_refused() -> None:
    body = Handover(held(A).vkey(), held(THIEF).vkey(), 5, bytes(32)).body()
    assert refused(A, sign(body, NAME, THIEF)) == "no_known_signature"
    assert Succession.of(held(A), [over(THIEF, B, 5)]).newest == held(A)  # it is about others


@pytest.mark.parametrize("moved", [0, 1])
def test_where_the_issuer_has_moved_the_next_handover_leads_all_holders_on(moved: int) -> None:
    """Before the first hand-over, or between two: those who hold a key under the name of before walk on as all do."""
    name = "shop.example/deputize"
    chain = [
        hand_over(Checkpoint(NAME if number < moved else name, size, bytes(32)), old, new.public_key())
        for number, (old, new, size) in enumerate([(A, B, 5), (B, C, 9)])
    ]
    newest = Verifier(name, C.public_key())
    now = Checkpoint(name, 10, bytes(32))
    text = sign(now.body(), name, C).encode()
    for known in (held(A), held(B), Verifier(name, B.public_key())):
        assert Succession.of(known, chain).newest == newest
        assert Succession.of(known, chain).opened(text) == now
    assert Succession.ours(newest, chain).newest == newest


def test_a_second_handover_by_a_key_is_refused() -> None:
    assert refused(A, CHAIN[0], over(A, THIEF, 6)) == "bad_handover"
    assert refused(A, *CHAIN, over(A, THIEF, 12)) == "bad_handover"


def test_a_chain_that_was_cut_off_leads_to_no_newer_key() -> None:
    for cut in ((), CHAIN[:1], CHAIN[1:]):
        assert unopened(Succession.of(held(A), cut), note(C, 10)) == "no_known_signature"


def test_a_chain_out_of_order_is_refused_or_leads_nowhere() -> None:
    assert unopened(Succession.of(held(A), CHAIN[::-1]), note(C, 10)) == "no_known_signature"
    assert refused(A, CHAIN[0], over(C, THIEF, 12), CHAIN[1]) == "bad_handover"


def test_each_handover_is_after_more_entries_than_the_one_before() -> None:
    assert refused(A, CHAIN[0], over(B, C, 5)) == "bad_handover"
    assert refused(A, CHAIN[0], over(B, C, 4)) == "bad_handover"


@pytest.mark.parametrize("text", ["", "words\n\n— x y\n", note(A, 5).decode()])
def test_what_is_no_handover_is_refused(text: str) -> None:
    assert refused(A, text) == "bad_handover"


def test_what_a_key_has_signed_under_another_first_line_is_no_handover() -> None:
    """LOG-12: else a note of whatever kind that names two keys and a size would be one."""
    body = Handover(held(A).vkey(), held(THIEF).vkey(), 5, bytes(32)).body()
    assert Succession.of(held(A), [sign(body, NAME, A)]).newest == held(THIEF)
    _, rest = body.split("\n", 1)
    for first in (NAME, "deputize/handover/v2", "deputize/handover"):
        assert refused(A, sign(f"{first}\n{rest}", NAME, A)) == "bad_handover"


def test_a_handover_is_no_checkpoint() -> None:
    assert unopened(Succession(held(A)), CHAIN[0].encode()) == "not_a_checkpoint"


def test_a_list_is_read_back_and_not_where_it_is_cut_off() -> None:
    for notes in ((), CHAIN[:1], CHAIN):
        assert parted(joined(notes)) == notes
    for cut in ("\n", joined(CHAIN)[:-1], CHAIN[0] + "\nwords\n"):
        with pytest.raises(ValueError, match="not a list"):
            parted(cut)


def test_a_checkpoint_of_another_record_is_none_of_this_one() -> None:
    """A key may sign more than one record, each under its own origin."""
    other = sign(Checkpoint("shop.example/deputize", 3, bytes(32)).body(), NAME, A).encode()
    assert unopened(Succession.of(held(A), CHAIN), other) == "another_record"
    assert unopened(Succession(held(A)), b"\xff") == "not_a_checkpoint"


@pytest.mark.parametrize(("size", "steps"), [(0, 0), (4, 0), (5, 1), (8, 1), (9, 2), (10, 2)])
def test_a_record_of_some_size_has_the_keys_that_were_its_own_by_then(size: int, steps: int) -> None:
    keys = Succession.of(held(A), CHAIN).up_to(size)
    assert (keys.held, keys.newest) == (held(A), (held(A), held(B), held(C))[steps])
    assert keys.notes == CHAIN[:steps]


def test_the_keys_of_ones_own_record_begin_with_the_first_that_handed_over() -> None:
    assert Succession.ours(held(C), CHAIN) == Succession.of(held(A), CHAIN)
    assert Succession.last(CHAIN).new == held(C).vkey()
    moved = Verifier("shop.example/deputize", C.public_key())
    for newest, notes in ((held(A), ()), (moved, CHAIN), (held(B), CHAIN)):  # HEAD-3
        assert Succession.ours(newest, notes) == Succession(newest)
    with pytest.raises(NoteError, match="bad_handover"):
        Succession.ours(held(C), (CHAIN[0], over(C, THIEF, 12)))
