"""Every parser that reads what a stranger has sent: one row each, for the fuzzer, for the corpus, and for growth.

A row says how bytes get in, and with what they may be refused. Whatever else is raised is a fault, and so is a reading
that another reading does not agree with.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

import orjson
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.crypto.signer import sign
from tests.hostile.growth import Stopwatch
from tests.hostile.node import node

from deputize import settings
from deputize.crypto import client_assertion, dpop, http_signature, jwt, note, provider_token, ticket
from deputize.crypto.note import NoteError, Verifier
from deputize.crypto.provider_token import UnknownKey
from deputize.crypto.sealed import Sealer
from deputize.crypto.webauthn import Ceremonies
from deputize.protocol import openid
from deputize.protocol.arguments import from_body, from_query
from deputize.protocol.canonical import Json, JsonError, b64u, canonicalize, parse, unb64u
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.clauses import clauses
from deputize.protocol.client import parse_client
from deputize.protocol.consent import limits_of
from deputize.protocol.constraint import Constraints
from deputize.protocol.credential import Credential
from deputize.protocol.endpoint import Endpoint, decoded
from deputize.protocol.errors import Refused
from deputize.protocol.handoff import Handoff
from deputize.protocol.ids import CredentialId, UserId
from deputize.protocol.jwk import Key, parse_keys
from deputize.protocol.limit import limit_schema
from deputize.protocol.receipt import Receipt
from deputize.protocol.redirect import matches, redirect_uri
from deputize.protocol.scope import ScopeSet
from deputize.protocol.shown import FSI, PDI, plain
from deputize.protocol.token import CallToken, Delegation
from deputize.protocol.tool import Schema, Tool
from deputize.protocol.url import Url
from deputize.settings import PolicyError
from deputize.settings.describing import compile_template
from deputize.web.oauth.parameters import parse_form
from deputize.web.session import read_cookie
from deputize.words.catalogue import words
from deputize.words.limits import limits

NOW = 1_800_000_000
ISSUER = "https://bank.example/deputize"
AGENT = "https://helper.example/agent.json"
KEY = derive_private_key(7, SECP256R1())
VECTORS = Path(__file__).parents[1] / "vectors"


@dataclass(frozen=True)
class Target:
    """One parser: `seeds` are what it is meant for."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    refusals: tuple[type[Exception], ...] = (Refused,)

    def seconds(self, data: bytes) -> float:
        """Return the processor seconds that it takes to read this, or to refuse it; what else it raises is a fault."""
        with Stopwatch() as watch, suppress(*self.refusals):
            self.read(data)
        return watch.seconds


# --- JSON, and what is written in it ------------------------------------------------------------------------------


def _json(data: bytes) -> None:
    """Hold our canonical form to that of a library, and to that of the page's own script."""
    try:
        value, reason = parse(data), None
    except JsonError as error:
        value, reason = None, error.reason
    theirs = node("canonical").ask(data)
    if reason is not None:
        refused = not re.fullmatch("([0-9a-f]{2})+", theirs)
        assert refused or reason == "duplicate_member"  # JSON.parse does not tell of them
        return
    text = canonicalize(value)
    assert text.hex() == theirs
    assert rfc8785.dumps(value) == text
    assert parse(text) == parse(data)


def _input(data: bytes) -> None:
    """Take the evidence out of a tool's input, as the shim does (EVID-1)."""
    said = node("evidence").ask(data)
    value = _object(data)
    left = {name: value[name] for name in value if name != MEMBER}
    carried = value.get(MEMBER)
    if carried in (None, ""):
        told = "none"
    else:
        told = carried if isinstance(carried, str) and PAIR.fullmatch(carried) else "bad"
    assert said == f"{canonicalize(left).hex()} {told}"


MEMBER = "deputize_delegation"
PAIR = re.compile(r"[\w-]+(\.[\w-]+){2}~[\w-]+(\.[\w-]+){2}", re.ASCII)


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="surrogateescape")


