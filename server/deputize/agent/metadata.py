"""What an authority says of itself (RFC 8414)."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from ..protocol.url import is_secure
from .errors import Unexpected
from .wire import Answer


@dataclass(frozen=True, slots=True)
class Metadata:
    """The URLs of an authority's endpoints. The proof in evidence is made for `calls` (EVID-2)."""

    issuer: str
    authorization: str
    pushed_requests: str
    token: str
    device: str
    introspection: str
    revocation: str
    calls: str


_NAMES = {
    "authorization": "authorization_endpoint",
    "pushed_requests": "pushed_authorization_request_endpoint",
    "token": "token_endpoint",
    "device": "device_authorization_endpoint",
    "introspection": "introspection_endpoint",
    "revocation": "revocation_endpoint",
    "calls": "deputize_calls_endpoint",
}


def metadata_url(issuer: str) -> str:
    """Return where an issuer's metadata is: the well-known path goes before its own (RFC 8414 §3.1)."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"


def read_metadata(answer: Answer, issuer: str) -> Metadata:
    """Read the metadata of this very issuer (RFC 8414 §3.3); Unexpected for any other, and without its endpoints."""
    if not answer.good:
        raise Unexpected(f"{issuer} has no metadata (RFC 8414): it answered {answer.status}.")
    said = answer.json()
    if said.get("issuer") != issuer:
        raise Unexpected(f"The metadata at {issuer} is that of another issuer.")
    wrong = [name for name in _NAMES.values() if not is_secure(said.get(name))]
    if wrong:
        raise Unexpected(f"The metadata of {issuer} has no {wrong[0]} with https.")
    return Metadata(issuer, **{field: str(said[name]) for field, name in _NAMES.items()})
