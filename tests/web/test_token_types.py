"""Every kind of JWT at every door that takes one: only the diagonal is open.

TOKEN-1, TOKEN-3, PROOF-1, OAUTH-1; BEARER-1, since a delegation without a key is a kind of its own.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from starlette.requests import Request
from starlette.types import Message
from tests.bank import POLICY, Bank, opened
from tests.web.agents import (
    ACCESS_TOKEN,
    ALL,
    ERRAND,
    EXCHANGE,
    HELPER,
    JWT,
    LOCAL,
    Client,
    error,
    new_key,
    with_agents,
)
from tests.web.apps import App, Home, home

from deputize import settings
from deputize.agent import AgentKey
from deputize.crypto import jwt
from deputize.protocol.canonical import args_s256, b64u
from deputize.protocol.errors import Refused
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

DELEGATION, CALL, HANDOFF = "at+jwt", "txntoken+jwt", "handoff+jwt"
PROOF, ASSERTION = "dpop+jwt", "client-authentication+jwt"
BEARER = "at+jwt without a key"
TYPES = [DELEGATION, BEARER, CALL, HANDOFF, PROOF, ASSERTION]
BODY: dict[str, Any] = {"tool": "note", "arguments": {}, "definition_s256": args_s256({"name": "note"})}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
BOUND = {"tool": "note", "args_s256": args_s256({})}


@dataclass
class House:
    """A bank, a page, an agent that is deputized, its sub-agent, an app without a key, and the bank's API."""

    bank: Bank
    page: Page
    agent: Client
    child: Client
    app: App
    api: Client
    call_id: str = ""

    async def token(self, typ: str, path: str) -> str:
        """Get a token that is as good as can be at this path; each is new, since most are good once."""
        if typ == DELEGATION:
            await self.agent.refresh()
            return str(self.agent.tokens["access_token"])
        if typ == BEARER:
            await self.app.refresh()
            return str(self.app.tokens["access_token"])
        if typ == CALL:
            called = (await self.agent.call(self.page, "note", {"n": secrets.token_hex(4)})).json()
            self.call_id = called["call_id"]
            return str(called["call_token"])
        if typ == HANDOFF:
            return str((await self.agent.hand_on(self.child)).json()["access_token"])
        if typ == PROOF:
            return self.agent.proof(path, nonce=self.agent.nonce)
        return self.agent.assertion()

    async def of_page(self, path: str, body: Any, headers: dict[str, str], page: bool = True) -> bool:
        return (await self.page.send("POST", path, body, headers, page=page)).status_code == 200

    async def over_mcp(self, message: Any, token: str, proof: str) -> bool:
        headers = {"authorization": f"DPoP {token}", "dpop": proof, "accept": "application/json"}
        async with self.bank.client() as http:
            return (
                await http.post(f"{self.bank.issuer}/mcp", json=message, headers=headers)
            ).status_code == 200


Door = Callable[[House, str], Awaitable[bool]]


def good(answer: httpx2.Response) -> bool:
    assert answer.status_code in (200, 201) or error(answer), answer.text
    return answer.status_code in (200, 201)


async def calls_token(house: House, token: str) -> bool:
    proof = house.agent.proof("/calls", token, **BOUND)
    return await house.of_page("/calls", BODY, {"authorization": f"DPoP {token}", "dpop": proof})


async def calls_proof(house: House, token: str) -> bool:
    return await house.of_page(
        "/calls", BODY, {"authorization": f"DPoP {house.agent.tokens['access_token']}", "dpop": token}
    )


async def calls_page_proof(house: House, token: str) -> bool:
    delegation = house.agent.tokens["access_token"]
    proof = house.agent.proof("/calls", delegation, **BOUND)
    headers = {"authorization": f"DPoP {delegation}", "dpop": proof, "deputize-page": token}
    return await house.of_page("/calls", BODY, headers, page=False)


async def redemption(house: House, token: str) -> bool:
    return await house.of_page(f"/calls/{house.call_id or 'cal_x'}/redemption", {"call_token": token}, {})


