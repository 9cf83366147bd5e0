"""The tables of a policy file: their keys, the kinds of these, and what has to go together."""

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from types import UnionType
from typing import Annotated, Any, Self, cast, get_args, get_origin

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails

from deputize.protocol import look
from deputize.protocol.credential import AuthenticatorClass
from deputize.protocol.definition import pins
from deputize.protocol.endpoint import Endpoint
from deputize.protocol.jwk import Key
from deputize.protocol.login import OpenId, SiteLogin, Tickets
from deputize.protocol.policy import AT_WITNESSES, Api, Network, Policy, Record, Site, Witness
from deputize.protocol.prompt import Prompts
from deputize.protocol.question import Surface
from deputize.protocol.quota import Quotas, Rate
from deputize.protocol.retention import Retention
from deputize.protocol.scope import Scope, ScopeSet
from deputize.protocol.tool import ApprovalPolicy, Executes, Schema, Tool
from deputize.protocol.url import Url, origin_of
from deputize.settings import schemas, values
from deputize.settings.agents import AgentsTable
from deputize.settings.describing import Described
from deputize.settings.descriptions import described
from deputize.settings.schemas import DeeperError
from deputize.settings.table import Context, Declared, Table, Words
from deputize.settings.toml import Path

_DAY = 86400
_MOST_WITNESSES = 16
_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Policy)}


def _network(value: object) -> Network:
    if not isinstance(value, str):
        raise ValueError("write an address or a network, in quotes")
    return values.network(value)


def _colour(grounds: tuple[str, ...], text: str) -> str:
    return look.colour(text, grounds)


_Origin = Annotated[str, AfterValidator(values.origin)]


def _provider(text: str, info: ValidationInfo) -> str:
    try:
        Url.parse(text if text.count("/") > 2 else text + "/", Context.of(info).development)
    except ValueError:
        raise ValueError(
            'write the issuer as its metadata have it: "https://login.site.example"; one on this machine needs '
            "agents.development = true"
        ) from None
    return text


class LookTable(Table):
    """`[site.look]`."""

    accent: Annotated[str, AfterValidator(partial(_colour, look.LIGHT))] = look.Look().accent
    accent_dark: Annotated[str, AfterValidator(partial(_colour, look.DARK))] = Field(
        default_factory=lambda data: look.beside(data["accent"])
    )
    radius: Annotated[int, PlainValidator(partial(values.count, 0, look.MOST_RADIUS))] = look.Look().radius
    logo: Annotated[str, AfterValidator(look.logo)] = ""

    def look(self) -> look.Look:
        """Make it."""
        return look.Look(**dict(self))


class SiteTable(Table):
    """`[site]`."""

    name: Words = Field(examples=['name = "Harbor"'])
    origin: _Origin = Field(examples=['origin = "https://harbor.example"'])
    issuer: Annotated[str, AfterValidator(values.issuer)] = Field(
        default_factory=lambda data: data["origin"] + "/deputize", validate_default=True
    )
    trusted_proxies: list[Annotated[Network, PlainValidator(_network)]] = Field([])
    rp_id: str = Field(default_factory=lambda data: values.host(data["origin"]), validate_default=True)

    look: LookTable | None = None

    @field_validator("look")
    @classmethod
    def _can_be_shown(cls, look: LookTable | None, info: ValidationInfo) -> LookTable | None:
        told = info.data
        apart = {"origin", "issuer"} <= told.keys() and origin_of(told["issuer"]) != told["origin"]
        if look and look.logo.startswith("/") and apart:
            raise DeeperError(
                "the authority's pages are at another origin, and show nothing of the site's: "
                'write the image itself, "data:image/svg+xml;base64,…"',
                ("logo",),
            )
        return look

    @field_validator("rp_id")
    @classmethod
    def _covers_hosts(cls, rp_id: str, info: ValidationInfo) -> str:
        return values.rp_id(
            rp_id, [values.host(info.data[key]) for key in ("origin", "issuer") if key in info.data]
        )

    def site(self) -> Site:
        """Make the site."""
        worn = self.look.look() if self.look else None
        return Site(**{**dict(self), "trusted_proxies": tuple(self.trusted_proxies), "look": worn})


class ApiTable(Table):
    """`[api]`."""

    audience: Annotated[str, Field(min_length=1)] | None = None
    origins: list[_Origin] | None = None
    keys: list[Annotated[dict[str, str], PlainValidator(values.jwk)]] = Field([])
    elsewhere: bool = False

    def api(self, origin: str) -> Api:
        """Make the API of the site at this origin, which is audience and origin of it by default."""
        return Api(self.audience or origin, tuple(self.origins or [origin]), tuple(self.keys), self.elsewhere)


