"""Signed requests: each check with the least change that fails it (OAUTH-14; RFC 9421, RFC 9530)."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tests.crypto.signer import COVERED, jwk_of, sign, thumbprint_of

from deputize.crypto import http_signature
from deputize.crypto.http_signature import Request, Signed
from deputize.protocol.errors import Code, Refused
from deputize.protocol.ids import Jkt
from deputize.protocol.jwk import Key, thumbprint
from deputize.protocol.proof import Proof

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "http-signatures.json").read_text())
PRIVATE = Ed25519PrivateKey.generate()
P256 = generate_private_key(SECP256R1())
URL = "https://site.example/deputize/token"
BODY = b"grant_type=refresh_token&refresh_token=x"
AGENT = 'sig1="https://agent.example/agent.json";type=cimd'
NOW = 1_800_000_000


def key_of(jwk: Mapping[str, Any]) -> Key:
    return Key(jwk["x"], jwk.get("y"), "a kid that says nothing")


KEYS = [key_of(jwk_of(private)) for private in (PRIVATE, P256, Ed25519PrivateKey.generate())]


def signed(agent: str = AGENT, now: int = NOW, private: Any = PRIVATE, **how: Any) -> dict[str, str]:
    return sign(private, URL, BODY, agent, now, **how)


def request(fields: Mapping[str, str | list[str]], **change: Any) -> Request:
    lines = {name.lower(): [text] if isinstance(text, str) else text for name, text in fields.items()}
    good = {"method": "POST", "url": URL, "body": BODY}
    return Request(fields=lambda name: lines.get(name.lower(), []), **{**good, **change})


def check(fields: Mapping[str, str | list[str]], keys: Any = KEYS, now: int = NOW, **change: Any) -> Proof:
    found = http_signature.read(request(fields, **change), now)
    assert found is not None
    return http_signature.verify(found, keys)


def refused(fields: Mapping[str, str | list[str]], part: str, **change: Any) -> None:
    with pytest.raises(Refused) as caught:
        check(fields, **change)
    assert caught.value.refusal.code is Code.INVALID_CLIENT
    assert part in caught.value.refusal.detail
    assert re.fullmatch(r"[ !#-\[\]-~]+", caught.value.refusal.detail)  # RFC 6749 §5.2


def changed(field: str, old: str, new: str, **how: Any) -> dict[str, str]:
    fields = signed(**how)
    assert old in fields[field]
    return {**fields, field: fields[field].replace(old, new)}


class TestVectors:
    @pytest.mark.parametrize("case", VECTORS["requests"], ids=lambda case: case["name"])
    def test_published_requests_are_good(self, case: dict[str, Any]) -> None:
        said = {name: VECTORS[name] for name in ("method", "url")}
        keys = [key_of(jwk) for jwk in VECTORS["keys"]]
        proof = check(case["fields"], keys, VECTORS["now"], body=VECTORS["body"].encode(), **said)
        assert proof == Proof(case["keyid"], "signature n1", VECTORS["now"] + 91)

    @pytest.mark.parametrize("case", VECTORS["signatures"], ids=lambda case: case["name"])
    def test_published_bases_are_what_is_signed(self, case: dict[str, Any]) -> None:
        key, base = key_of(case["jwk"]), "\n".join(case["base"]).encode()
        keyid = Jkt(thumbprint(key.jwk))
        signature = b64decode(case["signature"])
        http_signature.verify(Signed(keyid, "", "", None, base, signature, "n", NOW), [key])
        with pytest.raises(Refused):
            http_signature.verify(Signed(keyid, "", "", None, base + b" ", signature, "n", NOW), [key])


@pytest.mark.parametrize("private", [PRIVATE, P256], ids=["ed25519", "p256"])
@pytest.mark.parametrize("include_alg", [True, False])
def test_what_these_tests_change_is_good_before(private: Any, include_alg: bool) -> None:
    proof = check(signed(private=private, include_alg=include_alg))
    assert (proof.jkt, proof.jti, proof.keep_until) == (thumbprint_of(private), "signature n1", NOW + 91)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Signature": "sig1=:AA==:"},
        {"Signature": 'keyId="x",signature="eA=="'},
        {"Signature-Agent": AGENT},
        signed(tag="other"),
        signed(tag=None),
        signed(tag="Web-Bot-Auth"),
    ],
    ids=lambda fields: ",".join(fields),
)
def test_1_what_is_not_signed_for_this_is_no_signature(fields: dict[str, str]) -> None:
    assert http_signature.read(request(fields), NOW) is None


class TestOne:
    """1: one signature with the tag; those of others do not matter."""

    def test_one_beside_those_of_others_is_found(self) -> None:
        first = signed(tag="proxy", private=P256, label="proxy", agent="", covered=["@authority"])
        check(sign(PRIVATE, URL, BODY, AGENT, NOW, headers=first, also=True))

    @pytest.mark.parametrize("first", [PRIVATE, P256])
    def test_two_are_refused(self, first: Any) -> None:
        fields = signed(private=first)
        twice = sign(PRIVATE, URL, BODY, AGENT, NOW, "n2", headers=fields, label="sig2", also=True)
        refused(twice, "more than one")

    def test_two_of_one_name_are_refused(self) -> None:
        fields = signed()
        for name in ("Signature-Input", "Signature", "Signature-Agent", "Content-Digest"):
            refused({**fields, name: [fields[name], fields[name]]}, "dictionary")

    def test_several_lines_are_one_field(self) -> None:
        fields = signed()
        check({**fields, "Signature": ["x=1", fields["Signature"]]})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (";created=1800000000", ""),
        (";created=1800000000", ";created=1800000000.0"),
        (";created=1800000000", ";created=@1800000000"),
        (";created=1800000000", ';created="1800000000"'),
        (";created=1800000000", ";created"),
        (";expires=1800000060", ""),
        (";expires=1800000060", ";expires=1800000060.5"),
        (';nonce="n1"', ""),
        (';nonce="n1"', ";nonce=n1"),
        (';nonce="n1"', ";nonce=:AA==:"),
        (';tag="web-bot-auth"', ";tag=web-bot-auth"),
        (';alg="ed25519"', ";alg=ed25519"),
        (';alg="ed25519"', ";alg=1"),
        (';alg="ed25519"', ';alg="ed25519";x'),
        ("sig1=(", 'sig1="x";a=("'),
    ],
)
def test_2_other_parameters_are_refused(old: str, new: str) -> None:
    fields = changed("Signature-Input", old, new)
    refused(fields, "dictionary" if "(" in new else "its parameters are")


def test_2_a_signature_input_without_components_is_refused() -> None:
    refused(changed("Signature-Input", 'sig1=("@method"', 'sig1="@method";x=("a"'), "dictionary")
    whole = signed()["Signature-Input"]
    refused({**signed(), "Signature-Input": "sig1" + whole[whole.index(")") + 1 :]}, "its parameters are")


class TestTime:
    """3: of now, and for a minute at most."""

    @pytest.mark.parametrize("off", [-30, 0, 30])
    def test_a_signature_of_now_is_good(self, off: int) -> None:
        check(signed(now=NOW + off))

    @pytest.mark.parametrize(
        ("off", "lifetime"), [(-31, 60), (31, 60), (0, 61), (0, -1), (0, 0), (-10, 9), (-10, 10), (0, 10**9)]
    )
    def test_a_signature_of_another_time_is_refused(self, off: int, lifetime: int) -> None:
        refused(signed(now=NOW + off, lifetime=lifetime), "not of now")

    def test_numbers_out_of_any_range_are_refused(self) -> None:
        refused(changed("Signature-Input", "created=1800000000", "created=-999999999999999"), "not of now")
        refused(changed("Signature-Input", "created=1800000000", "created=9999999999999999"), "dictionary")


@pytest.mark.parametrize("nonce", ["", "x" * 129])
def test_4_a_nonce_that_cannot_be_kept_is_refused(nonce: str) -> None:
    refused(changed("Signature-Input", 'nonce="n1"', f'nonce="{nonce}"'), "1 to 128")


LOOSE: dict[str, Callable[[str], str]] = {  # read as the same, and not what would be written anew
    "Signature-Input": lambda right: right.replace(";", "; ", 1),
    "Signature": lambda right: re.sub("=+:$", ":", right),
    "Signature-Agent": lambda right: right.replace(";", ";  ", 1),
    "Content-Digest": lambda right: re.sub("=+:$", ":", right),
}
DECOYS = ["x{}", "a-{}", "a.b_{}", "*{}", "x{};y", 'x{};y=" "']
QUOTED = ['a="{}"', 'a=1;b="x, {}, y"', 'a=("x" "{}")', 'a=%"{}"', 'a=%"\\, {}", b', 'a="\\\\", b="\\"{}"']


class TestDecoys:
    """What is signed is what would be written anew: a member that repeats it elsewhere changes nothing of that."""

    @pytest.mark.parametrize("before", [True, False])
    @pytest.mark.parametrize(
        ("field", "decoy"),
        [
            *((field, decoy) for field in LOOSE for decoy in DECOYS),
            *((field, decoy) for field in ("Signature", "Content-Digest") for decoy in QUOTED),
        ],
    )
    def test_a_decoy_does_not_vouch_for_it(self, field: str, decoy: str, before: bool) -> None:
        fields = signed()
        right = fields[field]
        loose, decoy = LOOSE[field](right), decoy.format(right)
        assert loose != right
        whole = f"{decoy}, {loose}" if before else f"{loose}, {decoy}"
        refused({**fields, field: whole}, "more than one" if field == "Signature-Input" else "spelled in")
        refused({**fields, field: loose}, "spelled in")

    @pytest.mark.parametrize(
        "beside", ['a="x, y"', 'a="\\", sig1=1"', 'a=%"\\", b', "a=();b, c=:AA==:", 'a=("," ",")', "a  , b"]
    )
    @pytest.mark.parametrize("before", [True, False])
    @pytest.mark.parametrize("field", ["Signature-Input", "Signature", "Signature-Agent"])
    def test_others_are_spelled_as_they_like(self, field: str, before: bool, beside: str) -> None:
        fields = signed()
        whole = f"{beside}, {fields[field]}" if before else f"{fields[field]} ,\t{beside}"
        check({**fields, field: whole})


class TestCovered:
    """5: who asks, for what, where and for which key cannot be changed."""

    @pytest.mark.parametrize("left_out", COVERED)
    def test_all_that_is_needed_has_to_be_covered(self, left_out: str) -> None:
        # The digest is there, and right, but for the signature it could be any.
        digest = {"Content-Digest": signed()["Content-Digest"]}
        fields = signed(covered=[name for name in COVERED if name != left_out], headers=digest)
        refused(fields, "it has to cover")

    @pytest.mark.parametrize("target", [["@authority"], ["@path"], []])
    def test_a_target_may_be_covered_in_two_parts_or_whole(self, target: list[str]) -> None:
        rest = [name for name in COVERED if name != "@target-uri"]
        refused(signed(covered=[*target, *rest]), "it has to cover")
        check(signed(covered=["@authority", "@path", *rest]))

    def test_a_proof_that_is_sent_has_to_be_covered(self) -> None:
        dpop = {"DPoP": "e30.e30.AA"}
        refused(signed(headers=dpop), "it has to cover")
        check(signed(headers=dpop, covered=[*COVERED, "dpop"]))
        with_another = {**signed(headers=dpop, covered=[*COVERED, "dpop"]), "DPoP": "e30.e30.AQ"}
        refused(with_another, "it is wrong")

    @pytest.mark.parametrize(
        "change",
        [
            {"method": "GET"},
            {"url": "https://site.example/deputize/par"},
            {"url": "https://other.example/deputize/token"},
            {"url": "https://site.example/token"},
            {"url": URL + "?x"},
        ],
        ids=str,
    )
    def test_what_is_signed_is_no_other_request(self, change: dict[str, str]) -> None:
        refused(signed(), "it is wrong", **change)
        if not change.get("url", "").endswith("?x"):
            rest = [name for name in COVERED if name != "@target-uri"]
            refused(signed(covered=["@authority", "@path", *rest]), "it is wrong", **change)

    def test_more_fields_may_be(self) -> None:
        fields = signed(
            covered=[*COVERED, "date", "user-agent"], headers={"Date": "today", "User-Agent": "x"}
        )
        check({**fields, "user-agent": "  x\t"})
        refused({**fields, "User-Agent": "y"}, "it is wrong")
        del fields["Date"]
        refused(fields, "not here")

    @pytest.mark.parametrize(
        "component",
        [
            '"@query"',
            '"@query-param";name="x"',
            '"@status"',
            '"@signature-params"',
            '"@nothing"',
            '"date";bs',
            '"date";tr',
            '"x-absent"',
            '"Date"',
            '""',
            "date",
            "1",
            ":AA==:",
        ],
    )
    def test_what_is_not_offered_is_refused(self, component: str) -> None:
        refused(
            changed("Signature-Input", '("@method"', f'({component} "@method"'),
            "it covers" if component[0] == '"' and component != '"Date"' else "lower case",
        )

    @pytest.mark.parametrize(
        "component",
        ['"content-digest";sf', '"content-digest";key="sha-256"', '"@method";req', '"@target-uri";x'],
    )
    def test_components_with_parameters_are_refused(self, component: str) -> None:
        plain = component.partition(";")[0]
        refused(changed("Signature-Input", plain, component), "with these parameters")

    @pytest.mark.parametrize("component", COVERED)
    def test_a_component_that_comes_twice_is_refused(self, component: str) -> None:
        text = component if component[0] == '"' else f'"{component}"'
        refused(changed("Signature-Input", '("@method"', f'({text} "@method"'), "covered twice")

    def test_one_member_of_the_signature_agent_is_enough(self) -> None:
        fields = changed("Signature-Input", '("@method"', '("signature-agent";key="x" "@method"')
        fields["Signature-Agent"] += ', x="https://x.example"'
        refused(fields, "covered twice")

    @pytest.mark.parametrize(
        "new", ['"signature-agent"', '"signature-agent";key=sig1', '"signature-agent";sf']
    )
    def test_another_member_of_the_signature_agent_is_refused(self, new: str) -> None:
        refused(changed("Signature-Input", '"signature-agent";key="sig1"', new), "its own member")

    def test_lines_cannot_be_smuggled_in(self) -> None:
        covered = [*COVERED, "x-note"]
        for text in ('a\n"@method": GET', "a\rb"):
            fields = {**signed(covered=covered, headers={"X-Note": "a"}), "X-Note": text}
            refused(fields, "more than one line")

    def test_what_is_covered_is_ascii(self) -> None:
        fields = {**signed(covered=[*COVERED, "x-note"], headers={"X-Note": "a"}), "X-Note": "\xe9"}
        refused(fields, "not ASCII")


class TestDigest:
    """6: the body is what was signed."""

    @pytest.mark.parametrize("body", [b"", BODY + b"&", BODY[:-1], BODY.replace(b"x", b"y")])
    def test_another_body_is_refused(self, body: bytes) -> None:
        refused(signed(), "not that of the body", body=body)

    def test_another_digest_is_refused(self) -> None:
        fields = signed()
        other = sign(PRIVATE, URL, b"other", AGENT, NOW)
        refused({**fields, "Content-Digest": other["Content-Digest"]}, "not that of the body")

    def test_those_that_count_have_to_be_there_and_right(self) -> None:
        def signed_with(**digests: bytes) -> dict[str, str]:
            texts = (f"{name.replace('_', '-')}=:{b64encode(of).decode()}:" for name, of in digests.items())
            return signed(headers={"Content-Digest": ", ".join(texts)})

        right, other = sha512(BODY).digest(), sha256(b"other").digest()
        check(signed_with(sha_512=right))
        check(signed_with(sha_512=right, sha_256=sha256(BODY).digest()))
        for fields in (signed_with(sha_512=right, sha_256=other), signed_with(sha_256=other)):
            refused(fields, "not that of the body")

    @pytest.mark.parametrize("name", ["md5", "sha", "unixsum", "sha-384", "id-sha-256"])
    def test_weak_and_unknown_ones_do_not(self, name: str) -> None:
        digest = changed("Content-Digest", "sha-256=", f"{name}=")
        refused(digest, "not that of the body")

    def test_a_digest_that_is_none_is_refused(self) -> None:
        for text in ("sha-256=1", "sha-256", "sha-256=(:AA==:)", 'sha-256=":AA==:"'):
            refused({**signed(), "Content-Digest": text}, "not that of the body")


class TestSpelling:
    """One reading of what was signed: no other spelling of it."""

    @pytest.mark.parametrize(
        ("field", "old", "new"),
        [
            ("Signature-Input", '"@method" ', '"@method"  '),
            ("Signature-Input", ";created=1800000000", "; created=1800000000"),
            ("Signature-Input", ";created=1800000000", ";created=01800000000"),
            ("Signature-Agent", ";type=cimd", "; type=cimd"),
            ("Content-Digest", "=:", ":"),
        ],
    )
    def test_is_the_one_of_rfc_9651(self, field: str, old: str, new: str) -> None:
        refused(changed(field, old, new), "RFC 9651")

    def test_of_base64_is_one(self) -> None:
        fields = signed()
        text = fields["Signature"]
        assert text.endswith("==:")
        last = text[-4]
        sibling = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        other = sibling[sibling.index(last) + 1]  # the same bytes, with a bit that no byte has
        for lax in (text[:-3] + ":", text[:-2] + ":", text[:-4] + other + "==:"):
            refused({**fields, "Signature": lax}, "RFC 9651")
        for bad in (text.replace("=:", "=:_", 1), text.replace("=:", "=: ", 1), text[:-1]):
            refused({**fields, "Signature": bad}, "dictionary")

    def test_of_parameters_that_are_repeated_is_one(self) -> None:
        refused(changed("Signature-Input", ';nonce="n1"', ';nonce="n1";nonce="n1"'), "dictionary")
        refused(changed("Signature-Agent", ";type=cimd", ";type=cimd;type=cimd"), "dictionary")


class TestAgent:
    """Whose it is (OAUTH-15); whether that is the client is asked elsewhere."""

    def read(self, agent: str, **how: Any) -> tuple[str, str]:
        found = http_signature.read(request(signed(agent=agent, **how)), NOW)
        assert found is not None
        return found.agent, found.kind

    def test_is_a_url_and_a_type(self) -> None:
        assert self.read(AGENT) == ("https://agent.example/agent.json", "cimd")
        assert self.read('sig1="https://agent.example"') == ("https://agent.example", "directory")
        assert self.read('x="https://x.example", sig1="https://agent.example"')[0] == "https://agent.example"

    def test_may_have_another_label(self) -> None:  # RFC 9421 §7.2.5
        assert self.read(AGENT, label="other") == ("https://agent.example/agent.json", "cimd")

    @pytest.mark.parametrize(
        "agent", ["sig1=1", "sig1", 'sig1="x";type="cimd"', 'sig1="x";type', "sig1=:AA==:"]
    )
    def test_that_is_neither_is_refused(self, agent: str) -> None:
        refused(signed(agent=agent), "a string")

    @pytest.mark.parametrize(
        "agent", ['"https://agent.example"', "", "sig1=", ",", 'sig2="https://agent.example"']
    )
    def test_without_such_a_member_is_refused(self, agent: str) -> None:
        refused({**signed(), "Signature-Agent": agent}, "signature-agent")

    def test_is_what_was_signed(self) -> None:
        refused({**signed(), "Signature-Agent": AGENT.replace("agent.json", "other.json")}, "it is wrong")
        refused({**signed(), "Signature-Agent": AGENT.replace("cimd", "jwks_uri")}, "it is wrong")


class TestKey:
    """By a key of the client, and no other."""

    def test_that_is_unknown_is_refused(self) -> None:
        refused(signed(), "its keyid is not", keys=KEYS[1:])
        refused(signed(), "its keyid is not", keys=[])
        refused(signed(keyid="a kid that says nothing"), "its keyid is not")

    def test_named_by_another_is_refused(self) -> None:
        refused(signed(private=Ed25519PrivateKey.generate(), keyid=thumbprint_of(PRIVATE)), "it is wrong")
        refused(signed(keyid=thumbprint_of(P256), include_alg=False), "it is wrong")
        refused(signed(private=P256, keyid=thumbprint_of(PRIVATE), include_alg=False), "it is wrong")

    @pytest.mark.parametrize("alg", ["ecdsa-p256-sha256", "rsa-pss-sha512", "hmac-sha256", "", "Ed25519"])
    def test_for_another_algorithm_is_refused(self, alg: str) -> None:
        refused(changed("Signature-Input", 'alg="ed25519"', f'alg="{alg}"'), "its alg")

    def test_that_is_no_point_is_refused(self) -> None:
        x = b64encode(b"\xff" * 32).decode().replace("/", "_").rstrip("=")
        for key in (Key(x, x), Key(x, None), Key("", None)):
            keyid = thumbprint(key.jwk)
            refused(signed(keyid=keyid, include_alg=False), "it is wrong", keys=[key])

    def test_of_another_curve_is_refused(self) -> None:
        other = generate_private_key(SECP384R1())
        assert jwk_of(other)["crv"] == "P-384"
        key = Key(*(str(jwk_of(other)[name]) for name in "xy"))
        refused(signed(keyid=thumbprint(key.jwk), include_alg=False), "it is wrong", keys=[key])

    @pytest.mark.parametrize("field", ["Signature", "Signature-Input", "Signature-Agent", "Content-Digest"])
    def test_of_what_is_not_there_is_refused(self, field: str) -> None:
        fields = signed()
        del fields[field]
        if field == "Signature-Input":
            assert http_signature.read(request(fields), NOW) is None
        else:
            refused(fields, field.lower() if field != "Content-Digest" else "content-digest")

    @pytest.mark.parametrize("text", ['sig1="x"', "sig1", "sig1=(:AA==:)", "sig1=:AA==:;x", "sig2=:AA==:"])
    def test_of_no_signature_is_refused(self, text: str) -> None:
        refused({**signed(), "Signature": text}, "signature")

    @pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
    @pytest.mark.parametrize("private", [PRIVATE, P256], ids=["ed25519", "p256"])
    def test_of_another_length_is_refused(self, private: Any, length: int) -> None:
        text = f"sig1=:{b64encode(b'x' * length).decode()}:"
        refused({**signed(private=private), "Signature": text}, "it is wrong")


@pytest.mark.parametrize("field", ["Signature-Input", "Signature-Agent", "Signature", "Content-Digest"])
def test_fields_are_bounded(field: str) -> None:
    refused({**signed(), field: signed()[field] + ", x=1" * 1000}, "more than 2048")


FIELDS = ["Signature-Input", "Signature", "Signature-Agent", "Content-Digest"]
PIECES = [
    *(
        '"',
        "(",
        ")",
        ";",
        ",",
        "=",
        ":",
        " ",
        "?1",
        "@9",
        '%"%c3%a9"',
        "sig1",
        "tag",
        "web-bot-auth",
        "\\",
        "*",
    ),
    *(
        "1",
        "-",
        ".",
        "999999999999999",
        '"@method"',
        "created",
        "nonce",
        "AA==",
        "key",
        "\t",
        "\x7f",
        "é",
        "\n",
    ),
]


@given(
    st.sampled_from(FIELDS),
    st.integers(0, 400),
    st.integers(0, 40),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=20),
)
def test_whatever_is_in_the_fields_is_good_or_refused(field: str, at: int, cut: int, new: str) -> None:
    good = signed()
    fields = {**good, field: good[field][:at] + new + good[field][at + cut :]}
    try:
        found = http_signature.read(request(fields), NOW)
        if found is not None:
            http_signature.verify(found, KEYS)
    except Refused:
        return
    if found is None:
        assert 'tag="web-bot-auth"' not in fields["Signature-Input"]
    else:  # whatever was added, what counts is there
        assert all(text.partition("=")[2] in fields[name] for name, text in good.items())


def test_5_as_many_components_as_anybody_needs() -> None:
    """Each is looked up before the key is known (OAUTH-14)."""
    for more, good in ((0, True), (http_signature.MAX_COVERED - len(COVERED), True), (100, False)):
        fields = {f"x-{number}": "a" for number in range(more)}
        covered = (*COVERED, *fields)
        asked: list[str] = []
        made = signed(covered=covered, headers=fields)
        lines = {name.lower(): [text] for name, text in made.items()}

        def look(name: str, lines: dict[str, list[str]] = lines, asked: list[str] = asked) -> list[str]:
            asked.append(name)
            return lines.get(name, [])

        request = Request("POST", URL, look, BODY)
        if good:
            assert http_signature.read(request, NOW) is not None
        else:
            with pytest.raises(Refused, match="more than 16"):
                http_signature.read(request, NOW)
        assert len(asked) < 3 * http_signature.MAX_COVERED
