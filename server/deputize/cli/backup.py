"""`deputize backup` and `deputize restore`: a copy of the data, and going on with one (RESTORE-1, RESTORE-4)."""

import asyncio
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deputize.authority.head_at_witnesses import AtWitnesses, Compared
from deputize.authority.head_file import HeadFile
from deputize.cli import users_keys
from deputize.cli.data import VAR, Data, keys_of, opened
from deputize.cli.newest import Newest
from deputize.cli.operator import naming, operator
from deputize.cli.options import POLICY, PolicyPath
from deputize.cli.out import UNUSABLE, fail
from deputize.cli.policy import read_policy
from deputize.crypto.keys import KeyRing
from deputize.crypto.note import Verifier
from deputize.crypto.succession import Succession
from deputize.opening import KEYS, UsersKeys, copy_store, has_store, replace_store, require_unused, take_store
from deputize.private import create_private
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.policy import Policy
from deputize.service import record, restoring
from deputize.service.heads import gone
from deputize.service.ports import Store

UserKeysFolder = Annotated[
    Path | None,
    typer.Option(
        "--user-keys",
        metavar="FOLDER",
        help="The folder for the users' keys; by default the one beside, with .user-keys at the end of its name.",
    ),
]
COMPLETE = "backup.checkpoint"
"""What makes a backup one. It has another name than HEAD-1's file: copied over the data by hand, it replaces none."""
_WORK = ".restore"


def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for the copy.")],
    user_keys: UserKeysFolder = None,
    data: Data = VAR,
    policy: PolicyPath = POLICY,
) -> None:
    """Copy database and keys into a new folder, all of one moment, while the server runs or not.

    The copy is opened and looked through before it is called done. It has the authority's own keys, unsealed: whoever
    reads the folder can sign as this authority does, so keep it as well as the data itself. The keys of users, without
    which nobody reads what is kept of them, go into a folder of their own: keep it elsewhere, or who is forgotten is
    not.
    """
    keys, settings = keys_of(data), read_policy(policy)
    for new in (folder, users_keys.beside(folder, user_keys)):
        if new.exists() and any(new.iterdir()):
            fail(f"{new} is not empty: name a new folder", UNUSABLE)
    newest = Newest.of(settings, data, keys).checkpoint  # first: the copy is not to be behind it
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy_store(data, folder)
    create_private(folder / KEYS, (data / KEYS).read_bytes())
    with opened(folder) as copy:
        size = _whole(copy, newest)
        head = copy.look(lambda tx: tx.head())
    file = HeadFile(folder / COMPLETE, settings.site.record_origin, keys.record_key)
    with file.alone() as held:
        file.replace(head, held)  # last: without it the copy is not whole
    typer.echo(f"{folder} has {size} entries and the authority's keys, and was looked through.")
    users_keys.back_up(data, users_keys.beside(folder, user_keys), settings)
    if newest is None:
        typer.echo(
            "No checkpoint was there to compare it with: whether entries are missing is not known.", err=True
        )


def restore(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="What `deputize backup` made. Without it: the data as they are."
        ),
    ] = None,
    accept_rollback: Annotated[
        bool,
        typer.Option(
            "--accept-rollback",
            help="Go on although what was recorded later is lost, or nobody knows whether anything was.",
        ),
    ] = False,
    clone: Annotated[
        bool,
        typer.Option(
            "--clone", help="Make another authority of the copy, with keys of its own; the first one goes on."
        ),
    ] = False,
    user_keys: UserKeysFolder = None,
    forget_lost: Annotated[
        bool,
        typer.Option(
            "--forget-lost",
            help="Forget for good each user whose key is lost, so that nobody reads what is kept of him.",
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Do not ask whether to forget them, or to run a command that a copy names."
        ),
    ] = False,
    data: Data = VAR,
    policy: PolicyPath = POLICY,
) -> None:
    """Put a backup in the place of the data, or go on with data that somebody has put back by hand.

    The server is stopped. Where the copy is behind the newest checkpoint, it says what would be lost, and does nothing
    without --accept-rollback. With it, everything under way ends, everybody signs in again, and what users have allowed
    to agents is suspended until each confirms it. What was there before is kept, in a folder beside the database.

    The keys of users stay as they are, and whom they have forgotten stays forgotten. Only where the data have none are
    those of the backup taken, and what says where they are and what wraps them (sealing.json). What wraps them is put
    back first, where it was; where that is a command, it is asked for.
    """
    settings = read_policy(policy)
    if has_store(data):
        require_unused(data)
    if folder is None:
        _go_on(data, data, settings, accept_rollback, clone, forget_lost, yes)
        return
    if clone and (has_store(data) or (data / KEYS).exists()):
        fail(f"{data} has an authority already: name an empty folder by --data", UNUSABLE)
    if (data / KEYS).exists() and _public(keys_of(folder)) not in _all_public(keys_of(data)):
        fail(f"{folder} is of another authority than {data}: name an empty folder by --data", UNUSABLE)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    work = data / _WORK
    shutil.rmtree(work, ignore_errors=True)  # what a crash has left
    work.mkdir(mode=0o700)
    made_of_keys: list[Path] = []
    try:
        for name in (KEYS, COMPLETE):
            if not (folder / name).exists():
                fail(f"{folder} is not what `deputize backup` finishes: it has no {name}", UNUSABLE)
            create_private(work / name, (folder / name).read_bytes())
        take_store(folder, work)
        made = HeadFile(work / COMPLETE, settings.site.record_origin, keys_of(work).record_key).read()
        if made.checkpoint is None:
            fail(f"{folder / COMPLETE} is not signed by the key beside it", UNUSABLE)
        copied = users_keys.bring(folder, user_keys, data, clone, yes, made_of_keys)
        with opened(work, data) as store:
            _whole(store, made.checkpoint)
        _go_on(work, data, settings, accept_rollback, clone, forget_lost, yes)
        made_of_keys.clear()
        if copied:
            users_keys.tell_of_copy(folder, user_keys)
    finally:
        shutil.rmtree(work)
        for made_in_vain in made_of_keys:
            made_in_vain.unlink()


