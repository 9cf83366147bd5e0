"""What is verified is acted on in a transaction of its own: whatever another worker puts in its place in between has
nothing of it (APPR-8).
"""

from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import Any

import httpx2
import pytest
from tests.bank import Bank
from tests.store import values as v
from tests.web.agents import Client

from deputize.methods.webauthn import Passkeys
from deputize.protocol.canonical import Json
from deputize.protocol.challenge import Purpose
from deputize.protocol.credential import AuthenticatorClass, Credential
from deputize.protocol.errors import Refusal
from deputize.protocol.grant import GrantState
from deputize.protocol.ids import ChallengeId, GrantId, Jkt, UserId
from deputize.protocol.question import Surface, Text
from deputize.protocol.request import Status
from deputize.service import approvals, authorizations
from deputize.service.approvals import Action, Verified
from deputize.service.methods import Methods
from deputize.service.ports import Assertion, Tx
from deputize.store.sqlite import SqliteStore
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

Way = Callable[[Page], Awaitable[str]]
NO = b"never verified"


def another(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, fn: Callable[[Tx, str], object]
) -> Callable[[str], None]:
    """Let another worker commit this, about a challenge, before the next transaction; the answer arms it."""
    store = bank.deputize.store

    def arm(challenge_id: str) -> None:
        async def first(asked: Any) -> Any:
            monkeypatch.undo()
            await store.transact(lambda tx: fn(tx, challenge_id))
            return await store.transact(asked)

        monkeypatch.setattr(store, "transact", first)

    return arm


async def of_a_call(page: Page) -> str:
    asked = (await page.call("transfer_money", {"amount": 5, "name": "Ada"})).json()
    return f"/calls/{asked['call_id']}"


async def of_a_consent(page: Page) -> str:
    asked = (await page.send("POST", "/grants", {"scope": "account:admin"})).json()
    return f"/grants/{asked['grant_id']}"


async def of_a_window(page: Page) -> str:
    return "/account/enrollment-window"


WAYS: list[Way] = [of_a_call, of_a_consent, of_a_window]


async def confirmed(page: Page, path: str, arm: Callable[[str], None]) -> httpx2.Response:
    """Confirm with the passkey, while the other worker is about."""
    by_key = not path.startswith("/account")
    minted = (await page.send("POST", f"{path}/challenge", page=by_key)).json()
    evidence = page.evidence(minted)
    arm(minted["challengeId"])
    return await page.send("POST", f"{path}/approval", evidence, page=by_key)


