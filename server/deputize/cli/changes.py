"""What a page says of its tools, beside what the owner has pinned, as lines to read."""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path

from deputize.protocol.canonical import JsonError, parse
from deputize.protocol.definition import Definition
from deputize.protocol.policy import Policy
from deputize.protocol.shown import plain

Seen = Mapping[str, Definition]
"""Definitions that the owner has seen, by their digests."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as a page describes it now, the digests that the policy pins it to, and what is known of these.

    `why_not` says why it cannot be pinned.
    """

    said: Definition
    pinned: tuple[str, ...]
    before: Definition | None
    why_not: str = ""

    @property
    def is_pinned(self) -> bool:
        """Tell whether it is described as pinned."""
        return self.said.s256 in self.pinned

    @property
    def is_changed(self) -> bool:
        """Tell whether its calls are refused (PIN-1)."""
        return bool(self.pinned) and not self.is_pinned


def compared(said: Iterable[Definition], policy: Policy, seen: Seen) -> list[Tool]:
    """Put what a page says beside what the policy pins."""
    tools = []
    for each in said:
        declared = policy.tools.get(each.name)
        pinned = declared.pinned if declared is not None else ()
        why_not = "the policy does not know it, so that every call is refused" if declared is None else ""
        if declared is not None and declared.public:
            why_not = "it is public, so that nothing is asked"
        before = next((seen[digest] for digest in pinned if digest in seen), None)
        tools.append(Tool(each, pinned, before, why_not))
    return tools


def told(tool: Tool) -> list[str]:
    """Tell of one tool: what is new of it, and nothing that hides."""
    name, now = bare(tool.said.name), _lines(tool.said)
    if tool.why_not:
        return [f"{name}: {tool.why_not}; not pinned"]
    if tool.is_pinned:
        others = len(tool.pinned) - 1
        return [f"{name}: as pinned" + (f", beside {others} other{'s' * (others > 1)}" if others else "")]
    if not tool.is_changed:
        return [f"{name}: not pinned yet", *(f"    {line}" for line in now)]
    if tool.before is None:
        unknown = "what it said then is not kept here; this is all that it says now"
        return [f"{name}: described otherwise than pinned; {unknown}", *(f"    {line}" for line in now)]
    compared = (line for line in ndiff(_lines(tool.before), now) if not line.startswith("?"))
    return [f"{name}: described otherwise than pinned", *(f"  {line}".rstrip() for line in compared)]


def _lines(said: Definition) -> list[str]:
    schema = json.dumps(said.input_schema, indent=2, sort_keys=True, ensure_ascii=False)
    description = said.description.split("\n")
    return [
        bare(line) for line in ("description:", *(f"  {line}" for line in description), "inputSchema:")
    ] + [bare(f"  {line}") for line in schema.split("\n")]


def bare(text: str) -> str:
    """Write out what a reader would not see: a description can hide what it says to a model."""
    return "".join(each if plain(each) == each else f"\\u{{{ord(each):x}}}" for each in text)


def kept_at(policy: Path) -> Path:
    """Return where the definitions that were seen are kept: beside the policy."""
    return policy.with_suffix(".definitions.json")


def kept(policy: Path) -> dict[str, Definition]:
    """Read the definitions that were seen. Each is believed by its digest only; what is not right is not there."""
    try:
        listed = parse(kept_at(policy).read_bytes())
        known = [Definition.parse(each) for each in listed] if isinstance(listed, list) else []
        return {each.s256: each for each in known}
    except (FileNotFoundError, JsonError, ValueError):
        return {}


def keep(policy: Path, seen: Seen) -> None:
    """Keep definitions, by the name of their tools."""
    listed = [each.to_json() for each in sorted(seen.values(), key=lambda each: (each.name, each.s256))]
    replace_file(kept_at(policy), json.dumps(listed, indent=2, ensure_ascii=False).encode() + b"\n")


def replace_file(path: Path, data: bytes) -> None:
    """Write a file in one step: an authority that follows it reads the old one or the new one, whole."""
    path = path.resolve()  # what a link leads to
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(data)
        if path.exists():
            shutil.copymode(path, new)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
