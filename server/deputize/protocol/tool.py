"""Tools as the site owner declares them to the authority, and the words that a user reads about a call."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import jsonschema_rs

from .canonical import Json, values_in
from .credential import AuthenticatorClass
from .definition import Described
from .description import Description, Row, details
from .endpoint import Endpoint
from .question import Surface
from .scope import Scope, ScopeSet
from .shown import marked

RESERVED_PREFIX = "deputize."
MUCH = 20_000
"""The size of a schema times the size of a value, beyond which validation takes too long (CONS-4)."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}\Z")

Describe = Callable[[Mapping[str, Json]], str | Description]
"""What makes of arguments the words of a call: a headline, perhaps with rows."""


class Executes(StrEnum):
    """Where the effect of a tool happens, and so who redeems its calls (GUARD-3)."""

    API = "api"
    PAGE = "page"


class Schema:
    """A compiled JSON Schema (draft 2020-12). Nothing is fetched for a `$ref`; a bad schema is a ValueError."""

    __slots__ = ("_validator", "size", "source")

    def __init__(self, source: Mapping[str, Json]) -> None:
        """Compile it once; `size` is how many values it has."""
        self.source = dict(source)
        self.size = values_in(self.source)
        try:
            self._validator = jsonschema_rs.Draft202012Validator(self.source, retriever=_refuse_to_fetch)
        except (ValueError, TypeError) as error:
            raise ValueError(str(error).splitlines()[0]) from error

    @property
    def properties(self) -> Mapping[str, Json]:
        """Return the schemas of the members that it names itself."""
        named = self.source.get("properties")
        return named if isinstance(named, dict) else {}

    @property
    def required(self) -> frozenset[str]:
        """Name the members that it asks for itself."""
        named = self.source.get("required")
        return frozenset(map(str, named)) if isinstance(named, list) else frozenset()

    def accepts(self, value: Json) -> bool:
        """Tell whether the value is valid."""
        return self._validator.is_valid(value)

    def fault(self, value: Json) -> str | None:
        """Return the first fault as `/pointer: message`, or None. Only the message, never the schema, is told."""
        if self._validator.is_valid(value):  # many times faster than to list no faults
            return None
        if self.size * values_in(value) > MUCH:  # the validator lists all for the first: minutes
            return "/: they are too many to say which does not fit"
        for error in self._validator.iter_errors(value):
            pointer = "".join(f"/{step}" for step in error.instance_path) or "/"
            return f"{pointer}: {error.message}"[:300]
        return None


