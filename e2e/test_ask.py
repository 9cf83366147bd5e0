"""Anywhere: a question is answered on the authority's own page, by its own user alone (APPR-12, WAIT-1).

The site and its authority have origins of their own, and what is asked is answered on the authority's only. Each
sentence of "who may answer" is an attack here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e import notes
from e2e.bank import join
from e2e.test_standalone import Pair
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from deputize.app import build as build_alone
from deputize.testing.agent import Agent, OpenCall
from deputize.testing.clock import HeldClock
from deputize.testing.human import Control, Human
from deputize.testing.passkeys import Authenticator, Passkeys
from deputize.testing.server import Site
from deputize.testing.waiting import until

SURFACE = 'surface = "authority"\napproval = "always"'


@dataclass(frozen=True)
class Apart(Pair):
    """The site, and an authority beside it whose own page is the only one to answer on."""

    tab: Page
    device: Authenticator
    agent: Agent

    def asks(self, text: str = "milk") -> OpenCall:
        """Let the agent pin a note, which nobody has answered yet."""
        return self.agent.start("pin_note", {"text": text})


@pytest.fixture
def apart(
    serve: Callable[..., Site],
    held_clock: HeldClock,
    tmp_path: Path,
    tab: Page,
    passkeys: Passkeys,
    agent: Agent,
    monkeypatch: pytest.MonkeyPatch,
) -> Apart:
    """Give a user who is signed in at the authority and looks at the notes."""
    running: list[Site] = []

    async def home(request: Request) -> Response:
        return HTMLResponse(notes.page(running[0].url, "somebody"))

    site = serve(lambda port: Starlette(routes=[Route("/", home)]), host="notes.site.localhost")
    monkeypatch.setattr(notes, "POLICY", notes.POLICY.replace('approval = "always"', SURFACE))

    def build(port: int) -> ASGIApp:
        issuer = f"http://auth.site.localhost:{port}"
        notes.policy(tmp_path, site.url, issuer, "site.localhost")
        return build_alone(tmp_path / "deputize.toml", tmp_path, held_clock)  # which is followed

    running.append(serve(build, host="auth.site.localhost"))
    pair = Pair(site, running[0])
    device = passkeys.add()
    join(tab, pair.authority.url)
    tab.goto(pair.site.url)
    return Apart(site, running[0], tab, device, agent)


def waiting(apart: Apart, what: str = "grt_") -> str:
    """Return the address of the consent that waits, or with `cal_` of the call, from the account page."""
    account, found = apart.tab.context.new_page(), ""

    def led() -> bool:
        nonlocal found
        account.goto(f"{apart.authority.url}/account")
        links = account.get_by_role("link", name="Read and answer").all()
        hrefs = [each.get_attribute("href") or "" for each in links]
        found = next((href for href in hrefs if what in href), "")
        return bool(found)

    until(account, led, f"a question that is a {what}")
    account.close()
    return found


def answer(page: Page, device: Authenticator, yes: str) -> None:
    """Answer a question with a passkey of one's own, as the same account has it on each device."""
    device.sync(Passkeys(page).add())
    page.get_by_role("button", name=yes).click()


def test_its_dialog_leads_to_the_authoritys_page_and_the_site_goes_on(apart: Apart, human: Human) -> None:
    call = apart.asks()
    for yes, told in (
        ("Allow with passkey", "You allowed this."),
        ("Approve with passkey", "You approved it at"),
    ):
        until(apart.tab, lambda: _link(human) is not None, "the link")
        link = _link(human)
        assert link is not None
        assert yes not in [button.name for button in human.dialog().buttons]
        assert "more to read" not in human.dialog().text  # as it stands there
        with apart.tab.context.expect_page() as opened:
            human.press(link, by="mouse")
        page = opened.value
        page.get_by_role("button", name=yes).wait_for()  # it opens with an empty page
        assert page.evaluate("window.opener") is None
        answer(page, apart.device, yes)
        page.get_by_text(told).wait_for()
        page.close()
        apart.tab.bring_to_front()
    assert call.result().value["pinned"] == "milk"
    assert apart.tab.locator("#board li").all_text_contents() == ["milk"]


def test_where_the_policy_becomes_stricter_the_focus_goes_to_the_way_there(
    apart: Apart, human: Human, tmp_path: Path
) -> None:
    """SHIM-8: the button that was pressed is gone, and the keyboard goes on in its place."""
    strict = (tmp_path / "deputize.toml").read_text("utf-8")
    (tmp_path / "deputize.toml").write_text(strict.replace(SURFACE, 'approval = "always"'), "utf-8")
    apart.tab.reload()
    apart.asks()
    human.dialog()
    (tmp_path / "deputize.toml").write_text(strict, "utf-8")
    human.press(human.dialog().approve)
    until(apart.tab, lambda: _link(human) is not None, "the link")
    assert (link := _link(human)) is not None
    assert link.focused


def _link(human: Human) -> Control | None:
    dialog = human.sees()
    controls = dialog.controls if dialog else ()
    return next((each for each in controls if each.role == "link" and each.enabled), None)


def test_another_device_answers_and_another_user_sees_nothing(
    apart: Apart, new_tab: Callable[..., Page]
) -> None:
    call = apart.asks()
    address = waiting(apart)
    mallory = new_tab()
    Passkeys(mallory).add()
    mallory.goto(address)
    mallory.get_by_label("Your name", exact=True).fill("Mallory")
    mallory.get_by_role("button", name="Create an account with a passkey").click()
    mallory.get_by_role("heading", name="No such question").wait_for()
    assert mallory.url == address

    phone = new_tab()
    apart.device.sync(Passkeys(phone).add())
    phone.goto(address)  # it signs in first, and comes back
    phone.get_by_role("button", name="Sign in with a passkey").click()
    phone.get_by_role("button", name="Allow with passkey").click()
    phone.get_by_text("You allowed this.").wait_for()
    phone.goto(waiting(apart, "cal_"))
    phone.get_by_role("button", name="Approve with passkey").click()
    phone.get_by_text("You approved it at").wait_for()
    assert call.result().value["pinned"] == "milk"


