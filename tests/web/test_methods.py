"""A second method of approval over HTTP, with nothing of the product changed for it (APPR-9)."""

from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any

import httpx2
import orjson
import pytest
from tests.bank import Bank
from tests.codes import Codes

from deputize.protocol.canonical import Json, action_hash, b64u, unb64u
from deputize.protocol.prompt import Prompts
from deputize.service.methods import Methods
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

TRANSFER: dict[str, Json] = {"amount": 250, "name": "Ada"}


@pytest.fixture
def codes(bank: Bank) -> Codes:
    """Register it, before the one that is there."""
    codes, authority = Codes(), bank.deputize.authority
    authority.methods = Methods((codes, *authority.methods))
    return codes


class Typing(Page):
    """A page whose user types codes."""

    codes: Codes

    def evidence(self, envelope: Any) -> Any:
        return self.codes.evidence(envelope)


@pytest.fixture
async def user(bank: Bank, codes: Codes) -> Page:
    """Give somebody with a passkey and a telephone, who has deputized the agent in this browser by a code."""
    page = bank.page()
    page.__class__ = Typing
    page.codes = codes  # type: ignore[attr-defined]
    assert (await page.sign_up()).status_code == 200
    answer = await page.deputize("account:read payments:write")
    assert answer.status_code == 200, answer.text
    return page


async def pending(page: Page, amount: int = 250) -> str:
    return str((await page.call("transfer_money", {**TRANSFER, "amount": amount})).json()["call_id"])


async def mint(page: Page, call_id: str) -> dict[str, Any]:
    envelope: dict[str, Any] = (await page.send("POST", f"/calls/{call_id}/challenge")).json()
    return envelope


async def submit(page: Page, call_id: str, evidence: Json) -> httpx2.Response:
    return await page.send("POST", f"/calls/{call_id}/approval", evidence)


async def test_a_consent_and_a_call_are_approved_by_it(bank: Bank, user: Page) -> None:
    (consent,) = [entry for entry in bank.entries() if entry["kind"] == "grant.active"]
    assert (consent["method"], consent["telephone"]) == ("code", "…42")
    call_id = await pending(user)
    approved = (await submit(user, call_id, user.evidence(await mint(user, call_id)))).json()
    assert approved["state"] == "approved"
    entry = bank.last()
    assert (entry["kind"], entry["method"], entry["telephone"]) == ("call.approved", "code", "…42")
    claims = orjson.loads(urlsafe_b64decode(approved["call_token"].split(".")[1] + "=="))
    assert claims["tctx"]["approval"] == {"challenge_id": entry["challenge_id"], "method": "code"}  # TOKEN-3


async def test_the_envelope_says_what_is_asked_by_which_method(bank: Bank, user: Page) -> None:
    envelope = await mint(user, await pending(user))
    assert set(envelope) == {
        *("challengeId", "displayText", "text", "expiresAt"),
        *("method", "challenge", "request"),
    }
    assert (envelope["method"], envelope["request"]["seconds"]) == ("code", 60)
    assert unb64u(envelope["challenge"])[32:] == action_hash("transfer_money", TRANSFER, bank.issuer)


async def test_who_cannot_answer_by_the_first_is_asked_by_the_next(bank: Bank, user: Page) -> None:
    authority = bank.deputize.authority
    authority.methods = Methods(
        (Codes(without=frozenset({user.tokens["sub"]})), *list(authority.methods)[1:])
    )
    envelope = await mint(user, await pending(user))
    assert "requestOptions" in envelope
    assert "method" not in envelope


async def test_a_challenge_for_one_is_not_answered_by_another(bank: Bank, user: Page, codes: Codes) -> None:
    """Both are good in themselves: a passkey over the bytes of a challenge for a code, and a code over those of one
    for a passkey."""
    call_id = await pending(user)
    envelope = await mint(user, call_id)
    options = {"challenge": envelope["challenge"], "rpId": "bank.example"}
    response = user.authenticator.get({**options, "allowCredentials": [], "userVerification": "required"})
    asserted = {"method": "webauthn", "challengeId": envelope["challengeId"], "response": response}
    assert (await submit(user, call_id, asserted)).json()["code"] == "challenge_unknown"
    assert (await submit(user, call_id, codes.evidence(envelope))).json()["state"] == "approved"

    authority = bank.deputize.authority
    authority.methods = Methods(tuple(reversed(list(authority.methods))))
    call_id = await pending(user, 9)
    envelope = await mint(user, call_id)
    told = {"user": user.tokens["sub"]}
    coded = codes.evidence(
        {**envelope, "challenge": envelope["requestOptions"]["challenge"], "request": told}
    )
    assert (await submit(user, call_id, coded)).json()["code"] == "challenge_unknown"
    assert (await submit(user, call_id, Page.evidence(user, envelope))).json()["state"] == "approved"


