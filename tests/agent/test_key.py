"""An agent's key and its file."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key

from deputize.agent import AgentKey
from deputize.crypto import client_assertion, dpop
from deputize.protocol.errors import Refused
from deputize.protocol.jwk import parse_keys, thumbprint

NOW = 1_800_000_000


def test_is_the_same_after_it_was_saved(tmp_path: Path, key: AgentKey) -> None:
    file = tmp_path / "agent.jwk"
    key.save(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert AgentKey.load(file).public_jwk() == key.public_jwk()
    assert AgentKey.load(str(file)).thumbprint == key.thumbprint == thumbprint(key.public_jwk())


def test_never_takes_the_place_of_another(tmp_path: Path, key: AgentKey) -> None:
    file = tmp_path / "agent.jwk"
    AgentKey.generate().save(file)
    before = file.read_bytes()
    with pytest.raises(FileExistsError):
        key.save(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        "x",
        '{"kty": "EC"}',
        '{"kty": "oct", "k": "c2VjcmV0LXNlY3JldA"}',
        '{"keys": []}',
        "\x80",
    ],
)
def test_is_read_from_a_key_file_only(tmp_path: Path, content: str) -> None:
    file = tmp_path / "agent.jwk"
    file.write_text(content)
    with pytest.raises(ValueError, match="does not hold a private P-256 key") as caught:
        AgentKey.load(file)
    assert "c2VjcmV0" not in str(caught.value)


def test_the_public_half_is_no_key_file(tmp_path: Path, key: AgentKey) -> None:
    file = tmp_path / "agent.jwk"
    file.write_text(json.dumps(key.public_jwk()))
    with pytest.raises(ValueError, match="does not hold a private P-256 key"):
        AgentKey.load(file)
    with pytest.raises(FileNotFoundError):
        AgentKey.load(tmp_path / "nothing.jwk")


def test_is_of_one_curve() -> None:
    with pytest.raises(ValueError, match="P-256"):
        AgentKey(generate_private_key(SECP384R1()))


def test_shows_its_public_half_only(tmp_path: Path, key: AgentKey) -> None:
    assert "d" not in key.public_jwk()
    assert parse_keys({"keys": [key.public_jwk()]})[0].kid == key.thumbprint
    key.save(tmp_path / "agent.jwk")
    private = json.loads((tmp_path / "agent.jwk").read_text())["d"]
    assert private not in repr(key) + str(key) + repr(vars(key))


def test_its_assertion_is_what_the_authority_wants(key: AgentKey) -> None:  # OAUTH-1
    keys = parse_keys({"keys": [key.public_jwk()]})
    assertion = key.assertion("https://agent.example/a.json", "https://bank.example/deputize", NOW)
    arguments = (assertion, client_assertion.ASSERTION_TYPE, keys, "https://agent.example/a.json")
    assert client_assertion.verify(*arguments, "https://bank.example/deputize", NOW).jkt == key.thumbprint
    with pytest.raises(Refused):
        client_assertion.verify(*arguments, "https://other.example", NOW)


def test_its_proof_is_for_one_request(key: AgentKey) -> None:  # PROOF-1, EVID-2
    url = "https://bank.example/deputize/calls"
    proof = key.proof("POST", url, NOW, "token", tool="note", args_s256="x")
    bound = {"tool": "note", "args_s256": "x"}
    assert dpop.verify([proof], "POST", url, NOW, access_token="token", bound=bound).jkt == key.thumbprint
    assert key.proof("POST", url, NOW) != key.proof("POST", url, NOW)
