"""The authority under the policy that is in force, which may be another one at each moment (POLICY-1)."""

from collections.abc import Callable
from dataclasses import replace
from os import getpid

from ..log.log import Log
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.tool import Tool
from ..settings.following import Followed
from .authority import Authority

FORKED = Refusal(
    Code.RECORD_UNAVAILABLE,
    "This process was forked off another after that one had opened its authority: neither the database nor what writes "
    "to it can be shared. Let each process open its own: start gunicorn without --preload.",
)


class InForce:
    """Call it for the authority. `log` hears of a new policy and of faults, `changed` is called after a new policy."""

    def __init__(
        self, authority: Authority, followed: Followed | None, log: Log, changed: Callable[[], None]
    ) -> None:
        """Begin with this one, whose policy is the followed one, or stays as it is."""
        self.latest = authority  # as it was when it was last called for
        self._followed = followed
        self._log = log
        self._changed = changed
        self._pid = getpid()
        self._faults: tuple[object, ...] = ()  # as they were then
        self._told: dict[str, bool] = {}

    @property
    def is_forked(self) -> bool:
        """Tell whether this is another process than the one that opened the authority, which it must not use."""
        return getpid() != self._pid

    def __call__(self) -> Authority:
        """Look at the policy's file, and return the authority under the policy in force; Refused if it `is_forked`, or
        if the database was put back (HEAD-2)."""
        if self.is_forked:
            raise Refused.of(FORKED)
        if self.latest.head.gone is not None:
            raise Refused(Code.RECORD_UNAVAILABLE, self.latest.head.gone)
        followed, before = self._followed, self.latest
        if followed is not None and followed.changed():
            self.latest = replace(before, policy=followed.policy, fault=followed.fault)
            self._log.policy(followed.policy.file_s256, followed.fault)
            self._changed()
        before.clock()
        faults = before.keys.fault, before.clock.fault, before.head.fault, before.wrapping_fault
        if faults != self._faults:
            self._faults = faults
            keys, clock, head, wrapping = faults
            self._tell("keys", keys)
            self._tell("clock", clock)
            self._tell("head", head)
            self._tell("wrapping", None if wrapping is None else wrapping.to_owner())
        return self.latest

    def declare(self, tool: Tool) -> None:
        """Add a tool that Python declares to the policy, and to all that follow it; ValueError if it cannot be."""
        policy = self().policy
        tool.check_direct(policy.ceiling.opaque)
        self.latest = replace(self.latest, policy=policy.declaring(tool))
        if self._followed is not None:
            self._followed.declare(tool)

    def _tell(self, part: str, fault: str | None) -> None:
        """Tell once that something is wrong, and once that it is not any more."""
        if self._told.get(part, False) is not (fault is not None):
            self._told[part] = fault is not None
            self._log.fault(part, fault)
