"""The policy: everything that the site owner decides, as values. `settings/` reads it from a file."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network

from .agent import Ceiling
from .canonical import Json
from .client import ClientDocument
from .endpoint import Endpoint
from .endpoints import Endpoints, wrong_with
from .ids import ClientId
from .login import SiteLogin
from .look import Look
from .prompt import Prompts
from .question import Surface
from .quota import Quotas
from .retention import Retention
from .scope import Scope, ScopeSet
from .tool import ApprovalPolicy, Executes, Schema, Tool
from .url import origin_of

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Site:
    """The site: its name for users, its origin, the issuer URL of its authority, and the rp id of its passkeys.

    Only `trusted_proxies` are believed when they say whose request they forward (QUOTA-4). `look` is None where
    the file says nothing of it.
    """

    name: str
    origin: str
    issuer: str
    rp_id: str
    trusted_proxies: tuple[Network, ...] = ()
    look: Look | None = None

    @property
    def record_origin(self) -> str:
        """Return the name under which the record is signed (LOG-3)."""
        return self.issuer.partition("://")[2]


@dataclass(frozen=True, slots=True)
class Api:
    """Where call tokens are good: their audience, the origins that may get them, and the keys of HTTP guards (JWK).

    `elsewhere`: no part of it is in the authority's process (GUARD-8).
    """

    audience: str
    origins: tuple[str, ...]
    keys: tuple[Mapping[str, Json], ...] = ()
    elsewhere: bool = False

    def origin(self, endpoint: Endpoint) -> str:
        """Return the origin that an endpoint is at."""
        return endpoint.origin or self.origins[0]

    def faults(self, tools: Iterable[Tool]) -> Iterator[tuple[Tool, str]]:
        """Yield each tool whose endpoint is not right, by itself or beside one before it, and why (ENDPOINT-2)."""
        before: list[tuple[Endpoint, Tool]] = []
        for tool in tools:
            if (endpoint := tool.endpoint) is None:
                continue
            if self.origin(endpoint) not in self.origins:
                its = ", ".join(self.origins)
                yield tool, f"call tokens go to the site's API only, and that is at {its}"
            beside = [other for there, other in before if self.origin(there) == self.origin(endpoint)]
            yield from ((tool, wrong) for wrong in wrong_with(tool, beside))
            before.append((endpoint, tool))


@dataclass(frozen=True, slots=True)
class Witness:
    """Who cosigns the record's checkpoints: its key (`vkey.py`), and where `add-checkpoint` is below (LOG-10)."""

    key: str
    url: str


AT_WITNESSES = "witnesses"
"""In the place of a file: only the witnesses keep the newest checkpoint (HEAD-4)."""


