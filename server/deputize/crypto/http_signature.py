"""Requests that are signed: HTTP message signatures of Web Bot Auth (OAUTH-14; RFC 9421, RFC 9530).

The form is that of draft-ietf-webbotauth-httpsig-protocol-01, narrowed to what authenticates a client. Structured
fields (RFC 9651) are read by http_sf, which accepts several spellings of base64, numbers and spaces. So a member that
counts has to be spelled as http_sf itself writes it.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import http_sf
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ..protocol.canonical import unb64u
from ..protocol.errors import Code, Refused
from ..protocol.ids import Jkt
from ..protocol.jwk import Key, thumbprint
from ..protocol.proof import MARGIN, Proof, is_jti
from . import jwt

TAG = "web-bot-auth"
WINDOW = 30
"""Seconds that `created` may lie in the past or in the future."""

LIFETIME = 60
"""Seconds that `expires` may lie after `created`."""

MAX_FIELD = 2048
"""How many characters a field that is read here may have."""

MAX_COVERED = 16
"""How many components a signature may cover: each is looked up before it is known whether the signature is good."""

_MEMBER = re.compile(
    r'(?:%"[^"]*+"|"(?:\\.|[^"\\])*+"|[^",])++'
)  # of a dictionary: up to a comma outside of strings
_NAME = re.compile(r"@?[a-z0-9-]{1,64}")
_NEEDED = {"created": int, "expires": int, "nonce": str, "keyid": str, "tag": str}
_TARGETS = ({"@target-uri"}, {"@authority", "@path"})
_DIGESTS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}  # the others are not for this (RFC 9530 §5)
_Item = tuple[
    object, dict[str, object]
]  # a value and its parameters; an inner list has a list of items as its value


@dataclass(frozen=True, slots=True)
class Request:
    """A request that may be signed.

    `url` is the endpoint's by configuration, since a proxy may have changed the Host header. `fields` returns the lines
    of a field by its name in lower case; it is called for each covered component, and has to be quick.
    """

    method: str
    url: str
    fields: Callable[[str], Sequence[str]]
    body: bytes
    _read: dict[str, Mapping[str, _Item]] = field(default_factory=dict, init=False)  # each dictionary once


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that was checked in all but its key, whose thumbprint is `keyid`.

    `agent` is the URL, and `kind` the type, of the covered member of Signature-Agent; `base` are the bytes that are
    signed (RFC 9421 §2.5).
    """

    keyid: Jkt
    agent: str
    kind: str
    alg: object
    base: bytes
    signature: bytes
    nonce: str
    created: int


def read(request: Request, now: int) -> Signed | None:
    """Read a request's one signature of Web Bot Auth, or None if it has none; Refused(invalid_client).

    1. One member of `Signature-Input` has the tag `web-bot-auth`. Those with other tags are ignored.
    2. Its parameters are `created`, `expires`, `nonce`, `keyid`, `tag`, and perhaps `alg`.
    3. `created` is at most 30 s away from `now`; `expires` has not passed, and is at most 60 s after it.
    4. `nonce` is 1 to 128 characters.
    5. Covered are `@method`, `content-digest`, one member of `signature-agent`, the target (`@target-uri`, or
       `@authority` and `@path`), and `dpop` if it is there: nobody on the way can change who asks, for what, where, or
       for which key. More fields may be covered; each of them once and whole, and 16 in all.
    6. `Content-Digest` has the SHA-256 or SHA-512 of the body, and no wrong one (RFC 9530 §2).
    """
    inputs = _dictionary(request, "signature-input")
    found = [label for label, (_, parameters) in inputs.items() if parameters.get("tag") == TAG]
    if not found:
        return None
    if len(found) > 1:  # 1
        raise _refused("there is more than one")
    label = found[0]
    spelled, (components, parameters) = _member(request, "signature-input", label)
    if not (isinstance(components, list) and _are_needed(parameters)):  # 2
        raise _refused("its parameters are created, expires, nonce, keyid, tag, and perhaps alg")
    created, expires = cast(int, parameters["created"]), cast(int, parameters["expires"])
    if not (-WINDOW <= now - created <= WINDOW and now < expires <= created + LIFETIME):  # 3
        raise _refused(f"it is not of now, or lives longer than {LIFETIME} seconds", now=now)
    nonce = str(parameters["nonce"])
    if not is_jti(nonce):  # 4
        raise _refused("its nonce has to be 1 to 128 characters")
    if len(components) > MAX_COVERED:  # 5
        raise _refused(f"it covers more than {MAX_COVERED} components")
    names = [name for name, _ in components]
    needed = {"@method", "content-digest", "signature-agent"} | (
        {"dpop"} if request.fields("dpop") else set()
    )
    if len(set(names)) < len(names):  # 5; first, since each of them takes time
        raise _refused("a component is covered twice")
    lines = [f"{name}: {value}" for name, value in (_component(request, item) for item in components)]
    if not (needed.issubset(names) and any(target.issubset(names) for target in _TARGETS)):  # 5
        raise _refused(
            "it has to cover @method, @target-uri (or @authority and @path), content-digest, its member of "
            "signature-agent, and dpop where that is sent"
        )
    _check_digest(request)  # 6
    agent, kind = _agent(request, components)
    _, (signature, more) = _member(request, "signature", label)
    if not isinstance(signature, bytes) or more:
        raise _refused("it is no byte sequence")
    try:  # RFC 9421 §2.5
        base = "\n".join([*lines, f'"@signature-params": {spelled}']).encode("ascii")
    except UnicodeEncodeError as error:
        raise _refused("a covered field is not ASCII") from error
    keyid = Jkt(str(parameters["keyid"]))
    return Signed(keyid, agent, kind, parameters.get("alg"), base, signature, nonce, created)