def _go_on(
    source: Path,
    data: Path,
    settings: Policy,
    accept_rollback: bool,
    clone: bool,
    forget_lost: bool,
    yes: bool,
) -> None:
    """Serve from now on what is in a folder, which is the data's own or one inside it.

    Each step leaves what is served as it was, or what does not serve (RESTORE-3).
    """
    # A key that the record has handed over since the copy was made does not come back.
    keys = keys_of(data if (data / KEYS).exists() and not clone else source)
    with opened(source, data) as store:
        compared = _compared(store, data, settings, keys, clone)
        size = store.look(lambda tx: tx.head().size)
        users_keys.fit(store, data, forget_lost, yes)
    lost = compared.gone or compared.unsure
    if source == data and lost is None and not clone and not forget_lost:
        typer.echo("Nothing is missing here: the database goes on from its newest checkpoint.")
        return
    if lost is not None and not (accept_rollback or clone):
        fail(f"{lost}. With --accept-rollback it goes on all the same: see `deputize restore --help`")
    waiting, now, who = None, int(time.time()), operator()
    cut = bool(keys.handovers()) and Succession.last(keys.handovers()).size >= size
    if forget_lost:
        UsersKeys(data).begin()
    with opened(source, data) as store:
        if lost is not None or clone:
            waiting = asyncio.run(
                store.transact(lambda tx: restoring.accept(naming(tx, who), now, compared.newest, clone, cut))
            )
        users_keys.forget_again(store, forget_lost)
    kept = data / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    if clone:
        if (data / KEYS).exists():
            kept.mkdir(mode=0o700)
            (data / KEYS).replace(kept / KEYS)
        KeyRing.open(data / KEYS)
        if (keys_of_users := UsersKeys(data)).exist():
            keys_of_users.begin_anew()
    elif not (data / KEYS).exists():
        create_private(data / KEYS, (source / KEYS).read_bytes())
    if source != data:
        replace_store(data, source, kept)
    if cut and not clone:
        keys_of(data).forget_handovers()  # they are after entries that are given up
    with opened(data) as store:
        head = store.look(lambda tx: tx.head())
    if not settings.record.at_witnesses:
        file = HeadFile.of(settings, data, keys_of(data).record_key)
        with file.alone() as held:
            file.replace(head, held)
    typer.echo(f"{data} has {head.size} entries, and can be served.")
    if settings.record.at_witnesses and waiting is not None and not clone:
        typer.echo(
            "But first have each witness forget this record, or name others: they cosign no second history.",
            err=True,
        )
    if waiting is not None:
        typer.echo(
            f"Everybody signs in again. Grants that wait until their users confirm them: {waiting}", err=True
        )


def _whole(store: Store, newest: Checkpoint | None) -> int:
    """Look through a copy, and return how many entries it has; ends the command if anything is wrong or missing."""
    report = store.look(lambda tx: record.verify(tx, {}))
    if report.fault is not None:
        fail(str(report.fault))
    asyncio.run(store.check())
    missing = store.look(lambda tx: gone(tx, newest)) if newest is not None else None
    if missing is not None:
        fail(missing)
    return report.size


def _compared(store: Store, data: Path, settings: Policy, keys: KeyRing, clone: bool) -> Compared:
    """Say what going on with a copy would lose; ends the command if its checkpoint is another one's."""
    if settings.record.at_witnesses:
        return Compared() if clone else asyncio.run(AtWitnesses(settings, keys).compare(store))
    file = HeadFile.of(settings, data, keys.record_key)
    kept = file.read()
    newest = kept.checkpoint
    if clone and settings.record.head is not None and kept.text is not None:
        fail(f"{file.path} may be the first one's: name another file in [record] head", UNUSABLE)
    if kept.text is not None and newest is None:
        fail(
            f"{file.path} is of another record or key: name another file in [record] head, or take it away",
            UNUSABLE,
        )
    if newest is None:
        return Compared(
            unsure="no checkpoint is kept outside the database, so nobody can tell what was recorded later"
        )
    return Compared(newest, gone=store.look(lambda tx: gone(tx, newest)))


def _public(keys: KeyRing) -> bytes:
    return keys.record_key().public_key().public_bytes_raw()


def _all_public(keys: KeyRing) -> set[bytes]:
    """Return the record's key, and those that it had before."""
    former = [Verifier.parse(Succession.last([note]).old) for note in keys.handovers()]
    return {_public(keys), *(key.public_key.public_bytes_raw() for key in former)}
