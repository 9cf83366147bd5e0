"""Opening a folder of data: its database and its keys, both or neither (READY-4)."""

from pathlib import Path

from .crypto.keys import KeyRing, NoKeys
from .service.ports import Reader
from .store.sqlite import NoDatabase, SqliteStore
from .web.operations import Log


class LostData(Exception):
    """A folder has keys without the record that they signed, or a record without them (READY-4).

    Its text says `what` is missing, and what to do.
    """

    def __init__(self, what: str, cure: str) -> None:
        """Tell both."""
        super().__init__(f"{what}: bring it back from a backup, or {cure}")
        self.what = what


def opened(folder: Path, log: Log, new_keys: bool, new_record: bool) -> tuple[SqliteStore, KeyRing]:
    """Open the database and the keys of a folder: both, or neither and both are made (READY-4)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database, keys = folder / "deputize.db", folder / "keys.json"
    try:
        # The database comes first when both are made: keys without one are what is left of an authority.
        store = SqliteStore(database, new=new_record or not keys.exists(), note=log.alarm)
    except NoDatabase as missing:
        raise LostData(
            f"{missing}, and {keys.name} beside it says that there was one",
            "begin a new record, with no users and no calls, by --new-record (new_record=True).",
        ) from None
    try:
        return store, KeyRing.open(keys, new=new_keys or store.look(_is_empty))
    except NoKeys as missing:
        store.close()
        raise LostData(
            f"{missing}, and {database.name} beside it is in use",
            "make new keys by --new-keys (new_keys=True). Then everybody signs in and consents again, and the "
            "checkpoints that the old key signed are no longer ours.",
        ) from None
    except BaseException:
        store.close()
        raise


def _is_empty(reader: Reader) -> bool:
    return not (reader.head().size or reader.users() or reader.checkpoints())
