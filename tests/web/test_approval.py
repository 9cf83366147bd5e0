"""Approval: SEP-2672 §4.8 in its order, and our additions (PROTOCOL §6)."""

import asyncio
from typing import Any

import httpx2
import pytest
from tests.bank import ISSUER, Bank

from deputize.protocol.canonical import Json, action_hash, b64u, unb64u
from deputize.protocol.question import Text
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

TRANSFER: dict[str, Json] = {"amount": 250, "name": "Ada"}


async def pending(page: Page, arguments: dict[str, Json] | None = None) -> str:
    """Make a call that waits for approval."""
    call = (await page.call("transfer_money", arguments or TRANSFER)).json()
    assert call["state"] == "pending", call
    return str(call["call_id"])


async def mint(page: Page, call_id: str) -> dict[str, Any]:
    """Mint its challenge."""
    minted = await page.send("POST", f"/calls/{call_id}/challenge")
    assert minted.status_code == 200, minted.text
    envelope: dict[str, Any] = minted.json()
    return envelope


async def submit(page: Page, call_id: str, evidence: Json) -> httpx2.Response:
    """Submit evidence."""
    return await page.send("POST", f"/calls/{call_id}/approval", evidence)


class TestChallenge:
    async def test_is_the_envelope_of_the_proposal(self, bank: Bank, grace: Page) -> None:  # APPR-1, HASH-2
        envelope = await mint(grace, await pending(grace))
        assert set(envelope) == {"challengeId", "displayText", "text", "expiresAt", "requestOptions"}
        parts, lines = zip(*((each["part"], each["line"]) for each in envelope["text"]["lines"]), strict=True)
        assert (parts[0], str(Text("en", lines, parts))) == ("headline", envelope["displayText"])
        assert (
            envelope["displayText"].partition("\n")[0] == "Send \u2068250.00\u2069 EUR to \u2068“Ada”\u2069"
        )
        options = envelope["requestOptions"]
        assert options["userVerification"] == "required"
        assert (options["timeout"], options["rpId"]) == (60_000, "bank.example")
        assert [c["id"] for c in options["allowCredentials"]] == list(grace.authenticator.keys)
        wire = unb64u(options["challenge"])
        assert len(wire) == 64
        assert wire[32:] == action_hash("transfer_money", TRANSFER, ISSUER)

    async def test_nonces_do_not_repeat(self, bank: Bank, grace: Page) -> None:
        call_id = await pending(grace)
        nonces = {(await mint(grace, call_id))["requestOptions"]["challenge"] for _ in range(5)}
        assert len(nonces) == 5

    async def test_offers_credentials_of_the_tools_class(self, bank: Bank, grace: Page) -> None:  # CRED-6
        await grace.deputize("account:admin")
        key = SoftAuthenticator(grace.origin, transports=("usb",))
        begun = (await grace.send("POST", "/credentials", page=False)).json()
        response = key.create(begun["creationOptions"])
        added = (
            await grace.send(
                "POST", f"/credentials/{begun['challengeId']}", {"response": response}, page=False
            )
        ).json()
        path = f"/credentials/{added['credential_id']}/approval"
        await grace.send("POST", path, grace.evidence(added), page=False)
        call = (await grace.call("close_account")).json()
        assert call["authenticator_class"] == "cross-platform"  # CALL-9
        asked = await grace.http.get(f"{grace.issuer}/ask/{call['call_id']}")
        assert "Approve with a security key or phone" in asked.text
        envelope = await mint(grace, call["call_id"])
        allowed = envelope["requestOptions"]["allowCredentials"]
        assert [c["id"] for c in allowed] == [added["credential_id"]]
        owned = next(iter(grace.authenticator.keys))
        response = grace.authenticator.get(envelope["requestOptions"], credential_id=owned)
        evidence = {"method": "webauthn", "challengeId": envelope["challengeId"], "response": response}
        answer = await submit(grace, call["call_id"], evidence)
        assert answer.json()["code"] == "authenticator_class_mismatch"


