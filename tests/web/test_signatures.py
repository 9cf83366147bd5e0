"""Agents that sign their requests, with a library of their own, instead of making assertions (OAUTH-14, OAUTH-15)."""

import asyncio
import json
import random
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.bank import POLICY, Bank, opened
from tests.crypto.signer import COVERED, Private, jwk_of, sign, thumbprint_of
from tests.fetching.strangers import Server, answer, serving
from tests.web.agents import ALL, CALLBACK, DEVICE_CODE, EXCHANGE, HELPER, LOCAL, Client, error, with_agents

from deputize import settings
from deputize.agent import AgentKey
from deputize.crypto import jwt
from deputize.service import grants
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

DIRECTORY = "/.well-known/http-message-signatures-directory"
DIRECTORY_TYPE = "application/http-message-signatures-directory+json"
ENDPOINTS = ["/par", "/token", "/device_authorization", "/introspect", "/revoke"]
FORMS: dict[str, dict[str, str]] = {
    "/par": {
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": ALL,
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
    },
    "/token": {"grant_type": DEVICE_CODE, "device_code": "x"},
    "/device_authorization": {"scope": ALL},
    "/introspect": {"token": "x"},
    "/revoke": {"token": "x"},
}
WRONG: list[dict[str, Any]] = [
    {"tag": "other"},
    {"tag": None},
    {"nonce": None},
    {"lifetime": None},
    {"lifetime": 61},
    {"now": 1_800_000_000 - 31},
    {"now": 1_800_000_000 + 31},
    {"method": "PUT"},
    {"url": f"{LOCAL}/deputize/agents"},
    {"url": "https://other.example/deputize/token"},
    {"keyid": "1"},
    {"keyid": thumbprint_of(Ed25519PrivateKey.generate())},
]
Signature = dict[str, str]


@dataclass
class Signer(Client):
    """An agent that signs. What a test gives as `how` is what its library is told otherwise."""

    signing: Private = field(default_factory=Ed25519PrivateKey.generate)
    signature_agent: str = ""
    how: dict[str, Any] = field(default_factory=dict)

    def sign(self, path: str, body: bytes, proof: str | None = None, **how: Any) -> Signature:
        shown = {} if proof is None else {"DPoP": proof}
        covered = [*COVERED, *(["dpop"] if shown else [])]
        agent = self.signature_agent or f'sig1="{self.client_id}";type=cimd'
        good = {"nonce": secrets.token_hex(8), "covered": covered, "headers": shown, "agent": agent}
        said = {"now": self.now, "url": self.bank.issuer + path, **good, **self.how, **how}
        return sign(self.signing, body=body, **said)

    def form(self, path: str, **more: str) -> bytes:
        return urlencode({"client_id": self.client_id, **FORMS[path], **more}).encode()

    def proven(self, path: str) -> str | None:
        return None if path in ("/introspect", "/revoke") else self.proof(path, nonce=self.nonce)

    async def send(self, path: str, body: bytes, headers: Signature, **more: str) -> httpx2.Response:
        sent = {"content-type": "application/x-www-form-urlencoded", **headers, **more}
        return await self.http.post(self.bank.issuer + path, content=body, headers=sent)

    async def ask(self, path: str, **how: Any) -> httpx2.Response:
        """Send a request that would be good, but for what the test makes of it."""
        body = self.form(path)
        return await self.send(path, body, self.sign(path, body, self.proven(path), **how))

    async def _post(
        self, path: str, form: dict[str, Any], assertion: str | None, proof: str | None, by: Any
    ) -> httpx2.Response:
        said = {"client_id": self.client_id, **form}
        body = urlencode({name: value for name, value in said.items() if value is not None}).encode()
        shown = None if proof is None else self.proof(path, private=by, nonce=self.nonce)
        got = await self.send(path, body, self.sign(path, body, shown))
        self.nonce = got.headers.get("dpop-nonce", self.nonce)
        return got


