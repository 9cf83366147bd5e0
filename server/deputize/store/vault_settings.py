"""Where the keys of users lie and what wraps them, where that is not the default: `sealing.json` beside the database.

It stands there, not in the policy, so that every command that opens the data finds it (SEAL-2).
"""

import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import orjson

from ..alone import alone_in
from ..private import replace_alone
from ..service.faults import Locked
from . import wrapping
from .wrapping import FileWrapping, Wrapping
from .wrapping_command import CommandWrapping

FILE = "sealing.json"
KEYS = "user-keys.db"
"""Where the keys lie if nothing else was said: in the folder of the database."""

By: TypeAlias = Path | tuple[str, ...]
"""What wraps: a file of wrapping keys, or a command."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is said in one folder. `former` says of replaced wrapping keys what has them, if that is something else."""

    keys: Path
    by: By
    former: Mapping[str, By] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Settings":
        """Read the file of a folder, or return the defaults; Locked for one that is damaged, or not its owner's."""
        path = folder / FILE
        default = cls(folder / KEYS, folder / wrapping.FILE)
        try:
            if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise Locked("the file that says what wraps the users' keys may be written by others", path)
            content = orjson.loads(path.read_bytes())
            former = {str(name): _by(folder, told) for name, told in content["former"].items()}
            return cls(folder / content["keys"], _by(folder, content["by"]), former)
        except FileNotFoundError:
            return default
        except OSError as error:
            why = f"the file that says what wraps the users' keys cannot be read: {error.strerror}"
            raise Locked(why, path) from error
        except (ValueError, TypeError, LookupError, AttributeError):
            raise Locked("the file that says what wraps the users' keys is damaged", path) from None

    def write(self, folder: Path) -> None:
        """Write the file of a folder; OSError."""
        content = {
            "v": 1,
            "keys": _within(folder, self.keys),
            "by": _told(folder, self.by),
            "former": {name: _told(folder, by) for name, by in self.former.items()},
        }
        with alone_in(folder) as held:
            replace_alone(folder / FILE, orjson.dumps(content, option=orjson.OPT_INDENT_2), held)

    def wrapped_by(self, by: By, names: Iterable[str]) -> "Settings":
        """Return these where something else wraps, all but the keys of these names, which stay where they are."""
        return replace(self, by=by, former={**dict.fromkeys(names, self.by), **self.former})


class Configured:
    """The wrapping that a folder's settings name, as they are at each use (`wrapping.Wrapping`)."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of a database."""
        self._folder = folder

    def wrap(self, name: str, key: bytes) -> bytes:
        """Wrap by what wraps now."""
        return wrapping_by(Settings.read(self._folder).by).wrap(name, key)

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """Unwrap by what has wrapped it."""
        settings = Settings.read(self._folder)
        return wrapping_by(settings.former.get(name, settings.by)).unwrap(name, wrapped)

    def require(self, name: str) -> None:
        """See that the key of this name is there."""
        settings = Settings.read(self._folder)
        wrapping_by(settings.former.get(name, settings.by)).require(name)

    def destroy(self, name: str) -> None:
        """Destroy a key where it lies."""
        settings = Settings.read(self._folder)
        wrapping_by(settings.former.get(name, settings.by)).destroy(name)
        if name in settings.former:
            with alone_in(self._folder):
                settings = Settings.read(self._folder)
                former = {other: by for other, by in settings.former.items() if other != name}
                replace(settings, former=former).write(self._folder)


def wrapping_by(by: By) -> Wrapping:
    """Return what wraps by this file or this command."""
    return FileWrapping(by) if isinstance(by, Path) else CommandWrapping(by)


def _within(folder: Path, path: Path) -> str:
    """Write a path so that a folder may move with what is in it, and commands may be given anywhere."""
    there, here = path.absolute(), folder.absolute()
    return str(there.relative_to(here) if there.is_relative_to(here) else there)


def _told(folder: Path, by: By) -> dict[str, object]:
    return {"file": _within(folder, by)} if isinstance(by, Path) else {"command": list(by)}


def _by(folder: Path, told: dict[str, object]) -> By:
    match told:
        case {"file": str(file)}:
            return folder / file
        case {"command": [str(program), *rest]}:
            return program, *map(str, rest)
    raise ValueError("neither a file nor a command")