def test_the_sites_own_script_neither_frames_it_nor_holds_it_nor_answers(apart: Apart) -> None:
    apart.asks()
    address = waiting(apart)
    tab = apart.tab
    framed = tab.evaluate(
        """(url) => new Promise((resolve) => {
          const frame = document.createElement('iframe');
          frame.addEventListener('load', () => resolve(frame.contentDocument === null));
          frame.src = url;
          document.documentElement.append(frame);
        })""",
        address,
    )
    assert framed
    until(tab, lambda: tab.frames[-1].url.startswith("chrome-error:"), "the frame to stay empty")
    with tab.context.expect_page() as opened:
        tab.evaluate("(url) => { window.held = window.open(url); }", address)
    page = opened.value
    page.get_by_role("button", name="Allow with passkey").wait_for()
    until(tab, lambda: tab.evaluate("window.held.closed"), "the opener to be cut off")
    assert page.evaluate("window.opener") is None
    answers = tab.evaluate(
        """async ([url, config]) => {
          const { csrf } = await (await fetch(config, { credentials: 'include' })).json();
          const headers = { 'content-type': 'application/json', 'deputize-csrf': csrf };
          const posts = ['challenge', 'approval', 'denial'].map((step) =>
            fetch(`${url}/${step}`, { method: 'POST', credentials: 'include', headers, body: '{}' }));
          return Promise.all((await Promise.all(posts)).map(async (each) => (await each.json()).code));
        }""",
        [address, f"{apart.authority.url}/tools"],
    )
    assert answers == ["cross_site_request"] * 3
    page.reload()
    page.get_by_role("button", name="Allow with passkey").wait_for()  # nothing has moved


def test_an_assertion_of_the_sites_page_does_not_count(apart: Apart) -> None:
    """Though the passkey is the same, and even if the site's script has the authority's own challenge."""
    apart.asks()
    address = waiting(apart)
    ours = apart.tab.context.new_page()
    ours.goto(address)
    ours.get_by_role("button", name="Allow with passkey").wait_for()
    minted = ours.evaluate(_POST, [f"{address}/challenge", {}])
    assert minted["status"] == 200, minted
    apart.tab.bring_to_front()
    forged = apart.tab.evaluate(
        """async (options) => {
          const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
          return (await navigator.credentials.get({ publicKey })).toJSON();
        }""",
        minted["body"]["requestOptions"],
    )
    evidence = {"method": "webauthn", "challengeId": minted["body"]["challengeId"], "response": forged}
    refused = ours.evaluate(_POST, [f"{address}/approval", evidence])
    assert refused["body"]["code"] == "signature_verification_failed"
    answer(ours, apart.device, "Allow with passkey")
    ours.get_by_text("You allowed this.").wait_for()  # it was open still


_POST = """async ([url, body]) => {
  const headers = {
    'content-type': 'application/json',
    'deputize-csrf': document.querySelector('meta[name="deputize-csrf"]').content,
  };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}"""


def test_a_page_does_not_go_on_for_another_user(apart: Apart, new_tab: Callable[..., Page]) -> None:
    """Who sits at the computer by then has the page's key, and nothing of what its user allows elsewhere."""
    apart.asks()
    address = waiting(apart)
    phone = new_tab()
    apart.device.sync(Passkeys(phone).add())
    phone.goto(address)
    phone.get_by_role("button", name="Sign in with a passkey").click()
    phone.get_by_role("button", name="Allow with passkey").wait_for()
    account = apart.tab.context.new_page()
    Passkeys(account).add()
    account.goto(f"{apart.authority.url}/account")
    account.get_by_role("button", name="Sign out").click()
    account.get_by_label("Your name", exact=True).fill("Mallory")
    account.get_by_role("button", name="Create an account with a passkey").click()
    account.get_by_role("button", name="Sign out").wait_for()
    apart.tab.bring_to_front()
    asked_id = address.rpartition("/")[2]
    with apart.tab.expect_response(lambda each: asked_id in each.url and each.status == 404):
        phone.get_by_role("button", name="Allow with passkey").click()
        phone.get_by_text("You allowed this.").wait_for()
    assert apart.tab.locator("#board li").count() == 0


def test_without_a_session_there_is_nothing_but_the_sign_in(
    apart: Apart, new_tab: Callable[..., Page]
) -> None:
    """OAUTH-4: no other device is offered, which would answer for the browser of whoever opened it."""
    stranger = new_tab()
    for path in ("/ask/cal_AAAAAAAAAAAAAAAAAAAAAA", "/device"):
        stranger.goto(f"{apart.authority.url}{path}")
        expect(stranger.get_by_role("heading", level=1)).to_have_text("Sign in to Notes")
        stranger.get_by_role("button", name="Sign in with a passkey").wait_for()
        text = stranger.inner_text("main")
        assert "phone" not in text.replace("on your phone, or a security key", "")


def test_without_javascript_it_says_a_sentence(
    apart: Apart, human: Human, new_tab: Callable[..., Page]
) -> None:
    apart.asks()
    address = waiting(apart)
    state = apart.tab.context.storage_state()
    bare = new_tab(java_script_enabled=False, storage_state=state)
    bare.goto(address)
    assert "JavaScript, which is switched off in this browser" in bare.content()
    expect(bare.get_by_role("button", name="Allow with passkey")).to_be_disabled()
