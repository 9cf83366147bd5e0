"""Who gives an owner's command: his name is in each entry that tells of it (LOG-11)."""

import os
import pwd
from dataclasses import replace
from typing import Any, cast

from deputize.cli.options import GIVEN
from deputize.cli.out import UNUSABLE, fail
from deputize.protocol.entry import Entry
from deputize.service.ports import Tx

_MOST = 64  # characters of a name


def operator() -> str:
    """Return the name after `deputize --as`, or else that of whoever is signed in to this machine, behind sudo too.

    Ends the command for a name that could not be read in a list.
    """
    given = GIVEN.get()
    if given is None:
        return _signed_in()
    if not given.isprintable() or not given.strip() or len(given) > _MOST:
        fail(f"--as is a name of at most {_MOST} printable characters", UNUSABLE)
    return given


def naming(tx: Tx, operator: str) -> Tx:
    """Return a transaction each of whose entries says who gave the command."""
    return cast("Tx", _Naming(tx, operator))


class _Naming:
    def __init__(self, tx: Tx, operator: str) -> None:
        self._tx = tx
        self._operator = operator

    def append(self, entry: Entry, now: int) -> int:
        return self._tx.append(replace(entry, facts={**entry.facts, "operator": self._operator}), now)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


def _signed_in() -> str:
    uid = os.getuid()
    if uid == 0 and (behind := os.environ.get("SUDO_USER", "")).isprintable() and behind:
        return behind[:_MOST]
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # as in a container, whose users have numbers only
        return f"uid {uid}"
