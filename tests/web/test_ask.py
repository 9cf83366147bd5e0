"""A question on the authority's own page: to its own user alone, answered by who is signed in himself (APPR-12)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from tests.bank import POLICY, Bank, opened
from tests.web.agents import Client, seen

from deputize import settings
from deputize.protocol.canonical import Json
from deputize.protocol.policy import Policy
from deputize.protocol.proof import MADE_NOW
from deputize.service import restoring
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

TRANSFER: dict[str, Json] = {"amount": 250, "name": "Ada"}


async def pending(page: Page, amount: int = 250) -> str:
    return str((await page.call("transfer_money", {**TRANSFER, "amount": amount})).json()["call_id"])


async def visited(page: Page, asked_id: str) -> httpx2.Response:
    return await page.http.get(f"{page.issuer}/ask/{asked_id}")


async def answered(page: Page, asked_id: str) -> httpx2.Response:
    """Answer on the authority's page, by the session alone."""
    return await page.confirm(f"/ask/{asked_id}", page=False)


async def another(bank: Bank, page: Page) -> Page:
    """Sign the same user in on another device, which has no key of any page that asks."""
    device = bank.page()
    device.authenticator = page.authenticator
    assert (await device.sign_in()).status_code == 200
    return device


async def test_a_call_is_answered_on_another_device_and_goes_on_in_its_page(bank: Bank, grace: Page) -> None:
    await grace.deputize("account:read payments:write")
    call_id = await pending(grace)
    device = await another(bank, grace)
    told = seen((await visited(device, call_id)).text)
    assert "EUR to" in told
    assert "Approve with passkey" in told
    approved = await answered(device, call_id)
    assert approved.json() == {"state": "approved"}  # and no call token: that is the page's
    entry = bank.last()
    assert (entry["kind"], entry["surface"]) == ("call.approved", "authority")
    resumed = (await grace.send("POST", f"/calls/{call_id}/resumption")).json()
    assert (resumed["state"], resumed["call_id"]) == ("approved", call_id)
    assert resumed["call_token"]


async def test_a_consent_is_answered_on_another_device_and_goes_on_in_its_page(
    bank: Bank, grace: Page
) -> None:
    await grace.send("POST", "/agents")
    asked = (await grace.send("POST", "/grants", {"scope": "account:read"})).json()
    device = await another(bank, grace)
    told = seen((await visited(device, asked["grant_id"])).text)
    assert "See your accounts" in told
    assert (await answered(device, asked["grant_id"])).json() == {"state": "active"}
    assert bank.last()["surface"] == "authority"
    tokens = (await grace.send("POST", f"/grants/{asked['grant_id']}/resumption")).json()
    grace.tokens = tokens
    assert (await grace.call("get_balance")).json()["state"] == "approved"


# who may answer


async def test_to_everybody_else_it_is_unknown_like_one_that_never_was(bank: Bank, grace: Page) -> None:
    call_id, size = await pending(grace), len(bank.entries())
    mallory = bank.page()
    await mallory.sign_up("Mallory")
    never = f"cal_{'A' * 22}"
    theirs, none = await visited(mallory, call_id), await visited(mallory, never)
    assert (theirs.status_code, none.status_code) == (404, 404)
    blind = [_without_csrf(each.text) for each in (theirs, none)]
    assert blind[0] == blind[1]
    assert theirs.headers.keys() == none.headers.keys()
    assert "Mallory" in theirs.text
    bodies: dict[str, Json] = {"challenge": {}, "denial": {}, "approval": {"method": "webauthn"}}
    for step, body in bodies.items():
        answers = [
            await mallory.send("POST", f"/ask/{each}/{step}", body, page=False) for each in (call_id, never)
        ]
        assert answers[0].status_code == answers[1].status_code == 404
        assert answers[0].json() == answers[1].json()
    assert len([entry for entry in bank.entries()[size:] if entry.get("call_id") == call_id]) == 0


def _without_csrf(text: str) -> str:
    start = text.index('name="deputize-csrf"') if 'name="deputize-csrf"' in text else 0
    return text[:start] + text[text.index(">", start) :]


async def test_another_users_consent_is_unknown_as_well(bank: Bank, grace: Page) -> None:
    asked = (await grace.send("POST", "/grants", {"scope": "account:admin"})).json()["grant_id"]
    mallory = bank.page()
    await mallory.sign_up("Mallory")
    assert (await visited(mallory, asked)).status_code == 404
    assert (await mallory.send("POST", f"/ask/{asked}/challenge", page=False)).json()[
        "code"
    ] == "grant_unknown"
    assert (await visited(mallory, "constructor")).status_code == 404