async def test_what_is_over_one_thing_is_for_nothing_else(bank: Bank, user: Page) -> None:
    authority = bank.deputize.authority
    authority.policy = replace(authority.policy, prompts=Prompts(at_once=None))
    asked = (await user.send("POST", "/grants", {"scope": "account:admin"})).json()
    consent = (await user.send("POST", f"/grants/{asked['grant_id']}/challenge")).json()
    first, second = await pending(user), await pending(user, 9)
    evidence = user.evidence(await mint(user, first))
    for other in (user.evidence(consent), evidence):
        assert (await submit(user, second, other)).json()["code"] == "challenge_unknown"
    path = f"/grants/{asked['grant_id']}/approval"
    assert (await user.send("POST", path, evidence)).json()["code"] == "challenge_unknown"


async def test_a_wrong_answer_counts_and_does_not_burn_the_challenge(bank: Bank, user: Page) -> None:
    """APPR-4: whatever the method."""
    for wrong, result in ((4, "approved"), (5, "challenge_consumed")):
        call_id = await pending(user, wrong)
        envelope = await mint(user, call_id)
        bad = {**user.evidence(envelope), "code": "guessed"}
        for _ in range(wrong):
            assert (await submit(user, call_id, bad)).json()["code"] == "signature_verification_failed"
        body = (await submit(user, call_id, user.evidence(envelope))).json()
        assert (body.get("code") or body["state"]) == result


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"method": "pin", "code": None, "response": {}}, "unsupported_method"),
        ({"method": "pin", "code": None}, "missing_evidence"),
        ({"code": None}, "missing_evidence"),
        ({"method": "webauthn"}, "missing_evidence"),
        ({"method": "webauthn", "response": {}}, "missing_evidence"),
        ({"pin": "1234"}, "approved"),  # what no method reads
        ({"code": 1234}, "missing_evidence"),
        ({"method": 5}, "missing_evidence"),
        ({"challengeId": None}, "missing_evidence"),
        ({"challengeId": ["chl"]}, "missing_evidence"),
    ],
)
async def test_a_method_reads_what_is_its_own_and_the_port_the_rest(
    bank: Bank, user: Page, change: dict[str, Json], code: str
) -> None:
    call_id = await pending(user)
    changed = {**user.evidence(await mint(user, call_id)), **change}
    evidence = {name: value for name, value in changed.items() if value is not None}
    body = (await submit(user, call_id, evidence)).json()
    assert (body.get("code") or body["state"]) == code


async def test_one_that_is_registered_no_more_answers_nothing(bank: Bank, user: Page) -> None:
    call_id = await pending(user)
    evidence = user.evidence(await mint(user, call_id))
    authority = bank.deputize.authority
    authority.methods = Methods(tuple(authority.methods)[1:])
    answer = await submit(user, call_id, {**evidence, "response": {"id": "x"}})
    assert answer.json()["code"] == "unsupported_method"


async def test_what_a_passkey_signs_for_is_not_known_before(bank: Bank, grace: Page) -> None:
    """APPR-10: what opens it goes to nobody."""
    call_id = await pending(grace)
    envelopes = [await mint(grace, call_id) for _ in range(2)]
    store = bank.deputize.store
    kept = [store.look(lambda tx, it=each: tx.challenge(it["challengeId"])) for each in envelopes]  # type: ignore[misc]
    assert len({one.salt for one in kept if one is not None and len(one.salt) == 32}) == 2
    for one, envelope in zip(kept, envelopes, strict=True):
        assert one is not None
        assert b64u(one.salt) not in str(envelope)


async def test_whoever_has_no_passkey_but_a_telephone_is_asked(bank: Bank, user: Page) -> None:
    """CALL-5: nobody is turned away who could answer by any method."""
    store = bank.deputize.store
    for passkey in store.look(lambda tx: tx.credentials(user.tokens["sub"])):
        await store.transact(lambda tx, it=passkey: tx.remove_credential(it.credential_id, it.user_id))  # type: ignore[misc]
    call_id = await pending(user)
    assert (await submit(user, call_id, user.evidence(await mint(user, call_id)))).json()[
        "state"
    ] == "approved"
    authority = bank.deputize.authority
    authority.methods = Methods(tuple(authority.methods)[1:])
    refused = (await user.call("transfer_money", {**TRANSFER, "amount": 7})).json()
    assert refused["code"] == "no_eligible_credential"
