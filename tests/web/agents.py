"""An OAuth client in every detail of which a test may get something wrong."""

import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)

from deputize.agent import AgentKey
from deputize.crypto import client_assertion, dpop, jwt
from deputize.protocol.canonical import args_s256, b64u
from deputize.testing.page import Page

if TYPE_CHECKING:
    from tests.bank import Bank

LOCAL = "http://localhost:8000"  # a site on this machine, so that agents may be here, too
HELPER = "https://helper.example/agent.json"
ERRAND = "https://errand.example/agent.json"
THIRD = "https://third.example/agent.json"
FOURTH = "https://fourth.example/agent.json"
CALLBACK = "https://helper.example/callback"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ALL = "account:read payments:write"
_NEW: Any = object()


def new_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def with_agents(
    policy: str,
    registered: dict[str, AgentKey],
    origin: str = "https://none.example",
    api: AgentKey | None = None,
    scopes: Sequence[str] = ("account:read", "payments:write"),
) -> str:
    """Move a bank to this machine, with these agents, a key for API and auditor, and an origin with agents."""
    text = policy.replace("https://bank.example", LOCAL)
    text = text.replace("[agents.opaque]", "[agents]\ndevelopment = true\n[agents.opaque]")
    text += f'[agents.origin]\nallow = ["{origin}"]\nscopes = ["account:read", "payments:write"]\n'
    for client_id, key in registered.items():
        table = f'agents.registered."{client_id}"'
        text += f'[{table}]\nname = "Helper"\nscopes = {json.dumps(scopes)}\n'
        text += f'redirect_uris = ["{CALLBACK}", "http://127.0.0.1/callback"]\n[[{table}.keys]]\n'
        text += toml(key)
    return (
        text
        if api is None
        else text + "".join(f"[[{its}]]\n{toml(api)}" for its in ("api.keys", "record.readers"))
    )


def toml(key: AgentKey) -> str:
    """Write a public key down as the policy has it."""
    jwk = key.public_jwk()
    return "".join(f'{name} = "{jwk[name]}"\n' for name in ("kty", "crv", "x", "y", "kid"))


def seen(page: str) -> str:
    """Return a page without the tags that only set apart, but for those that mark what an agent said."""
    return re.sub(r"<bdi>(.*?)</bdi>", r"\1", page.replace(" data-line", ""))


