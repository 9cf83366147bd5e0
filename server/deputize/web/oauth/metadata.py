"""What agents read before they come: RFC 8414, RFC 9728, RFC 7517."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from ...protocol.client import DEVICE_CODE, TOKEN_EXCHANGE
from ..context import Context
from ..types import Hash, Uri


class Jwk(Struct):
    """A public key (RFC 7517)."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: Hash
    y: Hash
    kid: str


class Keys(Struct, forbid_unknown_fields=True):
    """The public keys."""

    keys: list[Jwk]


class ServerMetadata(Struct):
    """RFC 8414 metadata."""

    issuer: Uri
    token_endpoint: Uri
    jwks_uri: Uri


class ResourceMetadata(Struct):
    """RFC 9728 metadata."""

    resource: Uri
    authorization_servers: list[Uri]


async def jwks(context: Context) -> object:
    """Answer the public keys (RFC 7517)."""
    return context.authority.keys.jwks()


async def server(context: Context) -> object:
    """Answer RFC 8414 metadata."""
    issuer, bearer = context.authority.policy.site.issuer, context.authority.policy.bearer
    methods = ["private_key_jwt", "none"] if bearer else ["private_key_jwt"]  # BEARER-5
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "require_pushed_authorization_requests": not bearer,  # BEARER-3
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "jwks_uri": f"{issuer}/jwks.json",
        "scopes_supported": sorted(context.authority.policy.scopes),
        "authorization_details_types_supported": ["webmcp_tool"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_CODE, TOKEN_EXCHANGE],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
        "dpop_signing_alg_values_supported": ["ES256"],
        "deputize_calls_endpoint": f"{issuer}/calls",
    }


async def resource(context: Context) -> object:
    """Answer RFC 9728 metadata: the authority is the only resource that takes its delegations (TOKEN-2)."""
    policy = context.authority.policy
    return _resource(context, policy.site.issuer, policy.scopes)


async def mcp(context: Context) -> object:
    """Answer RFC 9728 metadata for MCP clients, which know this address of the authority only (MCP-2)."""
    policy = context.authority.policy
    return _resource(context, policy.mcp, policy.mcp_scopes, policy.bearer)


def _resource(context: Context, resource: str, scopes: Iterable[str], bearer: bool = False) -> object:
    return {
        "resource": resource,
        "authorization_servers": [context.authority.policy.site.issuer],
        "scopes_supported": sorted(scopes),
        "bearer_methods_supported": ["header"] if bearer else [],
        "dpop_bound_access_tokens_required": not bearer,
        "dpop_signing_alg_values_supported": ["ES256"],
    }
