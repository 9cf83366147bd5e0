"""The newest checkpoint where only the witnesses of the record keep it (HEAD-4)."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from ..crypto import note
from ..crypto.keys import KeyRing
from ..crypto.note import NoteError, Verifier
from ..crypto.succession import Succession
from ..protocol.checkpoint import Checkpoint
from ..protocol.merkle import Frontier
from ..protocol.policy import Policy
from ..protocol.tiles import Tree
from ..service import record
from ..service.faults import PutBack
from ..service.heads import gone
from ..service.ports import Reader, Store
from .witnesses import PATIENCE, Witnesses

_TRIES = 3  # another process may have recorded more between our look and a witness's answer
_CURE = (
    "Put the newest copy in its place, or go on with this one by `deputize restore --accept-rollback`, which suspends "
    "what users have allowed until they confirm it. Then have each witness forget this record, or name others: they "
    "cosign no second history."
)
_SURE = "Start again when they do, or if you are sure of the database, go on this once by --new-head (new_head=True)."


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of it: in what the record is behind what a witness shows, or why not enough of them have said that it
    is not; neither of both if all is well. `newest` is what they show."""

    newest: Checkpoint | None = None
    gone: str | None = None
    unsure: str | None = None


class AtWitnesses:
    """Asks the witnesses that a policy names of the record whose keys these are.

    Only what one of these keys has signed says that a record is behind. A witness that merely says so has not confirmed
    it: it keeps nobody from serving but by being one too few.
    """

    def __init__(self, policy: Policy, keys: KeyRing) -> None:
        self._named = policy.record
        self._origin = policy.site.record_origin
        self._keys = keys
        self._witnesses = Witnesses(policy.record.witnesses)

    async def shown(self) -> list[Checkpoint]:
        """Return the checkpoints by our own keys that witnesses show, and those by which the keys were handed over
        (LOG-12)."""
        keys = self._succession()
        known = [Checkpoint(self._origin, each.size, each.root) for each in keys.handovers]
        for shown in await self._witnesses.shown(self._origin):
            with suppress(NoteError):
                known.append(keys.opened(shown))
        return known

    async def compare(self, store: Store) -> Compared:
        """Have the end of the record cosigned, which a witness does that has seen nothing newer and nothing else.

        So many have to as verifiers want. ValueError if the end is damaged.
        """
        shown, unsure = await self.shown(), None  # first: what is recorded meanwhile is no fault
        newest = newest_of(shown)
        for _ in range(_TRIES):
            head, behind = await store.read(partial(_judged, shown=shown))
            if behind is not None:
                return Compared(newest, gone=behind)
            if (unsure := await self._cosigned(store, head)) is None:
                break
            if head == await store.read(lambda reader: reader.head()):
                break
        return Compared(newest, unsure=unsure)

    async def _cosigned(self, store: Store, head: Frontier) -> str | None:
        """Ask for cosignatures; say why they are not enough."""
        last = self._succession().handovers[-1:]
        if last and head.size <= last[0].size:  # its key signs what comes after that
            return "the record does not say yet that its key was handed over: give `deputize keys rotate record` again"

        async def prove(old: int) -> Sequence[bytes]:
            return await store.read(lambda reader: Tree(head.size, reader.hashes).consistency(old))

        body = Checkpoint(self._origin, head.size, head.root()).body()
        signed = record.Signed(head.size, note.sign(body, self._origin, self._keys.record_key()))
        await self._witnesses.cosign(signed, prove)
        cosigned, wanted = self._witnesses.cosigned, self._named.quorum
        if cosigned >= wanted or not (head.size or any(self._witnesses.seen.values())):
            return None  # of a record that is empty, for all they say, nothing is missing
        why = "; ".join(self._witnesses.faults)
        return f"too few witnesses say that nothing is missing ({cosigned}, where {wanted} have to): {why}"

    def _succession(self) -> Succession:
        newest = Verifier(self._origin, self._keys.record_key().public_key())
        return Succession.ours(newest, self._keys.handovers())


class WitnessedHead:
    """What `Head` is, where witnesses keep it. `gone` says why the store must not serve any more (HEAD-2).

    The rounds of LOG-10 have them cosign while it runs; `witnessed` is told what came of each.
    """

    def __init__(self, at: AtWitnesses, store: Store, note: Callable[..., None]) -> None:
        """Ask them; `note` takes what the owner has to know."""
        self._at = at
        self._store = store
        self._note = note
        self._size = -1
        self._ended = False
        self.gone: str | None = None
        self.fault: str | None = None

    def start(self, new: bool = False, anew: bool = False) -> None:
        """Compare; `PutBack` if the store is behind what a witness shows, or if not enough of them say that it is not.

        With `new`, it is enough that nothing contradicts what they show. That keys or store were made `anew` changes
        nothing: witnesses cosign no second record of a name.
        """
        with ThreadPoolExecutor(1) as apart:  # a loop may be running here
            try:
                compared = apart.submit(asyncio.run, self._at.compare(self._store)).result()
            except ValueError:
                raise PutBack(f"The head of the record in the database is damaged. {_CURE}") from None
        if compared.gone is not None:
            raise PutBack(_sentence(compared.gone, _CURE))
        if compared.unsure is not None:
            if not new:
                raise PutBack(_sentence(compared.unsure, _SURE))
            self._note("head", fault=compared.unsure)
        self.fault = compared.unsure

    def begin(self) -> None:
        """Begin nothing: the rounds of LOG-10 go on by themselves."""

    async def witnessed(self, size: int, cosigned: int, wanted: int) -> None:
        """Hear how many have cosigned a checkpoint over so many entries. Where that is too few, look what they show."""
        if cosigned >= wanted:
            self._size, self.fault = size, None
            return
        self.fault = f"too few of its witnesses cosign it ({cosigned}, where {wanted} have to)"
        shown = await self._at.shown()
        _, behind = await self._store.read(partial(_judged, shown=shown))
        if behind is not None:
            self.gone = _sentence(behind, _CURE)
            self._note("head", fault=self.gone)

    async def end(self) -> None:
        """Have them cosign what was recorded last; once, since the store is closed after it."""
        if self._ended or self.gone is not None:
            return
        self._ended = True
        if self._store.look(lambda reader: reader.head()).size != self._size:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._at.compare(self._store), PATIENCE)


def newest_of(shown: Iterable[Checkpoint]) -> Checkpoint | None:
    """Return the one that is over the most entries."""
    return max(shown, key=lambda each: each.size, default=None)


def _judged(reader: Reader, shown: Iterable[Checkpoint]) -> tuple[Frontier, str | None]:
    """Return the end of the record, and in what it is behind one of these checkpoints, or does not go on from it."""
    behind = (gone(reader, each) for each in shown)
    return reader.head(), next(filter(None, behind), None)


def _sentence(what: str, cure: str) -> str:
    return f"{what[0].upper()}{what[1:]}. {cure}"