@dataclass
class Client:
    """An agent at the bank. `post` adds what every request needs, unless the test gives it, or None."""

    bank: "Bank"
    client_id: str = HELPER
    private: EllipticCurvePrivateKey = field(default_factory=new_key)
    redirect_uri: str = CALLBACK
    nonce: str = ""
    verifier: str = ""
    tokens: dict[str, Any] = field(default_factory=dict)
    http: httpx2.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = self.bank.client()

    @property
    def key(self) -> AgentKey:
        return AgentKey(self.private)

    @property
    def now(self) -> int:
        return int(self.bank.clock())

    def assertion(self, typ: str = client_assertion.TYP, **claims: Any) -> str:
        good = {"iss": self.client_id, "sub": self.client_id, "aud": self.bank.issuer, "iat": self.now}
        good |= {"exp": self.now + 60, "jti": secrets.token_hex(8)}
        said = {name: value for name, value in {**good, **claims}.items() if value is not None}
        return jwt.sign(said, typ, self.key.thumbprint, self.private)

    def proof(self, path: str, token: str | None = None, private: Any = None, **claims: str) -> str:
        jti = secrets.token_hex(8)
        return dpop.make(
            private or self.private, "POST", self.bank.issuer + path, self.now, jti, token, **claims
        )

    async def post(
        self,
        path: str,
        form: dict[str, Any],
        assertion: str | None = _NEW,
        proof: str | None = _NEW,
        by: Any = None,
    ) -> httpx2.Response:
        """Send a form; parameters that are None are left out. `by` is another key for the proof."""
        answer = await self._post(path, form, assertion, proof, by)
        if proof is _NEW and error(answer) == "use_dpop_nonce":
            answer = await self._post(path, form, assertion, proof, by)
        return answer

    async def _post(
        self, path: str, form: dict[str, Any], assertion: str | None, proof: str | None, by: Any
    ) -> httpx2.Response:
        sent = {"client_id": self.client_id, "client_assertion_type": client_assertion.ASSERTION_TYPE}
        signed = {**sent, "client_assertion": self.assertion() if assertion is _NEW else assertion}
        said = {name: value for name, value in {**signed, **form}.items() if value is not None}
        shown = self.proof(path, private=by, nonce=self.nonce) if proof is _NEW else proof
        headers = {} if shown is None else {"dpop": shown}
        answer = await self.http.post(self.bank.issuer + path, data=said, headers=headers)
        self.nonce = answer.headers.get("dpop-nonce", self.nonce)
        return answer

    async def par(
        self,
        scope: str | None = ALL,
        details: Any = None,
        by: Any = None,
        proof: str | None = _NEW,
        **changed: Any,
    ) -> httpx2.Response:
        self.verifier = b64u(secrets.token_bytes(32))
        form = {
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": scope,
            "state": "st",
            "code_challenge": b64u(hashlib.sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "authorization_details": None if details is None else json.dumps(details),
        }
        return await self.post("/par", {**form, **changed}, proof=proof, by=by)

    async def page_url(self, scope: str | None = ALL, details: Any = None, **changed: Any) -> str:
        """Push a request, and return the URL to which the user would be sent."""
        pushed = await self.par(scope, details, **changed)
        assert pushed.status_code == 201, pushed.text
        query = urlencode({"client_id": self.client_id, "request_uri": pushed.json()["request_uri"]})
        return f"{self.bank.issuer}/authorize?{query}"

    async def asks(self, page: Page, scope: str | None = ALL, details: Any = None) -> dict[str, str]:
        """Ask this user, who agrees; return what the redirect brings."""
        answer = await page.authorize(await self.page_url(scope, details))
        assert answer.status_code == 200, answer.text
        return dict(parse_qsl(urlsplit(answer.json()["redirect_to"]).query))

    async def collect(self, code: str, by: Any = None, **changed: Any) -> httpx2.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri}
        return self._kept(
            await self.post("/token", {**form, "code_verifier": self.verifier, **changed}, by=by)
        )

    async def deputized(self, page: Page, scope: str = ALL, details: Any = None) -> "Client":
        """Get a delegation of this user."""
        answer = await self.collect((await self.asks(page, scope, details))["code"])
        assert answer.status_code == 200, answer.text
        return self

    async def refresh(self, by: Any = None, **changed: Any) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        return self._kept(await self.post("/token", {**form, **changed}, by=by))

    async def hand_on(self, child: "Client", details: Any = None, **changed: Any) -> httpx2.Response:
        form = {
            "grant_type": EXCHANGE,
            "subject_token": self.tokens["access_token"],
            "subject_token_type": ACCESS_TOKEN,
            "requested_actor": child.client_id,
            "dpop_jkt": child.key.thumbprint,
            "authorization_details": None if details is None else json.dumps(details),
        }
        return await self.post("/token", {**form, **changed})

    async def take_over(
        self, handoff: str, details: Any = None, by: Any = None, **changed: Any
    ) -> httpx2.Response:
        form = {
            "grant_type": EXCHANGE,
            "subject_token": handoff,
            "subject_token_type": JWT,
            "authorization_details": None if details is None else json.dumps(details),
        }
        return self._kept(await self.post("/token", {**form, **changed}, by=by))

    async def deputizes(self, child: "Client", scope: str | None = None, details: Any = None) -> "Client":
        """Hand on to a sub-agent, which takes over."""
        handed = await self.hand_on(child, details, scope=scope)
        assert handed.status_code == 200, handed.text
        taken = await child.take_over(handed.json()["access_token"])
        assert taken.status_code == 200, taken.text
        return child

    def evidence(self, tool: str, arguments: Any = None, /, **changed: Any) -> str:
        """Make the evidence for one call; claims that are None are left out."""
        token = self.tokens["access_token"]
        bound = {"tool": tool, "args_s256": args_s256(arguments or {})}
        claims = {name: value for name, value in {**bound, **changed}.items() if value is not None}
        return f"{token}~{self.proof('/calls', token, **claims)}"

    async def call(self, page: Page, tool: str, arguments: Any = None, /, **changed: Any) -> httpx2.Response:
        return await page.call_for(self.evidence(tool, arguments, **changed), tool, arguments)

    async def introspect(self, token: str, **more: Any) -> httpx2.Response:
        return await self.post("/introspect", {"token": token}, proof=None, **more)

    async def revoke(self, token: str, **more: Any) -> httpx2.Response:
        return await self.post("/revoke", {"token": token}, proof=None, **more)

    def _kept(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer


def error(answer: httpx2.Response) -> str | None:
    """Return the code of a refusal, of OAuth or of a problem; None for what is none."""
    said = answer.json() if answer.content else {}
    return said.get("error") or said.get("code") if answer.status_code >= 400 else None
