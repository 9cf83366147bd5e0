"""Every kind of JWT at every door that takes one: only the diagonal is open (TOKEN-1, TOKEN-3, PROOF-1, OAUTH-1)."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson
import pytest
from starlette.requests import Request
from starlette.types import Message
from tests.web.agents import ACCESS_TOKEN, ALL, EXCHANGE, JWT, LOCAL, Client, error
from tests.web.conftest import Bank

from deputize.crypto import jwt
from deputize.protocol.canonical import args_s256, b64u
from deputize.protocol.errors import Refused
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

DELEGATION, CALL, HANDOFF = "at+jwt", "txntoken+jwt", "handoff+jwt"
PROOF, ASSERTION = "dpop+jwt", "client-authentication+jwt"
TYPES = [DELEGATION, CALL, HANDOFF, PROOF, ASSERTION]
BODY: dict[str, Any] = {"tool": "note", "arguments": {}, "definition_s256": args_s256({"name": "note"})}
BOUND = {"tool": "note", "args_s256": args_s256({})}


@dataclass
class House:
    """A bank, a page, an agent that is deputized, its sub-agent, and the bank's API: all that doors need."""

    bank: Bank
    page: Page
    agent: Client
    child: Client
    api: Client
    call_id: str = ""

    async def token(self, typ: str, path: str) -> str:
        """Get a token that is as good as can be at this path; each is new, since most are good once."""
        if typ == DELEGATION:
            await self.agent.refresh()
            return str(self.agent.tokens["access_token"])
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
}


@pytest.fixture
async def house(local: Bank, ada: Page, helper: Client, errand: Client) -> House:
    await helper.deputized(ada)
    return House(local, ada, helper, errand, Client(local, LOCAL, local.keys["api"]))


async def at(house: House, door: str, typ: str) -> tuple[str, Door]:
    """Get a token of this type that fits the door otherwise."""
    knock, _, path = DOORS[door]
    token = await house.token(typ, path)
    if typ == PROOF and knock is calls_proof:
        token = house.agent.proof("/calls", house.agent.tokens["access_token"], **BOUND)
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
        assert jwt.parse(token).header["typ"] == typ
        opened[typ] = await knock(house, token)
    assert opened == {typ: typ == opener for typ in TYPES}


@pytest.mark.parametrize("door", [door for door, (_, opener, _) in DOORS.items() if opener])
async def test_the_type_alone_decides(house: House, door: str) -> None:
    """Good claims, good signature, another type: whoever signs two kinds of token with one key relies on this."""
    right = DOORS[door][1]
    assert right is not None
    spellings = {right, "JWT", None} if right == ASSERTION else {right}  # as most libraries write it
    types = [*TYPES, "JWT", "", None]
    opened = {}
    for typ in sorted(types, key=lambda typ: typ in spellings):
        token, knock = await at(house, door, right)
        opened[typ] = await knock(house, retyped(house, token, typ))
    assert opened == {typ: typ in spellings for typ in types}


def retyped(house: House, token: str, typ: str | None) -> str:
    """Sign the same claims again, by whose key it was, under another type."""
    header, claims, _, _ = jwt.parse(token)
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
