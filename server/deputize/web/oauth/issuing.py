"""The answer that issues a delegation (RFC 6749 §5.1)."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, UnsetType

from ...protocol.constraint import MAX_DETAILS, TYPE
from ...service.clients import Client
from ...service.grants import Renewable
from ..context import Context
from ..types import Closed, GrantIdText, Jwt, Object, Scope, Seconds, ToolName, UserIdText, Word, said

ACCESS_TOKEN: Literal["urn:ietf:params:oauth:token-type:access_token"] = (
    "urn:ietf:params:oauth:token-type:access_token"
)


class AuthorizationDetail(Closed):
    """A limit on what a grant lets an agent do (CONS-1)."""

    type: Annotated[str, said(enum=[TYPE])]
    tool: ToolName
    schema: Object | UnsetType = UNSET
    max_calls: Annotated[int, said(minimum=1)] | UnsetType = UNSET
    sum: dict[str, Annotated[float, said(exclusiveMinimum=0)]] | UnsetType = UNSET
    not_before: Seconds | UnsetType = UNSET
    not_after: Seconds | UnsetType = UNSET
    hours: (
        Annotated[
            list[Annotated[str, said(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]],
            said(minItems=2, maxItems=2),
        ]
        | UnsetType
    ) = UNSET


class Tokens(Closed, kw_only=True):
    """A delegation token and, where it may be renewed, a refresh token (GRANT-3)."""

    access_token: Jwt
    token_type: Literal["DPoP", "Bearer"]
    expires_in: Seconds
    refresh_token: Word | UnsetType = UNSET
    scope: Scope
    authorization_details: Annotated[list[AuthorizationDetail], said(maxItems=MAX_DETAILS)] | UnsetType = (
        UNSET
    )
    grant_id: GrantIdText
    client_id: str
    sub: UserIdText
    issued_token_type: Literal["urn:ietf:params:oauth:token-type:access_token"] | UnsetType = UNSET


def tokens(context: Context, renewable: Renewable, client: Client | None = None) -> Tokens:
    """Issue the tokens of a grant; no refresh token for a client whose document does not name that (OAUTH-13)."""
    grant, authority = renewable.grant, context.authority
    access_token, expires_in = authority.delegation_token(renewable, context.now)
    refreshable = client is None or "refresh_token" in client.document.grant_types
    details: Any = grant.constraints.details()
    return Tokens(
        access_token=access_token,
        token_type="Bearer" if grant.bearer else "DPoP",
        expires_in=expires_in,
        refresh_token=authority.make_refresh_token(renewable, context.now) if refreshable else UNSET,
        scope=str(grant.scopes),
        authorization_details=details if grant.constraints.parts else UNSET,
        grant_id=grant.grant_id,
        client_id=renewable.agent.client_id,
        sub=grant.user_id,
    )