def _object(data: bytes) -> dict[str, Json]:
    value = parse(data)
    if not isinstance(value, dict):
        raise JsonError("not_json")
    return value


def _path(data: bytes) -> None:
    """Read the path of a request, and find whether it is of an endpoint (GUARD-9)."""
    raw = data.decode("latin-1")
    endpoint = Endpoint.parse("POST /api/{a}/x")
    assert endpoint.resembles(raw) or endpoint.match(raw) is None  # as a server has decoded it
    path = decoded(raw)
    assert endpoint.resembles(path) or endpoint.match(path) is None
    assert decoded(quote(path, safe="/:@!$&'()*+,=")) == path


def _limit(data: bytes) -> None:
    """Say a limit that an agent has made up, and hold arguments to it."""
    schema = limit_schema(parse(data))
    told = clauses(schema.source, {"type": "object", "properties": {"a": {"title": "A"}}})
    for line in limits(words("en"), [{"is": "arguments", **each} for each in told]):
        assert plain(bare := line.replace(FSI, "").replace(PDI, "")) == bare
    values: list[Json] = [{}, {"a": 1}, {"a": ["x"], "b": {"c": None}}]
    for value in values:
        assert schema.accepts(value) == (schema.fault(value) is None)


def _details(data: bytes) -> None:
    constraints = Constraints.parse(parse(data))
    assert Constraints.parse(constraints.details()).details() == constraints.details()
    assert constraints.widened_by(constraints) is None
    for tool in cast("list[dict[str, Any]]", limits_of(constraints, TOOLS)):
        assert limits(words("en"), tool["limits"])
    values: list[Json] = [{}, {"amount": 1}, {"amount": [1, "x"]}]
    for arguments in values:
        constraints.refuses("note", arguments, NOW)
        constraints.uses("note", arguments)


describe = compile_template(
    "Send {{ amount | money('EUR') }} to {{ name }} ({{ iban | iban }}){% for x in list %} {{ x }}{% endfor %}"
)
TOOLS = {"note": Tool("note", public=True), "pay": Tool("pay", public=True, describe=describe.render)}
SCHEMA = Schema(
    {
        "type": "object",
        "properties": {
            "a": {"type": "string"},
            "n": {"type": "number"},
            "i": {"type": "integer"},
            "b": {"type": "boolean"},
            "l": {"type": "array", "items": {"type": "integer"}},
        },
    }
)


def _description(data: bytes) -> None:
    told = TOOLS["pay"].description(_object(data))
    for text in (told.headline, *(line for row in told.rows for line in (row.title, *row.values))):
        assert text.count(FSI) == text.count(PDI)
        for piece in text.replace(PDI, FSI).split(FSI):
            assert plain(piece) == piece


def _receipt(data: bytes) -> None:
    receipt = Receipt.parse(parse(data))
    receipt.unproven(Checkpoint("bank.example/deputize", 3, bytes(32)))
    receipt.opens()
    assert Receipt.parse(parse(orjson.dumps(receipt.to_json()))) == receipt


# --- tokens, proofs, signatures -----------------------------------------------------------------------------------

PUBLIC = {
    "kty": "EC",
    "crv": "P-256",
    **dict(
        zip(
            "xy",
            (
                b64u(n.to_bytes(32, "big"))
                for n in (KEY.public_key().public_numbers().x, KEY.public_key().public_numbers().y)
            ),
            strict=True,
        )
    ),
}


def _signed(read: Callable[[str], object], typ: str) -> Callable[[bytes], object]:
    """Sign claims, so that it is they that are judged."""
    return lambda data: read(jwt.sign(_object(data), typ, "k", KEY))


def _proof(data: bytes) -> object:
    value = _object(data)
    header, claims = value.get("header"), value.get("claims")
    token = jwt.sign_with_header(b64u(orjson.dumps(header)), claims if isinstance(claims, dict) else {}, KEY)
    return dpop.verify([token], "POST", f"{ISSUER}/calls", NOW)


