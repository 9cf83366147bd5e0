"""A customer of a running bank, with an agent, and something of everything that an address can name."""

import asyncio
import re
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.bank import Visited
from tests.web.agents import HELPER

from deputize.crypto import client_assertion, dpop
from deputize.protocol.canonical import Json

SCOPE = "account:read payments:write"
TRANSFER = {"amount": 250, "name": "Ada Lovelace"}


class Customer:
    """Who has signed up, deputized the browser and an attested agent, and left things open."""

    def __init__(self, bank: Visited) -> None:
        self.bank = bank
        self.page, self.agent = bank.page(), bank.agent(HELPER)
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        asyncio.run(self._arrive())

    async def _arrive(self) -> None:
        page, agent = self.page, self.agent
        async with page.http, agent.http:
            await page.sign_up()
            await page.deputize(SCOPE)
            self.part, *_ = re.findall(
                r'"\./parts/([^"]+)"', (await page.http.get(f"{self.bank.issuer}/shim.js")).text
            )
            await agent.deputized(page)
            there = await agent.page_url("account:read")
            shown = (await page.http.get(there)).text
            (request_id,) = re.findall(r'data-request="([^"]+)"', shown)
            pending = (await page.call("transfer_money", TRANSFER)).json()
            approved = (await page.call("get_balance")).json()
            grant = (await page.send("POST", "/grants", {"scope": "account:read"})).json()
            made = {}
            bodies: dict[str, Json] = {"sign-up": {"name": "Bob"}, "sign-in": {}}
            for path, body in bodies.items():
                made[path] = (await page.send("POST", f"/account/{path}", body, page=False)).json()
            added = (await page.send("POST", "/credentials", page=False)).json()
            minted = (await page.send("POST", f"/calls/{pending['call_id']}/challenge")).json()
            self.cookie = "; ".join(f"{c.name}={c.value}" for c in page.http.cookies.jar)
        self.names = {
            "/calls/{call_id}": pending["call_id"],
            "/calls/{call_id}/redemption": approved["call_id"],
            "/calls/{call_id}/outcome": approved["call_id"],
            "/grants/{grant_id}": grant["grant_id"],
            "/authorize/{request_id}": request_id,
            "/ask/{asked_id}": pending["call_id"],
            "/account/sign-up/{challenge_id}": made["sign-up"]["challengeId"],
            "/account/sign-in/{challenge_id}": made["sign-in"]["challengeId"],
            "/credentials/{id}": added["challengeId"],
            "/credentials/{id}/approval": next(iter(page.authenticator.keys)),
            "/static/{name}": "account.js",
            "/words/{words}": "en.json",
            "/parts/{part}": self.part,
            "/log/tile/{path}": "0/000.p/1",
            "/log/tile/entries/{path}": "000.p/1",
        }
        self.values = {
            **dict(parse_qsl(urlsplit(there).query)),
            "client_assertion_type": client_assertion.ASSERTION_TYPE,
            "redirect_uri": agent.redirect_uri,
            "refresh_token": agent.tokens["refresh_token"],
            "subject_token": agent.tokens["access_token"],
            "token": approved["call_token"],
            "call_token": approved["call_token"],
            "challengeId": minted["challengeId"],
            "name": "Bob",
            "tool": "note",
            "requested_actor": HELPER,
            "scope": "account:read",
        }

    def name(self, path: str) -> str:
        """Return what there is to name in an address: of the longest beginning that is known."""
        return self.names[max((known for known in self.names if path.startswith(known)), key=len)]

    def headers(self, method: str, template: str, path: str, wanted: list[str]) -> dict[str, str]:
        """Make good ones of these headers, for one request."""
        sent = {"Cookie": self.cookie, "Origin": self.bank.origin}
        if template in ("/calls", "/mcp"):
            token = str(self.page.tokens["access_token"])
            proof = self.page.proof(method, path, token)
            return {**sent, "Authorization": f"DPoP {token}", "DPoP": proof}
        if "Deputize-CSRF" in wanted:
            sent["Deputize-CSRF"] = self.page.csrf
        for header in {"Deputize-Guard", "Deputize-Reader"}.intersection(wanted):
            url, jti = self.bank.issuer + path, f"{time.time_ns()}"
            sent[header] = dpop.make(self.bank.keys["api"], method, url, int(time.time()), jti)
        if "Deputize-Page" in wanted and "Deputize-Guard" not in wanted:
            sent["Deputize-Page"] = self.page.proof(method, path)
        if "DPoP" in wanted:
            sent["DPoP"] = self.agent.proof(path, nonce=self.agent.nonce)
        return sent

    def value(self, name: str) -> Any:
        """Return a good value for a member or parameter of this name, or None."""
        return self.agent.assertion() if name == "client_assertion" else self.values.get(name)