@dataclass(frozen=True, slots=True)
class Record:
    """Who else has to do with the record: the keys (JWK) of those who may read its entries (LOG-8), and witnesses, of
    whom verifiers want so many (LOG-10).

    `head` is the file of the newest checkpoint, None for one beside the database (HEAD-1), or `AT_WITNESSES`.
    """

    head: str | None = None
    readers: tuple[Mapping[str, Json], ...] = ()
    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0

    @property
    def at_witnesses(self) -> bool:
        """Tell whether only they keep the newest checkpoint."""
        return self.head == AT_WITNESSES


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy. `wait` is how long, in seconds, the shim lets an agent wait for a human (SHIM-7).

    `registered` are the agents whose keys the owner knows; with `development`, agents may live on this machine.
    `single_user`, for development, is whose calls over MCP from this machine are that come without a token (MCP-4).
    With `bearer`, there may be delegations without a key, for MCP only (BEARER-1). `default_scopes` is what an attested
    agent asks for that names no scopes (OAUTH-16). `children` is how many living grants may be handed on directly from
    one (CHAIN-5). `login` is the site's own, where users sign in with that (SIGNIN-1).

    `file_s256` is the hash of the file that says so, and `declared` are those of its tools that Python declared. A
    policy never changes: a file that does makes another one (POLICY-1).
    """

    site: Site
    api: Api
    scopes: Mapping[str, Scope]
    tools: Mapping[str, Tool]
    ceiling: Ceiling
    grant_lifetime: int = 3600
    grant_max_lifetime: int = 30 * 86400
    session_lifetime: int = 12 * 3600
    wait: int = 20
    registered: Mapping[ClientId, ClientDocument] = field(default_factory=dict)
    development: bool = False
    single_user: str | None = None
    bearer: bool = False
    quotas: Quotas = field(default_factory=Quotas)
    prompts: Prompts = field(default_factory=Prompts)
    default_scopes: ScopeSet = field(default_factory=ScopeSet)
    retention: Retention = field(default_factory=Retention)
    children: int = 16
    login: SiteLogin | None = None
    record: Record = field(default_factory=Record)
    file_s256: str | None = None
    declared: Mapping[str, Tool] = field(default_factory=dict)

    def origins(self, surface: Surface = Surface.EITHER) -> frozenset[str]:
        """Return the origins whose pages may use the authority, the site's and the authority's own (SESSION-2), or
        those of one surface (APPR-12)."""
        its = {Surface.PAGE: self.site.origin, Surface.AUTHORITY: origin_of(self.site.issuer)}
        return frozenset(origin for where, origin in its.items() if surface.has(where))

    def surface_of(self, tool: str) -> Surface:
        """Return where a call of this tool may be approved; of one that is not declared any more, anywhere."""
        return self.tools[tool].surface if tool in self.tools else Surface.EITHER

    def surface_of_consent(self, scopes: ScopeSet) -> Surface:
        """Return where a consent to these scopes may be given: on the authority's page, if one of the tools that could
        be called with them is approved only there (APPR-12)."""
        kept = any(
            tool.surface is Surface.AUTHORITY and tool.scopes <= scopes for tool in self.tools.values()
        )
        return Surface.AUTHORITY if kept else Surface.EITHER

    def guarded_here(self) -> list[Tool]:
        """Return the tools whose effect needs a guard in the app that has the authority (GUARD-8).

        An endpoint at another origin than the site's says by itself that it is elsewhere.
        """
        return [
            tool
            for tool in self.tools.values()
            if not (tool.public or tool.executes is not Executes.API or tool.elsewhere or self.api.elsewhere)
            and (tool.endpoint is None or self.api.origin(tool.endpoint) == self.site.origin)
        ]

    def endpoints(self, origin: str | None = None) -> Endpoints:
        """Return the endpoints at this origin of the site's API, or at all of them."""
        return Endpoints(
            tool
            for tool in self.tools.values()
            if tool.endpoint is not None and origin in (None, self.api.origin(tool.endpoint))
        )

    @property
    def mcp_scopes(self) -> tuple[str, ...]:
        """Name the scopes that MCP clients are told of: only those that they may have, since they ask for all
        (BEARER-1)."""
        return tuple(sorted(self.ceiling.opaque & self.ceiling.origin if self.bearer else self.scopes))

    @property
    def mcp(self) -> str:
        """Return the URL of the MCP endpoint, which is the one resource that bearer delegations are for (BEARER-1)."""
        return f"{self.site.issuer}/mcp"

    def declaring(self, tool: Tool) -> "Policy":
        """Return this policy with a tool that Python declares; ValueError where the file could not have declared it
        either, or has it already.
        """
        undeclared = [scope for scope in tool.scopes if scope not in self.scopes]
        if undeclared:
            raise ValueError(f"{tool.name}: the policy declares no scope {', '.join(undeclared)}")
        for wrong, why in self.api.faults([*self.tools.values(), tool]):
            if wrong is tool:
                raise ValueError(f"{tool.name}: {why}")
        tool.check_surface(self.site.origin, origin_of(self.site.issuer))
        if tool.name in self.tools:
            raise ValueError(f"{tool.name}: this tool is declared already")
        its = {tool.name: tool}
        return replace(self, tools={**self.tools, **its}, declared={**self.declared, **its})


def approval_policy(value: object) -> ApprovalPolicy:
    """Read `"never"`, `"always"` or `{"when": schema}`; ValueError otherwise (CALL-5)."""
    match value:
        case "never" | "always":
            return ApprovalPolicy(always=value == "always")
        case {"when": dict(schema), **more} if not more:
            return ApprovalPolicy(when=Schema(schema))
        case _:
            raise ValueError('write "never", "always" or { when = { a JSON Schema for the arguments } }')