async def test_who_is_not_signed_in_signs_in_first_and_comes_back_whatever_the_id(
    bank: Bank, grace: Page
) -> None:
    stranger = bank.page()
    for asked_id in (await pending(grace), f"cal_{'A' * 22}", "x"):
        answer = await visited(stranger, asked_id)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"{bank.issuer}/account?return_to=%2Fdeputize%2Fask%2F{asked_id}"


async def test_opening_it_changes_nothing(bank: Bank, grace: Page) -> None:
    call_id, size = await pending(grace), len(bank.entries())
    for _ in range(2):
        assert (await visited(grace, call_id)).status_code == 200
    assert len(bank.entries()) == size


async def test_no_frame_holds_it_and_no_opener(grace: Page) -> None:
    headers = (await visited(grace, await pending(grace))).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("step", ["challenge", "approval", "denial"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "same-site"},
        {"deputize-csrf": "x"},
        {"deputize-csrf": ""},
    ],
    ids=str,
)
async def test_no_other_page_answers(bank: Bank, grace: Page, step: str, headers: dict[str, str]) -> None:
    call_id, size = await pending(grace), len(bank.entries())
    refused = await grace.send("POST", f"/ask/{call_id}/{step}", {}, headers, page=False)
    assert refused.json()["code"] == "cross_site_request"
    assert len(bank.entries()) == size


async def test_a_page_of_another_user_does_not_go_on(bank: Bank, grace: Page) -> None:
    """Not with the key of the page that asked either, nor the user on another page of his."""
    call_id = await pending(grace)
    assert (await answered(await another(bank, grace), call_id)).status_code == 200
    mallory = bank.page()
    await mallory.sign_up("Mallory")
    mallory.key = grace.key
    device = await another(bank, grace)
    for page in (mallory, device):
        for method, path in (("POST", "resumption"), ("GET", "wait")):
            refused = await page.send(method, f"/calls/{call_id}/{path}")
            assert refused.json()["code"] == "call_unknown"


# one outcome


async def test_of_three_tabs_one_decides_and_the_others_are_told(bank: Bank, grace: Page) -> None:
    call_id = await pending(grace)
    tabs = [await another(bank, grace) for _ in range(3)]
    minted = [(await tab.send("POST", f"/ask/{call_id}/challenge", page=False)).json() for tab in tabs]
    answers = [
        await tab.send("POST", f"/ask/{call_id}/approval", tab.evidence(each), page=False)
        for tab, each in zip(tabs, minted, strict=True)
    ]
    assert [each.status_code for each in answers] == [200, 409, 409]
    assert [each.json().get("code") for each in answers[1:]] == ["call_state", "call_state"]
    assert [entry["kind"] for entry in bank.entries()].count("call.approved") == 1
    told = seen((await visited(tabs[2], call_id)).text)
    assert "You approved it at bank.example, on " in told
    assert "Approve with passkey" not in told


async def test_a_challenge_of_the_page_is_not_answered_there_nor_the_other_way(
    bank: Bank, grace: Page
) -> None:
    call_id = await pending(grace)
    for asks, answers, by_page in (
        (f"/calls/{call_id}", f"/ask/{call_id}", True),
        (f"/ask/{call_id}", f"/calls/{call_id}", False),
    ):
        minted = (await grace.send("POST", f"{asks}/challenge", page=by_page)).json()
        refused = await grace.send("POST", f"{answers}/approval", grace.evidence(minted), page=not by_page)
        assert refused.json()["code"] == "challenge_unknown"


async def test_what_became_of_it_is_told_as_it_is(bank: Bank, grace: Page) -> None:
    declined, expired, here = await pending(grace, 1), await pending(grace, 2), await pending(grace, 3)
    await grace.send("POST", f"/ask/{declined}/denial", {}, page=False)
    assert bank.last().items() >= {"kind": "call.declined", "call_id": declined}.items()
    assert "Not done: you said no." in seen((await visited(grace, declined)).text)
    await grace.confirm(f"/calls/{here}")
    assert bank.last()["surface"] == "page"
    told = seen((await visited(grace, here)).text)
    assert "You approved it on a page of Bank, on " in told
    await grace.send("POST", f"/calls/{here}/denial", {"reason": "declined"})
    assert "Not done: you approved it, then took it back." in seen((await visited(grace, here)).text)
    bank.clock.forward(550)
    late = (await grace.send("POST", f"/ask/{expired}/challenge", page=False)).json()
    bank.clock.forward(50)
    assert "Not done: it ran out." in seen((await visited(grace, expired)).text)
    refused = await grace.send("POST", f"/ask/{expired}/approval", grace.evidence(late), page=False)
    assert refused.json()["code"] == "expired"


