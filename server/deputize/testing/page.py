"""The shim's requests, made by Python: for tests of the authority without a browser, and for benchmarks."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)

from ..crypto import dpop
from ..protocol.canonical import Json, args_s256
from .authenticator import SoftAuthenticator

JsonObject = dict[str, Any]

_REQUEST = re.compile(r'data-request="([^"]+)"')
_CSRF = re.compile(r'name="deputize-csrf" content="([^"]+)"')


def browser_cookies() -> CookieJar:
    """Make a jar that sends secure cookies to http://localhost, too, as browsers do."""
    return CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))


@dataclass
class Page:
    """One browser profile on the site: a cookie jar, a page key, an authenticator.

    Its methods return the authority's response as it came.
    """

    http: httpx2.AsyncClient
    issuer: str
    origin: str
    authenticator: SoftAuthenticator
    clock: Callable[[], float] = time.time
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    csrf: str = ""
    tokens: JsonObject = field(default_factory=dict)

    def proof(self, method: str, path: str, access_token: str | None = None) -> str:
        """Make a fresh proof for a request to the authority (PROOF-1, PROOF-3)."""
        now = int(self.clock())
        return dpop.make(self.key, method, self.issuer + path, now, access_token=access_token)

    async def send(
        self,
        method: str,
        path: str,
        body: Json = None,
        headers: dict[str, str] | None = None,
        page: bool = True,
    ) -> httpx2.Response:
        """Send one request as the page, with its proof unless `page` is false; `headers` may replace any."""
        sent = {"origin": self.origin, "sec-fetch-site": "same-origin"}
        if page:
            sent["deputize-page"] = self.proof(method, path)
        if self.csrf:
            sent["deputize-csrf"] = self.csrf
        sent.update(headers or {})
        return await self.http.request(
            method, self.issuer + path, json={} if body is None else body, headers=sent
        )

    async def sign_up(self, name: str = "Grace Hopper") -> httpx2.Response:
        """Create a user with a passkey and sign in."""
        path = "/account/sign-up"
        begun = (await self.send("POST", path, {"name": name}, page=False)).json()
        return await self._enter(path, begun, self.authenticator.create(begun["creationOptions"]))

    async def sign_in(self) -> httpx2.Response:
        """Sign in with the passkey."""
        path = "/account/sign-in"
        begun = (await self.send("POST", path, page=False)).json()
        return await self._enter(path, begun, self.authenticator.get(begun["requestOptions"]))

    async def _enter(self, path: str, begun: JsonObject, response: JsonObject) -> httpx2.Response:
        path = f"{path}/{begun['challengeId']}"
        answer = await self.send("POST", path, {"response": response}, page=False)
        await self.configure()
        return answer

    async def configure(self) -> JsonObject:
        """Read `GET /tools`, and the CSRF token from it."""
        configuration: JsonObject = (await self.http.get(self.issuer + "/tools")).json()
        self.csrf = str(configuration["csrf"] or "")
        return configuration

    async def deputize(self, scope: str, **more: Json) -> httpx2.Response:
        """Register the agent, ask for consent, and give it; the tokens are kept."""
        await self.send("POST", "/agents")
        asked = (await self.send("POST", "/grants", {"scope": scope, **more})).json()
        return await self.consent(asked["grant_id"])

    async def consent(self, grant_id: str) -> httpx2.Response:
        """Give a consent that was asked for."""
        answer = await self.confirm(f"/grants/{grant_id}")
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer

    async def confirm(
        self, path: str, headers: dict[str, str] | None = None, page: bool = True
    ) -> httpx2.Response:
        """Mint the challenge of what is at this path, a call or a grant, and approve that with the passkey."""
        minted = await self.send("POST", f"{path}/challenge", headers=headers, page=page)
        if minted.status_code != 200:
            return minted
        return await self.send("POST", f"{path}/approval", self.evidence(minted.json()), headers, page)

    def evidence(self, envelope: JsonObject) -> JsonObject:
        """Sign a challenge as the user would."""
        response = self.authenticator.get(envelope["requestOptions"])
        return {"method": "webauthn", "challengeId": envelope["challengeId"], "response": response}

    async def call(self, tool: str, arguments: JsonObject | None = None, **more: Json) -> httpx2.Response:
        """Call a tool under the delegation, as the shim does."""
        token = str(self.tokens.get("access_token", ""))
        headers = {"authorization": f"DPoP {token}", "dpop": self.proof("POST", "/calls", token)}
        return await self.send("POST", "/calls", _call(tool, arguments, more), headers, page=False)

    async def call_for(
        self, evidence: str, tool: str, arguments: JsonObject | None = None, **more: Json
    ) -> httpx2.Response:
        """Call a tool for an attested agent: forward its evidence as the shim does (EVID-1)."""
        token, _, proof = evidence.partition("~")
        headers = {"authorization": f"DPoP {token}", "dpop": proof}
        return await self.send("POST", "/calls", _call(tool, arguments, more), headers)

    async def authorize(self, url: str, *, approve: bool = True) -> httpx2.Response:
        """Open the consent page that an agent sent its user to, and answer it (OAUTH-4, OAUTH-7).

        Returns the last response: its `redirect_to` is where the browser goes next. If there is nothing to answer, it
        is the page itself.
        """
        page = await self.http.get(url)
        request, csrf = _REQUEST.search(page.text), _CSRF.search(page.text)
        if request is None or csrf is None:
            return page
        path = f"/authorize/{request[1]}"
        headers = {"origin": "/".join(self.issuer.split("/")[:3]), "deputize-csrf": csrf[1]}
        if not approve:
            return await self.send("POST", f"{path}/denial", headers=headers, page=False)
        return await self.confirm(path, headers, page=False)

    async def refresh(self, refresh_token: str | None = None, **more: str) -> httpx2.Response:
        """Renew the delegation, with more parameters if there are any; the new tokens are kept."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token or str(self.tokens["refresh_token"]),
            **more,
        }
        headers = {"dpop": self.proof("POST", "/token"), "origin": self.origin}
        answer = await self.http.post(self.issuer + "/token", data=form, headers=headers)
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer


def _call(tool: str, arguments: JsonObject | None, more: JsonObject) -> JsonObject:
    definition = args_s256({"name": tool})
    return {"tool": tool, "arguments": arguments or {}, "definition_s256": definition, **more}