class WitnessTable(Table):
    """`[[record.witnesses]]`."""

    key: Annotated[str, AfterValidator(values.cosigner)] = Field(examples=['key = "witness.example+…"'])
    url: Annotated[str, AfterValidator(values.secure)] = Field(examples=['url = "https://witness.example"'])

    def witness(self) -> Witness:
        """Make it."""
        return Witness(self.key, self.url.rstrip("/"))


class RecordTable(Table):
    """`[record]`."""

    head: Annotated[str, AfterValidator(values.head)] | None = None
    readers: list[Annotated[dict[str, str], PlainValidator(values.jwk)]] = Field([])
    witnesses: list[WitnessTable] = Field([], max_length=_MOST_WITNESSES)
    quorum: Annotated[int, PlainValidator(partial(values.count, 0, _MOST_WITNESSES))] = Field(
        default_factory=lambda data: len(data["witnesses"])
    )

    @model_validator(mode="after")
    def _can_be_had(self) -> Self:
        if len({witness.key for witness in self.witnesses}) < max(self.quorum, len(self.witnesses)):
            raise ValueError("quorum is how many of the witnesses have to cosign, each of them another")
        if self.head == AT_WITNESSES and 2 * self.quorum <= len(self.witnesses):
            raise DeeperError(  # else the newest checkpoint may be at none of those who answer (HEAD-4)
                "the newest checkpoint can be kept by witnesses if quorum is more than half of them, and one at least",
                ("head",),
            )
        return self

    def record(self) -> Record:
        """Make it."""
        witnesses = tuple(each.witness() for each in self.witnesses)
        return Record(self.head, tuple(self.readers), witnesses, self.quorum)


class ScopeTable(Table):
    """`[scopes."…"]`."""

    title: Words = Field(examples=['title = "See your accounts"'])
    writes: bool = True


class ToolTable(Table):
    """`[tools.…]`."""

    scopes: list[Declared] = Field([])
    public: bool = False
    approval: Annotated[ApprovalPolicy, PlainValidator(schemas.approval)] = ApprovalPolicy()
    authenticator_class: Annotated[AuthenticatorClass, Field(strict=False)] = AuthenticatorClass.PLATFORM
    executes: Annotated[Executes, Field(strict=False)] = Executes.API
    direct: bool = False
    direct_when_closed: bool = False
    opaque: bool = True
    input_schema: Annotated[Schema | None, PlainValidator(schemas.schema)] = None
    output_schema: Annotated[Schema | None, PlainValidator(schemas.output)] = None
    describe: Annotated[Described | None, PlainValidator(described)] = None
    title: Words = ""
    summary: Words = ""
    endpoint: Annotated[Endpoint | None, PlainValidator(values.endpoint)] = None
    elsewhere: bool = False
    pinned: Annotated[tuple[str, ...], PlainValidator(pins)] = ()
    surface: Annotated[Surface, Field(strict=False)] = Surface.EITHER

    @model_validator(mode="after")
    def _enforceable(self) -> Self:
        self.tool("tool")  # under any name, for the ValueError of the constructor
        return self

    def tool(self, name: str) -> Tool:
        """Make the tool; ValueError if its parts do not go together."""
        given = {key: getattr(self, key) for key in type(self).model_fields}
        given |= {"scopes": ScopeSet.of(self.scopes)}
        if self.describe is not None:
            given |= {"describe": self.describe.describe, "told": self.describe.told}
        return Tool(name, **given)


class McpTable(Table):
    """`[mcp]`."""

    single_user: Words | None = None
    bearer: bool = False


_Rate = Annotated[Rate | None, PlainValidator(values.rate)]
_AtOnce = Annotated[int | None, PlainValidator(values.at_once)]


class OpenIdTable(Table):
    """`[users.openid]`."""

    issuer: Annotated[str, AfterValidator(_provider)] = Field(
        examples=['issuer = "https://login.harbor.example"']
    )
    client_id: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        examples=['client_id = "deputize"']
    )
    client_secret_file: Annotated[str, AfterValidator(values.absolute)] | None = None
    client_secret_env: Annotated[str, AfterValidator(values.variable)] | None = None

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.client_secret_file is not None and self.client_secret_env is not None:
            raise ValueError(
                "the client secret is in client_secret_file or in client_secret_env: leave out one"
            )
        return self

    def openid(self) -> OpenId:
        """Make the provider."""
        return OpenId(self.issuer, self.client_id, self.client_secret_file, self.client_secret_env)


