"""The record as others rely on it: a signed head, proofs of single entries, a check of all (PROTOCOL §9)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass

import orjson

from ..protocol import tiles
from ..protocol.checkpoint import Checkpoint
from ..protocol.errors import USED_PROOF, Code, Refusal
from ..protocol.ids import ChallengeId, GrantId, is_id
from ..protocol.merkle import Frontier, leaf_hash
from ..protocol.proof import Proof
from ..protocol.question import Asked
from ..protocol.receipt import Opening, Proven, Receipt
from ..protocol.tiles import HEIGHT, WIDTH, Tree, finished, tile_path, width_of
from .moment import Moment
from .ports import Reader, StoredEntry, Tx
from .trails import Arrivals, entries_from, keys_of, states, telling, told


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a record, and the first entry that is: missing, changed, or not where it belongs.

    Where hashes cannot tell which of several it is, they are `first` to `last`; both are None if it is none.
    """

    what: str
    first: int | None = None
    last: int | None = None

    def __str__(self) -> str:
        """Say it in a sentence."""
        if self.first is None:
            return self.what
        if self.first == self.last:
            return f"entry {self.first} {self.what}"
        return f"one of the entries {self.first} to {self.last} {self.what}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found: how many entries were recomputed, their root, how many of them a checkpoint vouches
    for, and what was wrong then, if anything.
    """

    size: int
    root: bytes
    signed: int
    fault: Fault | None


_Claims = dict[int, list[tuple[str, bytes]]]
"""What the root is said to be at some size, and by whom: by a checkpoint, or the stored head, which comes last."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A note of a checkpoint over so many entries (LOG-3)."""

    size: int
    note: str


def signed(reader: Reader, origin: str, sign: Callable[[str], str]) -> Signed:
    """Make a checkpoint of the head (LOG-3); `sign` makes a note of a body."""
    head = reader.head()
    return Signed(head.size, sign(Checkpoint(origin, head.size, head.root()).body()))


def keep(tx: Tx, made: Signed, is_ours: Callable[[str], bool]) -> Signed:
    """Keep a checkpoint for all to see, and return it; or the one that was kept meanwhile, if that says more."""
    newest = newer(tx, made, is_ours)
    if newest is made:
        tx.add_checkpoint(made.size, made.note)
    return newest


def newer(reader: Reader, made: Signed, is_ours: Callable[[str], bool]) -> Signed:
    """Return the checkpoint that another process has kept last, if it says more than this one; else this one.

    Nobody is shown fewer entries than somebody has seen, nor fewer cosignatures over as many. What another key has
    signed does not count.
    """
    stored = reader.newest_checkpoint()
    kept = Signed(*stored) if stored is not None else None
    if kept is None or _said(kept) <= _said(made) or not is_ours(kept.note):
        return made
    return kept


def _said(signed: Signed) -> tuple[int, int]:
    return signed.size, signed.note.count("\n")


def tile(level: int, number: int, width: int, reader: Reader) -> Sequence[bytes]:
    """Return the first hashes of a tile, as many as are asked for; ValueError if there are not that many (LOG-7)."""
    size = reader.head().size
    if not 0 < width <= width_of(level, number, size):
        raise ValueError("there is no such tile")
    return Tree(size, reader.hashes).tile(level, number)[:width]


def bundle(tx: Tx, at: Moment, proof: Proof, number: int, width: int) -> bytes | Refusal:
    """Return the first entries under a tile of leaves (LOG-8), as many as are asked for, if there are that many."""
    if not tx.use_proof(proof):
        return USED_PROOF
    if not 0 < width <= width_of(0, number, tx.head().size):
        return Refusal(Code.NOT_FOUND, "There are no such entries.")
    return tiles.bundle(entry.leaf for entry in tx.entries(number * WIDTH, width))


def prove(
    reader: Reader,
    indexes: Sequence[int],
    signed: Signed,
    opening: Opening | None = None,
    questions: Iterable[Asked] = (),
) -> Receipt:
    """Make a receipt of these entries, by a signed checkpoint; ValueError if not all are under it (LOG-5)."""
    size = signed.size
    if absent := [index for index in indexes if not 0 <= index < size]:
        raise ValueError(f"there is no entry {absent[0]} among {size}")
    tree, proven = Tree(size, reader.hashes), list[Proven]()
    for index in indexes:
        found = reader.entries(index, 1)
        if [entry.index for entry in found] != [index]:
            raise ValueError(f"there is no entry {index}")
        try:
            proven.append(Proven(index, found[0].leaf, tuple(tree.inclusion(index))))
        except LookupError as error:
            raise ValueError(*error.args) from None
    return Receipt(signed.note, tuple(proven), opening, tuple(questions))


def asked(reader: Reader, entries: Iterable[StoredEntry]) -> list[Asked]:
    """Find the questions that people answered, of those that these entries tell of (APPR-11)."""
    said = [told(entry) for entry in entries]
    ids = [ChallengeId(str(each["challenge_id"])) for each in said if "question_commitment" in each]
    return [found for challenge_id in ids if (found := reader.asked(challenge_id)) is not None]