class Home:
    """An agent's own origin, on this machine, and what it publishes there."""

    def __init__(self) -> None:
        self.server = Server()
        self.signing: Private = Ed25519PrivateKey.generate()
        self.pages: dict[str, tuple[Any, str]] = {}

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.server.port}"

    def publish(self, **change: Any) -> None:
        document = {
            "client_id": self.server.url,
            "client_name": "Example Agent",
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token", DEVICE_CODE, EXCHANGE],
            "jwks": {"keys": [jwk_of(self.signing)]},
            **change,
        }
        document = {name: value for name, value in document.items() if value is not None}
        self.pages["/agent.json"] = (document, "application/json")

    def publish_keys(self, path: str, kind: str, *keys: Private) -> None:
        self.pages[path] = ({"keys": [jwk_of(key) for key in keys]}, kind)

    def agent(self, bank: Bank, **more: Any) -> Signer:
        return Signer(bank, self.server.url, signing=self.signing, **more)

    def fetched(self, path: str) -> int:
        return sum(request.split()[1].decode() == path for request in self.server.requests)


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    here = Home()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = here.server.requests[-1].split()[1].decode()
        if path in here.pages:
            page, kind = here.pages[path]
            writer.write(
                answer(json.dumps(page).encode(), "200 OK", "Cache-Control: max-age=3600", kind=kind)
            )
        else:
            writer.write(answer(b"{}", "404 Not Found"))
        await writer.drain()

    async with serving(serve) as here.server:
        here.publish()
        yield here


@pytest.fixture
async def bank(tmp_path: Path, home: Home) -> AsyncIterator[Bank]:
    """Run a bank that takes agents of that origin, and has registered one with an Ed25519 key beside another."""
    registered, api = AgentKey.generate(), AgentKey.generate()
    text = with_agents(POLICY, {HELPER: registered}, home.origin, api)
    key = "".join(f'{name} = "{value}"\n' for name, value in jwk_of(home.signing).items())
    text += f'[[agents.registered."{HELPER}".keys]]\n{key}'
    async with opened(settings.loads(text.encode()), tmp_path / "var") as bank:
        bank.keys = {HELPER: registered._private_key, "api": api._private_key}
        yield bank


@pytest.fixture
async def user(bank: Bank) -> Page:
    page = bank.page()
    await page.sign_up("Ada Lovelace")
    return page


@pytest.fixture
async def agent(bank: Bank, home: Home) -> Signer:
    """Give the agent of that origin, which knows the server's nonce."""
    agent = home.agent(bank)
    assert (await agent.par()).status_code == 201
    return agent


class TestAreKnown:
    """Wherever the keys are that the client's document, or the policy, says are its own (OAUTH-15)."""

    async def through(self, agent: Signer, user: Page, assurance: str) -> None:
        await agent.deputized(user)
        assert (await agent.refresh()).status_code == 200
        claims = jwt.parse(agent.tokens["access_token"]).claims
        assert claims["act"] == {"sub": agent.client_id, "assurance": assurance}
        assert claims["cnf"] == {
            "jkt": agent.key.thumbprint
        }  # the key of DPoP, not the one that signs requests
        assert (await agent.call(user, "get_balance")).status_code == 200
        assert (await agent.introspect(agent.tokens["access_token"])).json()["active"]
        assert (await agent.revoke(agent.tokens["refresh_token"])).status_code == 200
        assert error(await agent.call(user, "get_balance")) == "grant_revoked"

    async def test_by_their_document(self, bank: Bank, home: Home, user: Page) -> None:
        await self.through(home.agent(bank), user, "origin")

    async def test_by_a_p256_key_of_their_document(self, bank: Bank, home: Home, user: Page) -> None:
        agent = home.agent(bank)
        agent.signing = agent.private  # one key for all
        home.publish(jwks={"keys": [agent.key.public_jwk()]}, token_endpoint_auth_method="private_key_jwt")
        await self.through(agent, user, "origin")

    async def test_by_the_directory_that_their_document_names(
        self, bank: Bank, home: Home, user: Page
    ) -> None:
        home.publish(jwks=None, jwks_uri=home.origin + DIRECTORY)
        home.publish_keys(DIRECTORY, DIRECTORY_TYPE, home.signing)
        await self.through(home.agent(bank, signature_agent=f'sig1="{home.origin}"'), user, "origin")
        slash = home.agent(bank, signature_agent=f'sig1="{home.origin}/";type=directory')
        assert (await slash.par()).status_code == 201
        assert home.fetched(DIRECTORY) == 1  # and kept

    async def test_by_their_jwks_uri(self, bank: Bank, home: Home, user: Page) -> None:
        home.publish(jwks=None, jwks_uri=f"{home.origin}/keys")
        home.publish_keys("/keys", "application/jwk-set+json", home.signing)
        await self.through(
            home.agent(bank, signature_agent=f'sig1="{home.origin}/keys";type=jwks_uri'), user, "origin"
        )

    @pytest.mark.parametrize("kind", ["cimd", "directory"])
    async def test_by_the_policy(self, bank: Bank, home: Home, user: Page, kind: str) -> None:
        where = HELPER if kind == "cimd" else "https://helper.example"
        agent = Signer(bank, HELPER, signing=home.signing, signature_agent=f'sig1="{where}";type={kind}')
        await self.through(agent, user, "registered")

    async def test_on_a_device(self, agent: Signer) -> None:
        asked = await agent.post("/device_authorization", {"scope": ALL})
        assert asked.status_code == 200
        waiting = {"grant_type": DEVICE_CODE, "device_code": asked.json()["device_code"]}
        assert error(await agent.post("/token", waiting)) == "authorization_pending"

    async def test_in_a_chain(self, bank: Bank, agent: Signer, user: Page) -> None:
        await agent.deputized(user)
        child = Client(bank, HELPER, bank.keys[HELPER])  # one signs, the other makes assertions
        await agent.deputizes(child, "account:read")
        assert (await child.call(user, "get_balance")).status_code == 200

    async def test_behind_a_proxy(self, agent: Signer) -> None:
        """The expected URL is the issuer's, whatever Host header the proxy sends."""
        body = agent.form("/introspect")
        in_parts = ["@authority", "@path", *(name for name in COVERED if name != "@target-uri")]
        for host, code in [(agent.bank.issuer, None), ("http://10.0.0.1:9000/deputize", "invalid_client")]:
            for covered in (COVERED, in_parts):
                signed = agent.sign("/introspect", body, url=f"{host}/introspect", covered=covered)
                assert error(await agent.send("/introspect", body, signed, host="10.0.0.1:9000")) == code

    async def test_with_a_query_that_is_signed(self, agent: Signer) -> None:
        body = agent.form("/introspect")
        for there, code in [("/introspect?a=1", None), ("/introspect?a=2", "invalid_client")]:
            signed = agent.sign("/introspect?a=1", body)
            assert error(await agent.send(there, body, signed)) == code

    async def test_the_authority_lists_registered_methods_only(self, bank: Bank) -> None:
        """No name is registered for this one, and none is made up."""
        said = (await bank.client().get("/.well-known/oauth-authorization-server/deputize")).json()
        assert "private_key_jwt" in said["token_endpoint_auth_methods_supported"]
        assert set(said["token_endpoint_auth_methods_supported"]) <= {"private_key_jwt", "none"}