class UsersTable(Table):
    """`[users]`."""

    sign_in_uri: Annotated[str, AfterValidator(values.page)] | None = None
    keys: list[Annotated[dict[str, str], PlainValidator(values.jwk)]] = Field([])
    openid: OpenIdTable | None = None
    passkeys: bool | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.sign_in_uri is None) != (not self.keys):
            raise ValueError(
                "sign_in_uri and keys go together: the page of the site that users are sent to, and the public keys "
                "of the tickets that it answers with"
            )
        if self.sign_in_uri is not None and self.openid is not None:
            raise ValueError(
                "users sign in by tickets (sign_in_uri, keys) or by openid: leave out one of the two"
            )
        if self.sign_in_uri is None and self.openid is None and self.passkeys is not None:
            raise ValueError(
                "passkeys is for sites with a login of their own; without one, users have nothing else"
            )
        kids = [key.get("kid") for key in self.keys]
        if len(kids) > 1 and (None in kids or len(set(kids)) < len(kids)):
            raise ValueError("each of several keys needs a kid of its own")
        return self

    def login(self) -> SiteLogin | None:
        """Make the site's login; None if users sign in at the authority."""
        passkeys = self.passkeys or False
        if self.openid is not None:
            return SiteLogin(self.openid.openid(), passkeys)
        if self.sign_in_uri is None:
            return None
        keys = tuple(Key(key["x"], key["y"], key.get("kid")) for key in self.keys)
        return SiteLogin(Tickets(self.sign_in_uri, keys), passkeys)


_Kept = Annotated[int | None, PlainValidator(values.kept)]


def _within_calls(usual: int | None, data: Mapping[str, int | None]) -> int | None:
    return min((each for each in (usual, data.get("calls")) if each is not None), default=None)


class RetentionTable(Table):
    """`[retention]`."""

    calls: _Kept = Retention().calls
    arguments: _Kept = Field(default_factory=partial(_within_calls, Retention().arguments))
    refused: _Kept = Field(default_factory=partial(_within_calls, Retention().refused))
    grants: _Kept = Retention().grants
    archived_keys: _Kept = Retention().archived_keys

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        for name, why in self.retention().faults():
            raise DeeperError(why, (name,))
        return self

    def retention(self) -> Retention:
        """Make it."""
        return Retention(self.calls, self.arguments, self.refused, self.grants, self.archived_keys)


class PromptsTable(Table):
    """`[prompts]`."""

    declines: _Rate = Prompts().declines
    quiet: Annotated[int, PlainValidator(partial(values.seconds, 60, 30 * _DAY))] = Prompts().quiet
    at_once: _AtOnce = Prompts().at_once

    def prompts(self) -> Prompts:
        """Make them."""
        return Prompts(self.declines, self.quiet, self.at_once)


class QuotasTable(Table):
    """`[quotas]`."""

    sign_ups: _Rate = Quotas().sign_ups
    sign_ins: _Rate = Quotas().sign_ins
    pushed_requests: _Rate = Quotas().pushed_requests
    device_codes: _Rate = Quotas().device_codes
    pending_consents: _AtOnce = Quotas().pending_consents
    pending_calls: _AtOnce = Quotas().pending_calls
    refused_calls: _Rate = Quotas().refused_calls
    entries: _Rate = Quotas().entries
    findings: _Rate = Quotas().findings
    waits: _AtOnce = Quotas().waits

    def quotas(self) -> Quotas:
        """Make the quotas."""
        return Quotas(**{name: getattr(self, name) for name in type(self).model_fields})


def _seconds(low: int, high: int) -> PlainValidator:
    return PlainValidator(partial(values.seconds, low, high))


class LifetimesTable(Table):
    """`[lifetimes]`."""

    model_config = ConfigDict(alias_generator=lambda name: name.removesuffix("_lifetime"))

    grant_max_lifetime: Annotated[int, _seconds(60, 366 * _DAY)] = _DEFAULTS["grant_max_lifetime"]
    grant_lifetime: Annotated[int, _seconds(60, 366 * _DAY)] = _DEFAULTS["grant_lifetime"]
    session_lifetime: Annotated[int, _seconds(60, 30 * _DAY)] = _DEFAULTS["session_lifetime"]
    wait: Annotated[int, _seconds(0, 25)] = _DEFAULTS["wait"]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.grant_lifetime > self.grant_max_lifetime:
            raise ValueError(
                f"grant is {self.grant_lifetime} seconds, more than grant_max with {self.grant_max_lifetime}"
            )
        return self


def _scope_name(name: str) -> str:
    return str(ScopeSet.of([name]))


def _tool_name(name: str) -> str:
    return Tool(name, public=True).name


