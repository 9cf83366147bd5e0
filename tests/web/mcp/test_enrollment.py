"""Enrolling a passkey over MCP: SEP-2672 §4.4.1 and §4.4.2, inside the user's window (CRED-7, MCP-10)."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import cbor2
import pytest
from mcp.shared.exceptions import MCPError
from tests.web.agents import ERRAND
from tests.web.mcp.conftest import ALL, LEGACY, MODERN, Deputy, LiveBank, refused

from deputize.protocol.canonical import b64u, unb64u
from deputize.protocol.challenge import Challenge
from deputize.protocol.credential import Credential
from deputize.protocol.token import Delegation
from deputize.service.calls.request import Principal
from deputize.service.enrollments import pending
from deputize.service.ports import Tx
from deputize.testing.authenticator import SoftAuthenticator

pytestmark = pytest.mark.anyio

BEGIN, FINISH = "approval/enroll/begin", "approval/enroll/finish"


@pytest.fixture
async def deputy(live: LiveBank) -> Deputy:
    """Give a deputy whose user has opened the window."""
    deputy = await live.deputy()
    await deputy.open_window()
    return deputy


async def begin(deputy: Deputy, params: Any = None) -> dict[str, Any]:
    options = (await deputy.send(BEGIN, params))["options"]
    assert isinstance(options, dict)
    return options


async def finish(deputy: Deputy, response: Any) -> dict[str, Any]:
    return await deputy.send(FINISH, {"response": response})


async def enroll(deputy: Deputy, *transports: str) -> SoftAuthenticator:
    """Do all of it."""
    device = SoftAuthenticator(deputy.page.origin, transports or ("usb",))
    await finish(deputy, device.create(await begin(deputy)))
    return device


def credentials(deputy: Deputy) -> list[Credential]:
    """List the active credentials of the deputy's user."""
    user_id = deputy.agent.tokens["sub"]
    return deputy.bank.deputize.store.look(lambda tx: tx.credentials(user_id))


class TestBegin:
    """§4.4.1."""

    @pytest.mark.parametrize("mode", [LEGACY, MODERN])
    async def test_answers_creation_options(self, live: LiveBank, mode: str) -> None:
        deputy = await live.deputy(mode)
        await deputy.open_window()
        options = await begin(deputy)
        assert options["rp"] == {"id": "localhost", "name": "Bank"}
        assert options["user"]["name"] == options["user"]["displayName"] == "Ada Lovelace"
        assert {"type": "public-key", "alg": -7} in options["pubKeyCredParams"]
        assert options["attestation"] == "none"
        assert len(unb64u(options["challenge"])) == 32

    @pytest.mark.parametrize(
        "params",
        [None, [], [1], "x", 5, {}, {"userId": "x"}, {"_meta": 5}, {"_meta": {"progressToken": {}}, "a": 1}],
    )
    async def test_params_are_ignored(self, live: LiveBank, deputy: Deputy, params: Any) -> None:
        message = {"jsonrpc": "2.0", "id": 1, "method": BEGIN, "params": params}
        answer = (await live.post(message, deputy.agent)).json()
        assert answer["result"]["options"]["rp"]["id"] == "localhost"

    async def test_the_challenge_is_fresh_for_each_call(self, deputy: Deputy) -> None:
        assert len({(await begin(deputy))["challenge"] for _ in range(5)}) == 5

    async def test_user_verification_is_required(self, deputy: Deputy) -> None:
        selection = (await begin(deputy))["authenticatorSelection"]
        assert (selection["userVerification"], selection["residentKey"]) == ("required", "preferred")

    async def test_the_credentials_that_are_enrolled_are_excluded(
        self, live: LiveBank, deputy: Deputy
    ) -> None:
        first = next(iter(deputy.page.authenticator.keys))
        assert [c["id"] for c in (await begin(deputy))["excludeCredentials"]] == [first]
        device = await enroll(deputy)
        await deputy.open_window()
        excluded = (await begin(deputy))["excludeCredentials"]
        assert [c["id"] for c in excluded] == [first, next(iter(device.keys))]
        assert excluded[1] == {"type": "public-key", "id": next(iter(device.keys)), "transports": ["usb"]}

    async def test_the_challenge_lives_as_long_as_the_window(self, live: LiveBank, deputy: Deputy) -> None:
        assert (await begin(deputy))["timeout"] == 300_000
        live.clock.forward(100)
        assert (await begin(deputy))["timeout"] == 200_000


