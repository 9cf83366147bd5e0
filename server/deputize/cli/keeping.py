"""`deputize sweep`: delete now what the policy keeps no longer (KEEP-1)."""

import asyncio
import time

import typer

from deputize.authority.housekeeping import until_done
from deputize.cli.data import VAR, Data, opened
from deputize.cli.options import POLICY, PolicyPath
from deputize.cli.out import when
from deputize.cli.policy import read_policy
from deputize.service import forgetting, trails
from deputize.service.calls import moves
from deputize.service.ports import Store

UNCLEAN = (
    "What was deleted may still stand in the write-ahead file, which is in use: a running server empties it within "
    "seconds, and `deputize sweep` does."
)


def sweep(data: Data = VAR, policy: PolicyPath = POLICY) -> None:
    """Delete what `[retention]` in the policy keeps no longer, by this machine's clock, and index the record.

    What wraps the keys of users is renewed, if that is due.

    A running server does that by itself, every few seconds. The record is not touched: nothing in it is deleted.
    """
    retention, now = read_policy(policy).retention, int(time.time())
    with opened(data) as store:
        ended = asyncio.run(until_done(store, lambda tx: moves.expire(tx, now)))
        deleted = asyncio.run(until_done(store, lambda tx: tx.retire(retention, now)))
        asyncio.run(until_done(store, trails.step))
        clean = forgotten(store)
        asyncio.run(store.renew_keys(now, retention.archived_keys))
    typer.echo(f"As of {when(now)}: {ended} calls ended, {deleted} rows emptied or deleted.")
    if not clean:
        typer.echo(UNCLEAN, err=True)


def forgotten(store: Store) -> bool:
    """Delete all of those who are forgotten; tell whether it is out of the files, too."""
    asyncio.run(until_done(store, forgetting.step))
    return asyncio.run(store.scrub())
