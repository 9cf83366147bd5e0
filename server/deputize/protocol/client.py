"""What an agent says of itself at the URL that is its `client_id`: a Client ID Metadata Document (AGENT-4).

"Draft" below is draft-ietf-oauth-client-id-metadata-document-02. What is not read here is none of our
business (RFC 7591 §2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from . import canonical, redirect
from .canonical import Json, JsonError, canonicalize, s256
from .errors import Code, Refused
from .ids import ClientId
from .jwk import Key, parse_keys
from .scope import ScopeSet
from .shown import plain, unquoted
from .url import Url, origin_of

MAX_NAME = 64
MAX_REDIRECT_URIS = 10
POLL_INTERVAL = 5  # seconds, where nobody says another (RFC 8628 §3.2)
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANT_TYPES = frozenset({"authorization_code", "refresh_token", DEVICE_CODE, TOKEN_EXCHANGE})


class AuthMethod(StrEnum):
    """How a client proves who it is. A secret cannot be shared by way of a public document (draft §4.1)."""

    PRIVATE_KEY_JWT = "private_key_jwt"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ClientDocument:
    """A client. `name` is for users, with nothing hidden in it; `scopes` is all it will ask for, if said.

    Its keys are in `keys` or at `jwks_uri`, never both; one that proves nothing (NONE) may have neither.
    """

    client_id: ClientId
    name: str
    uri: str | None
    redirect_uris: tuple[str, ...]
    auth_method: AuthMethod
    keys: tuple[Key, ...]
    jwks_uri: str | None
    grant_types: frozenset[str]
    scopes: ScopeSet | None
    dpop_bound_access_tokens: bool

    @property
    def document_s256(self) -> str:
        """Hash what users were shown, where codes go and who may ask: another hash needs another consent."""
        said: dict[str, Json] = {
            "client_id": self.client_id,
            "client_name": self.name,
            "client_uri": self.uri,
            "dpop_bound_access_tokens": self.dpop_bound_access_tokens,
            "grant_types": [*sorted(self.grant_types)],
            "jwks": [
                [key.x, key.y, key.kid] for key in sorted(self.keys, key=lambda key: (key.x, key.y or ""))
            ],
            "jwks_uri": self.jwks_uri,
            "redirect_uris": [*sorted(self.redirect_uris)],
            "scope": None if self.scopes is None else str(self.scopes),
            "token_endpoint_auth_method": self.auth_method.value,
        }
        return s256(canonicalize(said))

    def is_at(self, uri: str, kind: str) -> bool:
        """Tell whether a Signature-Agent of this URL and type is this client (OAUTH-15).

        The types are those of draft-ietf-webbotauth-httpsig-protocol-01, "Key Distribution and Discovery". The keys
        are those of the document, whichever it is.
        """
        match kind:
            case "cimd":
                return uri == self.client_id
            case "jwks_uri":
                return uri == self.jwks_uri
            case "directory":  # an origin, whose empty path may be written as a slash
                return uri.removesuffix("/") == origin_of(self.client_id)
        return False


def parse_client_id(text: str, development: bool = False) -> Url:
    """Read the URL that names a client (draft §3); Refused(invalid_client).

    A query is only discouraged there. Here it is refused, or any place that serves uploads could be one.
    """
    try:
        url = Url.parse(text, development)
    except ValueError as error:
        raise Refused(Code.INVALID_CLIENT, f"This client_id cannot be used: {error}.") from error
    if url.query:
        raise Refused(Code.INVALID_CLIENT, "This client_id cannot be used: it has a query.")
    return url


def parse_client(url: str, document: bytes, development: bool = False) -> ClientDocument:
    """Read the document that was found at a client's URL.

    Refused(invalid_client) for the URL, Refused(invalid_client_metadata) for what is wrong with the document.
    """
    here = parse_client_id(url, development)
    try:
        return _document(here, _object(document), development)
    except ValueError as error:
        detail = f"The document of this client cannot be used: {error}."
        raise Refused(Code.INVALID_CLIENT_METADATA, detail) from error


def shown_name(text: str) -> str:
    """Return a client's name as users may see it; ValueError if it is empty or too long. It is never cut.

    Users see it in quotation marks, and it has none itself: else it could seem to end, and vouch for itself.
    """
    name = unquoted(plain(text.strip()))
    if not 1 <= len(name) <= MAX_NAME:
        raise ValueError(f"client_name is empty or longer than {MAX_NAME} characters")
    return name


def _object(document: bytes) -> dict[str, Json]:
    try:
        value = canonical.parse(document)
    except JsonError as error:
        raise ValueError(f"it is not strict JSON ({error.reason})") from error
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def _document(url: Url, said: Mapping[str, Json], development: bool) -> ClientDocument:
    if said.get("client_id") != url.text:  # draft §4
        raise ValueError("its client_id is not the URL that it was found at")
    if said.keys() & {"client_secret", "client_secret_expires_at"}:  # draft §4.1
        raise ValueError("it has a secret, and now that is known")
    grant_types = frozenset(_texts(said, "grant_types") or ["authorization_code"])  # RFC 7591 §2
    redirect_uris = tuple(redirect.redirect_uri(uri, url) for uri in _texts(said, "redirect_uris"))
    if len(redirect_uris) > MAX_REDIRECT_URIS or ("authorization_code" in grant_types and not redirect_uris):
        raise ValueError(f"it needs 1 to {MAX_REDIRECT_URIS} redirect_uris, or other grant_types")
    keys = parse_keys(said["jwks"]) if "jwks" in said else ()
    jwks_uri = _jwks_uri(url, said, development)
    return ClientDocument(
        client_id=ClientId(url.text),
        name=shown_name(_text(said, "client_name") or url.host),
        uri=_home(url, said, development),
        redirect_uris=redirect_uris,
        auth_method=_auth_method(said, bool(keys or jwks_uri)),
        keys=keys,
        jwks_uri=jwks_uri,
        grant_types=grant_types,
        scopes=_scopes(said),
        dpop_bound_access_tokens=_flag(said, "dpop_bound_access_tokens"),
    )


def _home(url: Url, said: Mapping[str, Json], development: bool) -> str | None:
    """Read where users learn more; a page at another origin says nothing about it and is left out."""
    text = _text(said, "client_uri")
    if text is None or origin_of(text) != url.origin:
        return None
    return Url.parse(text if text != url.origin else text + "/", development).text


def _jwks_uri(url: Url, said: Mapping[str, Json], development: bool) -> str | None:
    text = _text(said, "jwks_uri")
    if text is None:
        return None
    if "jwks" in said:  # RFC 7591 §2
        raise ValueError("it has both jwks and jwks_uri")
    if Url.parse(text, development).origin != url.origin:  # whose keys would they be?
        raise ValueError("its jwks_uri is not at its own origin")
    return text


def _auth_method(said: Mapping[str, Json], has_keys: bool) -> AuthMethod:
    default = AuthMethod.PRIVATE_KEY_JWT if has_keys else AuthMethod.NONE
    try:
        method = AuthMethod(_text(said, "token_endpoint_auth_method") or default)
    except ValueError as error:
        raise ValueError("its token_endpoint_auth_method is not private_key_jwt or none") from error
    if method is AuthMethod.PRIVATE_KEY_JWT and not has_keys:
        raise ValueError("private_key_jwt needs jwks or jwks_uri")
    if said.get("token_endpoint_auth_signing_alg", "ES256") != "ES256":
        raise ValueError("its token_endpoint_auth_signing_alg is not ES256")
    return method


def _scopes(said: Mapping[str, Json]) -> ScopeSet | None:
    text = _text(said, "scope")
    try:
        return None if text is None else ScopeSet.parse(text)
    except ValueError as error:
        raise ValueError("its scope is not a list of scopes, separated by spaces") from error


def _text(said: Mapping[str, Json], name: str) -> str | None:
    value = said.get(name)
    if not isinstance(value, str | None):
        raise ValueError(f"its {name} is not a text")
    return value


def _texts(said: Mapping[str, Json], name: str) -> list[str]:
    value = said.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"its {name} is not a list of texts")
    return [str(item) for item in value]


def _flag(said: Mapping[str, Json], name: str) -> bool:
    value = said.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"its {name} is neither true nor false")
    return value