class TestFinish:
    """§4.4.2."""

    @pytest.mark.parametrize("mode", [LEGACY, MODERN])
    async def test_confirms_the_new_credential(self, live: LiveBank, mode: str) -> None:
        deputy = await live.deputy(mode)
        await deputy.open_window()
        device = SoftAuthenticator(deputy.page.origin, ("usb",))
        confirmed = await finish(deputy, device.create(await begin(deputy)))
        assert confirmed["success"] is True
        assert confirmed["credentialId"] == next(iter(device.keys))
        assert datetime.fromisoformat(confirmed["createdAt"]).timestamp() == live.clock()

    async def test_stores_what_later_assertions_need(self, deputy: Deputy) -> None:
        """Key, id, counter, transports and user handle; the new passkey approves calls at once."""
        device = await enroll(deputy, "usb", "nfc")
        stored = credentials(deputy)[-1]
        assert stored.credential_id == next(iter(device.keys))
        assert (stored.transports, stored.sign_count) == (frozenset({"usb", "nfc"}), 0)
        assert stored.public_key
        envelope = await deputy.challenge("close_account", {})
        response = device.get(envelope["requestOptions"])
        assert response["response"]["userHandle"]
        evidence = {"method": "webauthn", "challengeId": envelope["challengeId"], "response": response}
        assert not (await deputy.call("close_account", {}, evidence)).is_error

    async def test_a_response_to_another_challenge_is_rejected(self, deputy: Deputy) -> None:
        options = await begin(deputy)
        device = SoftAuthenticator(deputy.page.origin)
        async with refused("verification_failed"):
            await finish(deputy, device.create({**options, "challenge": b64u(b"x" * 32)}))

    async def test_only_the_last_begin_counts(self, deputy: Deputy) -> None:
        older = await begin(deputy)
        await begin(deputy)
        async with refused("verification_failed"):
            await finish(deputy, SoftAuthenticator(deputy.page.origin).create(older))

    async def test_the_user_must_have_been_verified(self, deputy: Deputy) -> None:
        device = SoftAuthenticator(deputy.page.origin, flags=0x01)
        async with refused("verification_failed"):
            await finish(deputy, device.create(await begin(deputy)))

    @pytest.mark.parametrize("response", [None, {}, "x", [], {"id": "x"}, {"response": {}}])
    async def test_the_response_must_be_well_formed(self, deputy: Deputy, response: Any) -> None:
        await begin(deputy)
        async with refused("verification_failed"):
            await finish(deputy, response)

    async def test_a_statement_that_is_there_must_be_right_although_none_is_asked_for(
        self, deputy: Deputy
    ) -> None:
        made = SoftAuthenticator(deputy.page.origin).create(await begin(deputy))
        inner: Any = made["response"]
        attestation = cbor2.loads(unb64u(inner["attestationObject"]))
        forged = {**attestation, "fmt": "packed", "attStmt": {"alg": -7, "sig": b"x" * 70}}
        inner["attestationObject"] = b64u(cbor2.dumps(forged))
        async with refused("verification_failed"):
            await finish(deputy, made)

    async def test_a_ceremony_of_another_origin_is_rejected(self, deputy: Deputy) -> None:  # CRED-1
        device = SoftAuthenticator(deputy.page.origin)
        async with refused("verification_failed"):
            await finish(deputy, device.create(await begin(deputy), origin="https://evil.example"))

    async def test_a_credential_is_enrolled_once_whatever_the_browser_says(
        self, live: LiveBank, deputy: Deputy
    ) -> None:  # CRED-4
        taken = next(iter(deputy.page.authenticator.keys.values())).credential_id
        made = _with_id(SoftAuthenticator(deputy.page.origin), await begin(deputy), taken)
        async with refused("credential_already_enrolled"):
            await finish(deputy, made)
        assert (live.last()["kind"], live.last()["code"]) == (
            "credential.refused",
            "credential_already_enrolled",
        )
        assert len(credentials(deputy)) == 1

    async def test_without_a_begin_there_is_nothing_to_finish(self, deputy: Deputy) -> None:
        made = SoftAuthenticator(deputy.page.origin).create(
            {"challenge": b64u(b"x" * 32), "rp": {"id": "localhost"}, "user": {"id": b64u(b"x")}}
        )
        async with refused("no_pending_enrollment"):
            await finish(deputy, made)

    async def test_it_is_finished_once(self, deputy: Deputy) -> None:
        options = await begin(deputy)
        await finish(deputy, SoftAuthenticator(deputy.page.origin).create(options))
        async with refused("no_pending_enrollment"):
            await finish(deputy, SoftAuthenticator(deputy.page.origin).create(options))

    @pytest.mark.parametrize(("seconds", "succeeds"), [(299, True), (300, False)])
    async def test_it_must_not_have_expired(
        self, live: LiveBank, deputy: Deputy, seconds: int, succeeds: bool
    ) -> None:
        made = SoftAuthenticator(deputy.page.origin).create(await begin(deputy))
        live.clock.forward(seconds)
        await deputy.agent.refresh()
        if succeeds:
            assert (await finish(deputy, made))["success"]
            return
        async with refused("no_pending_enrollment"):
            await finish(deputy, made)

    async def test_another_agents_begin_is_not_finished(self, live: LiveBank, deputy: Deputy) -> None:
        options = await begin(deputy)
        other = await live.agent(ERRAND).deputized(deputy.page, ALL)
        client = await live.connect(other)
        made = SoftAuthenticator(deputy.page.origin).create(options)
        async with refused("no_pending_enrollment"):
            await finish(Deputy(live, deputy.page, other, client), made)


