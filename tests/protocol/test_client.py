"""Client ID Metadata Documents: what an agent may say of itself, with the least change that is refused."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol import redirect
from deputize.protocol.client import ClientDocument, parse_client
from deputize.protocol.errors import Code, Refused
from deputize.protocol.ids import ClientId
from deputize.protocol.url import Url

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "clients.json").read_text())
DOCUMENT: dict[str, Any] = VECTORS["document"]
URL = DOCUMENT["client_id"]
CLIENT = Url.parse(URL)


def changed(change: dict[str, Any]) -> bytes:
    members = {name: value for name, value in (DOCUMENT | change).items() if value is not None}
    if members.get("jwks_uri") == "null":
        members["jwks_uri"] = None
    return json.dumps(members).encode()


def read(change: dict[str, Any]) -> ClientDocument:
    return parse_client(URL, changed(change))


def refused(document: bytes, url: str = URL, development: bool = False) -> tuple[Code, str]:
    with pytest.raises(Refused) as caught:
        parse_client(url, document, development)
    return caught.value.refusal.code, caught.value.refusal.detail


@pytest.mark.parametrize("case", VECTORS["documents"], ids=lambda case: case["name"])
def test_documents_are_read_or_refused_as_the_vectors_say(case: dict[str, Any]) -> None:
    if (reason := case.get("refused")) is not None:
        code, detail = refused(changed(case["change"]))
        assert code is Code.INVALID_CLIENT_METADATA
        assert reason in detail
        return
    document = read(case["change"])
    for name, value in case.get("read", {}).items():
        found: Any = getattr(document, {"scope": "scopes"}.get(name, name))
        if name in ("keys", "redirect_uris"):
            assert len(found) == (value if name == "keys" else len(value))
        else:
            assert (found if found is None or isinstance(found, bool) else str(found)) == value


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"{}",
        b"\xef\xbb\xbf" + changed({}),
        changed({}).decode().encode("utf-16"),
        changed({})[:-1] + b', "client_id": "x"}',
        changed({})[:-1] + b', "client_name": "\xff"}',
        changed({})[:-1] + b', "x": "\\ud800"}',
        changed({})[:-1] + b', "x": NaN}',
        changed({})[:-1] + b', "x": ' + b"[" * 64 + b"]" * 64 + b"}",
        b"[" * 60_000,
    ],
    ids=lambda document: repr(document[-30:]),
)
def test_documents_that_are_no_strict_json_object_are_refused(document: bytes) -> None:  # JSON-1
    assert refused(document)[0] is Code.INVALID_CLIENT_METADATA


@pytest.mark.parametrize(
    ("url", "development"),
    [
        ("https://agent.example", False),
        ("https://agent.example/agent.json?x", False),
        ("https://agent.example/agent.json?", False),
        ("http://localhost:9000/agent.json", False),
        ("http://localhost:9000/agent.json?x", True),
        ("agt_x", False),
        ("", False),
    ],
)
def test_what_cannot_name_a_client_is_refused(url: str, development: bool) -> None:
    assert refused(changed({"client_id": url}), url, development)[0] is Code.INVALID_CLIENT


def test_for_development_a_client_may_be_on_this_machine() -> None:
    url = "http://localhost:9000/agent.json"
    keys = {"jwks": None, "jwks_uri": "http://localhost:9000/keys"}
    document = parse_client(url, changed({"client_id": url, **keys}), development=True)
    assert (document.client_id, document.jwks_uri, document.uri) == (url, keys["jwks_uri"], None)


@pytest.mark.parametrize("mark", list('"“”„‟«»″\uff02'))
def test_a_name_has_no_quotation_marks_to_end_it(mark: str) -> None:
    assert read({"client_name": f"A{mark}, of the bank {mark}B"}).name == "A’, of the bank ’B"


def test_a_refusal_tells_nothing_of_the_document() -> None:
    for change in (
        {"scope": 'x\\"y'},
        {"redirect_uris": ["<script>"]},
        {"token_endpoint_auth_method": "<b>"},
    ):
        assert not set(refused(changed(change))[1]) & set('<>"\\')


def test_refusals_have_codes_of_rfc_6749_and_rfc_7591() -> None:
    assert (Code.INVALID_CLIENT.status, Code.INVALID_CLIENT_METADATA.status) == (401, 400)


@pytest.mark.parametrize("case", VECTORS["redirect_uris"], ids=lambda case: repr(case["text"])[:60])
def test_a_redirect_uri_is_good_or_refused_as_the_vectors_say(case: dict[str, Any]) -> None:
    if case["valid"]:
        assert redirect.redirect_uri(case["text"], CLIENT) == case["text"]
        assert redirect.matches(case["text"], read({"redirect_uris": [case["text"]]}).redirect_uris)
    else:
        with pytest.raises(ValueError, match=r"redirect URI|a URL here"):
            redirect.redirect_uri(case["text"], CLIENT)


@pytest.mark.parametrize("case", VECTORS["allowed"]["cases"], ids=lambda case: repr(case["text"]))
def test_codes_go_where_the_document_says(case: dict[str, Any]) -> None:  # OAUTH-3
    document = read({"redirect_uris": VECTORS["allowed"]["registered"]})
    assert redirect.matches(case["text"], document.redirect_uris) is case["valid"]


@given(st.sampled_from(VECTORS["allowed"]["registered"]), st.text(max_size=3), st.integers(0, 40))
def test_codes_go_nowhere_else(registered: str, inserted: str, where: int) -> None:
    uri = registered[:where] + inserted + registered[where:]
    document = read({"redirect_uris": [registered]})
    local = registered.startswith("http://")
    assert (
        not redirect.matches(uri, document.redirect_uris)
        or uri == registered
        or (local and _same_but_port(uri, registered))
    )


def _same_but_port(one: str, other: str) -> bool:
    def split(uri: str) -> tuple[str, str]:
        authority, slash, rest = uri.removeprefix("http://").partition("/")
        host, colon, port = authority.rpartition(":") if not authority.endswith("]") else (authority, "", "")
        assert not colon or port.isdigit()
        return (host if colon else authority), slash + rest

    return split(one) == split(other)


ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
SAME: list[dict[str, Any]] = [
    {},
    {"logo_uri": "https://agent.example/logo.png"},
    {"redirect_uris": DOCUMENT["redirect_uris"][::-1]},
    {"grant_types": DOCUMENT["grant_types"][::-1]},
    {"client_name": " Example Agent "},
    {"jwks": {"keys": [{**DOCUMENT["jwks"]["keys"][0], "use": "sig"}]}},
]
OTHER: list[dict[str, Any]] = [
    {"client_name": "Example agent"},
    {"client_uri": "https://agent.example/"},
    {"client_uri": None},
    {"redirect_uris": ["https://agent.example/callback"]},
    {"redirect_uris": ["https://agent.example/callback", "http://127.0.0.1:1/callback"]},
    {"grant_types": ["authorization_code"]},
    {"token_endpoint_auth_method": "none"},
    {"jwks": {"keys": [{**DOCUMENT["jwks"]["keys"][0], "kid": "2"}]}},
    {"jwks": {"keys": [{**DOCUMENT["jwks"]["keys"][0], "x": DOCUMENT["jwks"]["keys"][0]["y"]}]}},
    {"jwks": {"keys": [DOCUMENT["jwks"]["keys"][0], ED25519]}},
    {"jwks": None, "jwks_uri": "https://agent.example/keys"},
    {"scope": "account:read payments:write"},
    {"scope": None},
    {"dpop_bound_access_tokens": False},
]


def test_the_hash_is_of_what_matters() -> None:
    before = read({}).document_s256
    assert [read(change).document_s256 == before for change in SAME] == [True] * len(SAME)
    hashes = {read(change).document_s256 for change in OTHER}
    assert len(hashes | {before}) == len(OTHER) + 1


def test_the_hash_is_of_every_field() -> None:
    document, other = read({}), read({"token_endpoint_auth_method": "none", "jwks": None})
    others = replace(
        other,
        client_id=ClientId("https://agent.example/other.json"),
        name="x",
        uri=None,
        redirect_uris=(),
        jwks_uri="https://agent.example/keys",
        grant_types=frozenset(),
        scopes=None,
        dpop_bound_access_tokens=False,
    )
    for field in fields(ClientDocument):
        change: dict[str, Any] = {field.name: getattr(others, field.name)}
        assert replace(document, **change).document_s256 != document.document_s256, field.name


@pytest.mark.parametrize(
    ("uri", "kind", "is_it"),
    [
        (URL, "cimd", True),
        (URL + "/", "cimd", False),
        (URL + "?x", "cimd", False),
        (URL.upper(), "cimd", False),
        (URL, "directory", False),
        (URL, "jwks_uri", False),
        (URL, "CIMD", False),
        (URL, "", False),
        ("https://agent.example", "directory", True),
        ("https://agent.example/", "directory", True),
        ("https://agent.example//", "directory", False),
        ("https://agent.example:443", "directory", False),
        ("https://agent.example.evil.example", "directory", False),
        ("https://evil.example", "directory", False),
        ("http://agent.example", "directory", False),
        ("https://agent.example", "cimd", False),
        ("https://agent.example/keys", "jwks_uri", True),
        ("https://agent.example/keys/", "jwks_uri", False),
        ("https://agent.example/keys", "cimd", False),
        ("", "directory", False),
    ],
)
def test_a_signature_agent_is_this_client_or_another(uri: str, kind: str, is_it: bool) -> None:  # OAUTH-15
    document = read({"jwks": None, "jwks_uri": "https://agent.example/keys"})
    assert document.is_at(uri, kind) is is_it
    if kind == "jwks_uri":
        assert not read({}).is_at(uri, kind)
