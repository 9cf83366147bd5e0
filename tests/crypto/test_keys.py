"""The ring of keys: private, whole, rotated under a running server; two processes lose nothing (TOKEN-6)."""

import stat
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from tests.starving import KEEPING, no_descriptors

from deputize.crypto import jwt, note
from deputize.crypto.keys import KEPT, PUBLISHED_FIRST, KeyFileError, KeyRing
from deputize.protocol.jwk import thumbprint

NOW = 1_800_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def late() -> float:
    """Tell a time at which all keys have been published for long."""
    return NOW + PUBLISHED_FIRST


def numbers(key: EllipticCurvePublicKey | None) -> object:
    assert key is not None
    return key.public_numbers()


def test_the_thumbprint_of_rfc_7638_section_3_1() -> None:
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
        "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
        "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
        "kEgU8awapJzKnqDKgw"
    )
    jwk: dict[str, Any] = {"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_thumbprint_of_rfc_8037_appendix_a_3() -> None:
    jwk: dict[str, Any] = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(jwk) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    "jwk", [{}, {"kty": "oct", "k": "AA"}, {"kty": "EC", "crv": "P-256", "x": "AA"}, {"kty": []}]
)
def test_what_is_no_public_key_has_no_thumbprint(jwk: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="JWK"):
        thumbprint(jwk)


def test_first_use_makes_a_private_file_that_later_uses_read(path: Path) -> None:
    first, again = KeyRing.open(path), KeyRing.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert first.secret == again.secret
    assert len(first.secret) == 32
    assert first.jwks() == again.jwks()
    assert first.record_key().private_bytes_raw() == again.record_key().private_bytes_raw()
    assert first.record_key().private_bytes_raw() != first.secret


def test_two_rings_have_nothing_in_common(tmp_path: Path) -> None:
    one, other = KeyRing.open(tmp_path / "one.json"), KeyRing.open(tmp_path / "other.json")
    assert one.secret != other.secret
    assert one.signing_key()[0] != other.signing_key()[0]
    assert one.record_key().private_bytes_raw() != other.record_key().private_bytes_raw()


def test_a_file_that_others_could_read_is_made_private(path: Path) -> None:
    KeyRing.open(path)
    path.chmod(0o644)
    KeyRing.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_jwks_shows_public_keys_named_by_their_thumbprint(path: Path) -> None:
    ring = KeyRing.open(path)
    kid, private_key = ring.signing_key()
    match ring.jwks():
        case {"keys": [jwk]}:
            pass
        case _:
            pytest.fail("not a JWK Set of one key")
    assert isinstance(jwk, dict)
    assert set(jwk) == {"alg", "crv", "kid", "kty", "use", "x", "y"}
    assert jwk["kid"] == kid == thumbprint(jwk)
    assert (jwk["alg"], jwk["use"]) == ("ES256", "sig")
    assert numbers(jwt.public_key(str(jwk["x"]), str(jwk["y"]))) == numbers(private_key.public_key())
    assert numbers(ring.public_key(kid)) == numbers(private_key.public_key())
    assert ring.public_key("unknown") is None


def test_what_the_keys_sign_is_verified(path: Path) -> None:
    ring = KeyRing.open(path)
    kid, key = ring.signing_key()
    token = jwt.sign({"iss": "https://site.example"}, "at+jwt", kid, key)
    ring.rotate(NOW)
    assert jwt.verify(token, "at+jwt", ring.public_key) == {"iss": "https://site.example"}
    signed = note.sign("text\n", "site.example", ring.record_key())
    assert note.open_note(signed, [note.Verifier("site.example", ring.record_key().public_key())]) == "text\n"


def test_a_rotated_key_stays_known_until_nothing_by_it_can_be_valid(path: Path) -> None:
    ring = KeyRing.open(path, late)
    old = ring.signing_key()[0]
    new = ring.rotate(NOW)
    assert ring.signing_key()[0] == new != old
    assert [(key.kid, key.replaced_at) for key in ring.list()] == [(new, None), (old, NOW)]
    assert ring.list()[0].created_at == NOW
    assert ring.retire(NOW + KEPT - 1) == ()
    assert ring.public_key(old) is not None
    assert ring.retire(NOW + KEPT) == (old,)
    assert ring.public_key(old) is None
    assert [key.kid for key in ring.list()] == [new]
    assert ring.retire(NOW + 9 * KEPT) == ()
    assert [key.kid for key in KeyRing.open(path).list()] == [new]


def test_rotation_leaves_the_record_key_and_the_secret(path: Path) -> None:
    ring = KeyRing.open(path)
    secret, record = ring.secret, ring.record_key().private_bytes_raw()
    ring.rotate(NOW)
    again = KeyRing.open(path)
    assert (again.secret, again.record_key().private_bytes_raw()) == (secret, record)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_token_6_what_one_process_signs_another_verifies_at_once(path: Path) -> None:
    """However often the keys are rotated, and whichever of two processes does it."""
    one, other = KeyRing.open(path, late), KeyRing.open(path, late)
    for signs, rotates, verifies in 20 * [(one, one, other), (one, other, other), (other, one, one)]:
        rotates.rotate(NOW)
        kid, key = signs.signing_key()
        token = jwt.sign({"iss": "https://site.example"}, "at+jwt", kid, key)
        assert jwt.verify(token, "at+jwt", verifies.public_key) == {"iss": "https://site.example"}
    assert one.jwks() == other.jwks()