class TestWindow:
    """CRED-7: what the user has to do first."""

    async def test_a_delegation_alone_enrolls_nothing(self, live: LiveBank) -> None:
        deputy = await live.deputy()
        with pytest.raises(MCPError) as caught:
            await begin(deputy)
        assert (caught.value.code, caught.value.data["code"]) == (-32010, "enrollment_not_allowed")
        assert "account page" in caught.value.message

    async def test_it_admits_one_credential(self, live: LiveBank, deputy: Deputy) -> None:
        await enroll(deputy)
        assert (live.last()["kind"], live.last()["basis"]) == ("credential.added", "mcp")
        with pytest.raises(MCPError) as caught:
            await begin(deputy)
        assert caught.value.data["code"] == "enrollment_not_allowed"

    async def test_two_that_were_begun_admit_one(self, live: LiveBank, deputy: Deputy) -> None:
        other_agent = await live.agent(ERRAND).deputized(deputy.page, ALL)
        other = Deputy(live, deputy.page, other_agent, await live.connect(other_agent))
        made = [SoftAuthenticator(deputy.page.origin).create(await begin(who)) for who in (deputy, other)]
        await finish(deputy, made[0])
        async with refused("no_pending_enrollment"):
            await finish(other, made[1])
        assert len(credentials(deputy)) == 2

    async def test_it_closes_after_five_minutes(self, live: LiveBank, deputy: Deputy) -> None:
        live.clock.forward(299)
        await deputy.agent.refresh()
        await begin(deputy)
        live.clock.forward(1)
        with pytest.raises(MCPError) as caught:
            await begin(deputy)
        assert caught.value.data["code"] == "enrollment_not_allowed"

    async def test_closing_it_ends_what_was_begun(self, live: LiveBank, deputy: Deputy) -> None:
        made = SoftAuthenticator(deputy.page.origin).create(await begin(deputy))
        assert (await deputy.page.send("DELETE", "/account/enrollment-window", page=False)).status_code == 204
        async with refused("no_pending_enrollment"):
            await finish(deputy, made)
        assert len(credentials(deputy)) == 1

    async def test_it_is_this_users_alone(self, live: LiveBank, deputy: Deputy) -> None:
        with pytest.raises(MCPError):
            await begin(await live.deputy())


def _with_id(device: SoftAuthenticator, options: dict[str, Any], credential_id: bytes) -> dict[str, Any]:
    """Make a registration that claims a credential id, as one may who signs it himself."""
    made = device.create(options)
    inner: Any = made["response"]
    attestation = cbor2.loads(unb64u(inner["attestationObject"]))
    ours = unb64u(str(made["id"]))
    attestation["authData"] = attestation["authData"].replace(ours, credential_id)
    inner["attestationObject"] = b64u(cbor2.dumps(attestation))
    return {**made, "id": b64u(credential_id), "rawId": b64u(credential_id)}


class TestItsWindow:
    """An enrollment is of the window and the challenge that it was begun with (APPR-8, MCP-10)."""

    async def test_another_window_is_not_its_own(self, live: LiveBank, deputy: Deputy) -> None:
        response = SoftAuthenticator(deputy.page.origin, ("usb",)).create(await begin(deputy))
        closed = await deputy.page.send("DELETE", "/account/enrollment-window", page=False)
        assert closed.status_code == 204
        live.clock.forward(1)
        await deputy.open_window()
        async with refused("no_pending_enrollment"):
            await finish(deputy, response)
        assert len(credentials(deputy)) == 1
        await enroll(deputy)  # the window is open still, for what is begun in it

    async def test_nor_is_one_that_took_its_place(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The same caller begins anew on another worker, after the answer was verified."""
        response = SoftAuthenticator(deputy.page.origin, ("usb",)).create(await begin(deputy))
        store = live.deputize.store

        async def first(asked: Any) -> Any:
            monkeypatch.undo()
            await store.transact(replace_challenge)
            return await store.transact(asked)

        def replace_challenge(tx: Tx) -> None:
            grant = tx.grant(deputy.agent.tokens["grant_id"])
            agent = tx.agent(grant.client_id) if grant else None
            assert grant is not None
            assert agent is not None
            caller = Principal(grant.user_id, Delegation.of(grant, agent, "", 0))
            old = pending(tx, live.deputize.authority.moment(), caller)
            assert isinstance(old, Challenge)
            tx.drop_challenge(old.challenge_id)
            tx.add(replace(old, nonce=bytes(32)))

        monkeypatch.setattr(store, "transact", first)
        async with refused("no_pending_enrollment"):
            await finish(deputy, response)
        assert len(credentials(deputy)) == 1