class PolicyFile(Table):
    """The whole file."""

    site: SiteTable = Field(examples=["[site]"])
    api: ApiTable = ApiTable()
    scopes: dict[Annotated[str, AfterValidator(_scope_name)], ScopeTable] = Field({})
    agents: AgentsTable = Field(AgentsTable(), validate_default=True)
    tools: dict[Annotated[str, AfterValidator(_tool_name)], ToolTable] = Field({})
    mcp: McpTable = McpTable()
    record: RecordTable = RecordTable()
    users: UsersTable = UsersTable()
    quotas: QuotasTable = QuotasTable()
    prompts: PromptsTable = PromptsTable()
    retention: RetentionTable = RetentionTable()
    lifetimes: LifetimesTable = LifetimesTable()

    @field_validator("tools")
    @classmethod
    def _fit_the_rest(cls, tools: dict[str, ToolTable], info: ValidationInfo) -> dict[str, ToolTable]:
        faults: list[InitErrorDetails] = []

        def fault(error: ValueError, *path: str) -> None:
            faults.append({"type": "value_error", "loc": path, "input": None, "ctx": {"error": error}})

        if "site" in info.data and "api" in info.data:
            api = info.data["api"].api(info.data["site"].origin)
            for tool, why in api.faults(table.tool(name) for name, table in tools.items()):
                fault(ValueError(why), tool.name, "endpoint")
        if "site" in info.data:
            site = info.data["site"]
            for name, table in tools.items():
                try:
                    table.tool(name).check_surface(site.origin, origin_of(site.issuer))
                except ValueError as error:
                    fault(error, name, "surface")
        if "scopes" in info.data and "agents" in info.data:
            opaque = info.data["agents"].opaque.most(harmless(info.data["scopes"]))
            for name, table in tools.items():
                try:
                    table.tool(name).check_direct(opaque)
                except ValueError as error:
                    fault(error, name, "direct")
        if faults:  # all of them at once, each with its own place
            raise ValidationError.from_exception_data("tools", faults)
        return tools

    @field_validator("mcp")
    @classmethod
    def _at_home(cls, mcp: McpTable, info: ValidationInfo) -> McpTable:
        if mcp.single_user is not None and "site" in info.data:
            schemas.check_local(("single_user",), info.data["site"].origin, info.data["site"].issuer)
        if mcp.bearer and "agents" in info.data and not info.data["agents"].origin.allow:  # BEARER-2
            raise DeeperError(
                "nobody could come: name the origins of the documents of those apps in agents.origin.allow",
                ("bearer",),
            )
        return mcp

    @field_validator("users")
    @classmethod
    def _at_the_site(cls, users: UsersTable, info: ValidationInfo) -> UsersTable:
        where = users.sign_in_uri
        if where is not None and "site" in info.data and origin_of(where) != info.data["site"].origin:
            raise DeeperError(
                f"tickets are taken from pages of the site only: write an address at {info.data['site'].origin}",
                ("sign_in_uri",),
            )
        return users

    @field_validator("agents")
    @classmethod
    def _fits_the_rest(cls, agents: AgentsTable, info: ValidationInfo) -> AgentsTable:
        if "site" in info.data and agents.development:
            schemas.check_local(("development",), info.data["site"].origin, info.data["site"].issuer)
        if "scopes" in info.data:
            agents.ceiling(harmless(info.data["scopes"]))
        return agents

    def policy(self) -> Policy:
        """Make the policy."""
        origin = self.site.origin
        return Policy(
            self.site.site(),
            self.api.api(origin),
            {name: Scope(name, table.title, table.writes) for name, table in self.scopes.items()},
            {name: table.tool(name) for name, table in self.tools.items()},
            self.agents.ceiling(harmless(self.scopes)),
            registered=self.agents.documents(),
            development=self.agents.development,
            single_user=self.mcp.single_user,
            bearer=self.mcp.bearer,
            quotas=self.quotas.quotas(),
            prompts=self.prompts.prompts(),
            retention=self.retention.retention(),
            default_scopes=self.agents.default(harmless(self.scopes)),
            children=self.agents.children,
            login=self.users.login(),
            record=self.record.record(),
            **self.lifetimes.model_dump(),
        )


def harmless(scopes: Mapping[str, ScopeTable]) -> list[str]:
    """Name the scopes that do not write."""
    return [name for name, scope in scopes.items() if not scope.writes]


def table_at(path: Path) -> type[Table]:
    """Return the model of the table at a path, as `("tools", "transfer_money")`."""
    found: Any = PolicyFile
    for step in path:
        is_table = get_origin(found) not in (dict, list)  # of tables, under any names, or in order
        found = found.model_fields[step].annotation if is_table else get_args(found)[-1]
        if isinstance(found, UnionType):  # with None, for one that may be left out
            found = get_args(found)[0]
    return cast("type[Table]", found)
