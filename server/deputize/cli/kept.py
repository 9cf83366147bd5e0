"""What `deputize log follow` keeps: the newest checkpoint, the hash of every leaf, and perhaps the entries."""

import os
from collections.abc import Iterable
from pathlib import Path

from deputize.cli.changes import replace_file
from deputize.cli.out import UNUSABLE, fail
from deputize.crypto.note import NoteError, Verifier
from deputize.crypto.succession import Succession
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.handover import joined, parted
from deputize.protocol.merkle import HASH_BYTES, leaf_hash
from deputize.protocol.tiles import WIDTH
from deputize.protocol.witness import AddCheckpoint
from deputize.service import following
from deputize.service.following import Broken, Enough, Fetch, Followed

_NOTE, _LEAVES, _HANDOVERS, _ENTRIES = "checkpoint", "leaves", "handovers", "entries.jsonl"
_PART = "part"
"""The newest checkpoint of which not all hashes are kept yet, and the proof that those that are begin it."""
_AT_ONCE = 4 * WIDTH  # entries in memory


class HashesKept:
    """The newest checkpoint that was seen, and the hashes of all leaves under it, in a folder."""

    def __init__(self, folder: Path, key: Verifier) -> None:
        """Read what was seen until now; ends the command if it is not whole, or of another record."""
        folder.mkdir(parents=True, exist_ok=True)
        self._note, self._leaves = folder / _NOTE, folder / _LEAVES
        self._handovers, self._part = folder / _HANDOVERS, folder / _PART
        self.keys = Succession(key)
        self.seen, self.note = Followed(), b""
        self.newest: Checkpoint | None = None
        if not self.file.exists():
            return
        part: AddCheckpoint | None = None
        self.note = self.file.read_bytes()
        try:
            if self.file == self._part:
                part = AddCheckpoint.parse(self.note.decode())
                self.note = part.note.encode()
            if self._handovers.exists():
                self.keys = Succession.of(key, read_handovers(self._handovers.read_bytes()))
            self.newest = checkpoint = self.keys.opened(self.note)
        except NoteError as error:
            fail(f"{self.file} is not signed with this key: {error.reason}", UNUSABLE)
        except ValueError:
            fail(f"{self.file} is not whole: begin anew, in another folder", UNUSABLE)
        size, proof = (part.old, part.proof) if part else (checkpoint.size, ())
        leaves = self._leaves.read_bytes() if self._leaves.exists() else b""
        self.seen = Followed.read(leaves[: size * HASH_BYTES])
        if self.size != size or not following.begins(self.seen.tree, checkpoint, proof):
            fail(f"{self._leaves} is not what {self.file} is over: begin anew, in another folder", UNUSABLE)

    @property
    def file(self) -> Path:
        """Return where the newest checkpoint is kept."""
        return self._part if self._part.exists() else self._note

    @property
    def size(self) -> int:
        """Return how many entries were seen."""
        return self.seen.tree.size

    @property
    def missing(self) -> int:
        """Return how many entries the newest checkpoint has that were not seen yet."""
        return 0 if self.newest is None else self.newest.size - self.size

    @property
    def seen_at(self) -> int:
        """Return when the site showed them, in seconds since the epoch, if it did."""
        return int(self.file.stat().st_mtime)

    def handed_over(self, served: bytes) -> Succession:
        """Return the keys that a site says there were; `Broken` if these contradict those that were seen.

        A key hands over once, and signs no more: a second hand-over is by who has found or kept an old key. NoteError
        for what is none.
        """
        keys = Succession.of(self.keys.held, read_handovers(served))
        known = len(self.keys.handovers)
        if keys.handovers[:known] != self.keys.handovers[: len(keys.handovers)]:
            raise Broken("a key that was handed over has handed over to another one, or elsewhere")
        if len(keys.handovers) <= known:
            return self.keys  # what is withheld now was seen before
        if self.newest is not None:
            try:
                keys.opened(self.note)
            except NoteError:
                raise Broken(
                    f"its key was handed over after {keys.handovers[known].size} entries, which are not those, nor "
                    f"more than those, that it had signed: {self.newest.size}"
                ) from None
        return keys

    def go_on(
        self,
        checkpoint: Checkpoint,
        note: bytes,
        fetch: Fetch,
        keys: Succession,
        others: Iterable[tuple[str, Checkpoint]] = (),
        enough: Enough = lambda _: False,
    ) -> None:
        """See what a genuine checkpoint covers until it is `enough` (`Followed.go_on`), and keep it.

        `Broken` also where a key was handed over after other entries, and where `others` of these names, which are
        genuine too, are not of the same record. The keys and the hashes come first, and then, at once, the checkpoint
        over them.
        """
        before, known, missed = self.size, len(self.keys.handovers), self.missing
        proof = self.seen.go_on(checkpoint, fetch, enough)
        if self.newest is not None and missed:
            following.require_continued(self.newest, checkpoint, fetch)
        for name, other in others:
            self.seen.require(other, name, checkpoint, fetch)
        for number, handover in enumerate(keys.handovers):
            if handover.size <= self.size and (number >= known or handover.size > before):
                leaves = self.seen.leaves[: handover.size * HASH_BYTES]
                if Followed.read(bytes(leaves)).tree.root() != handover.root:
                    raise Broken(f"its key was handed over after {handover.size} other entries")
        keys = keys.up_to(checkpoint.size)
        if keys != self.keys:
            replace_file(self._handovers, joined(keys.notes).encode())
            self.keys = keys
        # What came before a checkpoint that was not kept any more is written over.
        _write(self._leaves, before * HASH_BYTES, self.seen.leaves[before * HASH_BYTES :])
        if self.size < checkpoint.size:
            replace_file(self._part, AddCheckpoint(self.size, proof, note.decode()).text().encode())
        else:
            replace_file(self._note, note)
            self._part.unlink(missing_ok=True)
        self.note, self.newest = note, checkpoint

    def leaves(self, start: int, most: int | None = None) -> list[bytes]:
        """Return the hashes of all leaves from one on, or of so many."""
        joined = self.seen.leaves
        end = len(joined) if most is None else min(len(joined), (start + most) * HASH_BYTES)
        return [bytes(joined[at : at + HASH_BYTES]) for at in range(start * HASH_BYTES, end, HASH_BYTES)]


