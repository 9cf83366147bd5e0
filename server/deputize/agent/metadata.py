"""What an authority says of itself (RFC 8414)."""

from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from ..protocol.url import is_secure
from .errors import Unexpected
from .wire import Answer


@dataclass(frozen=True, slots=True)
class Metadata:
    """The URLs of an authority's endpoints, under their names in the metadata.

    The proof in evidence is made for `deputize_calls_endpoint` (EVID-2).
    """

    issuer: str
    authorization_endpoint: str
    pushed_authorization_request_endpoint: str
    token_endpoint: str
    device_authorization_endpoint: str
    introspection_endpoint: str
    revocation_endpoint: str
    deputize_calls_endpoint: str


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
    known = {field.name: str(said.get(field.name, "")) for field in fields(Metadata)}
    for name, url in known.items():
        if not is_secure(url):
            raise Unexpected(f"The metadata of {issuer} has no {name} with https.")
    return Metadata(**known)