def _assertion(token: str) -> object:
    key = Key(PUBLIC["x"], PUBLIC["y"], "k")
    return client_assertion.verify(token, client_assertion.ASSERTION_TYPE, [key], AGENT, ISSUER, NOW)


def _claims(token: str) -> dict[str, Json]:
    return jwt.verify(token, "t", lambda kid: KEY.public_key())


def _http_signature(data: bytes) -> object:
    head, _, body = data.partition(b"\n\n")
    lines = [line.partition(":")[::2] for line in head.decode("latin-1").split("\n")]

    def fields(wanted: str) -> list[str]:
        return [value for name, value in lines if name.lower() == wanted.lower()]

    signed = http_signature.read(http_signature.Request("POST", f"{ISSUER}/par", fields, body), NOW)
    return signed and http_signature.verify(signed, [Key(PUBLIC["x"], PUBLIC["y"], "k")])


CEREMONIES = Ceremonies("example.org", frozenset({"https://example.org"}))


def _parts(data: bytes) -> tuple[dict[str, Json], bytes, list[bytes]]:
    """Split what a browser writes in base64url, which a fuzzer would not see through: client data, id, and the rest."""
    parts = [*data.split(SEAM), b"", b"", b""]
    client_data, name, others = parts[0], parts[1], parts[2:]
    try:
        challenge = unb64u(str(_object(client_data).get("challenge")))  # as if it were ours
    except (JsonError, ValueError):
        challenge = bytes(32)
    response: dict[str, Json] = {"id": b64u(name), "rawId": b64u(name), "type": "public-key"}
    return {**response, "response": {"clientDataJSON": b64u(client_data)}}, challenge, others


def _registration(data: bytes) -> object:
    response, challenge, (attestation, *_) = _parts(data)
    inner = cast("dict[str, Json]", response["response"])
    return CEREMONIES.registration(
        {**response, "response": {**inner, "attestationObject": b64u(attestation)}}, challenge
    )


def _authentication(data: bytes) -> object:
    response, challenge, (authenticator_data, signature, *key) = _parts(data)
    inner = cast("dict[str, Json]", response["response"])
    said: Json = {**inner, "authenticatorData": b64u(authenticator_data), "signature": b64u(signature)}
    name = CredentialId(str(response["id"]))
    known = Credential(name, UserId("usr_x"), key[0] if key else b"", 0, frozenset(), "", NOW, active=True)
    return CEREMONIES.authentication({**response, "response": said}, challenge, known, b"handle")


SEAM = b"\n--\n"
CEREMONIES = Ceremonies("example.org", frozenset({"https://example.org"}))


def _published() -> Iterator[tuple[bytes, bytes]]:
    """Write the vectors of WebAuthn L3 as `_parts` reads them."""
    for vector in json.loads((VECTORS / "webauthn-l3.json").read_text())["vectors"][:8]:
        made, used = vector["registration"], vector["authentication"]
        name, attestation = (bytes.fromhex(made[part]) for part in ("credential_id", "attestationObject"))
        registration = [bytes.fromhex(made["clientDataJSON"]), name, attestation]
        said = [bytes.fromhex(used[part]) for part in ("authenticatorData", "signature")]
        key = attestation[attestation.index(name) + len(name) :]
        yield SEAM.join(registration), SEAM.join([bytes.fromhex(used["clientDataJSON"]), name, *said, key])


REGISTRATIONS, AUTHENTICATIONS = zip(*_published(), strict=True)


def _signed_request() -> bytes:
    headers = sign(KEY, f"{ISSUER}/par", b"a=b", f'sig1="{AGENT}";type=cimd', NOW)
    return "\n".join(f"{name}: {value}" for name, value in headers.items()).encode() + b"\n\na=b"


# --- notes, addresses, forms --------------------------------------------------------------------------------------

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(32))
VERIFIER = Verifier("bank.example/deputize", SIGNER.public_key())
NOTE = note.sign(Checkpoint("bank.example/deputize", 3, bytes(32)).body(), VERIFIER.name, SIGNER)


