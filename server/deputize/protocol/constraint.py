"""Constraints on a grant: `authorization_details` of type `webmcp_tool` (RFC 9396; PROTOCOL §12).

A constraint only ever takes away. Those of a grant hold all at once, so narrowing is adding: whatever a narrowed grant
allows, the wider one allowed before. That is what `narrow` builds.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal

from .canonical import Json, canonicalize, values_in
from .errors import Code, Refusal, Refused
from .limit import limit_schema
from .tool import MUCH, Schema, is_tool_name

TYPE = "webmcp_tool"
MAX_DETAILS = 16
MAX_SIZE = 3072  # bytes of all details in canonical form: they travel in a token, and somebody reads them
UNITS = 1_000_000  # sums are kept in millionths, rounded up: integers do not drift
_MEMBERS = frozenset({"type", "tool", "schema", "max_calls", "sum", "not_before", "not_after", "hours"})
_POINTER = re.compile(r"(?:/[A-Za-z0-9_.$-]{1,64}){1,8}\Z")  # RFC 6901, of names that look like no sentence
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z")
_MAX_COUNT = 10**9
_DAY = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60)]
_END_OF_TIME = 253402300800  # the first second of the year 10000, which no calendar here can write


@dataclass(frozen=True, slots=True)
class Use:
    """What a call takes from one counter of a grant: `amount` of at most `limit` in all."""

    counter: str
    amount: int
    limit: int


@dataclass(frozen=True, slots=True)
class Constraint:
    """One limit on one tool. Every part that is absent limits nothing.

    `hours` is a span of the day in UTC, `("09:00", "17:00")`, the end exclusive, across midnight where it ends earlier.
    `sums` maps a JSON pointer into the arguments to the most that its values may add up to, in millionths.
    """

    tool: str
    schema: Schema | None = None
    max_calls: int | None = None
    sums: Mapping[str, int] = field(default_factory=dict)
    not_before: int | None = None
    not_after: int | None = None
    hours: tuple[str, str] | None = None

    @classmethod
    def parse(cls, detail: Json) -> "Constraint":
        """Read one authorization detail; Refused(invalid_authorization_details) for anything not understood."""
        # CONS-1
        if not isinstance(detail, dict) or detail.get("type") != TYPE or not detail.keys() <= _MEMBERS:
            raise _bad(f"each detail has type {TYPE} and members {', '.join(sorted(_MEMBERS))}")
        tool = detail.get("tool")
        if not isinstance(tool, str) or not is_tool_name(tool):
            raise _bad("`tool` names a tool")
        return cls(
            tool,
            _schema(detail["schema"]) if "schema" in detail else None,
            _number(detail, "max_calls"),
            _sums(detail["sum"]) if "sum" in detail else {},
            _number(detail, "not_before"),
            _number(detail, "not_after"),
            _hours(detail["hours"]) if "hours" in detail else None,
        )

    def detail(self) -> dict[str, Json]:
        """Write it as an authorization detail."""
        told: dict[str, Json] = {"type": TYPE, "tool": self.tool}
        if self.schema is not None:
            told["schema"] = self.schema.source
        for name in ("max_calls", "not_before", "not_after"):
            if (value := getattr(self, name)) is not None:
                told[name] = value
        if self.sums:
            told["sum"] = {pointer: amount_of(limit) for pointer, limit in self.sums.items()}
        if self.hours is not None:
            told["hours"] = list(self.hours)
        return told

    def refuses(self, arguments: Json, now: int) -> str | None:
        """Say why this call is outside the constraint, counters aside, or None if it is inside."""
        if self.not_before is not None and now < self.not_before:
            return "its time has not come yet"
        if self.not_after is not None and now >= self.not_after:  # TOKEN-5
            return "its time is over"
        if self.hours is not None and not _within(self.hours, _clock(now)):
            return f"it is allowed from {self.hours[0]} to {self.hours[1]} UTC only"
        if self.schema is not None and (fault := self.schema.fault(arguments)) is not None:
            return f"the arguments go beyond what was allowed: {fault}"
        return None

    def uses(self, arguments: Json) -> list[Use]:
        """Return what this call takes from the counters; Refused for a summed value that is no amount (CONS-3)."""
        taken = [] if self.max_calls is None else [Use(f"{self.tool} calls", 1, self.max_calls)]
        for pointer, limit in self.sums.items():
            taken.append(Use(f"{self.tool} {pointer}", _amount(arguments, pointer), limit))
        return taken


@dataclass(frozen=True, slots=True)
class Constraints:
    """All constraints of one grant; each of them holds (CONS-2)."""

    parts: tuple[Constraint, ...] = ()

    @classmethod
    def parse(cls, details: Json) -> "Constraints":
        """Read `authorization_details`; Refused(invalid_authorization_details)."""
        if not isinstance(details, list) or len(details) > MAX_DETAILS:
            raise _bad(f"it is a list of at most {MAX_DETAILS} details")
        return cls(tuple(Constraint.parse(detail) for detail in details))._bounded()

    def details(self) -> list[Json]:
        """Write them as `authorization_details`."""
        return [part.detail() for part in self.parts]

    def narrow(self, asked: "Constraints") -> "Constraints":
        """Add what is asked for; what is there already is not repeated. The result never allows more (CONS-2)."""
        known = {_spelled(part) for part in self.parts}
        added = tuple(part for part in asked.parts if _spelled(part) not in known)
        return Constraints(self.parts + added)._bounded()

    def widened_by(self, asked: "Constraints") -> str | None:
        """Name the tool for which more is asked than holds, or None (CONS-2).

        All that is asked counts together: to repeat every limit of a grant asks for what there is, to repeat only the
        looser of two asks for more. Schemas are not compared.
        """
        for tool in dict.fromkeys(part.tool for part in asked.parts):
            wanted, held = asked._bounds(tool), self._bounds(tool)
            if any(limit > held.get(kind, limit) for kind, limit in wanted.items()):
                return tool
            times, open_at = asked._hours(tool), self._hours(tool)
            if times is not None and open_at is not None and not times <= open_at:
                return tool
        return None

    def refuses(self, tool: str, arguments: Json, now: int) -> Refusal | None:
        """Say why a call of this tool is outside, counters aside."""
        size = sum(part.schema.size for part in self._of(tool) if part.schema is not None)
        if size and size * values_in(arguments) > MUCH:  # CONS-4: by agents' schemas, in everybody's time
            detail = (
                "The user has limited this, and so many arguments cannot be held to that: send fewer at once."
            )
            return Refusal(Code.CONSTRAINT_VIOLATED, detail, {"tool": tool})
        for part in self._of(tool):
            if (why := part.refuses(arguments, now)) is not None:
                return Refusal(Code.CONSTRAINT_VIOLATED, f"The user has limited this: {why}.", {"tool": tool})
        return None

    def uses(self, tool: str, arguments: Json) -> list[Use]:
        """Return what a call of this tool takes from the counters, the tightest limit for each (CONS-3)."""
        tightest: dict[str, Use] = {}
        for part in self._of(tool):
            for use in part.uses(arguments):
                known = tightest.get(use.counter)
                if known is None or use.limit < known.limit:
                    tightest[use.counter] = use
        return list(tightest.values())

    def _bounded(self) -> "Constraints":
        """Return these constraints, if they are not more than a grant may have; Refused otherwise (CONS-1)."""
        if len(self.parts) > MAX_DETAILS or len(canonicalize(self.details())) > MAX_SIZE:
            raise _bad(f"a grant has at most {MAX_DETAILS} details, together of {MAX_SIZE} bytes")
        return self

    def _bounds(self, tool: str) -> dict[str, int]:
        """Return the tightest limit of each kind, so written that less is tighter."""
        tightest: dict[str, int] = {}
        for part in self._of(tool):
            earliest = None if part.not_before is None else -part.not_before
            told = {"calls": part.max_calls, "until": part.not_after, "from": earliest, **part.sums}
            for kind, limit in told.items():
                if limit is not None:
                    tightest[kind] = min(limit, tightest.get(kind, limit))
        return tightest

    def _hours(self, tool: str) -> frozenset[str] | None:
        """Return the minutes of the day that all spans have in common; None without any span."""
        spans = [part.hours for part in self._of(tool) if part.hours is not None]
        common = (clock for clock in _DAY if all(_within(each, clock) for each in spans))
        return frozenset(common) if spans else None

    def _of(self, tool: str) -> Iterable[Constraint]:
        return (part for part in self.parts if part.tool == tool)


def amount_of(units: int) -> int | float:
    """Return the amount that was read as so many millionths."""
    whole, rest = divmod(units, UNITS)
    return float(Decimal(units) / UNITS) if rest else whole


def _bad(why: str) -> Refused:
    return Refused(Code.INVALID_AUTHORIZATION_DETAILS, f"authorization_details: {why}.")


def _schema(source: Json) -> Schema:
    try:
        return limit_schema(source)
    except ValueError as error:
        raise _bad(f"`schema` is not a limit on arguments ({str(error)[:200]})") from error


def _number(detail: Mapping[str, Json], name: str) -> int | None:
    if name not in detail:
        return None
    value = detail[name]
    low, high = (1, _MAX_COUNT) if name == "max_calls" else (0, _END_OF_TIME - 1)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _bad(f"`{name}` is a whole number from {low} to {high}")
    return value


def _sums(value: Json) -> dict[str, int]:
    if not isinstance(value, dict) or not value:
        raise _bad("`sum` maps JSON pointers to amounts")
    sums = {}
    for pointer, limit in value.items():
        if not _POINTER.match(pointer) or isinstance(limit, bool) or not isinstance(limit, int | float):
            raise _bad("`sum` maps JSON pointers to amounts")
        sums[pointer] = int(Decimal(str(limit)) * UNITS)  # a limit is rounded down, what is taken from it up
        if not 0 < sums[pointer] <= _MAX_COUNT * UNITS:
            raise _bad(f"an amount in `sum` is a millionth at least, and at most {_MAX_COUNT}")
    return sums


def _hours(value: Json) -> tuple[str, str]:
    match value:
        case [str(start), str(end)] if _CLOCK.match(start) and _CLOCK.match(end) and start != end:
            return start, end
    raise _bad('`hours` is a span of the day in UTC, ["09:00", "17:00"]')


def _within(hours: tuple[str, str], clock: str) -> bool:
    start, end = hours
    return start <= clock < end if start < end else clock >= start or clock < end


def _clock(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%H:%M")


def _amount(arguments: Json, pointer: str) -> int:
    """Find the number that a pointer names, in millionths, rounded up; a negative one would give back (CONS-3)."""
    value = arguments
    for step in pointer.split("/")[1:]:
        if isinstance(value, dict) and step in value:
            value = value[step]
        else:
            value = None
            break
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_COUNT:
        raise Refused(
            Code.CONSTRAINT_VIOLATED, f"The user has limited the sum of {pointer}: give an amount there."
        )
    return int((Decimal(str(value)) * UNITS).to_integral_value(ROUND_CEILING))


def _spelled(part: Constraint) -> bytes:
    """Spell a constraint in the one form of equal ones; to Python, true would be 1."""
    return canonicalize(part.detail())
