"""What an agent publishes of itself."""

from typing import Any

import pytest

from deputize.agent import AgentKey, client_document
from deputize.protocol.canonical import canonicalize
from deputize.protocol.client import GRANT_TYPES, parse_client

HERE = "https://agent.example/agent.json"
CALLBACK = "http://127.0.0.1/callback"


def test_is_what_an_authority_reads(key: AgentKey) -> None:
    document = client_document(HERE, "My Agent", [key, AgentKey.generate()], [CALLBACK], "a b")
    client = parse_client(HERE, canonicalize(document))
    assert (client.name, client.redirect_uris, client.grant_types) == ("My Agent", (CALLBACK,), GRANT_TYPES)
    assert client.keys[0].kid == key.thumbprint
    assert (str(client.scopes), client.dpop_bound_access_tokens) == ("a b", True)


def test_without_a_redirect_there_is_the_device_grant(key: AgentKey) -> None:
    document = client_document(HERE, "My Agent", [key])
    assert document["response_types"] == []
    assert parse_client(HERE, canonicalize(document)).grant_types == GRANT_TYPES - {"authorization_code"}


def test_on_this_machine_it_is_for_development(key: AgentKey) -> None:
    assert (
        client_document("http://localhost:1/a.json", "My Agent", [key])["client_id"]
        == "http://localhost:1/a.json"
    )


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"client_id": "http://agent.example/agent.json"}, "https://"),
        ({"client_id": "https://agent.example/agent.json?x"}, "query"),
        ({"client_id": "https://agent.example"}, "client_id"),
        ({"name": " "}, "client_name"),
        ({"name": "x" * 65}, "client_name"),
        ({"redirect_uris": ["http://agent.example/cb"]}, "redirect URI"),
        ({"keys": []}, "JWK Set"),
        ({"scope": "a  b"}, "scope"),
    ],
    ids=str,
)
def test_what_no_authority_would_take_is_not_made(key: AgentKey, changed: dict[str, Any], why: str) -> None:
    good: dict[str, Any] = {"client_id": HERE, "name": "My Agent", "keys": [key], "redirect_uris": [CALLBACK]}
    with pytest.raises(ValueError, match=why):
        client_document(**{**good, **changed})
