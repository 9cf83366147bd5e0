"""Software that knows nothing of us gets a delegation, uses it and checks it: with standards alone."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import ED25519
from http_message_signatures.httpx2 import adapt_message
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey
from tests.bank import POLICY, Visited
from tests.fetching.strangers import Server, answer, serving
from tests.interop.strangers import Stranger, stranger
from tests.web.agents import LOCAL, with_agents

from deputize import settings
from deputize.agent import AgentKey
from deputize.app import build
from deputize.protocol.canonical import b64u
from deputize.testing.page import Page
from deputize.testing.server import Site

pytestmark = pytest.mark.anyio

ARGUMENTS = {"note": "Zoë’s", "amount": 250.0, "z": 1, "a": [True, None]}
LIMITS = [{"type": "webmcp_tool", "tool": "get_balance", "max_calls": 2}]
DIRECTORY = "http-message-signatures-directory"
ASKED = {"scope": "account:read", "details": LIMITS, "tool": "get_balance", "arguments": ARGUMENTS}


@pytest.fixture
def api_key(tmp_path: Path) -> Path:
    """Make the key of the site's own API."""
    AgentKey.generate().save(tmp_path / "api.jwk")
    return tmp_path / "api.jwk"


@asynccontextmanager
async def visited(data: Path, agents: str, api_key: Path) -> AsyncIterator[Page]:
    """Serve a bank that takes agents of this origin, and open it in the browser of a user who is signed in."""
    text = with_agents(POLICY, {}, agents, AgentKey.load(api_key))

    def app(port: int) -> Any:
        return build(settings.loads(text.replace(LOCAL, f"http://localhost:{port}").encode()), data)

    with Site(app) as site:
        bank = Visited(origin=site.url)
        async with bank.stack:
            page = bank.page()
            assert (await page.sign_up("Ada Lovelace")).status_code == 200
            yield page


async def agree(page: Page, agent: Stranger, flow: str) -> None:
    """Consent, and go where the browser would go."""
    agreed = await page.authorize(await agent.hear("authorize"))
    assert agreed.status_code == 200, agreed.text
    if flow == "device":
        agent.tell(answered=True)
    else:
        assert (await page.http.get(agreed.json()["redirect_to"])).status_code == 204


@pytest.mark.parametrize("flow", ["code", "device"])
async def test_an_agent_by_strangers_is_deputized_and_calls(tmp_path: Path, api_key: Path, flow: str) -> None:
    """oauth4webapi, jose, joserfc and Authlib: discovery, consent, calls, sub-agents, introspection, revocation."""
    async with stranger(flow) as agent:
        client_id = await agent.hear("client_id")
        origin = client_id.removesuffix("/agent.json")
        async with visited(tmp_path / "var", origin, api_key) as page:
            agent.tell(issuer=page.issuer, **ASKED)
            assert (await agent.hear("resource"))["authorization_servers"] == [page.issuer]
            await agree(page, agent, flow)
            tokens = await agent.hear("tokens")
            assert (tokens["token_type"], tokens["scope"]) == (
                "dpop",
                "account:read",
            )  # RFC 6749 §5.1: any case
            assert tokens["authorization_details"] == LIMITS
            assert (await agent.hear("verified"))["act"]["sub"] == client_id
            renewed = await agent.hear("renewed")
            assert renewed["refresh_token"] != tokens["refresh_token"]

            called = await page.call_for(await agent.hear("evidence"), "get_balance", ARGUMENTS)
            assert (called.status_code, called.json()["agent"]["client_id"]) == (200, client_id)
            child = await agent.hear("child")
            assert child["act"]["sub"] == f"{origin}/child.json"
            assert child["act"]["act"]["sub"] == client_id
            by_child = await page.call_for(await agent.hear("evidence"), "get_balance", ARGUMENTS)
            assert (by_child.status_code, by_child.json()["agent"]["client_id"]) == (200, child["act"]["sub"])

            call_token = by_child.json()["call_token"]
            await check_by_joserfc(page, renewed["access_token"], call_token)
            introspect_by_authlib(page, call_token, api_key)
            agent.tell(call_token=call_token, audience=page.origin)
            assert (await agent.hear("called"))["txn"] == by_child.json()["call_id"]

            live = await agent.hear("introspected")
            assert (live["active"], live["client_id"], live["sub"]) == (True, client_id, tokens["sub"])
            assert (await agent.hear("introspected")) == {"active": False}  # it has revoked its grant
            assert "use_dpop_nonce" in agent.refused
            assert ("authorization_pending" in agent.refused) == (flow == "device")