@pytest.mark.parametrize("path", ENDPOINTS)
class TestAreRefused:
    """At each endpoint, for the least that is wrong (OAUTH-14)."""

    async def test_but_not_if_nothing_is_wrong(self, agent: Signer, path: str) -> None:
        assert error(await agent.ask(path)) in (None, "invalid_grant")

    async def test_for_what_is_signed(self, agent: Signer, path: str) -> None:
        needed = [*COVERED, *(["dpop"] if agent.proven(path) else [])]
        without = [{"covered": [name for name in needed if name != out]} for out in needed]
        for how in [*WRONG, *without]:
            assert error(await agent.ask(path, **how)) == "invalid_client", how

    async def test_for_another_body(self, agent: Signer, path: str) -> None:
        body = agent.form(path)
        signed = agent.sign(path, body, agent.proven(path))
        assert error(await agent.send(path, body + b"&scope=account%3Aread", signed)) == (
            "invalid_request" if b"scope" in body else "invalid_client"  # which is then there twice
        )
        assert error(await agent.send(path, agent.form(path, state="x"), signed)) == "invalid_client"

    async def test_at_another_endpoint(self, agent: Signer, path: str) -> None:
        body = agent.form(path)
        for other in {*ENDPOINTS} - {path}:
            signed = agent.sign(other, body, agent.proven(path))
            assert error(await agent.send(path, body, signed)) == "invalid_client"

    async def test_when_their_nonce_was_used_before(self, agent: Signer, path: str) -> None:
        """The nonce is spent with whatever it authorized, wherever that was."""
        assert error(await agent.ask(path, nonce="once")) != "invalid_client"
        assert error(await agent.ask(path, nonce="once")) == "invalid_client"
        assert error(await agent.ask("/introspect", nonce="once")) == "invalid_client"
        agent.bank.clock.forward(29)
        assert error(await agent.ask(path, nonce="once", now=1_800_000_000 + 29)) == "invalid_client"
        assert error(await agent.ask(path, nonce="twice")) != "invalid_client"

    async def test_with_the_proof_of_another(self, agent: Signer, path: str) -> None:
        body, proof = agent.form(path), agent.proven(path) or agent.proof(path)
        theirs = Signer(agent.bank).proof(path, nonce=agent.nonce)
        signed = agent.sign(path, body, proof)
        assert error(await agent.send(path, body, {**signed, "DPoP": theirs})) == "invalid_client"
        uncovered = agent.sign(path, body, None)
        assert error(await agent.send(path, body, uncovered, dpop=theirs)) == "invalid_client"

    async def test_of_which_one_request_has_two(self, agent: Signer, path: str) -> None:
        body, proof = agent.form(path), agent.proven(path)
        first = agent.sign(path, body, proof)
        second = agent.sign(path, body, headers=first, label="sig2", also=True)
        assert error(await agent.send(path, body, second)) == "invalid_client"

    async def test_beside_an_assertion(self, agent: Signer, path: str) -> None:
        for name in ("client_assertion", "client_assertion_type"):
            body = agent.form(path, **{name: agent.assertion()})
            signed = agent.sign(path, body, agent.proven(path))
            assert error(await agent.send(path, body, signed)) == "invalid_request"

    @pytest.mark.parametrize("header", [{"Origin": LOCAL}, {"Sec-Fetch-Site": "cross-site"}], ids=str)
    async def test_from_a_page(self, agent: Signer, path: str, header: dict[str, str]) -> None:
        body = agent.form(path)
        signed = agent.sign(path, body, agent.proven(path))
        assert error(await agent.send(path, body, signed, **header)) == "invalid_request"

    async def test_without_a_client_id(self, agent: Signer, path: str) -> None:
        body = urlencode(FORMS[path]).encode()
        signed = agent.sign(path, body, agent.proven(path))
        assert error(await agent.send(path, body, signed)) == "invalid_client"

    async def test_for_another_client(self, agent: Signer, path: str, user: Page) -> None:
        """A key, and a Signature-Agent, speak for their own client only."""
        other = Signer(agent.bank, HELPER)  # a key of nobody
        assert error(await other.ask(path)) == "invalid_client"
        body = agent.form(path, client_id=HELPER)
        assert (
            error(await agent.send(path, body, agent.sign(path, body, agent.proven(path))))
            == "invalid_client"
        )