def verify(signed: Signed, keys: Sequence[Key]) -> Proof:
    """Check that the key of these whose thumbprint is `keyid` made the signature; Refused(invalid_client).

    `alg`, if there is one, is that of the key. The transaction that it authorizes ensures that it is used once, as with
    a DPoP proof (PROOF-2).
    """
    key = next((key for key in keys if thumbprint(key.jwk) == signed.keyid), None)
    if key is None:
        raise _refused("its keyid is not the RFC 7638 thumbprint of a key of this client")
    if signed.alg not in (None, "ed25519" if key.y is None else "ecdsa-p256-sha256"):
        raise _refused("its alg is not that of its key")
    if not _is_by(key, signed):
        raise _refused("it is wrong")
    # The prefix keeps its nonce apart from the `jti` of the client's other proofs.
    return Proof(signed.keyid, f"signature {signed.nonce}", signed.created + WINDOW + 1 + MARGIN)


def _is_by(key: Key, signed: Signed) -> bool:
    try:
        if key.y is not None:
            return jwt.verify_es256(jwt.public_key(key.x, key.y), signed.base, signed.signature)
        Ed25519PublicKey.from_public_bytes(unb64u(key.x)).verify(signed.signature, signed.base)
    except (InvalidSignature, ValueError):
        return False
    return True


def _dictionary(request: Request, name: str) -> Mapping[str, _Item]:
    """Read a field that is a dictionary without repeated keys; empty if there is no such field."""
    if name in request._read:
        return request._read[name]
    text = _value(request, name)
    if len(text) > MAX_FIELD:
        raise _refused(f"{name} has more than {MAX_FIELD} characters")
    try:
        parsed = http_sf.parse(text.encode("ascii"), tltype="dictionary", on_duplicate_key=_twice)
    except ValueError as error:
        raise _refused(f"{name} is not the dictionary of RFC 9651 that it should be") from error
    request._read[name] = cast(Mapping[str, _Item], parsed)
    return request._read[name]


def _twice(key: str, context: str) -> None:
    raise ValueError(f"{key} stands twice in a {context}")


def _member(request: Request, field: str, key: str) -> tuple[str, _Item]:
    """Read a member of a dictionary: return it as it is serialized, without its key, and parsed."""
    member = _dictionary(request, field).get(key)
    if member is None:
        raise _refused(f"{field} has not the member that it should have")
    whole = http_sf.ser(cast(http_sf.DictionaryType, {key: member}))
    # What is signed is the member as it is serialized anew (RFC 9421 §2.3).
    if whole not in (spelled.strip(" \t") for spelled in _MEMBER.findall(_value(request, field))):
        raise _refused(f"{field} is spelled in another way than RFC 9651 writes it")
    return whole.partition("=")[2], member


def _value(request: Request, field: str) -> str:
    """Return the value of a field, its lines joined by commas (RFC 9421 §2.1)."""
    value = ", ".join(line.strip(" \t") for line in request.fields(field))
    if "\n" in value or "\r" in value:
        raise _refused(f"{field} has more than one line")
    return value


def _are_needed(parameters: Mapping[str, object]) -> bool:
    kinds = {name: type(value) for name, value in parameters.items()}
    return {"alg": str, **kinds} == {"alg": str, **_NEEDED}


def _component(request: Request, item: _Item) -> tuple[str, str]:
    """Return the identifier and the value of a covered component (RFC 9421 §2)."""
    name, parameters = item
    if not isinstance(name, str) or name != name.lower():
        raise _refused("a component that it covers is no name in lower case")
    identifier = http_sf.ser(cast(http_sf.ItemType, item))
    if name == "signature-agent":
        key = parameters.get("key")
        if parameters.keys() != {"key"} or not isinstance(key, str):
            raise _refused("it has to cover signature-agent by a key, its own member")
        return identifier, _member(request, name, key)[0]
    url = urlsplit(request.url)
    derived = {
        "@method": request.method,
        "@target-uri": request.url,
        "@authority": url.netloc,
        "@path": url.path,
    }
    if parameters or (name not in derived and not request.fields(name)):
        shown = name if _NAME.fullmatch(name) else "a component"
        raise _refused(f"it covers {shown}, which is not here, or not offered with these parameters")
    return identifier, derived[name] if name in derived else _value(request, name)


def _agent(request: Request, components: Sequence[_Item]) -> tuple[str, str]:
    """Return the URL and the type of the covered member of Signature-Agent; the default type is `directory`."""
    key = next(str(parameters["key"]) for name, parameters in components if name == "signature-agent")
    _, (url, more) = _member(request, "signature-agent", key)
    kind = more.get("type", http_sf.Token("directory"))
    if not isinstance(url, str) or not isinstance(kind, http_sf.Token):
        raise _refused("its Signature-Agent is a string, and the type of that a token")
    return url, str(kind)


def _check_digest(request: Request) -> None:
    found = [name for name in _dictionary(request, "content-digest") if name in _DIGESTS]
    digests = [(_member(request, "content-digest", name)[1], _DIGESTS[name](request.body)) for name in found]
    if not found or any(member != (right.digest(), {}) for member, right in digests):
        raise _refused("Content-Digest is not that of the body, by sha-256 or sha-512")


def _refused(reason: str, **facts: object) -> Refused:
    return Refused(Code.INVALID_CLIENT, f"The signature of this request is not good: {reason}.", **facts)