async def test_a_no_blocks_the_agent_as_well(bank: Bank, grace: Page) -> None:  # BLOCK-1
    call_id = await pending(grace)
    answer = await grace.send("POST", f"/ask/{call_id}/denial", {"block": True}, page=False)
    assert answer.json() == {"state": "declined"}
    assert "agent.blocked" in [entry["kind"] for entry in bank.entries()[-3:]]


async def test_the_no_on_the_consent_page_blocks_an_attested_agent(
    local: Bank, ada: Page, helper: Client
) -> None:  # OAUTH-4, BLOCK-1
    shown = await ada.http.get(await helper.page_url())
    assert "Decline and block this agent" in shown.text
    request_id = shown.text.partition('data-request="')[2].partition('"')[0]
    await ada.send("POST", f"/authorize/{request_id}/denial", {"block": True}, page=False)
    assert local.last().items() >= {"kind": "agent.blocked", "client_id": helper.client_id}.items()


async def test_what_an_attested_agent_asks_is_answered_where_it_has_sent_its_user(
    local: Bank, ada: Page, helper: Client
) -> None:  # OAUTH-4: else the agent would never hear of it
    shown = await ada.http.get(await helper.page_url())
    grant_id = shown.text.partition('data-grant="')[2].partition('"')[0]
    told = seen((await visited(ada, grant_id)).text)
    assert "This can be answered only where the agent has sent you." in told
    refused = await ada.send("POST", f"/ask/{grant_id}/challenge", page=False)
    assert refused.json()["code"] == "grant_unknown"


async def test_a_page_gets_the_tokens_of_its_own_consent_for_ten_minutes(
    bank: Bank, grace: Page
) -> None:  # GRANT-9
    asked = (await grace.send("POST", "/grants", {"scope": "account:read"})).json()["grant_id"]
    path = f"/grants/{asked}/resumption"
    assert (await grace.send("POST", path)).json()["code"] == "consent_required"
    assert (await grace.send("GET", f"/grants/{asked}")).json()["state"] == "pending"
    await answered(grace, asked)
    other = bank.page(grace)  # another page key of the same user
    assert (await other.send("POST", path)).json()["code"] == "grant_unknown"
    bank.clock.forward(599)
    assert (await grace.send("POST", path)).status_code == 200
    bank.clock.forward(1)
    assert (await grace.send("POST", path)).json()["code"] == "expired"


async def test_while_all_agents_are_paused_no_page_goes_on_with_a_consent(bank: Bank, grace: Page) -> None:
    """PROMPT-5: nothing is taken back by that, so it goes on afterwards."""
    await grace.send("POST", "/agents")
    asked = (await grace.send("POST", "/grants", {"scope": "account:read"})).json()["grant_id"]
    assert (await answered(await another(bank, grace), asked)).status_code == 200
    await grace.send("POST", "/account/pause", page=False)
    assert (await grace.send("POST", f"/grants/{asked}/resumption")).json()["code"] == "paused"
    await grace.send("DELETE", "/account/pause", page=False)
    assert (await grace.send("POST", f"/grants/{asked}/resumption")).status_code == 200


async def test_the_account_page_leads_to_what_waits(bank: Bank, grace: Page) -> None:  # HIST-3
    call_id = await pending(grace)
    asked = (await grace.send("POST", "/grants", {"scope": "account:admin"})).json()["grant_id"]
    told = (await grace.http.get(f"{bank.issuer}/account")).text
    for asked_id in (call_id, asked):
        assert f'href="{bank.issuer}/ask/{asked_id}"' in told


async def test_grant_10_after_an_older_copy_was_put_back_the_account_page_leads_to_what_is_confirmed(
    tmp_path: Path, policy: Policy
) -> None:
    async with opened(policy, tmp_path / "var") as bank:
        grace = bank.page()
        assert (await grace.sign_up()).status_code == 200
        assert (await grace.deputize("account:read")).status_code == 200
        await bank.deputize.store.transact(lambda tx: restoring.accept(tx, int(bank.clock()), None))
        bank.clock.forward(MADE_NOW + 1)
        assert (await grace.call("get_balance")).json()["code"] == "login_required"
        assert (await grace.sign_in()).status_code == 200
        assert (await grace.call("get_balance")).json()["code"] == "consent_required"
        grant_id = bank.deputize.store.look(lambda tx: tx.grants())[0].grant_id
        told = (await grace.http.get(f"{bank.issuer}/account")).text
        assert "This site went back to an older copy of its data." in told
        assert f'href="{bank.issuer}/ask/{grant_id}"' in told
        question = (await visited(grace, grant_id)).text
        assert "This site went back to an older copy of its data." in question
        assert 'id="approve"' in question
        assert "Take this back" in question  # that is what its no does
        assert "Not now" not in question
        assert (await answered(grace, grant_id)).json() == {"state": "active"}
        assert (await grace.call("get_balance")).status_code == 200
        assert "This site went back" not in (await grace.http.get(f"{bank.issuer}/account")).text
        assert (await visited(grace, grant_id)).status_code == 200


