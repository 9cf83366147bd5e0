"""A policy file that is followed: what it says now is the policy, as long as it can be one (POLICY-1, POLICY-2)."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from deputize.protocol.policy import Policy
from deputize.settings import loads

_UNCERTAIN = 1_000_000_000  # nanoseconds in which a file may change twice and look as if it had changed once


_Look = tuple[int, int, int, int]
"""What is another when the file is another, but for changes at (almost) the same time. The first is that time."""


class Followed:
    """The policy of a file. `fault` says why the file, as it is now, is not the policy that is in force.

    What was declared from Python stays declared (`Policy.tool`).
    """

    def __init__(self, path: Path | str) -> None:
        """Read the file; PolicyError with all its faults, OSError if it cannot be read."""
        self._path = str(Path(path).absolute())  # wherever the process goes from here; links stay links
        self._seen = _Seen.of(self._path)
        self.policy = loads(self._seen.content())
        self.fault: str | None = None

    def changed(self) -> bool:
        """Look at the file, and read it if it is another than before; tell whether it was.

        It costs one system call where nothing has happened for a second, so it can be asked at each request.
        """
        before = self._seen
        if before.settled and _look(self._path) == before.look:
            return False
        self._seen = seen = _Seen.of(self._path)
        if seen.read == before.read:
            return False
        try:
            self.policy = _successor(self.policy, loads(seen.content()))
            self.fault = None
        except OSError as error:  # the last thing that the owner said still holds (POLICY-2)
            self.fault = f"it cannot be read: {error.strerror}"
        except ValueError as error:  # PolicyError is one
            self.fault = str(error)
        return True


@dataclass(frozen=True, slots=True)
class _Seen:
    """A look at the file, and what was read after it: its content, or why there is none.

    What is written after the look is another file at the next one; unless it is `settled`, that may not show.
    """

    look: _Look | None
    read: bytes | str
    settled: bool
    error: OSError | None = None

    @classmethod
    def of(cls, path: str) -> "_Seen":
        look = _look(path)
        settled = look is None or abs(time.time_ns() - look[0]) > _UNCERTAIN
        try:
            return cls(look, Path(path).read_bytes(), settled)
        except OSError as error:
            return cls(look, repr(error), settled, error)

    def content(self) -> bytes:
        if self.error is not None:
            raise self.error
        assert isinstance(self.read, bytes)
        return self.read


def _successor(policy: Policy, new: Policy) -> Policy:
    """Return the new policy with what Python declared of the old one; ValueError if it cannot take its place."""
    for name, was, now in zip(_FIXED, _fixed(policy), _fixed(new), strict=True):
        if was != now:
            raise ValueError(f"{name} cannot change while this runs: start it anew")
    if new.file_s256 == policy.file_s256:
        return policy
    for tool in policy.declared.values():
        new.declare(tool)
    return new


_FIXED = (
    *("site.origin", "site.issuer", "site.rp_id"),
    *("api.audience", "agents.development", "mcp.single_user"),
)
"""What sessions, passkeys, tokens, guards and the socket rest on, here and elsewhere (POLICY-2)."""


def _fixed(policy: Policy) -> tuple[object, ...]:
    site = policy.site
    return (
        *(site.origin, site.issuer, site.rp_id),
        *(policy.api.audience, policy.development, policy.single_user),
    )


def _look(path: str) -> _Look | None:
    """Look at the file; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  # at each request, and Path.stat takes longer
    except OSError:
        return None
    return found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino
