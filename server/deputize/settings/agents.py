"""`[agents]`: which agents there may be, how they prove who they are, and what they may have at most."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo, field_validator

from deputize.protocol.agent import Ceiling
from deputize.protocol.client import GRANT_TYPES, AuthMethod, ClientDocument, parse_client_id, shown_name
from deputize.protocol.errors import Refused
from deputize.protocol.ids import ClientId
from deputize.protocol.jwk import Key, parse_keys
from deputize.protocol.redirect import redirect_uri
from deputize.protocol.scope import MAX_SCOPES, ScopeSet
from deputize.protocol.url import Url
from deputize.settings import values
from deputize.settings.schemas import DeeperError
from deputize.settings.table import Context, Declared, Table, Words

_EXAMPLE = "https://agent.example/agent.json"


def _origin(text: str, info: ValidationInfo) -> str:
    try:
        url = Url.parse(text + "/", Context.of(info).development)
    except ValueError:
        url = None
    if url is None or url.path != "/":
        raise ValueError(
            'write an origin with a public name, as "https://agent.example"; '
            "one on this machine needs agents.development = true"
        )
    return text


def _client_id(text: str, info: ValidationInfo) -> str:
    try:
        return parse_client_id(text, Context.of(info).development).text
    except Refused as refused:
        raise ValueError(refused.refusal.detail) from refused


def _keys(value: object) -> tuple[Key, ...]:
    if not isinstance(value, list):
        raise ValueError("write a list of JWKs")
    for index, item in enumerate(value):
        try:
            if not isinstance(item, dict) or item.get("crv") != "Ed25519":  # which parse_keys reads by itself
                values.jwk(item)
        except ValueError as error:
            raise DeeperError(str(error), (index,)) from error
    return parse_keys({"keys": value})


class _Limited(Table):
    scopes: Annotated[list[Declared], Field(max_length=MAX_SCOPES)] | None = None

    def most(self, harmless: Sequence[str]) -> ScopeSet:
        """Return what these agents may have at most, by default the harmless scopes, which do not write (AGENT-2)."""
        if self.scopes is None and len(harmless) > MAX_SCOPES:
            raise ValueError(
                f"{len(harmless)} scopes do not write, and an agent may have {MAX_SCOPES}: "
                "name those that such an agent may have, in its `scopes`"
            )
        return ScopeSet.of(harmless if self.scopes is None else self.scopes)


class OpaqueTable(_Limited):
    """`[agents.opaque]`."""


class OriginTable(_Limited):
    """`[agents.origin]`."""

    allow: list[Annotated[str, AfterValidator(_origin)]] = Field([])


class RegisteredTable(_Limited):
    """`[agents.registered."…"]`."""

    name: Annotated[Words, AfterValidator(shown_name)] = Field(examples=['name = "Example Agent"'])
    keys: Annotated[tuple[Key, ...], PlainValidator(_keys)] = Field(
        examples=[f'[[agents.registered."{_EXAMPLE}".keys]]']
    )
    redirect_uris: list[str] = Field([])

    def document(self, client_id: str) -> ClientDocument:
        """Return the metadata document that the agent would publish; DeeperError for an illegal redirect URI."""
        for index, text in enumerate(self.redirect_uris):
            try:
                redirect_uri(text, Url.parse(client_id, local=True))
            except ValueError as error:
                raise DeeperError(str(error), (client_id, "redirect_uris", index)) from error
        return ClientDocument(
            ClientId(client_id),
            self.name,
            uri=None,
            redirect_uris=tuple(self.redirect_uris),
            auth_method=AuthMethod.PRIVATE_KEY_JWT,
            keys=self.keys,
            jwks_uri=None,
            grant_types=GRANT_TYPES,
            scopes=None,
            dpop_bound_access_tokens=True,
        )


class AgentsTable(Table):
    """`[agents]`."""

    opaque: OpaqueTable = OpaqueTable()
    origin: OriginTable = OriginTable()
    registered: dict[Annotated[str, AfterValidator(_client_id)], RegisteredTable] = Field({})
    development: bool = False
    default_scopes: Annotated[list[Declared], Field(max_length=MAX_SCOPES)] | None = None
    children: Annotated[int, PlainValidator(partial(values.count, 0, 1024))] = 16

    @field_validator("registered")
    @classmethod
    def _make_documents(cls, registered: dict[str, RegisteredTable]) -> dict[str, RegisteredTable]:
        for client_id, table in registered.items():
            table.document(client_id)
        return registered

    def ceiling(self, harmless: Sequence[str]) -> Ceiling:
        """Return the ceiling of all kinds of agents (AGENT-2); ValueError if a default would be too many scopes."""
        return Ceiling(
            self.opaque.most(harmless),
            self.origin.most(harmless) if self.origin.allow else ScopeSet(),
            frozenset(self.origin.allow),
            {ClientId(client_id): table.most(harmless) for client_id, table in self.registered.items()},
        )

    def default(self, harmless: Sequence[str]) -> ScopeSet:
        """Return the scopes of a request that names none; by default the harmless ones, if not too many (OAUTH-16)."""
        if self.default_scopes is None:
            return ScopeSet.of(harmless if len(harmless) <= MAX_SCOPES else ())
        return ScopeSet.of(self.default_scopes)

    def documents(self) -> dict[ClientId, ClientDocument]:
        """Return the metadata documents of the registered agents."""
        return {
            ClientId(client_id): table.document(client_id) for client_id, table in self.registered.items()
        }