class TestOrder:
    """Each step with the least change that fails it; a later fault never answers before an earlier one (APPR-3)."""

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({}, "missing_evidence"),
            ({"method": "webauthn", "challengeId": "chl_x"}, "missing_evidence"),
            ({"method": "pin", "challengeId": "chl_x", "response": {}}, "unsupported_method"),
            ({"method": "webauthn", "challengeId": "chl_x", "response": {"id": "x"}}, "challenge_unknown"),
        ],
    )
    async def test_evidence_has_its_shape_and_names_a_challenge(
        self, bank: Bank, grace: Page, change: dict[str, Json], code: str
    ) -> None:
        assert (await submit(grace, await pending(grace), change)).json()["code"] == code

    @pytest.mark.parametrize(("wait", "result"), [(59, "approved"), (60, "challenge_expired")])
    async def test_a_challenge_lives_60_seconds(
        self, bank: Bank, grace: Page, wait: int, result: str
    ) -> None:
        call_id = await pending(grace)  # APPR-1, TOKEN-5
        evidence = grace.evidence(await mint(grace, call_id))
        bank.clock.forward(wait)
        body = (await submit(grace, call_id, evidence)).json()
        assert (body.get("code") or body["state"]) == result

    @pytest.mark.parametrize(
        "client_data",
        [
            {"crossOrigin": True},
            {"topOrigin": "https://evil.example"},
            {"origin": "https://evil.example"},
            {"type": "webauthn.create"},
            {"challenge": b64u(b"x" * 64)},
        ],
    )
    async def test_a_ceremony_elsewhere_or_over_something_else_is_refused(
        self, bank: Bank, grace: Page, client_data: dict[str, Any]
    ) -> None:  # CRED-1
        call_id = await pending(grace)
        envelope = await mint(grace, call_id)
        response = grace.authenticator.get(envelope["requestOptions"], **client_data)
        evidence: Json = {"method": "webauthn", "challengeId": envelope["challengeId"], "response": response}
        answer = await submit(grace, call_id, evidence)
        assert answer.json()["code"] == "signature_verification_failed"
        assert bank.last()["kind"] == "approval.refused"  # APPR-4
        assert bank.last()["evidence_s256"]

    async def test_an_assertion_without_user_verification_is_refused(
        self, bank: Bank, grace: Page
    ) -> None:  # CRED-1
        grace.authenticator.flags = 0x01
        answer = await grace.confirm(f"/calls/{await pending(grace)}")
        assert answer.json()["code"] == "signature_verification_failed"

    async def test_a_stored_zero_disables_the_counter(self, bank: Bank) -> None:  # APPR-7
        page = bank.page(counting=False)
        await page.sign_up()
        assert (await page.deputize("payments:write")).status_code == 200
        for amount in (1, 2):
            call_id = await pending(page, {"amount": amount, "name": "Ada"})
            assert (await page.confirm(f"/calls/{call_id}")).status_code == 200


class TestConsumption:
    async def test_forged_assertions_do_not_burn_the_challenge_but_five_do(
        self, bank: Bank, grace: Page
    ) -> None:
        call_id = await pending(grace)  # APPR-4
        envelope = await mint(grace, call_id)
        good = grace.evidence(envelope)
        forged = {
            **good,
            "response": {
                **good["response"],
                "response": {**good["response"]["response"], "signature": "AAAA"},
            },
        }
        for _ in range(4):
            assert (await submit(grace, call_id, forged)).json()["code"] == "signature_verification_failed"
        assert (await submit(grace, call_id, good)).json()["state"] == "approved"

        call_id = await pending(grace, {"amount": 1, "name": "B"})
        envelope = await mint(grace, call_id)
        for _ in range(5):
            await submit(grace, call_id, {**forged, "challengeId": envelope["challengeId"]})
        answer = await submit(grace, call_id, grace.evidence(envelope))
        assert answer.json()["code"] == "challenge_consumed"
        assert (await grace.confirm(f"/calls/{call_id}")).status_code == 200  # a new click, a new challenge

    async def test_fifty_at_once_one_wins(self, bank: Bank, grace: Page) -> None:  # APPR-3
        call_id = await pending(grace)
        evidence = grace.evidence(await mint(grace, call_id))
        answers = await asyncio.gather(*(submit(grace, call_id, evidence) for _ in range(50)))
        assert sum(answer.status_code == 200 for answer in answers) == 1
        approved = [entry for entry in bank.entries() if entry["kind"] == "call.approved"]
        assert len(approved) == 1

    async def test_the_record_points_to_the_evidence(self, bank: Bank, grace: Page) -> None:  # LOG-2
        await grace.confirm(f"/calls/{await pending(grace)}")
        entry = bank.last()
        assert entry["kind"] == "call.approved"
        assert (entry["method"], entry["credential_id"]) == ("webauthn", next(iter(grace.authenticator.keys)))
        assert entry["evidence_s256"]


class TestEnding:
    @pytest.mark.parametrize("reason", ["declined", "cancelled"])
    async def test_a_denial_ends_the_call(self, bank: Bank, grace: Page, reason: str) -> None:  # APPR-6
        call_id = await pending(grace)
        evidence = grace.evidence(await mint(grace, call_id))
        assert (await grace.send("POST", f"/calls/{call_id}/denial", {"reason": reason})).json()[
            "state"
        ] == reason
        answer = await submit(grace, call_id, evidence)
        assert (answer.status_code, answer.json()["code"]) == (409, reason)
        assert (bank.last()["kind"], bank.last()["call_id"]) == (f"call.{reason}", call_id)
        again = (await grace.call("transfer_money", TRANSFER)).json()
        assert again["call_id"] != call_id

    async def test_other_reasons_are_not_taken(self, bank: Bank, grace: Page) -> None:
        answer = await grace.send("POST", f"/calls/{await pending(grace)}/denial", {"reason": "approved"})
        assert answer.json()["code"] == "invalid_request"

    async def test_a_grant_that_is_revoked_in_between_ends_the_call(
        self, bank: Bank, grace: Page
    ) -> None:  # APPR-5
        call_id = await pending(grace)
        evidence = grace.evidence(await mint(grace, call_id))
        await bank.revoke(str(grace.tokens["grant_id"]))
        answer = await submit(grace, call_id, evidence)
        assert (answer.status_code, answer.json()["code"]) == (403, "grant_revoked")
        assert (bank.last()["kind"], bank.last()["code"]) == ("call.denied", "grant_revoked")
        assert (await submit(grace, call_id, evidence)).json()["code"] == "call_state"