async def guard_door(house: House, token: str) -> bool:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    headers = [(b"txn-token", token.encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    try:
        await house.bank.deputize.guard.admit("get_balance", Request(scope, receive))
    except Refused:
        return False
    return True


async def par_assertion(house: House, token: str) -> bool:
    return good(await house.agent.par(client_assertion=token))


async def par_proof(house: House, token: str) -> bool:
    form = {"response_type": "code", "redirect_uri": house.agent.redirect_uri, "scope": ALL}
    form |= {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
    return good(await house.agent.post("/par", form, proof=token))


async def token_assertion(house: House, token: str) -> bool:
    return good(await house.agent.refresh(client_assertion=token))


async def token_proof(house: House, token: str) -> bool:
    form = {"grant_type": "refresh_token", "refresh_token": house.agent.tokens["refresh_token"]}
    return good(await house.agent.post("/token", form, proof=token))


async def token_refresh(house: House, token: str) -> bool:
    return good(await house.agent.refresh(refresh_token=token))


async def token_code(house: House, token: str) -> bool:
    return good(await house.agent.collect(token))


async def handing_on(house: House, token: str) -> bool:
    return good(await house.agent.hand_on(house.child, subject_token=token))


async def taking_over(house: House, token: str) -> bool:
    return good(await house.child.take_over(token))


async def as_handoff_of_itself(house: House, token: str) -> bool:
    form = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": JWT}
    return good(await house.agent.post("/token", form))


async def introspect_assertion(house: House, token: str) -> bool:
    return good(await house.agent.introspect("x", assertion=token))


async def introspect_by_agent(house: House, token: str) -> bool:
    return bool((await house.agent.introspect(token)).json()["active"])


async def introspect_by_api(house: House, token: str) -> bool:
    return bool((await house.api.introspect(token)).json()["active"])


async def revocation(house: House, token: str) -> bool:
    await house.agent.revoke(token)
    return not (await house.agent.introspect(house.agent.tokens["access_token"])).json()["active"]


async def mcp_bearer(house: House, token: str) -> bool:
    return (await house.app.send(LIST, token=token)).status_code == 200


async def mcp_token(house: House, token: str) -> bool:
    return await house.over_mcp(LIST, token, house.agent.proof("/mcp", token))


async def mcp_proof(house: House, token: str) -> bool:
    return await house.over_mcp(LIST, str(house.agent.tokens["access_token"]), token)


async def mcp_evidence(house: House, token: str) -> bool:
    own = str(house.agent.tokens["access_token"])
    evidence = f"{token}~{house.agent.proof('/calls', token, **BOUND)}"
    params = {"name": "note", "arguments": {}, "_meta": {"dev.deputize/delegation": evidence}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return await house.over_mcp(message, own, house.agent.proof("/mcp", own))


DOORS: dict[str, tuple[Door, str | None, str]] = {
    "POST /calls, Authorization": (calls_token, DELEGATION, "/calls"),
    "POST /calls, DPoP": (calls_proof, PROOF, "/calls"),
    "POST /calls, Deputize-Page": (calls_page_proof, PROOF, "/calls"),
    "POST /calls/…/redemption": (redemption, CALL, ""),
    "guard, Txn-Token": (guard_door, CALL, ""),
    "POST /par, client_assertion": (par_assertion, ASSERTION, "/par"),
    "POST /par, DPoP": (par_proof, PROOF, "/par"),
    "POST /token, client_assertion": (token_assertion, ASSERTION, "/token"),
    "POST /token, DPoP": (token_proof, PROOF, "/token"),
    "POST /token, refresh_token": (token_refresh, None, "/token"),
    "POST /token, code": (token_code, None, "/token"),
    f"POST /token, subject_token {ACCESS_TOKEN}": (handing_on, DELEGATION, "/token"),
    f"POST /token, subject_token {JWT}": (taking_over, HANDOFF, "/token"),
    f"POST /token, subject_token {JWT}, by the parent": (as_handoff_of_itself, None, "/token"),
    "POST /introspect, client_assertion": (introspect_assertion, ASSERTION, "/introspect"),
    "POST /introspect, token, an agent": (introspect_by_agent, DELEGATION, ""),
    "POST /introspect, token, the API": (introspect_by_api, CALL, ""),
    "POST /revoke, token": (revocation, DELEGATION, ""),
    "POST /mcp, Authorization: Bearer": (mcp_bearer, BEARER, ""),
    "POST /mcp, Authorization: DPoP": (mcp_token, DELEGATION, ""),
    "POST /mcp, DPoP": (mcp_proof, PROOF, "/mcp"),
    "POST /mcp, dev.deputize/delegation": (mcp_evidence, DELEGATION, ""),
}


@pytest.fixture
def there() -> Iterator[Home]:
    with home() as there:
        yield there


@pytest.fixture
async def local(tmp_path: Path, there: Home) -> AsyncIterator[Bank]:
    """Run a bank that takes apps without a key, too."""
    keys = {client_id: new_key() for client_id in (HELPER, ERRAND, "api")}
    registered = {client_id: AgentKey(key) for client_id, key in keys.items()}
    text = with_agents(POLICY, registered, there.origin, registered.pop("api")) + "[mcp]\nbearer = true\n"
    async with opened(settings.loads(text.encode()), tmp_path / "var") as bank:
        bank.keys = keys
        bank.deputize.handler("note")(lambda arguments, call: "noted")
        yield bank


@pytest.fixture
async def house(local: Bank, ada: Page, helper: Client, errand: Client, there: Home) -> House:
    await helper.deputized(ada)
    app = await App(local, there.publish()).deputized(ada)
    return House(local, ada, helper, errand, app, Client(local, LOCAL, local.keys["api"]))


async def at(house: House, door: str, typ: str) -> tuple[str, Door]:
    """Get a token of this type that fits the door otherwise."""
    knock, _, path = DOORS[door]
    token = await house.token(typ, path)
    if typ == PROOF and knock is calls_proof:
        token = house.agent.proof("/calls", house.agent.tokens["access_token"], **BOUND)
    if typ == PROOF and knock is mcp_proof:
        token = house.agent.proof("/mcp", house.agent.tokens["access_token"])
    if typ == PROOF and knock is calls_page_proof:
        token = house.page.proof("POST", "/calls")
    if typ == CALL and knock is guard_door:
        token = (await house.agent.call(house.page, "get_balance")).json()["call_token"]
    return token, knock


@pytest.mark.parametrize("door", DOORS)
async def test_only_the_diagonal_is_open(house: House, door: str) -> None:
    opener = DOORS[door][1]
    opened = {}
    for typ in sorted(
        TYPES, key=lambda typ: typ == opener
    ):  # what opens it may end the grant, so it comes last
        token, knock = await at(house, door, typ)
        assert jwt.parse(token).header["typ"] == typ.split(" ")[0]
        opened[typ] = await knock(house, token)
    assert opened == {typ: typ == opener for typ in TYPES}


@pytest.mark.parametrize("door", [door for door, (_, opener, _) in DOORS.items() if opener])
async def test_the_type_alone_decides(house: House, door: str) -> None:
    """Good claims, good signature, another type: whoever signs two kinds of token with one key relies on this."""
    right = DOORS[door][1]
    assert right is not None
    typ_of_it = right.split(" ")[0]
    spellings = {right, "JWT", None} if right == ASSERTION else {typ_of_it}  # as most libraries write it
    types = [*(set(TYPES) - {BEARER}), "JWT", "", None]
    opened = {}
    for typ in sorted(types, key=lambda typ: typ in spellings):
        token, knock = await at(house, door, right)
        opened[typ] = await knock(house, retyped(house, token, typ))
    assert opened == {typ: typ in spellings for typ in types}


def retyped(house: House, token: str, typ: str | None) -> str:
    """Sign the same claims again, by whose key it was, under another type."""
    header, claims, *_ = jwt.parse(token)
    kid, key = house.bank.deputize.authority.keys.signing_key()
    if header.get("kid") != kid:
        key = house.page.key if header.get("jwk") == jwk_of(house.page) else house.agent.private
    members: Mapping[str, Any] = {name: header[name] for name in ("kid", "jwk") if name in header}
    encoded = jwt.encode_header(typ or "", **members)
    if typ is None:
        encoded = b64u(orjson.dumps({"alg": "ES256", **members}))
    return jwt.sign_with_header(encoded, claims, key)


def jwk_of(page: Page) -> Any:
    return jwt.parse(page.proof("POST", "/calls")).header["jwk"]