class TestHeaders:
    """What the headers say (OAUTH-14), at the endpoint that needs least."""

    @pytest.mark.parametrize(
        "signature_agent",
        [
            'sig1="{origin}/other.json";type=cimd',
            'sig1="{origin}/agent.json?x";type=cimd',
            'sig1="{origin}/agent.json"',
            'sig1="{origin}/agent.json";type=jwks_uri',
            'sig1="{origin}/keys";type=jwks_uri',
            'sig1="{origin}/agent.json";type=card',
            'sig1="{origin}//"',
            'sig1="https://helper.example"',
            f'sig1="{HELPER}";type=cimd',
            '"{origin}"',
            'other="{origin}/agent.json";type=cimd',
            "sig1={origin}",
        ],
    )
    async def test_for_a_signature_agent_that_is_not_the_client(
        self, agent: Signer, signature_agent: str
    ) -> None:
        said = signature_agent.format(origin=agent.client_id.removesuffix("/agent.json"))
        body = agent.form("/introspect")
        signed = agent.sign("/introspect", body)
        if said.startswith('sig1="'):
            assert error(await agent.ask("/introspect", agent=said)) == "invalid_client"
        assert (
            error(await agent.send("/introspect", body, {**signed, "Signature-Agent": said}))
            == "invalid_client"
        )

    @pytest.mark.parametrize(
        "header",
        [
            {"Signature-Input": "("},
            {"Signature-Input": "sig1=()"},
            {"Signature-Input": 'sig1=();tag="web-bot-auth"'},
            {"Signature-Input": 'sig1;tag="web-bot-auth"'},
            {"Signature-Input": "\xff"},
            {"Signature": "sig1=:!:"},
            {"Signature": "sig1=:" + "A" * 86 + ":"},
            {"Signature": ":AA==:"},
            {"Signature": ""},
            {"Signature-Agent": 'sig1="'},
            {"Signature-Agent": ""},
            {"Content-Digest": "sha-256=:AA==:"},
            {"Content-Digest": ","},
            {"Signature-Input": 'sig1=();tag="web-bot-auth"' + ";x" * 4000},
            {"Signature": "sig1=:" + "A" * 30_000 + ":"},
            {"Signature-Agent": 'sig1="' + "a" * 30_000 + '"'},
            {"Content-Digest": "a=1, " * 5000 + "b=1"},
        ],
        ids=lambda header: repr(header)[:60],
    )
    async def test_for_what_cannot_be_read(self, agent: Signer, header: dict[str, str]) -> None:
        body = agent.form("/introspect")
        signed = {**agent.sign("/introspect", body), **header}
        raw = {name: value.encode("latin-1") for name, value in signed.items()}
        got = await agent.send("/introspect", body, raw)  # type: ignore[arg-type]  # bytes, so that they may be anything
        assert (got.status_code in (400, 401), error(got)) == (True, "invalid_client")