# an authority of its own origin


@pytest.fixture
async def apart(tmp_path: Path) -> AsyncIterator[Bank]:
    """A bank whose authority has an origin of its own, where closing an account is answered on that only."""
    issuer = 'origin = "https://bank.example"\nissuer = "https://auth.bank.example/deputize"\n'
    text = POLICY.replace('origin = "https://bank.example"\n', issuer, 1)
    text = text.replace("[tools.transfer_money]\n", '[tools.transfer_money]\nsurface = "authority"\n')
    async with opened(settings.loads(text.encode()), tmp_path / "var") as bank:
        yield bank


HERE = {"origin": "https://auth.bank.example", "sec-fetch-site": "same-origin"}


async def user_of(bank: Bank) -> Page:
    page = Page(
        bank.client(),
        bank.deputize.policy.site.issuer,
        bank.origin,
        SoftAuthenticator(bank.origin),
        bank.clock,
    )
    assert (await page.sign_up()).status_code == 200
    return page


def at_the_authority(page: Page) -> Page:
    """Return the same browser on the authority's own page."""
    device = replace(page.authenticator, origin=HERE["origin"])
    return replace(page, authenticator=device, origin=HERE["origin"])


async def test_an_assertion_of_the_sites_page_does_not_count_where_the_authority_is_to_be_asked(
    apart: Bank,
) -> None:
    page = await user_of(apart)
    await page.send("POST", "/agents")
    asked = (await page.send("POST", "/grants", {"scope": "payments:write"})).json()
    assert asked["surface"] == "authority"
    refused = await page.send("POST", f"/grants/{asked['grant_id']}/challenge")
    assert refused.json()["code"] == "wrong_surface"
    theirs = at_the_authority(page)
    assert (await answered(theirs, asked["grant_id"])).status_code == 200
    page.tokens = (await page.send("POST", f"/grants/{asked['grant_id']}/resumption")).json()

    call = (await page.call("transfer_money", TRANSFER)).json()
    assert (call["state"], call["surface"]) == ("pending", "authority")
    path = f"/ask/{call['call_id']}"
    assert (await page.confirm(f"/calls/{call['call_id']}")).json()["code"] == "wrong_surface"
    # A script of the site's page reads neither of these two answers in a browser; here it has both all the same.
    assert (await page.send("POST", f"{path}/challenge", page=False)).json()["code"] == "cross_site_request"
    minted = (await theirs.send("POST", f"{path}/challenge", page=False)).json()
    forged = await theirs.send("POST", f"{path}/approval", page.evidence(minted), page=False)
    assert forged.json()["code"] == "signature_verification_failed"
    assert (await answered(theirs, call["call_id"])).json() == {"state": "approved"}


async def test_what_the_page_may_answer_the_authoritys_origin_does_not(apart: Bank) -> None:
    page = await user_of(apart)
    await page.send("POST", "/agents")
    asked = (await page.send("POST", "/grants", {"scope": "account:read"})).json()
    assert asked["surface"] == "either"
    minted = (await page.send("POST", f"/grants/{asked['grant_id']}/challenge")).json()
    elsewhere = at_the_authority(page).evidence(minted)
    refused = await page.send("POST", f"/grants/{asked['grant_id']}/approval", elsewhere)
    assert refused.json()["code"] == "signature_verification_failed"
    assert (await page.consent(asked["grant_id"])).status_code == 200


async def test_where_the_site_signs_people_in_they_come_back_from_there(tmp_path: Path) -> None:
    async with opened(
        settings.loads(POLICY.encode()), tmp_path / "var", current_user=lambda request: None
    ) as bank:
        stranger, asked_id = bank.page(), f"cal_{'A' * 22}"
        told = (await stranger.http.get((await visited(stranger, asked_id)).headers["location"])).text
        assert f'href="{bank.issuer}/ask/{asked_id}"' in told
        for elsewhere in ("//evil.example", "https://evil.example", "/elsewhere", "/deputize//evil.example"):
            page = await stranger.http.get(f"{bank.issuer}/account", params={"return_to": elsewhere})
            assert "evil" not in page.text
            assert "Go on" not in page.text


async def test_no_page_gets_what_an_attested_agent_was_given(
    local: Bank, ada: Page, helper: Client
) -> None:  # GRANT-9
    await helper.deputized(ada)
    ada.key = helper.private  # as if it ran in this page
    refused = await ada.send("POST", f"/grants/{helper.tokens['grant_id']}/resumption")
    assert refused.json()["code"] == "grant_unknown"