def _note(data: bytes) -> None:
    text = data.decode()
    checkpoint = Checkpoint.parse(note.open_note(text, [VERIFIER]))
    assert Checkpoint.parse(checkpoint.body()) == checkpoint


def _url(data: bytes) -> None:
    text = _text(data)
    url = Url.parse(text, local=True)
    assert (urlsplit(text).hostname or "").strip("[]") == url.host.strip("[]")


def _redirect(data: bytes) -> None:
    text = _text(data)
    assert matches(redirect_uri(text, Url.parse(AGENT)), [text])


def _scopes(data: bytes) -> None:
    scopes = ScopeSet.parse(_text(data))
    assert ScopeSet.parse(str(scopes)) == scopes


@cache
def _sealer() -> Sealer:
    return Sealer(bytes(32), lambda: NOW)


def _cookie(data: bytes) -> None:
    read_cookie(_sealer(), [line.decode("latin-1") for line in data.split(b"\n")])


def _request(data: bytes) -> None:
    from tests.hostile.whole import whole  # the other parsers start sooner without it

    whole().send(data)


def _message(method: str, headers: bytes = b"", **params: object) -> bytes:
    return b"b" + headers + b"\n\n" + _dumps(jsonrpc="2.0", id=1, method=method, params=params)


def _dumps(**members: object) -> bytes:
    return orjson.dumps(members)


MESSAGES = (
    *(
        chr(letter).encode() + b"\n\n" for letter in range(ord("a"), ord("o"))
    ),  # each as it is (`whole.NAMES`)
    _message("tools/call", b"\naccept: a/b;q=0.5, text/event-stream", name="note", arguments={"amount": 1}),
    _message("tools/call", name="note", arguments={}, _meta={"dev.deputize/delegation": "a~b"}),
    _message("tools/list", b"\nmcp-protocol-version: 2026-07-28\nmcp-method: tools/list", cursor="x"),
    _message(
        "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "a", "version": "1"}
    ),
    b'b\n\n[{"jsonrpc":"2.0","method":"notifications/initialized"}]',
    b"a\n\n" + _dumps(tool="transfer_money", arguments={"amount": 1, "name": "A"}, definition_s256="A" * 43),
    b"d\n\nclient_id=a&scope=b&authorization_details=[]&resource=c&resource=d",
)
_CLAIMS = {"iss": ISSUER, "aud": ISSUER, "sub": "usr_" + "a" * 22, "iat": NOW, "exp": NOW + 60, "jti": "j"}
_GRANT = "grt_" + "a" * 22


def _ticket(data: bytes) -> None:
    """Read what the site has signed: a ticket, and a logout token (SIGNIN-3, SIGNIN-7)."""
    keys, claims = [Key(str(PUBLIC["x"]), str(PUBLIC["y"]), "k")], _object(data)
    with suppress(Refused):
        ticket.verify(jwt.sign(claims, ticket.TYP, "k", KEY), keys, "https://bank.example", ISSUER, NOW)
    ticket.ended(jwt.sign(claims, ticket.LOGOUT_TYP, "k", KEY), keys, "https://bank.example", ISSUER, NOW)


LOGIN = "https://login.example"
ID_TOKEN = _dumps(
    iss=LOGIN, aud="x", sub="7", nonce="n", iat=NOW, exp=NOW + 60, auth_time=NOW, name="Ada", sid="s"
)
LOGOUT = _dumps(
    iss=LOGIN,
    aud="x",
    sid="s",
    iat=NOW,
    exp=NOW + 60,
    jti="j",
    events={"http://schemas.openid.net/event/backchannel-logout": {}},
)


def _of_provider(data: bytes) -> None:
    """Read what the site's provider has signed (OPENID-3, SIGNIN-7)."""
    claims = _object(data)
    with suppress(Refused):
        openid.identity_of(claims, LOGIN, "x", "n", NOW)
    openid.ended_by(claims, LOGIN, "x", NOW)


