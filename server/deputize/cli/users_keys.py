"""What `deputize backup` and `deputize restore` do with the users' keys, which are no part of a backup (SEAL-6)."""

import asyncio
import shlex
import time
from pathlib import Path

import typer

from deputize.cli.data import read
from deputize.cli.keeping import forgotten
from deputize.cli.operator import naming, operator
from deputize.cli.out import UNUSABLE, day, fail
from deputize.opening import UsersKeys, has_store
from deputize.protocol.policy import Policy
from deputize.protocol.shown import plain
from deputize.service import forgetting
from deputize.service.faults import Locked
from deputize.service.ports import Store

FILE = "user-keys.db"


def of(data: Path) -> UsersKeys:
    """Return the keys of the users of an authority; ends the command if there are none."""
    if not (keys := not_lost(data)).exist():
        fail(f"there is no {keys.path}: it is made for the first user", UNUSABLE)
    return keys


def not_lost(data: Path) -> UsersKeys:
    """Return the keys of the users of an authority, if any; ends the command if it has users and not their keys."""
    keys = UsersKeys(data)
    if is_lost(keys, data):
        fail(f"{_missing(keys)}. Put it back first, from where you have it", UNUSABLE)
    return keys


def is_lost(keys: UsersKeys, data: Path) -> bool:
    """Tell whether there is no file of keys, though there are users."""
    if keys.exist() or not has_store(data):
        return False
    return bool(read(data, lambda tx: tx.whose_keys()).lost)


def _missing(keys: UsersKeys) -> str:
    return f"{keys.path} is missing, under whose keys it is kept what is kept of users"


def beside(folder: Path, named: Path | None) -> Path:
    """Return the folder for the users' keys of a backup: the named one, or the one beside it."""
    return named or folder.with_name(f"{folder.name}.user-keys")


def back_up(data: Path, to: Path, policy: Policy) -> None:
    """Copy them into a folder of their own, and say how to keep it."""
    keys = UsersKeys(data)
    if is_lost(keys, data):
        fail(f"{_missing(keys)}: this backup has none of them, and opens by older copies only")
    if not keys.exist():
        return
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys.copy(to / FILE)
    keys.copy_settings(to)
    state, lasts = keys.state(), policy.retention.archived_keys
    until = "" if lasts is None else f", at most until {day(state.since + lasts)}"
    typer.echo(f"The users' keys are in {to}, and open only by {said(state.by)}{until}.")
    if isinstance(state.by, Path):
        typer.echo(
            f"Keep a copy of {state.by} in a third place: if it is lost, so is what is kept of people.",
            err=True,
        )


def bring(folder: Path, named: Path | None, data: Path, clone: bool, yes: bool, made: list[Path]) -> bool:
    """Bring the users' keys of a backup, where the data have none; tell whether they are those of the backup now.

    And what says where they are and what wraps them, where that is missing. What was `made` is noted there at once.
    """
    keys, archived = UsersKeys(data), beside(folder, named)
    if keys.lack_settings() and (archived / FILE).exists():
        _ask_for(UsersKeys(archived).commands, archived, yes)
        if settings := keys.take_settings(archived, clone):
            made.append(settings)
            told = f"As {archived} says, the users' keys are, or are to be, in {keys.path}."
            typer.echo(plain(told), err=True)
    if keys.exist():
        if clone:
            fail(f"{keys.path} is there already: take it away, or name an empty folder by --data", UNUSABLE)
        return False  # these are newer: whom they have forgotten stays forgotten
    if not (archived / FILE).exists():
        if named is not None:
            fail(f"there is no {archived / FILE}", UNUSABLE)
        return False
    if not keys.path.parent.is_dir():
        fail(
            f"{keys.path.parent}, where the users' keys are to be, is not there: see whether its disk is mounted",
            UNUSABLE,
        )
    try:
        keys.take(archived / FILE)
    except Locked as locked:
        fail(f"{locked.to_owner()}. First put back what wraps the users' keys, as it was", UNUSABLE)
    made.append(keys.path)
    return True


def _ask_for(commands: list[tuple[str, ...]], archived: Path, yes: bool) -> None:
    """Have the owner say that commands are his which a copy names, since whoever can write there could name any."""
    for command in commands:
        if not yes:
            told = f"As {archived} says, the users' keys are wrapped by the command {shlex.join(command)}"
            typer.confirm(plain(f"{told}. Is that so, and may it be run?"), abort=True, err=True)


def tell_of_copy(folder: Path, named: Path | None) -> None:
    """Say what a copy of the keys does not know: whom the file that was lost has forgotten since (SEAL-5)."""
    typer.echo(
        f"The users' keys are those of {beside(folder, named)}. Whoever was deleted since they were copied is back: "
        "delete him again, by `deputize users delete`.",
        err=True,
    )


def fit(store: Store, data: Path, forget_lost: bool, yes: bool) -> None:
    """End the command where what is kept of users cannot be read, unless these are to be forgotten, surely."""
    if not (lost := len(store.look(lambda tx: tx.whose_keys()).lost)):
        return
    keys = UsersKeys(data)
    why = f"has not the keys of {lost} of them" if keys.exist() else "is missing"
    if not forget_lost:
        fail(
            f"what is kept of users cannot be read: {keys.path} {why}. Name the folder of their keys by --user-keys, "
            "or, if they are lost, forget these users for good by --forget-lost"
        )
    if not yes:
        typer.echo(
            f"{keys.path} {why}: if it lies on another disk, look first whether that is there.", err=True
        )
        typer.confirm(f"Forget users for good, so many: {lost}?", abort=True, err=True)


def forget_again(store: Store, forget_lost: bool) -> None:
    """Forget whom the data have brought back, and who has lost his keys; say how many that were."""
    now, who = int(time.time()), operator()
    count = asyncio.run(
        store.transact(lambda tx: forgetting.again(naming(tx, who), now, by="owner", lost=forget_lost))
    )
    if count:
        forgotten(store)
        typer.echo(
            f"Users who are forgotten, as they were before or since their keys are lost: {count}", err=True
        )


def said(by: Path | tuple[str, ...]) -> str:
    """Say what wraps."""
    return f"the file {by}" if isinstance(by, Path) else f"the command {' '.join(by)}"
