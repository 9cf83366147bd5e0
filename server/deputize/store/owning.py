"""What an owner does with the users' keys as a whole: another wrapping, another place, copies (SEAL-2, RESTORE-1).

Each function takes the folder of a database. Locked if it cannot be done, and then nothing has changed.
"""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ..alone import alone_in
from ..service.faults import Locked
from . import wrapping
from .user_keys import UserKeys
from .vault import Vault
from .vault_settings import KEYS, By, Configured, Settings, wrapping_by

DATABASE = "deputize.db"


@dataclass(frozen=True, slots=True)
class State:
    """Where the keys are, how many, what wraps them since when, and which wrapping keys are still to be destroyed."""

    keys: Path
    by: By
    users: int
    destroyed: int
    since: int
    replaced: tuple[tuple[str, int], ...]


def has_keys(folder: Path) -> bool:
    """Tell whether there is a file of users' keys."""
    return Settings.read(folder).keys.exists()


def state(folder: Path) -> State:
    """Say how it stands with the keys."""
    settings = Settings.read(folder)
    vault = Vault(settings.keys, Configured(folder), new=False)
    try:
        return State(settings.keys, settings.by, *vault.counts(), vault.made_at(), tuple(vault.former()))
    finally:
        vault.close()


def wrap_by(folder: Path, by: By, now: int) -> None:
    """Have something else wrap the keys from now on, and wrap them all anew by that; beside a running server or not.

    What has wrapped them until now is needed until its last wrapping key is destroyed (`UserKeys.sweep`).
    """
    before = Settings.read(folder)
    if not before.keys.exists():
        _try(by)
        replace(before, by=by).write(folder)
        return
    keys = UserKeys.beside(folder / DATABASE)
    try:
        with alone_in(before.keys.resolve().parent):  # no other rotation comes between
            keys.require()
            before.wrapped_by(by, keys.wrapped_under()).write(folder)
            try:
                keys.rotate(now)
            except BaseException:
                before.write(folder)
                raise
    finally:
        keys.close()


def move(folder: Path, to: Path) -> None:
    """Keep the file of keys elsewhere from now on, such as on another disk. Nobody has the data open meanwhile."""
    before = Settings.read(folder)
    copy(folder, to)
    replace(before, keys=to.absolute()).write(folder)
    with before.keys.open("r+b") as file:  # nothing is left where it was
        file.write(bytes(os.fstat(file.fileno()).st_size))
        file.flush()
        os.fsync(file.fileno())
    before.keys.unlink()
    before.keys.with_name(before.keys.name + "-journal").unlink(missing_ok=True)


def copy(folder: Path, to: Path) -> None:
    """Copy the file of keys, all of one moment, into a new file; what wraps it is not in it."""
    vault = Vault(Settings.read(folder).keys, Configured(folder), new=False)
    try:
        vault.copy(to)
    finally:
        vault.close()


def take(archived: Path, folder: Path) -> None:
    """Take a copy for the keys of a folder that has none. It opens there, or Locked and nothing is taken."""
    settings = Settings.read(folder)
    vault = Vault(archived, Configured(folder), new=False)
    try:
        vault.copy(settings.keys)
    finally:
        vault.close()


def clone(source: Path, archived: Path, folder: Path) -> None:
    """Take a copy of another authority's keys, opened by what wraps those, for a folder that has none.

    From then on they have a vault of their own, and a wrapping key of their own beside it.
    """
    vault = Vault(archived, Configured(source), new=False)
    try:
        vault.copy(to := folder / KEYS)
    finally:
        vault.close()
    moved = Vault(to, Configured(source), new=False)
    try:
        moved.begin_anew(wrapping.FileWrapping(folder / wrapping.FILE), int(time.time()))
    except BaseException:
        to.unlink()
        raise
    finally:
        moved.close()


def _try(by: By) -> None:
    """See that it wraps, and gives back what it has wrapped."""
    tried, key = wrapping_by(by), os.urandom(32)
    name = f"deputize-try-{os.urandom(8).hex()}"
    if tried.unwrap(name, tried.wrap(name, key)) != key:
        raise Locked("what is to wrap the users' keys gives back another key than it was given", by)
    tried.destroy(name)
