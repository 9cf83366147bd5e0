"""A policy file that is followed: what it says now is the policy, as long as it can be one (POLICY-1, POLICY-2)."""

from pathlib import Path

from deputize.protocol.policy import Policy
from deputize.protocol.tool import Tool
from deputize.settings import loads
from deputize.watched import Watched


class Followed:
    """The policy of a file. `fault` says why the file, as it is now, is not the policy that is in force.

    What was declared from Python stays declared.
    """

    def __init__(self, path: Path | str) -> None:
        """Read the file; PolicyError with all its faults, OSError if it cannot be read."""
        self._file = Watched(path)
        self._file.changed()
        if self._file.content is None:
            assert self._file.error is not None
            raise self._file.error
        self.policy = loads(self._file.content)
        self.fault: str | None = None

    def changed(self) -> bool:
        """Read the file again if it has changed; tell whether the policy or its fault has.

        It costs one system call where nothing has happened for a second, so it can be asked at each request.
        """
        if not self._file.changed():
            return False
        before = self.policy, self.fault
        try:
            self.policy, self.fault = self._read(), None
        except (ValueError, RecursionError) as error:  # the file's own; PolicyError is one
            self.fault = str(error)
        except Exception as error:  # the last thing that the owner said still holds (POLICY-2)
            self.fault = f"it cannot be read: {getattr(error, 'strerror', None) or repr(error)}"
            self._file.forget()
        return self.policy is not before[0] or self.fault != before[1]

    def declare(self, tool: Tool) -> None:
        """Add a tool that Python declares to the policy, and to all that come after it; ValueError if it cannot be."""
        self.policy = self.policy.declaring(tool)

    def _read(self) -> Policy:
        if self._file.error is not None:
            raise self._file.error
        assert self._file.content is not None
        return _successor(self.policy, loads(self._file.content))


def _successor(policy: Policy, new: Policy) -> Policy:
    """Return the new policy with what Python declared of the old one; ValueError if it cannot take its place."""
    for name, was, now in zip(_FIXED, _fixed(policy), _fixed(new), strict=True):
        if was != now:
            raise ValueError(f"{name} cannot change while this runs: start it anew")
    if new.file_s256 == policy.file_s256:
        return policy
    for tool in policy.declared.values():
        new = new.declaring(tool)
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
