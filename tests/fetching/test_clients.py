"""AGENT-4, who a client is: the policy says it, or the client's own origin, where the policy lets it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm
from tests.fetching.strangers import NOW, Clock, Names, Server, answer, serving, watching
from tests.ill_formed import inside

from deputize import settings
from deputize.fetching.clients import Clients
from deputize.fetching.fetcher import Fetcher
from deputize.protocol.agent import Assurance
from deputize.protocol.errors import Code, Refused
from deputize.service.clients import Client

pytestmark = pytest.mark.anyio


def jwk(kid: str) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(generate_private_key(SECP256R1()).public_key(), as_dict=True), "kid": kid}


ONE, TWO = jwk("1"), jwk("2")
SITE = """
[site]
name = "Bank"
origin = "http://localhost:1"
[agents]
development = true
"""


@dataclass
class Stranger:
    """An agent's origin. `document` and `keys` are what it answers just now."""

    server: Server
    document: dict[str, Any] = field(default_factory=dict)
    keys: Any = None
    raw: bytes | None = None
    clock: Clock = field(default_factory=Clock)

    @property
    def client_id(self) -> str:
        return self.server.url

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.server.port}"

    def fetched(self) -> list[str]:
        return [request.split()[1].decode() for request in self.server.requests]

    def clients(self, policy: str = "") -> Clients:
        """Look clients up by a policy that lets this origin have agents, unless another is given."""
        policy = policy or f'[agents.origin]\nallow = ["{self.origin}"]\n'
        fetcher = Fetcher(True, self.clock, Names([["127.0.0.1"]]))
        return Clients(settings.loads((SITE + policy).encode()), fetcher)


