"""What an agent is told of a tool, as a digest, and what a consent remembers of it (HASH-3, GRANT-8)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .canonical import Json, args_s256
from .ids import Jkt
from .value import value

MOST = 8
"""How many digests a consent keeps of one tool, the newest: a page may say the same in several languages."""

Definitions = Mapping[str, Sequence[str]]
"""What a consent was given to: digests, the newest first, by `Described.place`."""

_DIGEST = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")  # 256 bits, and two that are 0
_NOT_PAGE = "mcp/"  # no tool has a slash in its name (HASH-2)


def definition_s256(name: str, description: str = "", input_schema: Json = None) -> str:
    """Hash what a tool says of itself: its name, description and schema, and nothing else (HASH-3).

    What is absent counts as empty, a schema as null. Raises `JsonError` for what is not JSON.
    """
    return args_s256({"description": description, "inputSchema": input_schema, "name": name})


def is_digest(text: str) -> bool:
    """Tell whether a text is a SHA-256 in base64url."""
    return _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Definition:
    """What a tool says of itself."""

    name: str
    description: str
    input_schema: Json

    @property
    def s256(self) -> str:
        """Return its digest (HASH-3); raises `JsonError`."""
        return definition_s256(self.name, self.description, self.input_schema)

    def to_json(self) -> dict[str, Json]:
        """Write it as it is hashed."""
        return {"name": self.name, "description": self.description, "inputSchema": self.input_schema}

    @classmethod
    def parse(cls, said: Json) -> "Definition":
        """Read what `to_json` wrote, whatever else there is; ValueError for anything else."""
        match said:
            case {"name": str(name), "description": str(description), "inputSchema": schema}:
                return cls(name, description, schema)
        raise ValueError("not the definition of a tool")


def pins(said: object) -> tuple[str, ...]:
    """Read the digests that a tool is pinned to, one or a list of them; ValueError for anything else (PIN-1)."""
    listed = [said] if isinstance(said, str) else said
    if not isinstance(listed, list | tuple) or not listed:
        raise ValueError("write a digest as `deputize pin` does, or a list of them")
    for each in listed:
        if not isinstance(each, str) or not is_digest(each):
            raise ValueError("not the digest of a definition, which `deputize pin` writes")
    return tuple(listed)


@value
class Described:
    """A tool as an agent was told of it: by a page, or over MCP by the authority itself."""

    tool: str
    s256: str
    by_page: bool

    @classmethod
    def of(cls, tool: str, s256: str, page_jkt: Jkt | None) -> "Described":
        """Say it of a call: what has no page came over MCP."""
        return cls(tool, s256, page_jkt is not None)

    @property
    def place(self) -> str:
        """Return where a consent remembers it: a page and MCP may each describe the tool in words of their own."""
        return self.tool if self.by_page else _NOT_PAGE + self.tool

    def is_new(self, known: Definitions) -> bool:
        """Tell whether a consent knows nothing yet of how this tool is described."""
        return self.place not in known

    def differs(self, known: Definitions) -> bool:
        """Tell whether a consent was given to another description of this tool, and never to this one."""
        digests = known.get(self.place)
        return digests is not None and self.s256 not in digests


def joined(known: Definitions, named: Mapping[str, str]) -> dict[str, list[str]]:
    """Add digests to those of an older consent, for pages.

    What was listed over MCP is left out: whoever consents again does so to what the authority lists now.
    """
    kept = {place: [*digests] for place, digests in known.items() if not place.startswith(_NOT_PAGE)}
    for place, digest in named.items():
        others = (each for each in kept.get(place, ()) if each != digest)
        kept[place] = [digest, *others][:MOST]
    return kept
