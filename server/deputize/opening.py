"""Opening the data of an authority: its store and its keys, both or neither (READY-4)."""

import os
import sqlite3
from pathlib import Path

from .alone import alone_in
from .crypto.keys import KeyRing, NoKeys
from .private import create_private
from .protocol.errors import Refused
from .service.faults import Locked, NoStore, StoreFault
from .service.ports import Reader, Store, WhoseKeys
from .store import wrapping
from .store.copying import copy, require_closed
from .store.faults import Note
from .store.owning import UsersKeys as UsersKeys
from .store.sqlite import SqliteStore
from .store.user_keys import UserKeys
from .store.vault_settings import Settings

KEYS = "keys.json"
_DATABASE = "deputize.db"


class LostData(Exception):
    """A folder has keys without the record that they signed, or a record without its keys (READY-4).

    The message says `what` is missing, and what to do.
    """

    def __init__(self, what: str, cure: str) -> None:
        """Say `what` is missing; `cure` is what to do where there is no backup of it."""
        super().__init__(f"{what}: bring it back from a backup, or {cure}")
        self.what = what


def store_in(
    folder: Path, *, new: bool, note: Note | None = None, serving: bool = False, keys: Path | None = None
) -> Store:
    """Open the store of a folder; if there is none, it is made if it may be `new`, else NoStore.

    What is kept of users opens by their keys, as that folder says, or the folder `keys`.
    Only here is it chosen which kind of store that is. `note` is told why something could not be recorded. One that is
    opened for `serving` is checked meanwhile, if a process died that had it open (READY-5). StoreFault or OSError if it
    cannot be opened.
    """
    try:
        sealed_by = UserKeys.beside((keys or folder) / _DATABASE)
        store = SqliteStore(folder / _DATABASE, new, note, sealed_by)
    except sqlite3.Error as error:
        raise StoreFault(str(error)) from error
    if serving:
        store.check_if_left_open()
    return store


def opened(
    folder: Path, note: Note, new_keys: bool, new_record: bool, store: Store | None = None
) -> tuple[Store, KeyRing, bool]:
    """Open the store and the keys of a folder, or make both if there is neither (READY-4); LostData for one alone.

    And for users whose keys are not there (SEAL-5); StoreFault if those cannot be opened now.

    The third says whether one of them was made anew beside the other: then an older checkpoint tells nothing of them.

    `new_keys` and `new_record` make the one that is missing. With a `store` that is open already it is only about the
    keys: whoever opened it knows whether it should be empty.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = folder / KEYS
    keyless = not keys.exists()
    try:
        # If both are made, the store is first: keys without one would look like what is left of an authority.
        store = store or store_in(folder, new=new_record or not keys.exists(), note=note, serving=True)
    except NoStore as missing:
        raise LostData(
            f"{missing}, and {keys.name} beside it says that there was one",
            "begin a new record, with no users and no calls, by --new-record (new_record=True).",
        ) from None
    try:
        fit = _fit(store)
        if fit.lost:
            raise LostData(*_lost_keys(folder, fit))
        empty = not fit.users and store.look(_is_empty)
        ring = KeyRing.open(keys, new=new_keys or (keyless and empty))
        return store, ring, (new_keys and keyless) or (new_record and empty)
    except NoKeys as missing:
        store.close()
        raise LostData(
            f"{missing}, and the record that it signed is in use",
            "make new keys by --new-keys (new_keys=True). Then everybody signs in and consents again, and the "
            "checkpoints that the old key signed are no longer ours.",
        ) from None
    except BaseException:
        store.close()
        raise


def _is_empty(reader: Reader) -> bool:
    return not (reader.head().size or reader.users() or reader.checkpoints())


def _fit(store: Store) -> WhoseKeys:
    try:
        return store.look(lambda tx: tx.whose_keys())
    except Refused as refused:
        if isinstance(locked := refused.__cause__, Locked):
            raise StoreFault(locked.to_owner()) from locked
        raise


def _lost_keys(folder: Path, fit: WhoseKeys) -> tuple[str, str]:
    """Say what of the users' keys is missing, and what to do."""
    keys = Settings.read(folder).keys
    users = f"{fit.users} {'user' if fit.users == 1 else 'users'}"
    what = f"the keys of {len(fit.lost)} of {users} are not in {keys}, which is older, or another's"
    if not keys.exists():
        what = f"{keys} is missing, under whose keys it is kept what is kept of {users}"
    return what, (
        "where there is none, forget each of these users, whose data nobody can read, by `deputize restore "
        "--forget-lost`."
    )


def copy_store(folder: Path, to: Path) -> None:
    """Copy the database of a folder, while others write to it or not, into another folder that has none.

    StoreFault, OSError.
    """
    try:
        copy(folder / _DATABASE, to / _DATABASE)
    except sqlite3.Error as error:
        raise StoreFault(f"the database cannot be copied: {error}") from error


def copy_users_keys(folder: Path, to: Path) -> None:
    """Copy the keys of users, and the file in the folder that wraps them, if there are any; Locked, OSError."""
    if (keys := UsersKeys(folder)).exist():
        keys.copy(UsersKeys(to).path)
        create_private(to / wrapping.FILE, (folder / wrapping.FILE).read_bytes())


def require_unused(folder: Path) -> bool:
    """StoreFault if the database of a folder is open in another process; False if it is damaged or there is none."""
    try:
        require_closed(folder / _DATABASE)
    except sqlite3.Error:
        return False
    return True


def has_store(folder: Path) -> bool:
    """Tell whether there is a database in a folder, of whatever kind."""
    return (folder / _DATABASE).exists()


def take_store(folder: Path, to: Path) -> None:
    """Copy the database of a folder that nobody has open, such as a backup, into another one; OSError."""
    with (folder / _DATABASE).open("rb") as file:
        create_private(to / _DATABASE, file.read())


def replace_store(folder: Path, made: Path, kept: Path) -> None:
    """Put the database of the folder `made` in the place of that of `folder`, in one step; what was there is `kept`.

    StoreFault if another process has it open: then nothing has changed.
    """
    there = folder / _DATABASE
    with alone_in(folder) as held:  # no server starts meanwhile
        if there.exists():
            closed = require_unused(folder)
            kept.mkdir(mode=0o700, exist_ok=True)
            if not closed:  # its companions would be taken for those of the new one
                for suffix in ("-wal", "-shm"):
                    companion = there.with_name(there.name + suffix)
                    if companion.exists():
                        companion.replace(kept / companion.name)
            os.link(there, kept / there.name)
        (made / _DATABASE).replace(there)
        os.fsync(held)
