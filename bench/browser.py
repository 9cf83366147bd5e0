"""The gate in a real Chromium: what it adds to WebMCP's own `executeTool`, without and with an approval."""

import statistics
from collections.abc import Mapping

from playwright.sync_api import Page, sync_playwright

from deputize.testing import browser
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys

from .figures import Figure

_ROUNDS = 5
_CALLS = 300  # in a round
_APPROVALS = 7  # in a round

_REGISTER = """async () => {
  for (const name of ['get_balance', 'transfer_money']) {
    await document.modelContext.registerTool({ name, description: 'Does nothing.', execute: async () => 'done' });
  }
}"""

_SIGN_UP = """async () => {
  const post = async (path, body) => {
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', headers, body: JSON.stringify(body) };
    const answer = await fetch(`/deputize/account/sign-up${path}`, request);
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };
  const { challengeId, creationOptions } = await post('', { name: 'Grace Hopper' });
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(creationOptions);
  const credential = await navigator.credentials.create({ publicKey });
  await post(`/${challengeId}`, { response: credential.toJSON() });
}"""

# Before the shim: notes the milliseconds that passkeys take.
_WATCH = """(() => {
  window.passkey = 0;
  const { get } = CredentialsContainer.prototype;
  CredentialsContainer.prototype.get = async function (options) {
    const started = performance.now();
    const credential = await get.call(this, options);
    window.passkey += performance.now() - started;
    return credential;
  };
})()"""

# Begins to call a tool, over and over. Of each call it notes the milliseconds: those that are ours, and those of the
# human, who has the word from the appearance of a dialog to the click, and then of the passkey.
_BEGIN = """([name, input, times]) => {
  window.calls = (async () => {
    const tool = (await document.modelContext.getTools()).find((found) => found.name === name);
    const took = [];
    for (let call = 0; call < times; call++) {
      let asked = 0;
      let human = 0;
      window.passkey = 0;
      const observer = new MutationObserver(() => { asked ||= performance.now(); });
      const answered = (event) => { if (event.isTrusted && asked) human = performance.now() - asked; };
      observer.observe(document.documentElement, { childList: true });
      window.addEventListener('click', answered, { capture: true });
      const started = performance.now();
      const result = await document.modelContext.executeTool(tool, input);
      took.push([performance.now() - started - human - window.passkey, window.passkey]);
      observer.disconnect();
      window.removeEventListener('click', answered, { capture: true });
      if (String(result) !== 'done') throw new Error(JSON.stringify(result));
    }
    return took;
  })();
}"""


def measure(origin: str) -> dict[str, Figure]:
    """Measure at the site: milliseconds that a tool takes that does nothing, and what the gate adds to them."""
    with sync_playwright() as playwright, browser.launch(playwright) as chromium:
        context = chromium.new_context()
        native, gated = context.new_page(), context.new_page()
        gated.add_init_script(_WATCH)
        native.goto(f"{origin}/native")
        native.evaluate(_REGISTER)
        gated.goto(f"{origin}/gated")
        Passkeys(gated).add()
        gated.evaluate(_SIGN_UP)
        gated.evaluate(_REGISTER)
        human = Human(gated)
        _approved(gated, human, "get_balance", {})  # consent
        _approved(gated, human, "transfer_money", _transfer(0), dialogs=2)  # consent, approval
        rounds = []
        for number in range(_ROUNDS):
            native.bring_to_front()
            natively = _plain(native)
            gated.bring_to_front()
            through = _plain(gated)
            transfers = [_transfer(number * _APPROVALS + each + 1) for each in range(_APPROVALS)]
            approved = [_approved(gated, human, "transfer_money", transfer) for transfer in transfers]
            ours, passkey = (statistics.median(part) for part in zip(*approved, strict=True))
            rounds.append((natively, through, ours, passkey))
    return {
        "native_ms": Figure.of(native for native, _, _, _ in rounds),
        "gated_ms": Figure.of(gated for _, gated, _, _ in rounds),
        "added_ms": Figure.of(gated - native for native, gated, _, _ in rounds),
        "approved_added_ms": Figure.of(approved - native for native, _, approved, _ in rounds),
        "passkey_ms": Figure.of(passkey for _, _, _, passkey in rounds),
    }


def _plain(page: Page) -> float:
    page.evaluate(_BEGIN, ["get_balance", {}, _CALLS])
    return statistics.median(ours for ours, _ in _ended(page))


def _approved(
    page: Page, human: Human, tool: str, input: Mapping[str, object], dialogs: int = 1
) -> tuple[float, float]:
    page.evaluate(_BEGIN, [tool, input, 1])
    for _ in range(dialogs):
        human.approve()
    (took,) = _ended(page)
    return took


def _ended(page: Page) -> list[tuple[float, float]]:
    return [(ours, passkey) for ours, passkey in page.evaluate("() => window.calls")]


def _transfer(number: int) -> dict[str, object]:
    return {"amount": 1 + number, "iban": "DE89370400440532013000", "name": "Ada Lovelace"}
