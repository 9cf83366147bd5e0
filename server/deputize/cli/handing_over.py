"""`deputize keys rotate record`: the record's key hands over to a new one (LOG-12)."""

import asyncio
import time
from pathlib import Path

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from deputize.authority.head_at_witnesses import AtWitnesses
from deputize.authority.head_file import HeadFile
from deputize.cli.data import keys_of, opened
from deputize.cli.operator import naming, operator
from deputize.cli.out import fail
from deputize.crypto.keys import KeyRing
from deputize.crypto.note import NoteError, Verifier
from deputize.crypto.succession import Succession, hand_over
from deputize.opening import require_unused
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.entry import Entry, Kind
from deputize.protocol.policy import Policy
from deputize.service.heads import gone
from deputize.service.ports import Store, Tx
from deputize.service.trails import told


def rotate_record(data: Path, settings: Policy) -> None:
    """Hand over, tell of it in the record, and sign the newest checkpoint anew; ends the command if that cannot be.

    The new key and the old one's word for it are in place at once. What a crash leaves undone after that is done by
    the next time, which then makes no other key; meanwhile nothing serves (HEAD-2).
    """
    with opened(data):  # there is a record, or the command ends here
        ring = keys_of(data)
    require_unused(data)
    file = None if settings.record.at_witnesses else HeadFile.of(settings, data, ring.record_key)
    with opened(data) as store:
        _hand_over(store, ring, settings, file)


def _hand_over(store: Store, ring: KeyRing, settings: Policy, file: HeadFile | None) -> None:
    """Do it, where the newest checkpoint is in this file, or else at the witnesses."""
    origin = settings.site.record_origin

    def make(old: Ed25519PrivateKey, new: Ed25519PublicKey) -> str:
        if (wrong := _behind(store, file, AtWitnesses(settings, ring))) is not None:
            fail(f"{wrong}: see `deputize restore`")
        head = store.look(lambda tx: tx.head())
        return hand_over(Checkpoint(origin, head.size, head.root()), old, new)

    if not (_is_untold(store, ring) if file is None else _is_half_done(ring, file)):
        ring.hand_over(make)
    note, who = ring.handovers()[-1], operator()
    last = Succession.last([note])

    def tell(tx: Tx) -> bool:
        head = tx.head()
        if head.size == last.size + 1:  # told, and then it crashed
            return any(told(entry).get("handover") == note for entry in tx.entries(last.size, 1))
        if (head.size, head.root()) != (last.size, last.root):
            return False
        facts = {"by": "owner", "key": last.new, "handover": note}
        naming(tx, who).append(Entry(Kind.RECORD_HANDED_OVER, facts), int(time.time()))
        return True

    if not asyncio.run(store.transact(tell)):
        fail("the record went on while its key was handed over: see `deputize log verify`")
    if file is not None:
        head = store.look(lambda tx: tx.head())
        with file.alone() as held:
            file.replace(head, held)
    typer.echo(last.new)
    typer.echo(
        f"This key signs the record from entry {last.size} on; the one before is kept no more. Give it to whoever "
        "checks receipts, and to the witnesses, who need both.",
        err=True,
    )


def _behind(store: Store, file: HeadFile | None, at: AtWitnesses) -> str | None:
    """Say in what the record may have been put back, as far as the newest checkpoint tells."""
    if file is None:
        compared = asyncio.run(at.compare(store))
        return compared.gone or compared.unsure
    newest = file.read().checkpoint
    if newest is None:
        return f"{file.path} has no checkpoint by the key that is to hand over"
    return store.look(lambda tx: gone(tx, newest))


def _is_untold(store: Store, ring: KeyRing) -> bool:
    """Tell whether the record is still the one that its key has handed over, so that nothing was served since."""
    if not ring.handovers():
        return False
    head, last = store.look(lambda tx: tx.head()), Succession.last(ring.handovers())
    return (head.size, head.root()) == (last.size, last.root)


def _is_half_done(ring: KeyRing, file: HeadFile) -> bool:
    """Tell whether the newest checkpoint is by a key that has handed over, so that nothing was served since."""
    newest = file.read()
    if newest.text is None or newest.checkpoint is not None:
        return False
    verifier = Verifier(file.origin, ring.record_key().public_key())
    try:
        Succession.ours(verifier, ring.handovers()).opened(newest.text)
    except NoteError:
        return False
    return True