@asynccontextmanager
async def stranger(**change: object) -> AsyncIterator[Stranger]:
    """Serve a good document with these changes, and keys that it may point to."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        document = here.document if here.raw is None else here.raw
        what = here.keys if b"/keys" in here.server.requests[-1].split(b"\r\n")[0] else document
        body = what if isinstance(what, bytes) else json.dumps(what).encode()
        writer.write(answer(body, "200 OK", "Cache-Control: max-age=3600"))
        await writer.drain()

    async with serving(serve) as server:
        here = Stranger(server, keys={"keys": [ONE]})
        here.document = {
            "client_id": here.client_id,
            "client_name": "Example Agent",
            "redirect_uris": ["http://localhost/callback"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks_uri": here.origin + "/keys",
            **change,
        }
        yield here


async def refused(clients: Clients, client_id: str) -> tuple[Code, str]:
    with pytest.raises(Refused) as caught:
        await clients.find(client_id, NOW)
    return caught.value.refusal.code, caught.value.refusal.detail


async def test_a_client_at_an_origin_that_may_have_agents_is_fetched() -> None:
    async with stranger() as agent:
        client = await agent.clients().find(agent.client_id, NOW)
        assert (client.document.client_id, client.agent.assurance) == (agent.client_id, Assurance.ORIGIN)
        assert (client.document.name, agent.fetched()) == ("Example Agent", ["/agent.json"])


@pytest.mark.parametrize("policy", ["[agents.opaque]\n", '[agents.origin]\nallow = ["http://localhost:2"]\n'])
async def test_nothing_is_fetched_from_an_origin_that_may_not_have_agents(policy: str) -> None:
    async with stranger() as agent:
        with watching() as wire:
            code, detail = await refused(agent.clients(policy), agent.client_id)
        assert (code, agent.fetched(), wire.connected) == (Code.INVALID_CLIENT, [], [])
        assert "takes no agents from the origin" in detail


@pytest.mark.parametrize("client_id", ["", "agt_x", "x", "https://agent.example"])
async def test_what_is_no_url_of_a_client_is_refused(client_id: str) -> None:
    async with stranger() as agent:
        assert (await refused(agent.clients(), client_id))[0] is Code.INVALID_CLIENT
        assert (await refused(agent.clients(), agent.client_id + "?x"))[0] is Code.INVALID_CLIENT
        assert agent.fetched() == []


async def test_what_the_policy_says_of_a_client_is_not_asked_elsewhere() -> None:
    async with stranger() as agent:
        table = f'agents.registered."{agent.client_id}"'
        key = "".join(f'{name} = "{ONE[name]}"\n' for name in ("kty", "crv", "x", "y", "kid"))
        policy = (
            f'[{table}]\nname = "Known"\n[[{table}.keys]]\n{key}[agents.origin]\nallow = ["{agent.origin}"]\n'
        )
        clients = agent.clients(policy)
        client = await clients.find(agent.client_id, NOW, since=NOW)
        assert (client.document.name, client.agent.assurance) == ("Known", Assurance.REGISTERED)
        assert [key.kid for key in await clients.keys(client.document, lambda key: key.kid == "2", NOW)] == [
            "1"
        ]
        assert agent.fetched() == []


async def test_a_client_that_proves_nothing_is_refused() -> None:
    async with stranger(token_endpoint_auth_method="none") as agent:
        code, detail = await refused(agent.clients(), agent.client_id)
        assert code is Code.INVALID_CLIENT
        assert "private_key_jwt" in detail


async def test_a_document_that_cannot_be_used_is_not_kept() -> None:
    async with stranger(client_secret="x") as agent:
        clients = agent.clients()
        assert (await refused(clients, agent.client_id))[0] is Code.INVALID_CLIENT_METADATA
        del agent.document["client_secret"]
        assert (await clients.find(agent.client_id, NOW)).document.name == "Example Agent"


async def test_no_ill_formed_document_or_key_set_is_used() -> None:
    """JSON-1, JSON-2: however good the rest of it is."""
    async with stranger() as agent:
        clients, good = agent.clients(), agent.document
        for text in inside(json.dumps(good).strip("{}")):
            agent.raw = text
            assert (await refused(clients, agent.client_id))[0] is Code.INVALID_CLIENT_METADATA, text
        agent.raw = json.dumps({**good, "x": 1}).encode()
        client = await clients.find(agent.client_id, NOW)
        for text in inside(json.dumps(agent.keys).strip("{}")):
            agent.keys = text
            with pytest.raises(Refused) as caught:
                await keys(agent, clients, client, "1")
            assert caught.value.refusal.code is Code.INVALID_CLIENT_METADATA, text


async def test_a_document_that_changes_has_another_hash_once_it_is_asked_anew() -> None:
    async with stranger() as agent:
        clients = agent.clients()
        before = await clients.find(agent.client_id, NOW)
        agent.document["redirect_uris"] = ["http://localhost/elsewhere"]
        agent.clock.now += 10
        kept = await clients.find(agent.client_id, NOW, since=NOW)
        after = await clients.find(agent.client_id, NOW, since=NOW + 1)
        hashes = [client.document.document_s256 for client in (before, kept, after)]
        assert (hashes[0] == hashes[1], hashes[0] == hashes[2]) == (True, False)


async def keys(agent: Stranger, clients: Clients, client: Client, kid: str | None) -> list[str | None]:
    return [
        key.kid
        for key in await clients.keys(client.document, lambda key: kid in (None, key.kid), int(agent.clock()))
    ]


async def test_keys_in_the_document_are_found() -> None:
    async with stranger(jwks={"keys": [ONE, TWO]}) as agent:
        del agent.document["jwks_uri"]
        clients = agent.clients()
        client = await clients.find(agent.client_id, NOW)
        assert await keys(agent, clients, client, "3") == ["1", "2"]
        assert agent.fetched() == ["/agent.json"]


async def test_keys_that_rotate_are_fetched_anew() -> None:
    async with stranger() as agent:
        clients = agent.clients()
        client = await clients.find(agent.client_id, NOW)
        assert await keys(agent, clients, client, "1") == ["1"]
        agent.keys = {"keys": [TWO]}
        for ahead, kid, known in [
            (0, "2", "1"),
            (10, "2", "1"),
            (10, None, "1"),
            (11, "1", "1"),
            (11, "2", "2"),
        ]:
            agent.clock.now = NOW + ahead
            assert await keys(agent, clients, client, kid) == [known]
        assert agent.fetched().count("/keys") == 2


@pytest.mark.parametrize(
    "jwks", [None, [], {"keys": []}, {"keys": [{**ONE, "d": "AQ"}]}, {"keys": [ONE, ONE]}, {"keys": [{}]}]
)
async def test_keys_that_cannot_be_used_are_not_kept(jwks: Any) -> None:
    async with stranger() as agent:
        clients = agent.clients()
        client = await clients.find(agent.client_id, NOW)
        agent.keys, good = jwks, agent.keys
        with pytest.raises(Refused) as caught:
            await keys(agent, clients, client, "1")
        assert caught.value.refusal.code is Code.INVALID_CLIENT_METADATA
        agent.keys = good
        assert await keys(agent, clients, client, "1") == ["1"]