def _refuse_to_fetch(uri: str) -> Json:
    raise ValueError(f"schemas are not fetched: {uri}")


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """When a human must approve a call: never, always, or when the arguments satisfy a schema (CALL-5)."""

    always: bool = False
    when: Schema | None = None

    def required(self, arguments: Json) -> bool:
        """Decide for these arguments."""
        return self.always or (self.when is not None and self.when.accepts(arguments))

    @property
    def name(self) -> str:
        """Return the wire form: `never`, `always` or `when`."""
        return "always" if self.always else "when" if self.when is not None else "never"


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. `describe` turns arguments into what the user approves, in which he reads each of the arguments
    `told` whole; a tool that is not `opaque` is closed to opaque agents, so that leaving evidence out gains nothing
    (AGENT-3). A page may call a `direct` one without any agent having named itself, one that is `closed` only if it is
    `direct_when_closed` as well (CALL-7).

    `title` is what users call it; `summary` tells agents on MCP what it does, and `output_schema` what it answers
    (MCP-18); `endpoint` is where the site's API does it, behind its guard (ENDPOINT-1). `elsewhere` says that the API
    which does it is not in the authority's process, so that nobody there looks for its guard (GUARD-8). `pinned` are
    the definitions by which a page may register it; none are any (PIN-1). `surface` is where its calls may be approved
    (APPR-10).
    """

    name: str
    scopes: ScopeSet = field(default_factory=ScopeSet)
    public: bool = False
    approval: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    authenticator_class: AuthenticatorClass = AuthenticatorClass.PLATFORM
    executes: Executes = Executes.API
    direct: bool = False
    describe: Describe | None = None
    told: frozenset[str] = frozenset()
    input_schema: Schema | None = None
    output_schema: Schema | None = None
    opaque: bool = True
    summary: str = ""
    title: str = ""
    endpoint: Endpoint | None = None
    elsewhere: bool = False
    direct_when_closed: bool = False
    pinned: tuple[str, ...] = ()
    surface: Surface = Surface.EITHER

    def __post_init__(self) -> None:
        """Refuse, with ValueError, what cannot be enforced."""
        if not is_tool_name(self.name):
            raise ValueError(
                f"a tool name matches [A-Za-z0-9_.-]{{1,128}} and does not begin with deputize.: {self.name!r}"
            )
        approved = self.approval.name != "never" or self.direct
        if self.public and (len(self.scopes) or approved):
            raise ValueError("a public tool has no scopes, no approval and is not direct")
        if not self.public and not len(self.scopes):
            raise ValueError("a tool that is not public needs at least one scope")
        if approved and self.describe is None:
            raise ValueError("a tool that asks for approval needs a `describe`")
        if self.public and self.surface is not Surface.EITHER:
            raise ValueError("a public tool asks for no approval, so there is no `surface` for one")
        if self.direct_when_closed and not self.direct:
            raise ValueError("`direct_when_closed` is for a tool that is `direct`")
        if self.endpoint is not None and (self.public or self.executes is not Executes.API):
            raise ValueError(
                "an `endpoint` is the site's API: for tools that execute there, and are not public"
            )
        if self.elsewhere and (self.public or self.executes is not Executes.API):
            raise ValueError("`elsewhere` is for tools that execute at the site's API, and are not public")
        if self.pinned and self.public:
            raise ValueError(
                "a public tool is called without the authority, so nobody could hold it to a pin"
            )

    def allows(self, described: Described) -> bool:
        """Tell whether agents may have been told this: what the authority lists itself needs no pin (PIN-1)."""
        return not (self.pinned and described.by_page) or described.s256 in self.pinned

    def closed(self, opaque: ScopeSet) -> bool:
        """Tell whether opaque agents, who may have at most these scopes, are kept from this tool: it says so (AGENT-3),
        or one of its scopes is beyond them (AGENT-2)."""
        return not (self.opaque and self.scopes <= opaque)

    def check_direct(self, opaque: ScopeSet) -> None:
        """Refuse, with ValueError, a direct tool that is `closed`, unless its policy says that it may be (CALL-7)."""
        if self.direct and not self.direct_when_closed and self.closed(opaque):
            beyond = ", ".join(self.scopes - opaque)
            closes = f"agents.opaque does not let it have ({beyond})" if beyond else "`opaque = false` closes"
            raise ValueError(
                f"any agent in the page can call a direct tool, which opens what {closes}: if that is meant, say "
                "`direct_when_closed = true` as well"
            )

    def check_surface(self, site: str, authority: str) -> None:
        """Refuse, with ValueError, an answer that only the authority's page may give, where that is of the site's own
        origin: nothing could tell the two apart (APPR-12)."""
        if self.surface is Surface.AUTHORITY and site == authority:
            raise ValueError(
                f"the authority is at the site's own origin, {site}, so nobody could tell its page from the site's: "
                'give the authority an origin of its own (site.issuer), or leave out surface = "authority"'
            )

    @property
    def annotated(self) -> bool:
        """Tell whether some calls of this tool need an approval, so that MCP clients are told of it (MCP-5)."""
        return self.approval.name != "never"

    def description(self, arguments: Mapping[str, Json]) -> Description:
        """Return what the user reads of a call (APPR-2); ValueError if it cannot be made or is too long.

        A tool that asks for no approval may have no words of its own: then they are its name and the arguments, for
        an agent whose every call is asked about (BEARER-4).
        """
        try:
            made = self.describe(arguments) if self.describe else self._named(arguments)
            text = Description(made) if isinstance(made, str) else made
            text = Description(marked(text.headline), text.rows)
        except Exception as error:  # the site's own template or function, given an agent's arguments
            raise ValueError("these arguments cannot be described") from error
        text.check()
        return text

    def details(
        self, arguments: Mapping[str, Json], described: Description | None = None, said: bool = False
    ) -> tuple[Row, ...]:
        """Put in rows what a description leaves out: everything, where it is not what this tool says of them.

        `said` is known of one that this tool has just made.
        """
        source = self.input_schema.source if self.input_schema is not None else None
        if described is None or not (said or self._says(described, arguments)):
            return details(arguments, source)
        return details(arguments, source, self.told if self.describe else arguments)

    def _says(self, described: Description, arguments: Mapping[str, Json]) -> bool:
        try:
            return self.description(arguments) == described
        except ValueError:
            return False

    def _named(self, arguments: Mapping[str, Json]) -> Description:
        return Description(f"Use “{self.title or self.name}”?", self.details(arguments))


def answers(source: Mapping[str, Json]) -> Schema:
    """Compile the schema of what a tool answers; ValueError for a bad one, and for what is no object (MCP-18)."""
    if source.get("type", "object") != "object":
        raise ValueError("structured content is an object: clients of MCP 2025-11-25 take nothing else")
    return Schema({**source, "type": "object"})


def is_tool_name(name: str) -> bool:
    """Tell whether a page may use this name for a gated tool (HASH-2)."""
    return _NAME.match(name) is not None and not name.startswith(RESERVED_PREFIX)


def is_safe(tool: Tool, scopes: Mapping[str, Scope], approval: bool) -> bool:
    """Tell whether doing a call twice does no harm: no approval was needed and no scope writes (CALL-6)."""
    return not approval and not any(scopes[name].writes for name in tool.scopes.names)