async def test_an_agent_that_signs_its_requests_is_deputized_and_calls(
    tmp_path: Path, api_key: Path
) -> None:  # OAUTH-14, OAUTH-15
    """http-message-signatures and joserfc: the keys are in a directory of their origin, and there is no assertion."""
    signer = Signer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = signer.home.requests[-1].split()[1].decode()
        kind = "application/json" if path == "/agent.json" else f"application/{DIRECTORY}+json"
        writer.write(answer(json.dumps(signer.publish(path)).encode(), kind=kind))
        await writer.drain()

    async with (
        serving(serve) as signer.home,
        visited(tmp_path / "var", signer.origin, api_key) as page,
        httpx2.AsyncClient(timeout=30) as signer.http,
    ):
        verifier = "v" * 43
        pushed = await signer.post(
            f"{page.issuer}/par",
            response_type="code",
            redirect_uri=f"{signer.origin}/callback",
            scope="account:read",
            code_challenge=b64u(sha256(verifier.encode()).digest()),
            code_challenge_method="S256",
        )
        assert pushed.status_code == 201, pushed.text
        asked = urlencode({"client_id": signer.home.url, "request_uri": pushed.json()["request_uri"]})
        agreed = await page.authorize(f"{page.issuer}/authorize?{asked}")
        code = dict(parse_qsl(urlsplit(agreed.json()["redirect_to"]).query))["code"]
        got = await signer.post(
            f"{page.issuer}/token",
            grant_type="authorization_code",
            code=code,
            redirect_uri=f"{signer.origin}/callback",
            code_verifier=verifier,
        )
        assert got.status_code == 200, got.text
        live = await signer.post(f"{page.issuer}/introspect", token=got.json()["access_token"])
        assert (live.json()["active"], live.json()["client_id"]) == (True, signer.home.url)


@dataclass
class Signer:
    """An agent of two keys: one signs its requests, its delegations are bound to the other."""

    home: Server = field(default_factory=Server)
    http: httpx2.AsyncClient = field(init=False)
    signing: OKPKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519"))
    bound: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    nonce: str = ""

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.home.port}"

    def publish(self, path: str) -> dict[str, Any]:
        if path != "/agent.json":
            return {"keys": [{**self.signing.as_dict(private=False), "kid": self.signing.thumbprint()}]}
        uris = {
            "redirect_uris": [f"{self.origin}/callback"],
            "jwks_uri": f"{self.origin}/.well-known/{DIRECTORY}",
        }
        return {"client_id": self.home.url, "client_name": "A signer", **uris}

    async def post(self, url: str, **form: str) -> httpx2.Response:
        response = await self._post(url, form)
        if "dpop-nonce" in response.headers:
            self.nonce = response.headers["dpop-nonce"]
            response = await self._post(url, form)
        return response

    async def _post(self, url: str, form: dict[str, str]) -> httpx2.Response:
        said = {"htm": "POST", "htu": url, "iat": int(time.time()), "jti": token_hex(8), "nonce": self.nonce}
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.bound.as_dict(private=False)}
        request = self.http.build_request(
            "POST",
            url,
            data={"client_id": self.home.url, **form},
            headers={"DPoP": jwt.encode(header, said, self.bound), "Signature-Agent": f'bot="{self.origin}"'},
        )
        kid = self.signing.thumbprint()
        keys = MappingKeyResolver(public_keys={}, private_keys={kid: self.signing.as_pem(private=True)})
        HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=keys).sign(
            adapt_message(request),
            key_id=kid,
            expires=datetime.now(UTC) + timedelta(seconds=30),
            nonce=token_hex(8),
            label="bot",
            tag="web-bot-auth",
            covered_component_ids=["@method", "@authority", "@path", "dpop", '"signature-agent";key="bot"'],
            body=request.content,
        )
        return await self.http.send(request)


async def test_a_no_is_understood(tmp_path: Path, api_key: Path) -> None:  # OAUTH-4
    async with stranger("code") as agent:
        origin = (await agent.hear("client_id")).removesuffix("/agent.json")
        async with visited(tmp_path / "var", origin, api_key) as page:
            agent.tell(issuer=page.issuer, **ASKED)
            await agent.hear("resource")
            declined = await page.authorize(await agent.hear("authorize"), approve=False)
            await page.http.get(declined.json()["redirect_to"])
            assert await agent.hear("failed") == "access_denied"


async def check_by_joserfc(page: Page, delegation: str, call_token: str) -> None:
    """Verify both tokens from the JWKS, in the other language."""
    metadata = (await page.http.get(f"{page.origin}/.well-known/oauth-authorization-server/deputize")).json()
    keys = KeySet.import_key_set((await page.http.get(metadata["jwks_uri"])).json())
    for text, typ, audience in (
        (delegation, "at+jwt", page.issuer),
        (call_token, "txntoken+jwt", page.origin),
    ):
        token = jwt.decode(text, keys, algorithms=["ES256"])
        assert token.header["typ"] == typ
        registry = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": page.issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )
        registry.validate(token.claims)


def introspect_by_authlib(page: Page, call_token: str, api_key: Path) -> None:
    """Ask what a call token is worth, as the API that it is for (OAUTH-8)."""
    key = ECKey.import_key(json.loads(api_key.read_text()))
    for token, active in ((call_token, True), (call_token[:-4] + "AAAA", False), ("nothing", False)):
        claims = {"exp": int(time.time()) + 60}  # Authlib's own are good for an hour
        method = PrivateKeyJWT(page.issuer, claims=claims, alg="ES256")
        with OAuth2Session(page.origin, key, token_endpoint_auth_method=method.name) as session:
            session.register_client_auth_method(method)
            answer = session.introspect_token(f"{page.issuer}/introspect", token)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json()["active"] is active