class TestDocuments:
    """What an agent says of its keys, and when it says something else."""

    async def test_a_changed_document_means_asking_again(
        self, bank: Bank, home: Home, user: Page, agent: Signer
    ) -> None:  # OAUTH-6
        code = (await agent.asks(user))["code"]
        home.publish(client_name="Bank Support")
        bank.clock.forward(6)
        assert error(await agent.collect(code)) == "invalid_client"

    async def test_so_does_another_key_in_it(
        self, bank: Bank, home: Home, user: Page, agent: Signer
    ) -> None:  # OAUTH-6
        code = (await agent.asks(user))["code"]
        more = [jwk_of(home.signing), jwk_of(Ed25519PrivateKey.generate())]
        home.publish(jwks={"keys": more})
        bank.clock.forward(6)
        refused = await agent.collect(code)
        assert error(refused) == "invalid_client"
        assert "changed" in refused.json()["error_description"]

    async def test_a_key_that_left_opens_nothing(self, bank: Bank, home: Home, agent: Signer) -> None:
        home.signing = Ed25519PrivateKey.generate()
        home.publish()
        bank.clock.forward(3601)
        assert error(await agent.ask("/introspect")) == "invalid_client"

    async def test_keys_rotate(self, bank: Bank, home: Home) -> None:
        home.publish(jwks=None, jwks_uri=home.origin + DIRECTORY)
        home.publish_keys(DIRECTORY, DIRECTORY_TYPE, home.signing)
        old = home.agent(bank, signature_agent=f'sig1="{home.origin}"')
        assert (await old.ask("/introspect")).status_code == 200
        home.signing = Ed25519PrivateKey.generate()
        home.publish_keys(DIRECTORY, DIRECTORY_TYPE, home.signing)
        new = home.agent(bank, signature_agent=f'sig1="{home.origin}"')
        bank.clock.forward(11)
        assert (await new.ask("/introspect")).status_code == 200
        assert error(await old.ask("/introspect")) == "invalid_client"
        for _ in range(5):
            await old.ask("/introspect")
        assert home.fetched(DIRECTORY) == 2  # an unknown key makes nobody fetch again and again

    async def test_a_directory_that_the_document_does_not_name_says_nothing(
        self, bank: Bank, home: Home
    ) -> None:  # OAUTH-15: else any key of the origin would be every client's of it
        fleet = Ed25519PrivateKey.generate()
        home.publish_keys(DIRECTORY, DIRECTORY_TYPE, fleet)
        crawler = home.agent(bank, signature_agent=f'sig1="{home.origin}"')
        crawler.signing = fleet
        assert error(await crawler.ask("/introspect")) == "invalid_client"
        assert home.fetched(DIRECTORY) == 0

    async def test_an_ed25519_key_makes_no_assertions(self, bank: Bank, home: Home) -> None:
        """And what is in a document beside it does: the kinds do not mix."""
        key = AgentKey.generate()
        home.publish(jwks={"keys": [jwk_of(home.signing), key.public_jwk()]})
        assert (await Client(bank, home.server.url, key._private_key).introspect("x")).status_code == 200
        home.publish()
        bank.clock.forward(3601)
        assert (
            error(await Client(bank, home.server.url, key._private_key).introspect("x")) == "invalid_client"
        )

    async def test_the_example_keys_of_rfc_9421_are_nobodys(self, bank: Bank, home: Home) -> None:
        home.publish(
            jwks={
                "keys": [{"kty": "OKP", "crv": "Ed25519", "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}]
            }
        )
        assert error(await home.agent(bank).ask("/introspect")) == "invalid_client_metadata"

    async def test_who_says_that_it_proves_nothing(self, bank: Bank, home: Home) -> None:
        home.publish(token_endpoint_auth_method="none")
        assert error(await home.agent(bank).ask("/introspect")) == "invalid_client"

    async def test_whom_the_owner_has_revoked(self, bank: Bank, user: Page, agent: Signer) -> None:
        await agent.deputized(user)
        await bank.deputize.store.transact(lambda tx: grants.revoke_agent(tx, agent.client_id, agent.now))
        for path in ENDPOINTS:
            assert error(await agent.ask(path)) == "invalid_client"

    async def test_of_an_origin_that_may_have_no_agents_nothing_is_fetched(
        self, bank: Bank, home: Home
    ) -> None:
        stranger = Signer(bank, "https://stranger.example/agent.json", signing=home.signing)
        assert error(await stranger.ask("/introspect")) == "invalid_client"
        assert home.server.requests == []


class TestKeyless:
    """An agent whose document says that it has no key has none for signatures (BEARER-5)."""

    @pytest.fixture
    async def bank(self, tmp_path: Path, home: Home) -> AsyncIterator[Bank]:
        text = with_agents(POLICY, {}, home.origin) + "[mcp]\nbearer = true\n"
        async with opened(settings.loads(text.encode()), tmp_path / "var") as bank:
            yield bank

    @pytest.mark.parametrize(("path", "form"), [("/token", {"code": "x"}), ("/revoke", {"token": "x"})])
    async def test_may_not_sign(self, bank: Bank, home: Home, path: str, form: dict[str, str]) -> None:
        home.publish(token_endpoint_auth_method="none")
        said = {"client_id": home.server.url, "grant_type": "authorization_code", **form}
        body = urlencode({**said, "redirect_uri": CALLBACK, "code_verifier": "x" * 43}).encode()
        agent = home.agent(bank)
        assert error(await agent.send(path, body, {})) in (None, "invalid_grant")
        assert error(await agent.send(path, body, agent.sign(path, body))) == "invalid_client"
        wrong = {**agent.sign(path, body), "Signature": "sig1=:AA==:"}
        assert error(await agent.send(path, body, wrong)) == "invalid_client"


class TestOthers:
    """Those who are known in another way."""

    async def test_an_api_of_the_site_makes_assertions(self, bank: Bank, home: Home) -> None:
        api = Signer(bank, LOCAL, bank.keys["api"], signing=bank.keys["api"])
        assert (await Client(bank, LOCAL, bank.keys["api"]).introspect("x")).status_code == 200
        assert error(await api.ask("/introspect", agent=f'sig1="{LOCAL}"')) == "invalid_client"
        both = api.form("/introspect", client_assertion=api.assertion())
        assert error(await api.send("/introspect", both, api.sign("/introspect", both))) == "invalid_request"

    async def test_signatures_of_a_proxy_do_not_matter(self, bank: Bank, user: Page) -> None:
        helper = Client(bank, HELPER, bank.keys[HELPER])
        form = {"client_id": HELPER, "token": "x", "client_assertion": helper.assertion()}
        form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        body = urlencode(form).encode()
        signed = sign(
            Ed25519PrivateKey.generate(),
            "https://x.example",
            body,
            "",
            helper.now,
            tag="cdn",
            covered=["@path"],
        )
        got = await Signer(bank, HELPER).send("/introspect", body, signed)
        assert (got.status_code, got.json()) == (200, {"active": False})


async def test_whatever_the_headers_are_there_is_an_answer(agent: Signer) -> None:
    """Bytes changed, cut out and put in, anywhere in what is signed: refused with a code, never a 500."""
    chance = random.Random(9421)
    body = agent.form("/introspect")
    for turn in range(400):
        signed = agent.sign("/introspect", body)
        name = chance.choice(["Signature", "Signature-Input", "Signature-Agent", "Content-Digest"])
        raw = bytearray(signed[name].encode())
        at = chance.randrange(len(raw))
        raw[at : at + chance.choice([0, 1, 1, 8])] = bytes(
            chance.choice(b"\t !\"%'(),-./019:;<=>?@AZ[\\]^_az{|}~\x80\xff")
            for _ in range(chance.choice([0, 1, 1, 5]))
        )
        headers = {k: bytes(raw) if k == name else v.encode() for k, v in signed.items()}
        got = await agent.send("/introspect", body, headers)  # type: ignore[arg-type]  # bytes, as above
        if bytes(raw) == signed[name].encode():
            assert got.status_code == 200, turn
        else:
            assert (got.status_code in (200, 400, 401), error(got) in (None, "invalid_client")) == (
                True,
                True,
            )
