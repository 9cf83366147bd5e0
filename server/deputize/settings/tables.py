"""The tables of a policy file: which keys there are, of which kind, and what has to go together."""

from dataclasses import fields
from functools import partial
from typing import Annotated, Any, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)

from deputize.protocol.agent import Ceiling
from deputize.protocol.canonical import Json
from deputize.protocol.credential import AuthenticatorClass
from deputize.protocol.policy import Api, Policy, Site
from deputize.protocol.scope import MAX_SCOPES, Scope, ScopeSet
from deputize.protocol.tool import ApprovalPolicy, Describe, Executes, Schema, Tool
from deputize.settings import schemas, values
from deputize.settings.describing import compile_template
from deputize.settings.toml import Path

_DAY = 86400
_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Policy)}


def _declared(scope: str, info: ValidationInfo) -> str:
    declared = cast("frozenset[str]", info.context)
    if scope not in declared:
        raise ValueError(f'[scopes] declares no "{scope}"{values.did_you_mean(scope, declared)}')
    return scope


def _describe(value: object, info: ValidationInfo) -> Describe:
    if not isinstance(value, str):
        raise ValueError("write a template, in quotes")
    names, describe = compile_template(value)
    schema: Schema | None = info.data.get("input_schema")  # none, too, if it has a fault of its own
    if schema is not None:
        properties = cast("dict[str, Json]", schema.source.get("properties", {}))
        unknown = [
            f'"{name}"{values.did_you_mean(name, properties)}' for name in sorted(names - set(properties))
        ]
        if unknown:
            raise ValueError(f"not among the properties of the tool's input_schema: {', '.join(unknown)}")
    return describe


_Words = Annotated[str, AfterValidator(values.words)]
_Origin = Annotated[str, AfterValidator(values.origin)]
_Declared = Annotated[str, AfterValidator(_declared)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


class SiteTable(_Table):
    """`[site]`."""

    name: _Words = Field(examples=['name = "Harbor"'])
    origin: _Origin = Field(examples=['origin = "https://harbor.example"'])
    issuer: Annotated[str, AfterValidator(values.issuer)] = Field(
        default_factory=lambda data: data["origin"] + "/deputize", validate_default=True
    )
    rp_id: str = Field(default_factory=lambda data: values.host(data["origin"]), validate_default=True)

    @field_validator("rp_id")
    @classmethod
    def _covers_hosts(cls, rp_id: str, info: ValidationInfo) -> str:
        return values.rp_id(
            rp_id, [values.host(info.data[key]) for key in ("origin", "issuer") if key in info.data]
        )


class ApiTable(_Table):
    """`[api]`."""

    audience: Annotated[str, Field(min_length=1)] | None = None
    origins: list[_Origin] | None = None
    keys: list[Annotated[dict[str, str], PlainValidator(values.jwk)]] = []


class ScopeTable(_Table):
    """`[scopes."…"]`."""

    title: _Words = Field(examples=['title = "See your accounts"'])
    writes: bool = True


class ToolTable(_Table):
    """`[tools.…]`."""

    scopes: list[_Declared] = []
    public: bool = False
    approval: Annotated[ApprovalPolicy, PlainValidator(schemas.approval)] = ApprovalPolicy()
    authenticator_class: Annotated[AuthenticatorClass, Field(strict=False)] = AuthenticatorClass.PLATFORM
    executes: Annotated[Executes, Field(strict=False)] = Executes.API
    direct: bool = False
    input_schema: Annotated[Schema | None, PlainValidator(schemas.schema)] = None
    describe: Annotated[Describe | None, PlainValidator(_describe)] = None

    @model_validator(mode="after")
    def _enforceable(self) -> Self:
        self.tool("tool")  # any name will do to hear what the constructor says
        return self

    def tool(self, name: str) -> Tool:
        """Make the tool; ValueError if its parts do not go together."""
        given = {key: getattr(self, key) for key in type(self).model_fields}
        return Tool(name, **{**given, "scopes": ScopeSet.of(self.scopes)})


class OpaqueTable(_Table):
    """`[agents.opaque]`."""

    scopes: Annotated[list[_Declared], Field(max_length=MAX_SCOPES)] | None = None


class AgentsTable(_Table):
    """`[agents]`."""

    opaque: OpaqueTable = OpaqueTable()


class LifetimesTable(_Table):
    """`[lifetimes]`."""

    grant_max_lifetime: Annotated[int, PlainValidator(partial(values.seconds, 60, 366 * _DAY))] = Field(
        _DEFAULTS["grant_max_lifetime"], alias="grant_max"
    )
    grant_lifetime: Annotated[int, PlainValidator(partial(values.seconds, 60, 366 * _DAY))] = Field(
        _DEFAULTS["grant_lifetime"], alias="grant"
    )
    session_lifetime: Annotated[int, PlainValidator(partial(values.seconds, 60, 30 * _DAY))] = Field(
        _DEFAULTS["session_lifetime"], alias="session"
    )
    wait: Annotated[int, PlainValidator(partial(values.seconds, 0, 25))] = _DEFAULTS["wait"]

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


class PolicyFile(_Table):
    """The whole file."""

    site: SiteTable = Field(examples=["[site]"])
    api: ApiTable = ApiTable()
    scopes: dict[Annotated[str, AfterValidator(_scope_name)], ScopeTable] = {}
    tools: dict[Annotated[str, AfterValidator(_tool_name)], ToolTable] = {}
    agents: AgentsTable = Field(AgentsTable(), validate_default=True)
    lifetimes: LifetimesTable = LifetimesTable()

    @field_validator("agents")
    @classmethod
    def _with_ceiling(cls, agents: AgentsTable, info: ValidationInfo) -> AgentsTable:
        """Say what an opaque agent may have where the file does not: all that does not write (AGENT-2)."""
        if agents.opaque.scopes is not None or "scopes" not in info.data:
            return agents
        harmless = [name for name, scope in info.data["scopes"].items() if not scope.writes]
        if len(harmless) > MAX_SCOPES:
            raise ValueError(
                f"{len(harmless)} scopes do not write, and an agent may have {MAX_SCOPES}: "
                "name those that an opaque one may have, in agents.opaque.scopes"
            )
        return AgentsTable(opaque=OpaqueTable.model_construct(scopes=harmless))

    def policy(self) -> Policy:
        """Make the policy."""
        origin = self.site.origin
        return Policy(
            Site(**self.site.model_dump()),
            Api(self.api.audience or origin, tuple(self.api.origins or [origin]), tuple(self.api.keys)),
            {name: Scope(name, table.title, table.writes) for name, table in self.scopes.items()},
            {name: table.tool(name) for name, table in self.tools.items()},
            Ceiling(ScopeSet.of(self.agents.opaque.scopes or [])),
            **self.lifetimes.model_dump(),
        )


_TABLES: dict[Path, type[_Table]] = {
    (): PolicyFile,
    ("site",): SiteTable,
    ("api",): ApiTable,
    ("scopes",): ScopeTable,
    ("tools",): ToolTable,
    ("agents",): AgentsTable,
    ("agents", "opaque"): OpaqueTable,
    ("lifetimes",): LifetimesTable,
}


def table_at(path: Path) -> type[BaseModel]:
    """Return what describes the table at a path; any name may follow `scopes` and `tools`."""
    return _TABLES[path[:1] if path[:1] in (("scopes",), ("tools",)) else path]
