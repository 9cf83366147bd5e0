"""What an agent publishes at its `client_id` (draft-ietf-oauth-client-id-metadata-document)."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from ..protocol.canonical import Json, canonicalize
from ..protocol.client import GRANT_TYPES, AuthMethod, parse_client
from ..protocol.errors import Refused
from .key import AgentKey


def client_document(
    client_id: str,
    name: str,
    keys: Iterable[AgentKey],
    redirect_uris: Sequence[str] = (),
    scope: str | None = None,
) -> dict[str, Json]:
    """Return the document; ValueError says why an authority would refuse it.

    `name` is what users read, `scope` all that the agent will ever ask for. Without redirect URIs it is for the device
    flow alone; with a `client_id` on this machine it is for development.
    """
    grant_types = sorted(GRANT_TYPES if redirect_uris else GRANT_TYPES - {"authorization_code"})
    document: dict[str, Json] = {
        "client_id": client_id,
        "client_name": name,
        "grant_types": [*grant_types],
        "redirect_uris": [*redirect_uris],
        "response_types": ["code"] if redirect_uris else [],
        "token_endpoint_auth_method": AuthMethod.PRIVATE_KEY_JWT.value,
        "token_endpoint_auth_signing_alg": "ES256",
        "dpop_bound_access_tokens": True,
        "jwks": {"keys": [key.public_jwk() for key in keys]},
    }
    if scope is not None:
        document["scope"] = scope
    here = urlsplit(client_id).hostname in ("localhost", "127.0.0.1", "::1")
    try:
        parse_client(client_id, canonicalize(document), development=here)
    except Refused as refused:
        raise ValueError(refused.refusal.detail) from refused
    return document