class TestAnotherWorkerReplaces:
    @pytest.mark.parametrize("way", WAYS)
    async def test_the_challenge_and_nothing_is_approved(
        self, bank: Bank, grace: Page, way: Way, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def replaces(tx: Tx, challenge_id: str) -> None:
            old = tx.challenge(ChallengeId(challenge_id))
            assert old is not None
            tx.drop_challenge(old.challenge_id)
            tx.add(replace(old, nonce=v.digest("another")))

        answer = await confirmed(grace, await way(grace), another(bank, monkeypatch, replaces))
        assert answer.json()["code"] == "challenge_unknown"

    @pytest.mark.parametrize("gone", ["removed", "another key", "another user"])
    @pytest.mark.parametrize("way", [*WAYS, None])
    async def test_the_passkey_and_nothing_is_approved(
        self, bank: Bank, grace: Page, way: Way | None, gone: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mallory = bank.page()
        await mallory.sign_up("Mallory")
        users = bank.deputize.store.look(lambda tx: tx.users())
        before = len(bank.entries())

        def replaces(tx: Tx, _: str) -> None:
            (known,) = tx.credentials(users[0].user_id)
            tx.remove_credential(known.credential_id, known.user_id)
            if gone == "another key":
                tx.add(replace(known, public_key=NO))
            if gone == "another user":
                tx.add(replace(known, user_id=users[1].user_id))

        arm = another(bank, monkeypatch, replaces)
        if way is None:
            begun = (await grace.send("POST", "/account/sign-in", page=False)).json()
            response: Json = {"response": grace.authenticator.get(begun["requestOptions"])}
            arm(begun["challengeId"])
            answer = await grace.send(
                "POST", f"/account/sign-in/{begun['challengeId']}", response, page=False
            )
        else:
            answer = await confirmed(grace, await way(grace), arm)
        assert answer.json()["code"] == "unknown_credential"
        assert "set-cookie" not in answer.headers
        kinds = {entry["kind"] for entry in bank.entries()[before:]}
        assert not {"call.approved", "grant.active", "enrollment.opened", "user.signed_in"} & kinds

    async def test_the_grant_of_a_request_and_nothing_is_given(
        self, local: Bank, ada: Page, helper: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A consent is for the grant that was signed, not for the one that the request is bound to by now."""
        url = await helper.page_url("account:read")
        opened = await ada.http.get(url)
        request_id = opened.text.partition('data-request="')[2].partition('"')[0]
        (mine,) = _pending(local, request_id)
        wider = replace(mine, grant_id=GrantId("grt_" + "B" * 22))

        def replaces(tx: Tx, _: str) -> None:
            request = tx.request(request_id)
            assert request is not None
            tx.add(wider)
            assert tx.move_request(replace(request, grant_id=wider.grant_id))

        csrf = opened.text.partition('name="deputize-csrf" content="')[2].partition('"')[0]
        headers = {"deputize-csrf": csrf}
        path = f"/authorize/{request_id}"
        minted = (await ada.send("POST", f"{path}/challenge", headers=headers, page=False)).json()
        evidence = ada.evidence(minted)
        another(local, monkeypatch, replaces)(minted["challengeId"])
        answer = await ada.send("POST", f"{path}/approval", evidence, headers, page=False)
        assert answer.json()["code"] == "challenge_unknown"
        for grant in (mine, wider):
            found = local.deputize.store.look(lambda tx, it=grant: tx.grant(it.grant_id))  # type: ignore[misc]
            assert found is not None
            assert found.state is GrantState.PENDING
        request = local.deputize.store.look(lambda tx: tx.request(request_id))
        assert request is not None
        assert request.status is Status.REQUESTED

    async def test_two_workers_show_one_grant(self, local: Bank, ada: Page, helper: Client) -> None:
        url = await helper.page_url("account:read")
        request_id = url.rpartition("%3A")[2]
        authority, store = local.deputize.authority, local.deputize.store
        stale = store.look(lambda tx: tx.request(request_id))
        (user,) = store.look(lambda tx: tx.users())
        assert stale is not None
        await ada.http.get(url)
        (first,) = _pending(local, request_id)
        again = await store.transact(
            lambda tx: authorizations.show(tx, authority.moment(), stale, user.user_id)
        )
        assert again == first


def _pending(bank: Bank, request_id: str) -> list[Any]:
    request = bank.deputize.store.look(lambda tx: tx.request(request_id))
    assert request is not None
    assert request.grant_id is not None
    return bank.deputize.store.look(lambda tx: [tx.grant(GrantId(str(request.grant_id)))])


TEXT = Text("en", ("Pay 1 EUR",))
OTHER: dict[str, list[Any]] = {
    "purpose": [each for each in Purpose if each is not Purpose.CALL],
    "subject": ["cal_other", ""],
    "tool": ["another"],
    "arguments": [{"amount": 2}, {"amount": True}, {"amount": 1, "more": None}, {}],
    "authenticator_class": [AuthenticatorClass.CROSS_PLATFORM],
    "owner": [UserId("usr_other")],
    "page_jkt": [None, Jkt("other")],
    "methods": [("webauthn",), (), ("other",)],
    "surface": [Surface.AUTHORITY, Surface.EITHER],
    "approvals": [0, 2],
    "takes": [Surface.PAGE],
}


@dataclass(frozen=True)
class AnyPasskey:
    """Takes every assertion for good: what is tried here comes after it."""

    rp_id = "bank.example"

    def authentication(self, response: Any, challenge: bytes, credential: Credential, handle: bytes) -> Any:
        return Assertion(credential, credential.sign_count + 1)

    def registration(self, response: Any, challenge: bytes) -> Any:
        raise NotImplementedError


class TestEveryMember:
    """A verdict over one action is none over an action that differs in anything."""

    async def test_of_an_action_is_compared(self, bank: Bank, grace: Page) -> None:
        store = bank.deputize.store
        passkeys = dict.fromkeys(Surface, AnyPasskey())
        methods = Methods((Passkeys(passkeys),))  # type: ignore[arg-type]  # each stands for Ceremonies
        at = replace(bank.deputize.authority.moment(), methods=methods)
        (user,) = store.look(lambda tx: tx.users())
        (known,) = store.look(lambda tx: tx.credentials(user.user_id))
        action = Action(
            Purpose.CALL,
            "cal_one",
            "pay",
            {"amount": 1},
            user.user_id,
            page_jkt=Jkt("key"),
        )
        assert OTHER.keys() == {field.name for field in fields(Action)}
        minted = await store.transact(lambda tx: approvals.mint(tx, at, action, TEXT))
        assert isinstance(minted, approvals.Minted)
        evidence: Json = {
            "method": "webauthn",
            "challengeId": minted.challenge.challenge_id,
            "response": {"id": known.credential_id},
        }
        verdict = store.look(lambda tx: approvals.check(tx, at, action, evidence))
        assert isinstance(verdict, Verified)
        for name, others in OTHER.items():
            for other in others:
                swapped = replace(action, **{name: other})
                refusal = await store.transact(
                    lambda tx, it=swapped: approvals.conclude(tx, at, verdict, it, TEXT)  # type: ignore[misc]
                )
                assert isinstance(refusal, Refusal), (name, other)
                code = "unsupported_method" if name == "approvals" else "challenge_unknown"
                assert refusal.code == code, (name, other)
        assert await store.transact(lambda tx: approvals.conclude(tx, at, verdict, action, TEXT)) is verdict


async def test_a_no_by_what_is_remembered_is_made_sure_of(bank: Bank, grace: Page) -> None:
    """Another process gives her back the passkey that this one remembers to be gone."""
    store = bank.deputize.store
    assert isinstance(store, SqliteStore)
    with closing(SqliteStore(store._path)) as other:
        (user,) = await other.read(lambda reader: reader.users())
        (passkey,) = await other.read(lambda reader: reader.credentials(user.user_id))
        await other.transact(lambda tx: tx.add(v.credential("another", user_id=passkey.user_id)))
        await other.transact(lambda tx: tx.remove_credential(passkey.credential_id, passkey.user_id))
        path = await of_a_call(grace)
        minted = (await grace.send("POST", f"{path}/challenge")).json()
        assert passkey not in await store.glance(lambda reader: reader.credentials(passkey.user_id))
        await other.transact(lambda tx: tx.add(passkey))
        minted["requestOptions"]["allowCredentials"] = [{"id": passkey.credential_id, "type": "public-key"}]
        answer = await grace.send("POST", f"{path}/approval", grace.evidence(minted))
    assert answer.json()["state"] == "approved", answer.text


async def test_a_yes_by_what_is_remembered_counts_for_nothing_alone(bank: Bank, grace: Page) -> None:
    """Another process takes the passkey that this one remembers."""
    store = bank.deputize.store
    assert isinstance(store, SqliteStore)
    path = await of_a_call(grace)
    minted = (await grace.send("POST", f"{path}/challenge")).json()
    with closing(SqliteStore(store._path)) as other:
        (user,) = await other.read(lambda reader: reader.users())
        (passkey,) = await store.glance(lambda reader: reader.credentials(user.user_id))
        await other.transact(lambda tx: tx.remove_credential(passkey.credential_id, passkey.user_id))
    assert await store.glance(lambda reader: reader.credentials(passkey.user_id)) == [passkey]
    answer = await grace.send("POST", f"{path}/approval", grace.evidence(minted))
    assert answer.json()["code"] == "unknown_credential", answer.text