class EntriesKept:
    """The entries of a record whose hashes are kept, a line of JSON for each, in a folder."""

    def __init__(self, folder: Path, hashes: HashesKept) -> None:
        """Read what is there; ends the command if it is not what the hashes are of."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file, self._hashes, self._count, self._end = folder / _ENTRIES, hashes, 0, 0
        if not self._file.exists():
            return
        leaves = hashes.leaves(0)
        with self._file.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n") or self._count == len(leaves):
                    break  # it was cut off by a crash, or is of a checkpoint that was not kept any more
                if leaf_hash(line[:-1]) != leaves[self._count]:
                    fail(f"{self._file} has another entry {self._count} than was seen: begin anew", UNUSABLE)
                self._count += 1
                self._end += len(line)

    @property
    def missing(self) -> int:
        """Return how many entries are not kept yet whose hashes are."""
        return self._hashes.size - self._count

    def go_on(self, fetch: Fetch, enough: Enough = lambda _: False) -> None:
        """Fetch, check and keep what was seen since, until it is `enough` (`following.entries`)."""
        while self.missing:
            most = _AT_ONCE - self._count % WIDTH  # to the end of a tile: the next one is not fetched twice
            found = list(following.entries(self._count, self._hashes.leaves(self._count, most), fetch))
            lines = b"".join(entry + b"\n" for entry in found)
            _write(self._file, self._end, lines)
            self._count += len(found)
            self._end += len(lines)
            if enough(self._count):
                return


def read_handovers(text: bytes) -> tuple[str, ...]:
    """Read what `/log/handovers` answers, note by note; NoteError."""
    try:
        return parted(text.decode())
    except ValueError:
        raise NoteError("bad_handover") from None


def _write(file: Path, end: int, data: bytes | bytearray) -> None:
    """Write what comes after the first bytes of a file, durably, in place of whatever is there."""
    file.touch(mode=0o600)  # entries are not for everybody on this machine
    with file.open("ab") as there:
        there.truncate(end)
        there.write(data)
        there.flush()
        os.fsync(there.fileno())
