"""The challenge before a call: SEP-2672 §4.4.3, §4.6 and §4.7."""

import hashlib
from datetime import datetime
from typing import Any

import pytest
import rfc8785
from mcp.shared.exceptions import MCPError
from tests.web.mcp.conftest import LEGACY, MODERN, TRANSFER, Deputy, LiveBank, passkey, refused

from deputize.protocol.canonical import unb64u
from deputize.protocol.question import Text
from deputize.testing.authenticator import SoftAuthenticator

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("mode", [LEGACY, MODERN])


def wire(envelope: dict[str, Any]) -> bytes:
    return unb64u(envelope["requestOptions"]["challenge"])


def headline_of(envelope: dict[str, Any]) -> str:
    return str(envelope["displayText"]).partition("\n")[0]


def allowed(envelope: dict[str, Any]) -> list[str]:
    return [credential["id"] for credential in envelope["requestOptions"]["allowCredentials"]]


def key_of(device: SoftAuthenticator) -> str:
    return next(iter(device.keys))


class TestEnvelope:
    @BOTH
    async def test_has_what_the_proposal_says_and_nothing_else(self, live: LiveBank, mode: str) -> None:
        deputy = await live.deputy(mode)
        envelope = await deputy.challenge()
        members = {"challengeId", "displayText", "expiresAt", "requestOptions"}
        assert set(envelope) - {"_meta", "resultType"} == members
        options = envelope["requestOptions"]
        assert options["rpId"] == "localhost"
        assert options["allowCredentials"] == [
            {"type": "public-key", "id": key_of(deputy.page.authenticator), "transports": ["internal"]}
        ]

    @BOTH
    async def test_says_how_its_words_are_drawn(self, live: LiveBank, mode: str) -> None:  # MCP-8, APPR-1
        envelope = await (await live.deputy(mode)).challenge()
        text = envelope["_meta"]["dev.deputize/text"]
        parts, lines = zip(*((each["part"], each["line"]) for each in text["lines"]), strict=True)
        assert text["language"] == "en"
        assert parts[:1] + parts[-3:] == ("headline", "row", "asker", "claim")
        assert str(Text("en", lines, parts)) == envelope["displayText"]

    @pytest.mark.parametrize("tool", ["get_balance", "note", "search_help", "no_such_tool", "de'putize"])
    async def test_the_tool_must_be_annotated(self, live: LiveBank, tool: str) -> None:  # MCP-8
        deputy = await live.deputy()
        async with refused("tool_not_approved_required"):
            await deputy.challenge(tool, {})

    async def test_the_wire_bytes_are_nonce_and_action_hash(self, live: LiveBank) -> None:
        envelope = await (await live.deputy()).challenge()
        assert len(wire(envelope)) == 64

    async def test_the_nonce_is_fresh_for_each_challenge(self, live: LiveBank) -> None:
        deputy = await live.deputy()
        minted = [await deputy.challenge() for _ in range(8)]
        assert len({wire(envelope)[:32] for envelope in minted}) == 8
        assert len({wire(envelope)[32:] for envelope in minted}) == 1
        assert len({envelope["challengeId"] for envelope in minted}) == 8

    async def test_expires_after_60_seconds(self, live: LiveBank) -> None:
        envelope = await (await live.deputy()).challenge()
        assert datetime.fromisoformat(envelope["expiresAt"]).timestamp() == live.clock() + 60
        assert envelope["requestOptions"]["timeout"] == 60_000

    async def test_user_verification_is_required(self, live: LiveBank) -> None:
        envelope = await (await live.deputy()).challenge()
        assert envelope["requestOptions"]["userVerification"] == "required"

    async def test_the_display_text_is_the_servers_and_tells_the_arguments(self, live: LiveBank) -> None:
        deputy = await live.deputy()
        assert headline_of(await deputy.challenge()) == "Send \u2068250.00\u2069 EUR to \u2068“Ada”\u2069"
        other = await deputy.challenge(arguments={"amount": 1.5, "name": "Bob\u202e"})
        assert headline_of(other) == "Send \u20681.50\u2069 EUR to \u2068“Bob\ufffd”\u2069"  # APPR-2

    async def test_what_cannot_be_shown_whole_gets_no_challenge(self, live: LiveBank) -> None:  # APPR-2
        deputy = await live.deputy()
        with pytest.raises(MCPError) as caught:
            await deputy.challenge(arguments={"amount": 1, "name": "x" * 500})
        assert (caught.value.code, caught.value.data["code"]) == (-32602, "invalid_arguments")

    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"toolName": "transfer_money"},
            {"arguments": TRANSFER},
            {"toolName": 5, "arguments": TRANSFER},
            {"toolName": "transfer_money", "arguments": [1]},
            {"toolName": "transfer_money", "arguments": None},
        ],
    )
    async def test_needs_a_tool_and_arguments(self, live: LiveBank, params: dict[str, Any]) -> None:
        deputy = await live.deputy()
        with pytest.raises(MCPError) as caught:
            await deputy.send("approval/challenge/create", params)
        assert caught.value.code == -32602

    async def test_a_tool_that_asks_for_some_arguments_only_gives_challenges_for_all(
        self, live: LiveBank
    ) -> None:
        """MCP-8: a client asks for one before each call of an annotated tool, and cannot know better."""
        deputy = await live.deputy()
        for amount in (50, 500):
            envelope = await deputy.challenge("pay_bill", {"amount": amount})
            assert headline_of(envelope) == f"Pay \u2068{amount}\u2069 EUR"


