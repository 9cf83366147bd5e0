"""What an owner does with the users' keys as a whole: another wrapping, another place, copies (SEAL-2, SEAL-6)."""

import os
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from ..alone import alone_in
from ..private import create_private
from ..service.faults import Locked
from . import wrapping
from .user_keys import UserKeys
from .vault import Vault
from .vault_settings import FILE, KEYS, By, Configured, Settings, wrapping_by
from .wrapping import FileWrapping


@dataclass(frozen=True, slots=True)
class State:
    """Where the keys are, how many, what wraps them since when, and which wrapping keys are still to be destroyed."""

    keys: Path
    by: By
    users: int
    destroyed: int
    since: int
    replaced: tuple[tuple[str, int], ...]


class UsersKeys:
    """The keys of the users of one folder. Locked if something cannot be done; then nothing has changed."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of a database, and read what its settings say."""
        self._folder = folder
        self._settings = Settings.read(folder)

    @property
    def path(self) -> Path:
        """Return where they are, or are to be."""
        return self._settings.keys

    def exist(self) -> bool:
        """Tell whether there is a file of them."""
        return self.path.exists()

    def state(self) -> State:
        """Say how it stands with them."""
        with closing(self._vault(self.path)) as vault:
            users, destroyed = vault.counts()
            former = tuple(vault.former())
            return State(self.path, self._settings.by, users, destroyed, vault.made_at(), former)

    def begin(self) -> None:
        """Make a file in which there are none, where there is no file."""
        with closing(Vault(self.path, Configured(self._folder), new=True)):
            pass

    def rotate(self, now: int) -> None:
        """Wrap them anew, under a new wrapping key; beside a running server or not."""
        with closing(UserKeys(self.path, Configured(self._folder), new=False)) as keys:
            keys.rotate(now)

    def wrap_by(self, by: By, now: int) -> None:
        """Have something else wrap them from now on, and wrap them anew by that; beside a running server or not.

        What has wrapped them until now is needed until its last wrapping key is destroyed (`UserKeys.sweep`). Where the
        settings were lost, and this is what wraps them, that is noted again, and nothing is wrapped anew.
        """
        _try(by)
        if not self.exist():
            replace(self._settings, by=by).write(self._folder)
            return
        if self._is_noted_again(by):
            return
        with alone_in(self.path.resolve().parent), closing(self._vault(self.path)) as vault:
            names = [vault.name(), *(name for name, _ in vault.former())]
            self._settings.wrapped_by(by, names).write(self._folder)
            try:
                vault.rotate(now)
            except BaseException:
                self._settings.write(self._folder)
                raise
        self._settings = Settings.read(self._folder)

    def copy(self, to: Path) -> None:
        """Copy the file, all of one moment, into a new one; what wraps the keys is not in it."""
        with closing(self._vault(self.path)) as vault:
            vault.copy(to)

    def move(self, to: Path) -> None:
        """Keep the file elsewhere from now on, such as on another disk. Nobody has the data open meanwhile."""
        before = self.path
        self.copy(to)
        self._settings = replace(self._settings, keys=to.absolute())
        self._settings.write(self._folder)
        with before.open("r+b") as file:  # nothing is left where it was
            file.write(bytes(os.fstat(file.fileno()).st_size))
            file.flush()
            os.fsync(file.fileno())
        before.unlink()
        before.with_name(before.name + "-journal").unlink(missing_ok=True)

    def take(self, archived: Path) -> None:
        """Take a copy, where there is no file; what wraps the keys is here already."""
        with closing(self._vault(archived)) as vault:
            vault.copy(self.path)

    def begin_anew(self) -> None:
        """Be those of a clone: the same keys, in the folder, wrapped by a file there.

        No wrapping key has to do with both. A file elsewhere may be the first one's, and is left alone.
        """
        own = FileWrapping(self._folder / wrapping.FILE)
        if not self.path.absolute().is_relative_to(self._folder.absolute()):
            self.copy(within := self._folder / KEYS)
            self._settings = replace(self._settings, keys=within)
        with closing(self._vault(self.path)) as vault:
            former = vault.name()
            vault.begin_anew(own, int(time.time()))
        before, self._settings = self._settings, replace(self._settings, by=own.path, former={})
        self._settings.write(self._folder)
        if before.by == own.path:
            own.destroy(former)  # in the clone's copy of the file

    @property
    def commands(self) -> list[tuple[str, ...]]:
        """Return the commands that are run for them, as the settings say."""
        all_by = {self._settings.by, *self._settings.former.values()}
        return sorted(by for by in all_by if isinstance(by, tuple))

    def lack_settings(self) -> bool:
        """Tell whether the settings may have been lost: there are none, and the keys do not open without."""
        return not (self._folder / FILE).exists() and not (self.exist() and self._open_by_default() is None)

    def copy_settings(self, to: Path) -> None:
        """Copy the settings into a folder with a copy of the keys, made before; nothing there opens these. OSError."""
        if (self._folder / FILE).exists():
            create_private(to / FILE, (self._folder / FILE).read_bytes())

    def take_settings(self, archived: Path, clone: bool) -> Path | None:
        """Take the settings that are in a folder with a copy, if any; return what was made. OSError.

        A `clone` has its file of keys in its folder: one elsewhere is the first one's.
        """
        if not (archived / FILE).exists():
            return None
        create_private(made := self._folder / FILE, (archived / FILE).read_bytes())
        if clone:
            replace(Settings.read(self._folder), keys=self._folder / KEYS).write(self._folder)
        self._settings = Settings.read(self._folder)
        return made

    def _open_by_default(self) -> Locked | None:
        """Open them where nothing is said of what wraps; return why they do not open."""
        try:
            self._vault(self.path).close()
        except Locked as locked:
            return locked
        return None

    def _is_noted_again(self, by: By) -> bool:
        """Note what wraps where the settings were lost and it opens the file of keys as it is; False if they were not.

        Locked if it does not, and neither does what wraps by default.
        """
        if (self._folder / FILE).exists() or (shut := self._open_by_default()) is None:
            return False
        try:
            with closing(Vault(self.path, wrapping_by(by), new=False)) as vault:
                former = [name for name, _ in vault.former()]
        except Locked as locked:
            raise Locked(f"{shut.to_owner()}; nor does this open them: {locked}", locked.where) from locked
        default = FileWrapping(
            self._folder / wrapping.FILE
        )  # which may have keys that are to be destroyed yet
        self._settings = self._settings.wrapped_by(by, [name for name in former if _has(default, name)])
        self._settings.write(self._folder)
        return True

    def _vault(self, path: Path) -> Vault:
        return Vault(path, Configured(self._folder), new=False)


def _has(file: FileWrapping, name: str) -> bool:
    try:
        file.require(name)
    except Locked:
        return False
    return True


def _try(by: By) -> None:
    """See that it wraps, and gives back what it has wrapped."""
    tried, key = wrapping_by(by), os.urandom(32)
    name = f"deputize-try-{os.urandom(8).hex()}"
    if tried.unwrap(name, tried.wrap(name, key)) != key:
        where = by if isinstance(by, Path) else " ".join(by)
        raise Locked("what is to wrap the users' keys gives back another key than it was given", where)
    tried.destroy(name)
