"""WebAuthn ceremonies: the published vectors, and what a software authenticator can do to us (CRED-1)."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from tests.ill_formed import inside

from deputize.crypto.webauthn import Ceremonies, creation_options, request_options
from deputize.protocol.canonical import Json, b64u, unb64u
from deputize.protocol.credential import Credential
from deputize.protocol.errors import Code, Refused
from deputize.protocol.ids import CredentialId, UserId
from deputize.service.ports import Assertion

RP_ID = "example.org"
ORIGIN = "https://example.org"
CHALLENGE = bytes(range(64))
HANDLE = b"handle"
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "webauthn-l3.json").read_text())["vectors"]
CEREMONIES = Ceremonies(RP_ID, frozenset({ORIGIN, "https://auth.example.org"}))

PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED, EXTENDED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
RSA_KEY = rsa.generate_private_key(65537, 2048)


@dataclass
class Authenticator:
    """A key made in software, with what the browser and the authenticator would say around it."""

    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    algorithm: int = -7
    credential_id: bytes = b"credential"
    rp_id: str = RP_ID
    flags: int = PRESENT | VERIFIED
    sign_count: int = 7
    client: dict[str, Any] = field(default_factory=dict)
    raw_client_data: bytes | None = None
    tail: bytes = b""

    def cose(self) -> dict[int, Any]:
        match self.key:
            case ec.EllipticCurvePrivateKey():
                numbers = self.key.public_key().public_numbers()
                size = (self.key.key_size + 7) // 8
                curve = {256: 1, 384: 2, 521: 3}[self.key.key_size]
                return {
                    1: 2,
                    3: self.algorithm,
                    -1: curve,
                    -2: numbers.x.to_bytes(size),
                    -3: numbers.y.to_bytes(size),
                }
            case ed25519.Ed25519PrivateKey():
                return {1: 1, 3: self.algorithm, -1: 6, -2: self.key.public_key().public_bytes_raw()}
            case rsa.RSAPrivateKey():
                public = self.key.public_key().public_numbers()
                return {
                    1: 3,
                    3: self.algorithm,
                    -1: public.n.to_bytes(self.key.key_size // 8),
                    -2: b"\x01\x00\x01",
                }

    def client_data(self, ceremony: str) -> bytes:
        if self.raw_client_data is not None:
            return self.raw_client_data
        said = {"type": ceremony, "challenge": b64u(CHALLENGE), "origin": ORIGIN, "crossOrigin": False}
        said |= self.client
        return json.dumps({name: value for name, value in said.items() if value is not ...}).encode()

    def authenticator_data(self, attested: bytes = b"") -> bytes:
        flags = self.flags | (ATTESTED if attested else 0)
        rp_id_hash = hashlib.sha256(self.rp_id.encode()).digest()
        return rp_id_hash + bytes([flags]) + self.sign_count.to_bytes(4) + attested + self.tail

    def create(self, fmt: str = "none", statement: dict[str, Any] | None = None) -> dict[str, Any]:
        attested = (
            bytes(16) + len(self.credential_id).to_bytes(2) + self.credential_id + cbor2.dumps(self.cose())
        )
        data = self.authenticator_data(attested)
        attestation = cbor2.dumps({"fmt": fmt, "attStmt": statement or {}, "authData": data})
        return {
            "id": b64u(self.credential_id),
            "rawId": b64u(self.credential_id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": b64u(self.client_data("webauthn.create")),
                "attestationObject": b64u(attestation),
                "transports": ["internal", "hybrid", "carrier-pigeon"],
                "publicKeyAlgorithm": self.algorithm,
            },
        }

    def get(self) -> dict[str, Any]:
        client_data = self.client_data("webauthn.get")
        data = self.authenticator_data()
        return {
            "id": b64u(self.credential_id),
            "rawId": b64u(self.credential_id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": b64u(client_data),
                "authenticatorData": b64u(data),
                "signature": b64u(self.sign(data + hashlib.sha256(client_data).digest())),
                "userHandle": b64u(HANDLE),
            },
        }

    def sign(self, data: bytes) -> bytes:
        match self.key:
            case ec.EllipticCurvePrivateKey():
                return self.key.sign(data, ec.ECDSA(SHA256()))
            case ed25519.Ed25519PrivateKey():
                return self.key.sign(data)
            case rsa.RSAPrivateKey():
                return self.key.sign(data, padding.PKCS1v15(), SHA256())

    def credential(self) -> Credential:
        return Credential(
            credential_id=CredentialId(b64u(self.credential_id)),
            user_id=UserId("usr_1"),
            public_key=cbor2.dumps(self.cose()),
            sign_count=3,
            transports=frozenset({"usb", "nfc"}),
            label="key",
            created_at=0,
            active=True,
        )


def assertion(response: Any, of: Authenticator) -> Assertion:
    return CEREMONIES.authentication(response, CHALLENGE, of.credential(), HANDLE)


def accepted(authenticator: Authenticator) -> None:
    """Both ceremonies of this authenticator are right."""
    assert assertion(authenticator.get(), authenticator).sign_count == authenticator.sign_count
    created = CEREMONIES.registration(authenticator.create(), CHALLENGE)
    assert created.credential_id == b64u(authenticator.credential_id)


def refused_assertion(response: Any, of: Authenticator) -> None:
    with pytest.raises(Refused) as caught:
        assertion(response, of)
    assert caught.value.refusal.code is Code.SIGNATURE_VERIFICATION_FAILED
    assert caught.value.refusal.facts == {}


def refused_registration(response: Any) -> None:
    with pytest.raises(Refused) as caught:
        CEREMONIES.registration(response, CHALLENGE)
    assert caught.value.refusal.code is Code.VERIFICATION_FAILED
    assert caught.value.refusal.facts == {}


ES256 = Authenticator()
ED25519 = Authenticator(ed25519.Ed25519PrivateKey.generate(), -8)
RS256 = Authenticator(RSA_KEY, -257)


@pytest.mark.parametrize("authenticator", [ES256, ED25519, RS256], ids=["ES256", "EdDSA", "RS256"])
def test_a_right_ceremony_is_accepted(authenticator: Authenticator) -> None:
    registration = CEREMONIES.registration(authenticator.create(), CHALLENGE)
    assert registration.credential_id == b64u(b"credential")
    assert registration.public_key == cbor2.dumps(authenticator.cose())
    assert registration.transports == {"internal", "hybrid"}
    assert registration.sign_count == 7
    credential = replace(authenticator.credential(), public_key=registration.public_key)
    got = CEREMONIES.authentication(authenticator.get(), CHALLENGE, credential, HANDLE)
    assert got == Assertion(credential, 7)


@pytest.mark.parametrize("count", [0, 1, 3, 2**32 - 1])
def test_any_counter_is_returned_and_none_refused(count: int) -> None:
    """SEP-2672 §4.8 compares it in step 11, after the signature (APPR-7)."""
    authenticator = replace(ES256, sign_count=count)
    assert assertion(authenticator.get(), authenticator).sign_count == count


def test_every_origin_of_ours_may_hold_a_ceremony() -> None:
    accepted(replace(ES256, client={"origin": "https://auth.example.org"}))


CLIENT_DATA = [
    {"crossOrigin": True},
    {"crossOrigin": None},
    {"crossOrigin": 0},
    {"crossOrigin": "false"},
    {"topOrigin": "https://example.com"},
    {"topOrigin": ORIGIN},
    {"topOrigin": None},
    {"origin": "https://example.org:443"},
    {"origin": "https://EXAMPLE.org"},
    {"origin": "https://example.org/"},
    {"origin": "https://evil.example.org"},
    {"origin": "http://example.org"},
    {"origin": "null"},
    {"origin": None},
    {"origin": [ORIGIN]},
    {"origin": ...},
    {"challenge": b64u(CHALLENGE) + "="},
    {"challenge": b64u(CHALLENGE) + "=="},
    {"challenge": b64u(CHALLENGE)[:-1] + "x"},
    {"challenge": b64u(CHALLENGE)[:-1]},
    {"challenge": " " + b64u(CHALLENGE)},
    {"challenge": b64u(CHALLENGE[:32])},
    {"challenge": ""},
    {"challenge": None},
    {"challenge": ...},
    {"type": "webauthn.create "},
    {"type": "payment.get"},
    {"type": ...},
]


@pytest.mark.parametrize("client", CLIENT_DATA, ids=str)
def test_client_data_that_is_not_for_us_is_refused(client: dict[str, Any]) -> None:
    """CRED-1: exact challenge, expected origin, no embedding."""
    authenticator = replace(ES256, client=client)
    refused_assertion(authenticator.get(), authenticator)
    refused_registration(authenticator.create())


def test_one_ceremony_is_not_the_other() -> None:
    refused_assertion(replace(ES256, client={"type": "webauthn.create"}).get(), ES256)
    refused_registration(replace(ES256, client={"type": "webauthn.get"}).create())


def test_members_that_a_browser_may_add_are_ignored() -> None:
    accepted(replace(ES256, client={"crossOrigin": ..., "extraData": {"any": [1.5, None]}}))
    assert assertion(ES256.get() | {"more": 1}, ES256).sign_count == ES256.sign_count


TYPE = '{"type":"TYPE",'
REST = f'"challenge":"{b64u(CHALLENGE)}","origin":"{ORIGIN}"}}'


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (TYPE + REST, True),
        ('{"type":"payment.get","type":"TYPE",' + REST, False),
        (TYPE + '"crossOrigin":true,"crossOrigin":false,' + REST, False),
        (TYPE + '"\\u0074opOrigin":"https://example.com",' + REST, False),
        ("\ufeff" + TYPE + REST, False),
        ("[" + TYPE + REST + "]", False),
        (TYPE + REST + "}", False),
        ("", False),
        ("null", False),
    ],
)
def test_client_data_is_strict_json(text: str, good: bool) -> None:
    """CRED-1, JSON-1: what two parsers could read differently is refused, duplicate members above all."""
    get = replace(ES256, raw_client_data=text.replace("TYPE", "webauthn.get").encode())
    create = replace(ES256, raw_client_data=text.replace("TYPE", "webauthn.create").encode())
    if good:
        assert assertion(get.get(), get).sign_count == ES256.sign_count
        assert CEREMONIES.registration(create.create(), CHALLENGE).sign_count == ES256.sign_count
    else:
        refused_assertion(get.get(), get)
        refused_registration(create.create())


def test_no_ill_formed_client_data_is_accepted_though_it_is_signed() -> None:
    """CRED-1, JSON-1, JSON-2."""
    rest = (TYPE + REST).strip("{}")
    for text in inside(rest.replace("TYPE", "webauthn.get")):
        get = replace(ES256, raw_client_data=text)
        refused_assertion(get.get(), get)
    for text in inside(rest.replace("TYPE", "webauthn.create")):
        refused_registration(replace(ES256, raw_client_data=text).create())


@pytest.mark.parametrize(
    "change",
    [
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"flags": 0},
        {"flags": PRESENT | VERIFIED | BACKED_UP},
        {"rp_id": "auth.example.org"},
        {"rp_id": "org"},
        {"tail": b"\0"},
    ],
    ids=str,
)
def test_authenticator_data_that_is_not_for_us_is_refused(change: dict[str, Any]) -> None:
    """CRED-1: user verification, our rp id; nothing left over."""
    authenticator = replace(ES256, **change)
    refused_assertion(authenticator.get(), authenticator)
    refused_registration(authenticator.create())


def test_synced_passkeys_and_extensions_are_accepted() -> None:
    flags = PRESENT | VERIFIED | ELIGIBLE | BACKED_UP | EXTENDED
    accepted(replace(ES256, flags=flags, tail=cbor2.dumps({"x": 1})))


def test_the_user_handle_is_the_owners() -> None:
    response = ES256.get()
    for absent in ({}, {"userHandle": None}):
        inner = {name: value for name, value in response["response"].items() if name != "userHandle"} | absent
        assert assertion(response | {"response": inner}, ES256).sign_count == ES256.sign_count
    others: list[Json] = [b64u(b"handlf"), b64u(HANDLE) + "=", "", 0, [], HANDLE.decode()]
    for other in others:
        refused_assertion(response | {"response": response["response"] | {"userHandle": other}}, ES256)


@pytest.mark.parametrize("handle", [None, "", b64u(b"handlf"), b64u(HANDLE)])
def test_whoever_is_discovered_says_who_it_is(handle: str | None) -> None:
    """WebAuthn L3 §7.2 step 6: where nobody knew who the user is, the user handle is needed."""
    response = ES256.get()
    named = {**response["response"], "userHandle": handle}
    for inner in (named, {name: value for name, value in named.items() if value is not None}):
        if handle == b64u(HANDLE):
            found = CEREMONIES.authentication(
                response | {"response": inner}, CHALLENGE, ES256.credential(), HANDLE, discovered=True
            )
            assert found.sign_count == ES256.sign_count
            continue
        with pytest.raises(Refused):
            CEREMONIES.authentication(
                response | {"response": inner}, CHALLENGE, ES256.credential(), HANDLE, discovered=True
            )


HALF = bytes.fromhex(
    "a16178f93e00"
)  # {"x": 1.5} as the shortest float, which is written anew with 6 bytes more
TAILS = [b"\0", b"\xf6", b"\xff", b"\xa0", bytes(6), b"tail", bytes(1000), cbor2.dumps({"x": 1})]


class TestTails:
    """Nothing follows a structure, and nothing is written longer than it need be: no bytes that nobody reads."""

    @pytest.mark.parametrize("tail", TAILS)
    def test_of_the_attestation_object(self, tail: bytes) -> None:
        response = ES256.create()
        raw = unb64u(response["response"]["attestationObject"])
        inner = {**response["response"], "attestationObject": b64u(raw + tail)}
        refused_registration(response | {"response": inner})

    @pytest.mark.parametrize("tail", TAILS)
    @pytest.mark.parametrize("extensions", [b"", cbor2.dumps({"x": 1}), HALF])
    def test_of_authenticator_data(self, extensions: bytes, tail: bytes) -> None:
        flags = PRESENT | VERIFIED | (EXTENDED if extensions else 0)
        authenticator = replace(ES256, flags=flags, tail=extensions + tail)
        refused_assertion(authenticator.get(), authenticator)
        refused_registration(authenticator.create())

    @pytest.mark.parametrize(("head", "end"), [(b"\xb8\x03", b""), (b"\xb9\0\x03", b""), (b"\xbf", b"\xff")])
    def test_of_what_is_written_longer(self, head: bytes, end: bytes) -> None:
        response = ES256.create()
        whole = unb64u(response["response"]["attestationObject"])
        longer = head + whole[1:] + end
        assert cbor2.loads(longer) == cbor2.loads(whole)
        inner = {**response["response"], "attestationObject": b64u(longer)}
        refused_registration(response | {"response": inner})

    @pytest.mark.parametrize("more", [{"x": 1}, {"": b"x" * 1000}, {1: None}])
    def test_of_more_members(self, more: dict[Any, Any]) -> None:
        response = ES256.create()
        whole = cbor2.loads(unb64u(response["response"]["attestationObject"]))
        inner = {**response["response"], "attestationObject": b64u(cbor2.dumps({**whole, **more}))}
        refused_registration(response | {"response": inner})

    @pytest.mark.parametrize("tail", [*TAILS, b"{}", b"x", b"\xef\xbb\xbf"])
    def test_of_client_data_with_a_tail(self, tail: bytes) -> None:
        response = ES256.create()
        raw = unb64u(response["response"]["clientDataJSON"])
        inner = {**response["response"], "clientDataJSON": b64u(raw + tail)}
        refused_registration(response | {"response": inner})

    @pytest.mark.parametrize("authenticator", [ES256, ED25519, RS256], ids=["ES256", "EdDSA", "RS256"])
    @pytest.mark.parametrize("tail", TAILS)
    def test_of_a_signature_with_a_tail(self, authenticator: Authenticator, tail: bytes) -> None:
        response = authenticator.get()
        raw = unb64u(response["response"]["signature"])
        inner = {**response["response"], "signature": b64u(raw + tail)}
        refused_assertion(response | {"response": inner}, authenticator)


def test_another_credential_does_not_stand_in() -> None:
    other = replace(ES256, credential_id=b"other")
    refused_assertion(other.get(), ES256)
    refused_assertion(Authenticator().get(), ES256)


def test_a_registration_is_for_the_credential_that_the_browser_names() -> None:
    refused_registration(ES256.create() | {"id": b64u(b"other"), "rawId": b64u(b"other")})


def test_credential_ids_have_1_to_1023_bytes() -> None:
    accepted(replace(ES256, credential_id=bytes(1023)))
    refused_registration(replace(ES256, credential_id=bytes(1024)).create())
    refused_registration(replace(ES256, credential_id=b"").create())


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
def test_changed_bytes_are_refused(part: str) -> None:
    response = ES256.get()
    text = response["response"][part]
    for index in (0, len(text) // 2, len(text) - 1):
        changed = text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :]
        refused_assertion(response | {"response": response["response"] | {part: changed}}, ES256)


MISSHAPEN: list[Callable[[dict[str, Any]], Any]] = [
    lambda good: [],
    lambda good: [good],
    lambda good: None,
    lambda good: "text",
    lambda good: {},
    lambda good: good | {"type": "password"},
    lambda good: good | {"type": None},
    lambda good: good | {"id": None},
    lambda good: good | {"rawId": b64u(b"other")},
    lambda good: good | {"rawId": good["rawId"] + "="},
    lambda good: good | {"id": good["id"] + "=", "rawId": good["rawId"] + "="},
    lambda good: good | {"rawId": None},
    lambda good: good | {"response": None},
    lambda good: good | {"response": []},
    lambda good: good | {"response": {}},
    lambda good: good | {"response": good["response"] | {"clientDataJSON": None}},
    lambda good: (
        good | {"response": good["response"] | {"clientDataJSON": good["response"]["clientDataJSON"] + "="}}
    ),
    lambda good: good | {"response": good["response"] | {"clientDataJSON": "ä"}},
]


@pytest.mark.parametrize("change", MISSHAPEN)
def test_answers_of_another_shape_are_refused(change: Callable[[dict[str, Any]], Any]) -> None:
    refused_assertion(change(ES256.get()), ES256)
    refused_registration(change(ES256.create()))


@pytest.mark.parametrize("part", ["authenticatorData", "signature"])
@pytest.mark.parametrize("value", [None, 1, [], "", "AA", "A" * 50_000, "ä", "AAA="])
def test_parts_of_an_assertion_that_are_no_bytes_are_refused(part: str, value: object) -> None:
    response = ES256.get()
    refused_assertion(response | {"response": response["response"] | {part: value}}, ES256)


@pytest.mark.parametrize(
    "attestation",
    [
        b"",
        b"\xff",
        cbor2.dumps([]),
        cbor2.dumps({}),
        cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": b""}),
        cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": "text"}),
        cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": ES256.authenticator_data()}),
        b"\x9f" * 5000,
        b"\x81" * 5000,
    ],
)
def test_attestation_objects_that_are_none_are_refused(attestation: bytes) -> None:
    response = ES256.create()
    refused_registration(
        response | {"response": response["response"] | {"attestationObject": b64u(attestation)}}
    )


@pytest.mark.parametrize("value", [None, 1, "ä", b64u(b"x") + "=="])
def test_an_attestation_object_is_base64url(value: object) -> None:
    response = ES256.create()
    refused_registration(response | {"response": response["response"] | {"attestationObject": value}})


def test_an_unasked_attestation_must_be_right() -> None:
    signature = ES256.sign(b"something else")
    refused_registration(ES256.create("packed", {"alg": -7, "sig": signature}))
    refused_registration(ES256.create("none", {"alg": -7, "sig": signature}))
    refused_registration(ES256.create("unheard-of"))


KEYS = {
    "ES256 on P-384": Authenticator(ec.generate_private_key(ec.SECP384R1()), -7),
    "ES384": Authenticator(ec.generate_private_key(ec.SECP384R1()), -35),
    "RS1": Authenticator(RSA_KEY, -65535),
    "PS256": Authenticator(RSA_KEY, -37),
    "RS256 of 1024 bits": Authenticator(rsa.generate_private_key(65537, 1024), -257),  # noqa: S505 it is refused
    "an RSA key that says ES256": Authenticator(RSA_KEY, -7),
    "an RSA key that says EdDSA": Authenticator(RSA_KEY, -8),
    "a P-256 key that says EdDSA": Authenticator(algorithm=-8),
    "an Ed25519 key that says ES256": Authenticator(ed25519.Ed25519PrivateKey.generate(), -7),
}


@pytest.mark.parametrize("authenticator", KEYS.values(), ids=KEYS)
def test_keys_of_another_kind_are_refused(authenticator: Authenticator) -> None:
    refused_registration(authenticator.create())
    refused_assertion(authenticator.get(), authenticator)


def test_a_point_off_the_curve_is_refused() -> None:
    class Broken(Authenticator):
        def cose(self) -> dict[int, Any]:
            return super().cose() | {-3: bytes(32)}

    refused_registration(Broken().create())


def test_a_bare_point_in_place_of_a_key_is_refused() -> None:
    class Bare(Authenticator):
        def cose(self) -> Any:
            return 4  # one byte, 0x04: the library takes it for an uncompressed point

    refused_registration(Bare().create())


PADDING: list[dict[Any, Any]] = [
    {2: b"x" * 40_000},  # kid
    {4: [2]},  # key_ops
    {5: b""},  # Base IV
    {-4: bytes(32)},  # the private part
    {-70000: "x" * 40_000},
    {"x": None},
]


@pytest.mark.parametrize("padding", PADDING, ids=lambda padding: str([*padding]))
@pytest.mark.parametrize("authenticator", [ES256, ED25519, RS256], ids=["ES256", "EdDSA", "RS256"])
def test_a_key_with_more_than_it_needs_is_refused(
    authenticator: Authenticator, padding: dict[Any, Any]
) -> None:  # WebAuthn L3 §6.5.1
    cose = {**authenticator.cose(), **padding}
    padded = replace(authenticator)
    padded.cose = lambda: cose  # type: ignore[method-assign]
    refused_registration(padded.create())


@pytest.mark.parametrize("authenticator", [ES256, ED25519, RS256], ids=["ES256", "EdDSA", "RS256"])
def test_a_key_is_kept_as_short_as_it_can_be(authenticator: Authenticator) -> None:
    """However its members are ordered and its numbers are written: what a stranger sends is stored."""
    good = authenticator.cose()
    longer = {
        label: bytes(20_000) + value if label == -1 and good[1] == 3 else value
        for label, value in good.items()
    }
    for cose in (dict(reversed(good.items())), longer):
        spelled = replace(authenticator)
        spelled.cose = lambda cose=cose: cose  # type: ignore[method-assign, misc]
        registration = CEREMONIES.registration(spelled.create(), CHALLENGE)
        assert registration.public_key == cbor2.dumps(good, canonical=True)
        assert len(registration.public_key) < 600


EMBEDDED = {"none-es256-crossOrigin", "none-es256-topOrigin"}


def from_hex(vector: dict[str, str], credential_id: bytes, *parts: str) -> dict[str, Json]:
    id_ = b64u(credential_id)
    inner: dict[str, Json] = {part: b64u(bytes.fromhex(vector[part])) for part in parts}
    return {"id": id_, "rawId": id_, "type": "public-key", "clientExtensionResults": {}, "response": inner}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_published_ceremonies_are_accepted(vector: dict[str, Any]) -> None:
    """W3C WebAuthn Level 3: some by keys that we do not take, some unverified, two embedded (CRED-1)."""
    created, got = vector["registration"], vector["authentication"]
    attestation = cbor2.loads(bytes.fromhex(created["attestationObject"]))
    data = attestation["authData"]
    id_ = bytes.fromhex(created["credential_id"])
    key = data[55 + len(id_) :]
    taken = cbor2.loads(key)[3] in (-7, -8, -257) and vector["name"] not in EMBEDDED

    response = from_hex(created, id_, "clientDataJSON", "attestationObject")
    challenge = bytes.fromhex(created["challenge"])
    if taken and data[32] & VERIFIED and attestation["fmt"] in ("none", "packed"):
        assert CEREMONIES.registration(response, challenge).public_key == key
    else:
        with pytest.raises(Refused):
            CEREMONIES.registration(response, challenge)

    response = from_hex(got, id_, "clientDataJSON", "authenticatorData", "signature")
    challenge = bytes.fromhex(got["challenge"])
    credential = replace(ES256.credential(), credential_id=CredentialId(b64u(id_)), public_key=key)
    if taken and bytes.fromhex(got["authenticatorData"])[32] & VERIFIED:
        assert CEREMONIES.authentication(response, challenge, credential, HANDLE).sign_count == 0
    else:
        with pytest.raises(Refused):
            CEREMONIES.authentication(response, challenge, credential, HANDLE)


def test_options_to_create_are_what_a_browser_takes() -> None:
    options = creation_options(CHALLENGE, RP_ID, "Example", HANDLE, "Ada", 300, exclude=[ES256.credential()])
    assert options == {
        "rp": {"id": RP_ID, "name": "Example"},
        "user": {"id": b64u(HANDLE), "name": "Ada", "displayName": "Ada"},
        "challenge": b64u(CHALLENGE),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in (-7, -8, -257)],
        "timeout": 300_000,
        "excludeCredentials": [
            {"type": "public-key", "id": b64u(b"credential"), "transports": ["nfc", "usb"]}
        ],
        "authenticatorSelection": {
            "residentKey": "preferred",
            "requireResidentKey": False,
            "userVerification": "required",
        },
        "attestation": "none",
    }
    at_sign_up = creation_options(CHALLENGE, RP_ID, "Example", HANDLE, "Ada", 300, resident_key="required")
    assert at_sign_up["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }


def test_options_to_get_are_what_a_browser_takes() -> None:
    assert request_options(CHALLENGE, RP_ID, [ES256.credential()], 60) == {
        "challenge": b64u(CHALLENGE),
        "timeout": 60_000,
        "rpId": RP_ID,
        "allowCredentials": [{"type": "public-key", "id": b64u(b"credential"), "transports": ["nfc", "usb"]}],
        "userVerification": "required",
    }
    json.dumps(request_options(CHALLENGE, RP_ID, (), 60))
