"""A site with an assistant built into its page: the official MCP client for TypeScript, and our module beside it."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from deputize import Deputize, settings
from deputize.app import HandledCall
from deputize.protocol.canonical import Json
from deputize.testing.clock import HeldClock
from deputize.testing.passkeys import Authenticator, Passkeys
from deputize.testing.waiting import until

JS = Path(__file__).parent.parent / "js"
LIVES = ("legacy", "2026-07-28")
TRANSFER: dict[str, object] = {"amount": 250, "name": "Ada Lovelace"}
DESCRIPTION = "Send 250.00 EUR to Ada Lovelace"
POLICY = """
[site]
name = "Bank"
origin = "http://localhost:{port}"
[scopes."account:read"]
title = "See your accounts"
writes = false
[scopes."payments:write"]
title = "Send money, which you approve each time"
[agents.opaque]
scopes = ["account:read", "payments:write"]
[tools.get_balance]
scopes = ["account:read"]
summary = "Tells the balance"
[tools.transfer_money]
scopes = ["payments:write"]
approval = "always"
direct = true
summary = "Sends money"
describe = "Send {{{{ amount | money('EUR') }}}} to {{{{ name }}}}"
[tools.transfer_money.input_schema]
type = "object"
required = ["amount", "name"]
properties = {{ amount = {{ type = "number" }}, name = {{ type = "string" }} }}
[tools.close_account]
scopes = ["account:read"]
approval = "always"
authenticator_class = "cross-platform"
summary = "Closes the account"
describe = "Close your account for good"
"""
PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Bank</title>
<script src="/deputize/shim.js"></script>
<script type="module" src="/assistant.mjs"></script>
<h1>Your assistant</h1>
<p></p>
</html>"""
SCRIPT = """
import { Client, StreamableHTTPClientTransport } from '/client.mjs';
import { delegatedFetch, verifiedApproval } from '/deputize/mcp.mjs';

const url = new URL('/deputize/mcp', location);
let client, ceremony;
globalThis.assistant = {
  async connect(life) {
    const fetch = await delegatedFetch({ scopes: ['account:read'] });
    const mode = life === 'legacy' ? life : { pin: life };
    client = new Client({ name: 'assistant', version: '1' }, { versionNegotiation: { mode } });
    await client.connect(new StreamableHTTPClientTransport(url, { fetch }));
    ceremony = verifiedApproval(client);
    return client.getNegotiatedProtocolVersion();
  },
  tools: async () => (await client.listTools()).tools.map(({ name }) => name),
  call: (name, args) => ceremony.callTool({ name, arguments: args }),
  enroll: () => ceremony.enroll(),
};
document.querySelector('p').textContent = 'Ask it anything.';
"""
HEADERS = {"content-security-policy": "default-src 'self'; require-trusted-types-for 'script'"}


@dataclass(frozen=True)
class Bank:
    """The running site. `sent` is what went out."""

    url: str
    deputize: Deputize
    sent: list[dict[str, Json]] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"{self.url}/deputize"


def bundled() -> bytes:
    """Bundle the client as a site would."""
    source = "export { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';"
    command = ["node_modules/.bin/esbuild", "--bundle", "--format=esm", "--platform=browser", "--minify"]
    made = subprocess.run(command, cwd=JS, input=source.encode(), capture_output=True, timeout=60, check=True)
    return made.stdout


def build(folder: Path, clock: HeldClock, client: bytes, opened: list[Bank]) -> Callable[[int], ASGIApp]:
    """Make what builds the site for its port."""

    def app(port: int) -> ASGIApp:
        deputize = Deputize(settings.loads(POLICY.format(port=port).encode()), folder, clock=clock)
        bank = Bank(f"http://localhost:{port}", deputize)
        opened.append(bank)

        @deputize.handler("get_balance")
        async def get_balance(arguments: dict[str, Json], call: HandledCall) -> object:
            return {"balance": 1000}

        @deputize.handler("transfer_money")
        async def transfer_money(arguments: dict[str, Json], call: HandledCall) -> object:
            bank.sent.append(arguments)
            return {"sent": True}

        @deputize.handler("close_account")
        async def close_account(arguments: dict[str, Json], call: HandledCall) -> object:
            raise AssertionError("nobody here has a security key")

        def static(content: str | bytes, media_type: str) -> Callable[[Request], Any]:
            async def answer(request: Request) -> Response:
                return Response(content, media_type=media_type, headers=HEADERS)

            return answer

        async def home(request: Request) -> Response:
            return HTMLResponse(PAGE, headers=HEADERS)

        return Starlette(
            routes=[
                *deputize.well_known_routes(),
                Mount("/deputize", deputize),
                Route("/", home),
                Route("/assistant.mjs", static(SCRIPT, "text/javascript")),
                Route("/client.mjs", static(client, "text/javascript")),
            ],
            lifespan=deputize.lifespan,
        )

    return app


@dataclass(frozen=True)
class Assistant:
    """The assistant in one tab, which does one thing at a time."""

    bank: Bank
    tab: Page

    def start(self, verb: str, *arguments: object) -> None:
        """Let it begin with something."""
        self.tab.evaluate(
            """([verb, args]) => {
              globalThis.told = undefined;
              const failed = ({ code, message }) => { told = { code, message }; };
              assistant[verb](...args).then((value) => { told = { value }; }, failed);
            }""",
            [verb, list(arguments)],
        )

    def result(self) -> Any:
        """Return what it came to."""
        told = until(self.tab, lambda: self.tab.evaluate("globalThis.told"), "an end of what it does")
        assert "value" in told, told
        return told["value"]

    def failure(self) -> str:
        """Return the code with which it was refused."""
        told = until(self.tab, lambda: self.tab.evaluate("globalThis.told"), "an end of what it does")
        return str(told["code"])

    def does(self, verb: str, *arguments: object) -> Any:
        """Let it do something for which nobody is asked."""
        self.start(verb, *arguments)
        return self.result()


def sign_up(bank: Bank, tab: Page, passkeys: Passkeys) -> Authenticator:
    """Make an account with a passkey of this device, and open the page."""
    device = passkeys.add("internal")
    tab.goto(f"{bank.issuer}/account?return_to=/")
    tab.get_by_label("Your name").fill("Grace Hopper")
    tab.get_by_role("button", name="Create an account with a passkey").click()
    wait_for_assistant(tab)
    return device


def wait_for_assistant(tab: Page) -> None:
    """Wait until the page has started its assistant."""
    tab.get_by_text("Ask it anything.").wait_for()
