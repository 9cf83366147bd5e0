"""Ways to lie about the bank's record, each tried on the auditor."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import httpx2
from starlette.requests import Request

from deputize.app import PutBack, build
from deputize.cli.out import UNUSABLE
from deputize.cli.witness import app_of
from deputize.cli.witnessing import Witness
from deputize.crypto.note import Verifier
from deputize.protocol.merkle import HASH_BYTES
from deputize.protocol.policy import Witness as Named
from deputize.testing.forging import remake, retold
from deputize.testing.server import Site

from .auditor import Auditor, Told
from .forgeries import Insider, proxy

LAST = 6
"""Entries at the end that are cut off, or told otherwise."""
WITNESS = "witness.example/harbor"
_PATIENCE = 60  # seconds


@dataclass(frozen=True, slots=True)
class Trial:
    """Who takes part: the bank at its address, whoever has its data, and the auditor. `entry` is to be rewritten."""

    bank: str
    insider: Insider
    auditor: Auditor
    entry: int

    @property
    def size(self) -> int:
        """How many entries the record has."""
        return self.insider.entries(self.insider.data)

    @property
    def older(self) -> int:
        """How many it had in the older copy."""
        return self.insider.entries(self.insider.older)

    def rewrite(self, leaves: list[bytes]) -> list[bytes]:
        """Make an approval of a refusal."""
        leaves[self.entry] = retold(leaves[self.entry], kind="call.approved")
        return leaves

    def cut(self, leaves: list[bytes]) -> list[bytes]:
        """Leave the end away."""
        return leaves[:-LAST]

    def fork(self, leaves: list[bytes]) -> list[bytes]:
        """Go on otherwise in place of the end."""
        return [*leaves[:-LAST], *(retold(leaf, t=0) for leaf in leaves[-LAST:])]

    def forged(self, name: str, change: Callable[[list[bytes]], list[bytes]]) -> Path:
        """Return a copy of the bank's data in which the record was made anew."""
        copy = self.insider.copy(name)
        remake(copy, change)
        return copy

    def shown(self, name: str, change: Callable[[list[bytes]], list[bytes]]) -> Told:
        """Show such a copy to the auditor."""
        with self.insider.serving(self.forged(name, change)) as site:
            return self.auditor.look(site)


def split(trial: Trial) -> Told:
    """Show customers another record than the auditor, until she gets a checkpoint from one of them."""
    auditor, hers = trial.auditor, trial.auditor.folder / "hers"
    with (
        trial.insider.serving(trial.forged("split", trial.fork)) as other,
        proxy(lambda request: other if "cookie" in request.headers else trial.bank) as site,
    ):
        auditor.take(hers, site, cookie="session")
        return auditor.look(site, "--checkpoint", str(hers))


def unfit(trial: Trial) -> Told:
    """Pass on another hash in a tile than the one that is signed."""

    def change(path: str, body: bytes) -> bytes:
        at = trial.entry * HASH_BYTES
        return body[:at] + bytes(HASH_BYTES) + body[at + HASH_BYTES :] if "/tile/0/" in path else body

    with proxy(lambda _: trial.bank, change) as site:
        return trial.auditor.look(site)


def withheld(trial: Trial) -> Told:
    """Show a forgery to somebody who has seen nothing before, but knows a witness, and that has seen the record."""
    insider, auditor = trial.insider, trial.auditor
    known = Witness(WITNESS, insider.work / "witness", [Verifier.parse(auditor.key)])
    key = known.verifier.vkey()
    wanted = ("--witness", key)
    with Site(lambda _: app_of(known)) as there:
        named = Named(key, there.url)
        with insider.serving(insider.copy("witnessed"), named) as site:
            if (told := auditor.look(site, *wanted, keep="as-witnessed")).code:
                return told
        with insider.serving(trial.forged("unwitnessed", trial.rewrite), named) as site:
            return auditor.look(site, *wanted, keep="as-newcomer")


def put_back(trial: Trial) -> Told:
    """Write an older copy over the database of a bank that runs, which sees that by itself."""
    copy = trial.insider.copy("put-back")
    with trial.insider.serving(copy) as site:
        trial.insider.put_back(copy)
        until = time.monotonic() + _PATIENCE
        while httpx2.get(f"{site}/deputize/healthz").is_success and time.monotonic() < until:
            time.sleep(0.05)  # it looks once a second
        return trial.auditor.look(site)


def half_restored(trial: Trial) -> Told:
    """Start a bank whose restore broke off, as `deputize serve` does."""
    copy = trial.insider.copy("half-restored")
    trial.insider.restore_halfway(copy)
    try:
        build(trial.insider.policy, copy, log=trial.insider.log)
    except PutBack as refused:
        return Told(UNUSABLE, f"deputize: {refused}")
    return Told(0, "It starts.")


def two_nodes(trial: Trial) -> Told:
    """Serve by two nodes in turn, of which one has an older copy, and a checkpoint as old."""
    with trial.insider.serving(trial.insider.copy("old-node", trial.insider.older)) as old:
        turns = cycle([trial.bank, old])

        def node(request: Request) -> str:
            return next(turns) if request.url.path.endswith("/checkpoint") else trial.bank

        with proxy(node) as site:
            if (told := trial.auditor.look(site)).code:
                return told
            return trial.auditor.look(site)