def test_token_6_a_key_is_published_before_it_signs(path: Path) -> None:
    """Also where it is rotated again meanwhile, and where the clock goes back behind all of it."""
    now = [float(NOW)]
    ring = KeyRing.open(path, lambda: now[0])
    first = ring.signing_key()[0]
    second = ring.rotate(NOW)
    now[0] += PUBLISHED_FIRST - 1
    third = ring.rotate(int(now[0]))
    assert ring.signing_key()[0] == first
    now[0] += 1
    assert ring.signing_key()[0] == second
    now[0] += PUBLISHED_FIRST - 1
    assert ring.signing_key()[0] == third
    now[0] -= 24 * 3600
    assert ring.signing_key()[0] == first


def test_token_6_keys_that_there_are_not_make_nobody_read(path: Path) -> None:
    ring = KeyRing.open(path)
    end = time.monotonic() + 10
    while time.time() - path.stat().st_ctime <= 1.1:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert ring.public_key("") is None
    with no_descriptors():
        assert not any(ring.public_key(f"kid {number}") for number in range(1000))
        assert ring.fault is None


@pytest.mark.parametrize("keeping", KEEPING.values(), ids=KEEPING)
def test_token_6_a_file_that_cannot_be_read_takes_no_keys_away(path: Path, keeping: Any) -> None:
    server, other = KeyRing.open(path, late), KeyRing.open(path, late)
    old = server.signing_key()[0]
    new = other.rotate(NOW)
    with keeping(path):
        assert server.signing_key()[0] == old
        assert server.public_key(old) is not None
        assert server.public_key(new) is None
        assert server.fault is not None
    assert server.public_key(new) is not None
    assert server.signing_key()[0] == new
    assert server.fault is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"signing": []}', b"[" * 100_000, b"\xff"])
def test_token_6_nor_does_one_that_holds_none(path: Path, data: bytes) -> None:
    server = KeyRing.open(path)
    kid, good = server.signing_key()[0], path.read_bytes()
    for part in (data, good[:-1], good[: len(good) // 2]):
        path.write_bytes(part)
        assert server.signing_key()[0] == kid
        assert server.public_key(kid) is not None
        assert server.fault == f"{path} does not hold the keys of an authority"
    path.write_bytes(good)
    assert server.signing_key()[0] == kid
    assert server.fault is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.pop("secret"),
        lambda content: content.update(secret="AAAA"),
        lambda content: content.update(record=content["record"] + "="),
        lambda content: content.update(record=7),
        lambda content: content.update(handovers=["words"]),
        lambda content: content.update(handovers=7),
        lambda content: content["signing"].clear(),
        lambda content: content["signing"][0].pop("d"),
        lambda content: content["signing"][0].pop("created_at"),
        lambda content: content["signing"][0].update(x=content["signing"][0]["y"]),
        lambda content: content["signing"][0].update(crv="P-384"),
    ],
)
def test_a_damaged_file_is_refused_and_its_content_is_not_told(path: Path, damage: Any) -> None:
    KeyRing.open(path)
    content = orjson.loads(path.read_bytes())
    damage(content)
    path.write_bytes(orjson.dumps(content))
    with pytest.raises(KeyFileError) as refused:
        KeyRing.open(path)
    assert str(refused.value) == f"{path} does not hold the keys of an authority"
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"signing": 5}'])
def test_a_file_of_another_kind_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(KeyFileError):
        KeyRing.open(path)
    assert path.read_bytes() == data


def test_a_half_written_file_of_a_crash_is_no_hindrance(path: Path) -> None:
    ring = KeyRing.open(path)
    path.with_name("keys.json.new").write_bytes(b'{"signing": [')
    new = ring.rotate(NOW)
    assert KeyRing.open(path, late).signing_key()[0] == new
    assert list(path.parent.iterdir()) == [path]


def test_a_key_shows_nothing_of_itself_when_printed(path: Path) -> None:
    assert "private" not in repr(KeyRing.open(path).list())


def rotate(path: Path) -> list[str]:
    return [KeyRing.open(path).rotate(NOW) for _ in range(5)]


def test_processes_that_open_and_rotate_at_once_lose_nothing(path: Path) -> None:
    with ProcessPoolExecutor(4, get_context("spawn")) as processes:
        rotated = [kid for kids in processes.map(rotate, [path] * 4) for kid in kids]
    kids = [key.kid for key in KeyRing.open(path).list()]
    assert len(kids) == len(set(kids)) == 1 + 4 * 5
    assert set(rotated) < set(kids)