class TestHash:
    async def test_is_over_name_canonical_arguments_and_server(self, live: LiveBank) -> None:
        """§4.6: SHA-256, zero bytes between, RFC 8785 by another implementation; the server id is the issuer."""
        envelope = await (await live.deputy()).challenge()
        parts = (b"transfer_money", rfc8785.dumps(TRANSFER), live.issuer.encode())
        assert wire(envelope)[32:] == hashlib.sha256(b"\0".join(parts)).digest()

    @pytest.mark.parametrize(
        "message",
        [
            b'{"name":"Ada","amount":250}',
            b'{ "amount" : 250.0 , "name" : "\\u0041da" }',
            b'{"amount":2.5e2,"name":"Ada"}',
        ],
    )
    async def test_is_the_same_however_the_arguments_are_spelled(
        self, live: LiveBank, message: bytes
    ) -> None:
        """§4.6: canonicalized as received."""
        deputy = await live.deputy()
        params = b'{"toolName":"transfer_money","arguments":%s}' % message
        body = b'{"jsonrpc":"2.0","id":1,"method":"approval/challenge/create","params":%s}'
        answer = await live.post(body % params, deputy.agent)
        assert wire(answer.json()["result"])[32:] == wire(await deputy.challenge())[32:]

    async def test_has_no_defaults_and_no_coercions_in_it(self, live: LiveBank) -> None:
        """§4.6: the schema of `pay_bill` has a default for `memo`; nobody puts it in."""
        envelope = await (await live.deputy()).challenge("pay_bill", {"amount": 500})
        parts = (b"pay_bill", b'{"amount":500}', live.issuer.encode())
        assert wire(envelope)[32:] == hashlib.sha256(b"\0".join(parts)).digest()

    async def test_characters_are_not_normalized(self, live: LiveBank) -> None:
        """RFC 8785 §3.1, and not what §4.6 says of it."""
        deputy = await live.deputy()
        names = "Zo\u00eb", "Zoe\u0308"
        hashes = {wire(await deputy.challenge(arguments={"amount": 1, "name": name}))[32:] for name in names}
        assert len(hashes) == 2

    async def test_is_another_one_at_another_server(self, live: LiveBank) -> None:
        """§4.6: the server id is unique, and it is stable: the issuer is part of the policy."""
        first = await (await live.deputy()).challenge()
        parts = (b"transfer_money", rfc8785.dumps(TRANSFER), b"http://localhost:1/deputize")
        assert wire(first)[32:] != hashlib.sha256(b"\0".join(parts)).digest()
        assert wire(await (await live.deputy()).challenge())[32:] == wire(first)[32:]


class TestClass:
    """§4.7: which credentials may answer."""

    async def test_cross_platform_leaves_out_what_is_internal_only(self, live: LiveBank) -> None:
        deputy = await live.deputy()
        key = await passkey(deputy.page, "usb")
        assert allowed(await deputy.challenge("close_account", {})) == [key_of(key)]

    @pytest.mark.parametrize(
        "transports", [("usb",), ("nfc",), ("ble",), ("hybrid",), ("hybrid", "internal"), ("usb", "internal")]
    )
    async def test_cross_platform_takes_what_can_roam(
        self, live: LiveBank, transports: tuple[str, ...]
    ) -> None:
        deputy = await live.deputy(transports=transports)
        assert len(allowed(await deputy.challenge("close_account", {}))) == 1

    async def test_platform_takes_any(self, live: LiveBank) -> None:
        deputy = await live.deputy()
        keys = [
            await passkey(deputy.page, *transports) for transports in (("usb",), ("hybrid", "internal"), ())
        ]
        expected = {key_of(device) for device in (deputy.page.authenticator, *keys)}
        assert set(allowed(await deputy.challenge("transfer_money"))) == expected

    @pytest.mark.parametrize("transports", [("internal",), (), ("smart-card",)])
    async def test_with_none_that_is_eligible_there_is_no_challenge(
        self, live: LiveBank, transports: tuple[str, ...]
    ) -> None:  # MCP-8
        deputy = await live.deputy(transports=transports)
        async with refused("no_eligible_credential"):
            await deputy.challenge("close_account", {})

    async def test_another_users_credentials_are_not_among_them(self, live: LiveBank) -> None:
        deputy, other = await live.deputy(), await live.deputy()
        assert set(allowed(await deputy.challenge())).isdisjoint(other.page.authenticator.keys)


async def test_a_challenge_is_bound_to_the_tuple_it_was_issued_for(live: LiveBank) -> None:
    """§4.4.3: the association is the server's; nothing that a client sends back changes it."""
    deputy: Deputy = await live.deputy()
    evidence = deputy.evidence(await deputy.challenge())
    async with refused("argument_hash_mismatch"):
        await deputy.call(arguments={**TRANSFER, "amount": 251}, evidence=evidence)
    async with refused("challenge_wrong_tool"):
        await deputy.call("pay_bill", {"amount": 500}, evidence)
    assert not (await deputy.call(evidence=evidence)).is_error
