"""The keys that a record had one after the other, as somebody believes them who holds one of them (LOG-12)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ..protocol.checkpoint import Checkpoint
from ..protocol.handover import Handover
from .note import NoteError, Verifier, open_note, sign, signers


def hand_over(last: Checkpoint, old: Ed25519PrivateKey, new: Ed25519PublicKey) -> str:
    """Return the note by which a key says that another one signs whatever comes after a checkpoint."""
    keys = (Verifier(last.origin, old.public_key()).vkey(), Verifier(last.origin, new).vkey())
    return sign(Handover(*keys, last.size, last.root).body(), last.origin, old)


@dataclass(frozen=True, slots=True)
class Succession:
    """The key that somebody holds, and those that it and its successors were handed over to, in order."""

    held: Verifier
    handovers: tuple[Handover, ...] = ()
    notes: tuple[str, ...] = ()
    """What was signed, a note for each of the hand-overs."""

    @classmethod
    def of(cls, held: Verifier, notes: Iterable[str]) -> "Succession":
        """Walk from the held key to the newest; what comes before it in the list says nothing of it.

        A key is the same one under whatever name: where the issuer has moved, its record goes on (HEAD-3). NoteError if
        a hand-over is not signed by the key whose turn it is, names the wrong one, or is not over more entries than the
        one before.
        """
        key, handovers, walked = held, list[Handover](), list[str]()
        for note in notes:
            handover = _parse(note)
            old = Verifier.parse(handover.old)
            is_next = old.public_key == key.public_key
            if not handovers and not is_next:
                continue
            if not is_next or (handovers and handover.size <= handovers[-1].size):
                raise NoteError("bad_handover")
            open_note(note, [old])
            key = Verifier.parse(handover.new)
            handovers.append(handover)
            walked.append(note)
        return cls(held, tuple(handovers), tuple(walked))

    @classmethod
    def ours(cls, newest: Verifier, notes: Sequence[str]) -> "Succession":
        """Return all keys of one's own record, from the first that handed over; NoteError for what is no chain.

        Where the issuer has moved since the last hand-over (HEAD-3), there is only the newest: the others signed under
        another name.
        """
        first = Verifier.parse(_parse(notes[0]).old) if notes else newest
        keys = cls.of(first, notes)
        return keys if keys.newest == newest else cls(newest)

    @staticmethod
    def last(notes: Sequence[str]) -> Handover:
        """Return the newest of some hand-overs that were verified before; NoteError if it is none."""
        return _parse(notes[-1])

    def up_to(self, size: int) -> "Succession":
        """Return the keys that have signed a record of this size, or handed it over."""
        known = sum(handover.size <= size for handover in self.handovers)
        return Succession(self.held, self.handovers[:known], self.notes[:known])

    @property
    def newest(self) -> Verifier:
        """Return the key that signs now."""
        return Verifier.parse(self.handovers[-1].new) if self.handovers else self.held

    def opened(self, note: bytes) -> Checkpoint:
        """Read a checkpoint that one of these keys has signed while it was its turn; NoteError for anything else."""
        keys = [self.held, *(Verifier.parse(handover.new) for handover in self.handovers)]
        try:
            body, signed = signers(note.decode(), keys)
            checkpoint = Checkpoint.parse(body) if signed else None
        except NoteError:
            raise
        except ValueError:
            raise NoteError("not_a_checkpoint") from None
        if checkpoint is None:
            raise NoteError("no_known_signature")
        if all(checkpoint.origin != key.name for key in signed):
            raise NoteError("another_record")
        if not any(self._in_turn(keys.index(key), checkpoint) for key in signed):
            raise NoteError("key_handed_over")
        return checkpoint

    def _in_turn(self, number: int, checkpoint: Checkpoint) -> bool:
        """Tell whether it was this key that signed checkpoints of this size, and whether it handed over that one."""
        if number and checkpoint.size <= self.handovers[number - 1].size:
            return False
        if number == len(self.handovers):
            return True
        last = self.handovers[number]
        return checkpoint.size < last.size or (checkpoint.size, checkpoint.root) == (last.size, last.root)


def _parse(note: str) -> Handover:
    try:
        return Handover.parse(note.partition("\n\n")[0] + "\n")
    except ValueError:
        raise NoteError("bad_handover") from None
