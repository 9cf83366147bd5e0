"""A policy file that is followed: the policy is what the file says now, unless that has faults (POLICY-1, POLICY-2)."""

from pathlib import Path

from deputize.protocol.policy import Policy
from deputize.protocol.tool import Tool
from deputize.settings import loads
from deputize.watched import Watched


class Followed:
    """The policy of a file. `fault` says why the file as it is now is not in force, None if it is.

    Tools that Python has declared stay declared when the file changes.
    """

    def __init__(self, path: Path | str) -> None:
        """Read the file; PolicyError with all its faults, OSError if it cannot be read."""
        self._file = Watched(path)
        self._file.changed()
        self.policy = loads(self._file.read())
        self.fault: str | None = None

    def changed(self) -> bool:
        """Read the file again if it has changed; tell whether `policy` or `fault` is another now.

        It costs one system call if the file has not changed for a second, so it can be called at each request.
        """
        if not self._file.changed():
            return False
        before = self.policy, self.fault
        try:
            self.policy, self.fault = _successor(self.policy, loads(self._file.read())), None
        except (ValueError, RecursionError) as error:  # the file's own; PolicyError is one
            self.fault = str(error)
        except Exception as error:  # the policy before stays in force (POLICY-2)
            self.fault = f"it cannot be read: {getattr(error, 'strerror', None) or repr(error)}"
            self._file.forget()
        return self.policy is not before[0] or self.fault != before[1]

    def declare(self, tool: Tool) -> None:
        """Add a tool to the policy, and to all that follow it; ValueError if the file could not have declared it."""
        self.policy = self.policy.declaring(tool)


def _successor(policy: Policy, new: Policy) -> Policy:
    """Return the new policy with the tools that Python has declared; ValueError if it cannot follow the old one."""
    fixed = _fixed(policy)
    for name, value in _fixed(new).items():
        if value != fixed[name]:
            raise ValueError(f"{name} cannot change while this runs: start it anew")
    if new.file_s256 == policy.file_s256:
        return policy
    for tool in policy.declared.values():
        new = new.declaring(tool)
    return new


def _fixed(policy: Policy) -> dict[str, object]:
    """Return what sessions, passkeys, tokens, guards and the socket rest on, by its key in the file (POLICY-2)."""
    return {
        "site.origin": policy.site.origin,
        "site.issuer": policy.site.issuer,
        "site.rp_id": policy.site.rp_id,
        "api.audience": policy.api.audience,
        "agents.development": policy.development,
        "mcp.single_user": policy.single_user,
        "record.head": policy.record.head,
    }