def trail(reader: Reader, about: str) -> list[StoredEntry]:
    """Find the entries that tell of a call, a grant, an agent or a user, in order; empty if there are none.

    With a call come the grants that it was made under (CHAIN-3), with all else the whole of its calls.
    """
    entries = telling(reader, {about})
    if not is_id("cal", about):
        calls = {str(told(entry)["call_id"]) for entry in entries if "call_id" in told(entry)}
        return telling(reader, {about, *calls}) if calls else entries
    named = {str(one) for entry in entries if (one := told(entry).get("grant_id"))}
    above = named.union(*([link.grant_id for link in reader.lineage(GrantId(one))] for one in named))
    return sorted([*entries, *states(reader, above)], key=lambda entry: entry.index)


def verify(reader: Reader, checkpoints: Mapping[str, Checkpoint]) -> Report:
    """Check the record of one snapshot against itself and against genuine checkpoints, given by name (LOG-4).

    1. Entries stand in order, and none is missing.
    2. Each has the hash that is stored for it, and is canonical JSON that tells its own index.
    3. At the size of each checkpoint, and of the stored head, the root is the one that it names.
    4. The entries reach as far as each checkpoint says, and exactly as far as the head.
    5. The hashes over full tiles, where they are stored, are those of the entries.
    6. What tells of a call or a grant is found by that.

    Whoever can write to the store can make it all anew: that shows only against a checkpoint kept elsewhere.
    """
    claims: _Claims = defaultdict(list)
    for who, checkpoint in checkpoints.items():
        claims[checkpoint.size].append((who, checkpoint.root))
    head: Frontier | None = None
    with suppress(ValueError):
        head = reader.head()
        claims[head.size].append(("the stored head", head.root()))
    tree, signed, fault = _compare(reader, claims, {each.size for each in checkpoints.values()})
    if fault is None:
        fault = _misfit(tree.size, head, claims) or _misfiled(reader)
    return Report(tree.size, tree.root(), signed, fault)


def _compare(reader: Reader, claims: _Claims, sizes: Set[int]) -> tuple[Frontier, int, Fault | None]:
    """Recompute the tree to its end or to the first fault; tell also how much of it a checkpoint of these `sizes`
    covers."""
    tree, signed = Frontier(), 0
    entries = entries_from(reader, 0)
    while True:
        for who, root in claims.get(tree.size, ()):
            if root != tree.root():  # 3
                what = f"was changed with its hash: {who} of {tree.size} entries has another root"
                return tree, signed, Fault(what, signed, max(signed, tree.size - 1))
        if tree.size in sizes:
            signed = tree.size
        entry = next(entries, None)
        if entry is None:
            return tree, signed, None
        if (wrong := _wrong(entry, tree.size)) is not None:
            return tree, signed, Fault(wrong, tree.size, tree.size)
        for level, index, digest in finished(tree, entry.leaf_hash):
            if not {digest}.issuperset(reader.hashes(level, index, 1)):  # 5
                what = f"is under another hash than the one that is stored for tile {tile_path(level - 1, index)}"
                return tree, signed, Fault(what, index << level * HEIGHT, tree.size)
        tree = tree.append(entry.leaf_hash)


def _wrong(entry: StoredEntry, index: int) -> str | None:
    """Say what is wrong, in itself, with the entry that should be the one at `index`."""
    if entry.index != index:  # 1
        return "is missing"
    if leaf_hash(entry.leaf) != entry.leaf_hash:  # 2
        return "was changed: the hash that is stored for it is another"
    try:
        told = orjson.loads(entry.leaf)
    except orjson.JSONDecodeError:
        return "is not JSON"
    if not isinstance(told, dict) or told.get("i") != index:
        return "does not tell its own index"
    if orjson.dumps(told, option=orjson.OPT_SORT_KEYS) != entry.leaf:
        return "is not in canonical form"
    return None


def _misfit(size: int, head: Frontier | None, claims: _Claims) -> Fault | None:
    """Say how the number of entries, all good, does not fit what is known of it."""  # 4
    if longest := max((claimed for claimed in claims if claimed > size), default=0):
        who = claims[longest][0][0]
        return Fault(f"is missing: {who} is of {longest} entries", size, size)
    if head is None:
        return Fault("the stored head is damaged")
    if head.size < size:
        return Fault(f"was added: the stored head is of {head.size} entries", head.size, head.size)
    return None


def _misfiled(reader: Reader) -> Fault | None:
    """Find the first entry that the index should know under what it tells of, and does not."""  # 6
    arrivals, indexed = Arrivals(reader), reader.indexed()
    for entry in entries_from(reader, 0):
        if entry.index >= indexed:
            break
        for key in sorted(keys_of(arrivals.whole(told(entry)))):
            if not reader.trails(key, entry.index, entry.index + 1, 1):
                return Fault(f"is not found by “{key}”", entry.index, entry.index)
    return None
