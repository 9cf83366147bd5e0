"""A site with an assistant built into its page: the official MCP client for TypeScript, and our module beside it."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.bank import join
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
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
DESCRIPTION = "Send 250.00 EUR to “Ada Lovelace”"
POLICY = """
[site]
name = "Bank"
origin = "{origin}"
issuer = "{issuer}"
rp_id = "{rp_id}"
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
<script src="{issuer}/shim.js"></script>
<script type="module" src="/assistant.mjs"></script>
<h1>Your assistant</h1>
<p></p>
</html>"""
SCRIPT = """
import { Client, StreamableHTTPClientTransport } from '/client.mjs';
import { delegatedFetch, verifiedApproval } from 'ISSUER/mcp.mjs';

const url = new URL('ISSUER/mcp');
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
CSP = "default-src 'self' {origin}; require-trusted-types-for 'script'"


@dataclass(frozen=True)
class Bank:
    """The running site, and its authority at `issuer`. `sent` is what went out."""

    url: str
    issuer: str
    deputize: Deputize
    sent: list[dict[str, Json]] = field(default_factory=list)


def bundled() -> bytes:
    """Bundle the client as a site would."""
    source = "export { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';"
    command = ["node_modules/.bin/esbuild", "--bundle", "--format=esm", "--platform=browser", "--minify"]
    made = subprocess.run(command, cwd=JS, input=source.encode(), capture_output=True, timeout=60, check=True)
    return made.stdout


def open_bank(folder: Path, clock: HeldClock, origin: str, issuer: str, rp_id: str = "localhost") -> Bank:
    """Make the authority, with the handlers of its tools."""
    policy = POLICY.format(origin=origin, issuer=issuer, rp_id=rp_id)
    deputize = Deputize(settings.loads(policy.encode()), folder, clock=clock)
    bank = Bank(origin, issuer, deputize)

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

    return bank


def pages(issuer: str, client: bytes) -> list[Route]:
    """Return the site's own routes: the page, its script, and the bundled client."""
    headers = {"content-security-policy": CSP.format(origin=issuer.removesuffix("/deputize"))}

    def static(path: str, content: str | bytes, media_type: str) -> Route:
        async def answer(request: Request) -> Response:
            return Response(content, media_type=media_type, headers=headers)

        return Route(path, answer)

    return [
        static("/", PAGE.format(issuer=issuer), "text/html"),
        static("/assistant.mjs", SCRIPT.replace("ISSUER", issuer), "text/javascript"),
        static("/client.mjs", client, "text/javascript"),
    ]


def mounted(bank: Bank, client: bytes) -> ASGIApp:
    """Mount the authority in the site."""
    deputize = bank.deputize
    routes = [*deputize.well_known_routes(), Mount("/deputize", deputize), *pages(bank.issuer, client)]
    return Starlette(routes=routes, lifespan=deputize.lifespan)


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
    join(tab, bank.issuer)
    visit(bank, tab)
    return device


def visit(bank: Bank, tab: Page) -> None:
    """Open the page, and wait until it has started its assistant."""
    tab.goto(bank.url)
    tab.get_by_text("Ask it anything.").wait_for()