TARGETS: Mapping[str, Target] = {
    "ticket": Target(
        _ticket,
        (
            _dumps(
                iss="https://bank.example",
                aud=ISSUER,
                sub="7",
                name="Ada",
                iat=NOW,
                exp=NOW + 60,
                jti="j",
                auth_time=NOW,
                state="chl_x",
                sid="s",
                session_expiry=NOW + 9,
            ),
        ),
        (Refused, JsonError),
    ),
    "id-token": Target(_of_provider, (ID_TOKEN, LOGOUT), (Refused, JsonError)),
    "provider-token": Target(
        lambda data: provider_token.verify(_text(data), [{**PUBLIC, "kid": "k"}], (None,)),
        (jwt.sign({"sub": "7"}, "", "k", KEY).encode(),),
        (Refused, UnknownKey),
    ),
    "provider-metadata": Target(
        lambda data: openid.read_metadata(parse(data), LOGIN, False),
        (
            _dumps(
                issuer=LOGIN,
                authorization_endpoint=f"{LOGIN}/a?b=c",
                token_endpoint=f"{LOGIN}/t",
                jwks_uri=f"{LOGIN}/k",
                userinfo_endpoint=f"{LOGIN}/u",
                code_challenge_methods_supported=["S256"],
            ),
        ),
        (Refused, JsonError),
    ),
    "json": Target(
        _json, (b'{"b":[1,2.5e-7,"\\u00e9\\ud83d\\ude00"],"a":null}', b'{"\xc3\xa9":-0.0,"e":1e21}'), ()
    ),
    "input": Target(
        _input,
        (b'{"a":1,"deputize_delegation":"e30.e30.e30~e30.e30.e30"}', b'{"deputize_delegation":1}'),
        (JsonError,),
    ),
    "arguments": Target(lambda data: from_body("application/json", data), (b'{"amount":1}',)),
    "query": Target(lambda data: from_query(data, SCHEMA), (b"a=x%20y&n=1.5&l=1&l=2&b=true&i=7",)),
    "path": Target(_path, (b"/api/a%20b/x", b"/api/%C3%A4,:@/x"), (ValueError,)),
    "form": Target(
        lambda data: parse_form(data.decode("latin-1")), (b"grant_type=a&resource=b&resource=c&scope=",)
    ),
    "limit": Target(
        _limit,
        (
            b'{"type":"object","properties":{"a":{"enum":[1,"x"]},"b":{"anyOf":[{"const":1},{"minimum":2}]}},"required":["a"]}',
            b'{"not":{"required":["a"]},"allOf":[{"additionalProperties":{"items":{"maxLength":3}}}]}',
        ),
        (ValueError,),
    ),
    "details": Target(
        _details,
        (
            b'[{"type":"webmcp_tool","tool":"note","schema":{"properties":{"amount":{"maximum":5}}},"max_calls":3}]',
            b'[{"type":"webmcp_tool","tool":"note","sum":{"/amount":5.5},"not_before":1,"not_after":2000000000,"hours":["09:00","17:00"]}]',
        ),
        (Refused, JsonError),
    ),
    "description": Target(
        _description,
        (b'{"amount":250,"name":"Ada","iban":"DE89370400440532013000","list":[1,"a"]}',),
        (ValueError,),
    ),
    "client-document": Target(
        lambda data: parse_client(AGENT, data),
        (
            _dumps(
                client_id=AGENT,
                client_name="Any",
                redirect_uris=["https://helper.example/cb", "http://127.0.0.1/cb"],
                grant_types=["authorization_code"],
                token_endpoint_auth_method="private_key_jwt",
                jwks={"keys": [PUBLIC]},
                scope="a b",
            ),
        ),
    ),
    "keys": Target(lambda data: parse_keys(parse(data)), (_dumps(keys=[PUBLIC]),), (ValueError, Refused)),
    "receipt": Target(
        _receipt,
        (
            _dumps(
                v=1,
                checkpoint=NOTE,
                entries=[
                    {
                        "index": 0,
                        "leaf": '{"i":0,"t":1,"kind":"x","args_commitment":"x"}',
                        "proof": ["A" * 43 + "="],
                    }
                ],
                opening={"arguments": {"a": 1}, "args_salt": "A" * 43},
            ),
        ),
        (ValueError,),
    ),
    "jws": Target(lambda data: jwt.parse(_text(data)), (jwt.sign(_CLAIMS, "at+jwt", "k", KEY).encode(),)),
    "proof": Target(
        _proof,
        (
            _dumps(
                header={"typ": "dpop+jwt", "alg": "ES256", "jwk": PUBLIC},
                claims={"htm": "POST", "htu": f"{ISSUER}/calls", "iat": NOW, "jti": "j"},
            ),
        ),
        (Refused, JsonError),
    ),
    "proof-text": Target(lambda data: dpop.verify([_text(data)], "POST", ISSUER, NOW), (b"e30.e30.e30",)),
    "assertion": Target(
        _signed(_assertion, "JWT"),
        (orjson.dumps({**_CLAIMS, "iss": AGENT, "sub": AGENT}),),
        (Refused, JsonError),
    ),
    "delegation": Target(
        _signed(lambda token: Delegation.parse(_claims(token), ISSUER, NOW), "t"),
        (
            orjson.dumps(
                {
                    **_CLAIMS,
                    "client_id": AGENT,
                    "grant_id": _GRANT,
                    "scope": "a b",
                    "auth_time": NOW,
                    "amr": ["hwk"],
                    "act": {"sub": AGENT, "assurance": "origin"},
                    "cnf": {"jkt": "A" * 43},
                }
            ),
        ),
        (Refused, ValueError),
    ),
    "call-token": Target(
        _signed(lambda token: CallToken.parse(_claims(token), ISSUER, ISSUER, NOW), "t"),
        (
            orjson.dumps(
                {
                    **_CLAIMS,
                    "txn": "cal_" + "a" * 22,
                    "scope": "a",
                    "rctx": {"client_id": AGENT, "grant_id": _GRANT},
                    "tctx": {"tool": "note", "args_s256": "A" * 43, "approval": None, "entry": 1},
                }
            ),
        ),
        (Refused, ValueError),
    ),
    "handoff": Target(
        _signed(lambda token: Handoff.parse(_claims(token), ISSUER, NOW), "t"),
        (
            orjson.dumps(
                {
                    **_CLAIMS,
                    "grant_id": _GRANT,
                    "scope": "a b",
                    "authorization_details": [],
                    "may_act": {"sub": AGENT},
                    "cnf": {"jkt": "A" * 43},
                }
            ),
        ),
        (Refused, ValueError),
    ),
    "http-signature": Target(_http_signature, (_signed_request(),)),
    "registration": Target(_registration, REGISTRATIONS),
    "authentication": Target(_authentication, AUTHENTICATIONS),
    "note": Target(_note, (NOTE.encode(),), (NoteError, ValueError)),
    "verifier": Target(lambda data: Verifier.parse(_text(data)), (VERIFIER.vkey().encode(),), (NoteError,)),
    "url": Target(_url, (b"https://bank.example:8443/a/b?c=d", b"http://[::1]:80/"), (ValueError,)),
    "redirect": Target(
        _redirect,
        (b"https://helper.example/cb?a=b", b"http://127.0.0.1/cb", b"example.helper:/cb"),
        (ValueError,),
    ),
    "scopes": Target(_scopes, (b"account:read payments:write",), (ValueError, Refused)),
    "cookie": Target(_cookie, (b"a=b; __Host-deputize=x.y",)),
    "sealed": Target(
        lambda data: _sealer().open("csrf", _text(data)), (_sealer().seal("csrf", [1]).encode(),)
    ),
    "request": Target(_request, MESSAGES, ()),
    "policy": Target(
        settings.loads, (Path(settings.__file__).with_name("template.toml").read_bytes(),), (PolicyError,)
    ),
}
"""All of them, by name."""
