"""The OpenAPI document is the truth: nothing is missing, nothing is made up, and real answers are as it says."""

import re
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

import httpx2
import jsonschema_rs
import orjson
import pytest
import schemathesis
from tests.bank import Bank
from tests.streams import ended_at_once
from tests.tickets import TicketSite, state_in
from tests.web.agents import LOCAL, Client

import deputize
from deputize.crypto import dpop
from deputize.protocol.canonical import Json
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page
from deputize.web.addresses import Address, Addresses
from deputize.web.endpoints import ENDPOINTS, WELL_KNOWN
from deputize.web.openapi import document, schemas
from deputize.web.routes import WellKnown

PROTOCOL = (Path(deputize.__file__).parent / "PROTOCOL.md").read_text()
ISSUER = f"{LOCAL}/deputize"
DOCUMENT: dict[str, Any] = document(ISSUER, ENDPOINTS, WELL_KNOWN)
SCHEMAS = schemas((*ENDPOINTS, *WELL_KNOWN))
REQUESTS = {
    f"{method.upper()} {path}"
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if method != "servers"
}
_PARAMETER = re.compile(r"{\w+}")
_ROUTED = {"GET", "POST", "DELETE"}
TOURED = REQUESTS - {"GET /account/openid"}  # for which tests/interop/test_openid.py has a provider


def plain(request: str) -> str:
    """Leave the names of parameters out: they are the same to whoever reads an address."""
    return _PARAMETER.sub("{}", request)


def served(bank: Bank) -> set[str]:
    """List what the authority has a route for."""
    found: set[str] = set()
    inner: Any = bank.deputize
    while not isinstance(inner, Addresses):
        inner = inner._app
    (well_known,) = (each for each in bank.deputize.well_known_routes() if isinstance(each, WellKnown))
    for path, app in {**inner.apps, **well_known.apps}.items():
        if path == "/deputize":  # leads people to the page of their account, and says nothing
            continue
        address = getattr(app, "app", app)  # where pages of every origin may use it
        methods = (
            address.methods if isinstance(address, Address) else {"GET", "POST"}
        )  # MCP is an app of its own
        found |= {f"{method} {path}" for method in methods if method in _ROUTED}
    return found


def in_protocol() -> set[str]:
    """List the requests that PROTOCOL.md names in code, `POST /calls/{id}/challenge` for one."""
    spans = re.findall(r"`([A-Z]+ /[^ `]+)", PROTOCOL)
    return {span.rstrip(",.") for span in spans if span.split(" ")[0] in _ROUTED}


@pytest.mark.anyio
async def test_every_route_is_in_it_and_nothing_else(local: Bank) -> None:
    assert {plain(request) for request in served(local)} == {plain(request) for request in REQUESTS}


@pytest.mark.anyio
async def test_the_document_is_served(local: Bank) -> None:
    answer = await local.page().http.get(f"{ISSUER}/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT


def test_it_has_every_request_of_the_protocol() -> None:
    assert len(in_protocol()) > 25
    assert {plain(request) for request in in_protocol()} <= {plain(request) for request in REQUESTS}


def test_every_schema_is_a_schema_and_is_used() -> None:
    used = set(re.findall(r'"#/components/schemas/(\w+)"', orjson.dumps(DOCUMENT).decode()))
    assert used == set(SCHEMAS)
    for name in SCHEMAS:
        jsonschema_rs.meta.validate(
            {**SCHEMAS[name], "$schema": "https://json-schema.org/draft/2020-12/schema"}
        )


class Witness:
    """Sees every exchange, and holds it to the document: the answer, and the request where it was good."""

    def __init__(self) -> None:
        self.api = schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config())
        self.good: set[str] = set()

    async def __call__(self, answer: httpx2.Response) -> None:
        await answer.aread()
        request = answer.request
        path = template_of(request.url.path)
        self.api[path][request.method].validate_response(answer)
        if answer.status_code < 400:
            self.good.add(f"{request.method} {path}")
            check_request(request, DOCUMENT["paths"][path][request.method.lower()])


def template_of(path: str) -> str:
    """Find the path of the document that an address is at; first of all those without parameters, then the longest."""
    for template in sorted(DOCUMENT["paths"], key=lambda text: (text.count("{"), -len(text))):
        base = "" if template.startswith("/.well-known/") else "/deputize"
        if re.fullmatch(base + _PARAMETER.sub("[^/]+", template.replace("{path}", ".+")), path):
            return cast("str", template)
    raise AssertionError(f"{path} is not in the document")


def check_request(request: httpx2.Request, said: dict[str, Any]) -> None:
    for parameter in said["parameters"]:
        if parameter["in"] == "header" and parameter["required"]:
            assert parameter["name"] in request.headers, (request.url, parameter["name"])
    for media_type, content in said.get("requestBody", {}).get("content", {}).items():
        assert request.headers["content-type"] == media_type
        text = request.content
        sent = orjson.loads(text) if media_type == "application/json" else dict(parse_qsl(text.decode()))
        validator(content["schema"]).validate(sent)


def validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({**schema, "components": cast("Any", DOCUMENT["components"])})


@pytest.mark.anyio
async def test_every_request_is_answered_as_it_says(local: Bank, helper: Client, errand: Client) -> None:
    witness = Witness()
    page = local.page()
    for http in (page.http, helper.http, errand.http):
        http.event_hooks = {"request": [], "response": [witness]}
    await tour(local, page, helper, errand)
    assert witness.good == TOURED


async def tour(bank: Bank, page: Page, helper: Client, errand: Client) -> None:
    """Make every request that there is, each at least once so that it is answered well."""
    with ended_at_once():
        await read_what_is_public(page)
        await have_an_account(page)
        assert (await page.http.get(f"{ISSUER}/log/tile/0/000.p/1")).status_code == 200
        read = f"{ISSUER}/log/tile/entries/000.p/1"
        proof = dpop.make(bank.keys["api"], "GET", read, int(bank.clock()))
        assert (await page.http.get(read, headers={"deputize-reader": proof})).status_code == 200
        await call_tools(bank, page)
        await page.send("POST", "/account/questions", {"asker": "browsers"}, page=False)
        await answer_elsewhere(page)
        await page.send("DELETE", f"/grants/{page.tokens['grant_id']}", page=False)
        await deputize_agents(page, helper, errand)
        await page.send("POST", "/account/sign-out", page=False)
        await sign_in_at_the_site(bank, page)
        await be_forgotten(bank.page(same_browser_as=page))


async def be_forgotten(page: Page) -> None:
    await page.sign_up()
    assert (await page.http.get(f"{ISSUER}/account/export")).status_code == 200
    minted = (await page.send("POST", "/account/forgetting/challenge", page=False)).json()
    evidence = page.evidence(minted)
    await page.send("POST", "/account/forgetting/approval", evidence, page=False)


async def sign_in_at_the_site(bank: Bank, page: Page) -> None:
    site = TicketSite(LOCAL, ISSUER, bank.clock, bank.keys["site"])
    ticket = site.ticket(state_in(await page.http.get(f"{ISSUER}/account/sign-in")))
    url, origin = f"{ISSUER}/account/ticket", {"origin": LOCAL}
    assert (await page.http.post(url, data={"ticket": ticket}, headers=origin)).status_code == 303
    ended = {"logout_token": site.logout(sub="7")}
    assert (await page.http.post(f"{ISSUER}/account/logout", data=ended)).status_code == 200


async def read_what_is_public(page: Page) -> None:
    for name in (
        "healthz",
        "readyz",
        "metrics",
        "tools",
        "account",
        "jwks.json",
        "openapi.json",
        "log/checkpoint",
        "log/handovers",
    ):
        assert (await page.http.get(f"{ISSUER}/{name}")).status_code == 200
    for name in ("shim.js", "shim-polyfill.js", "shim.mjs", "mcp.mjs", "words.mjs"):
        assert (await page.http.get(f"{ISSUER}/{name}")).status_code == 200
    for name in ("static/account.js", "static/account.css"):
        assert (await page.http.get(f"{ISSUER}/{name}")).status_code == 200
    of_the_site = {"sec-fetch-site": "same-origin"}
    assert (await page.http.get(f"{ISSUER}/blocked.mjs", headers=of_the_site)).status_code == 200
    found: Json = {"page": "/", "findings": [{"finding": "not_gated", "name": "note", "where": None}]}
    assert (await page.send("POST", "/findings", found, page=False)).status_code == 204
    part = re.search(r"\./(parts/asking\.[\w-]+\.mjs)", (await page.http.get(f"{ISSUER}/shim.js")).text)
    assert part
    assert (await page.http.get(f"{ISSUER}/{part[1]}")).status_code == 200
    words = (await page.http.get(f"{ISSUER}/tools")).json()["words"]
    assert (await page.http.get(f"{ISSUER}{words}")).status_code == 200
    for name in (
        "oauth-authorization-server/deputize",
        "oauth-protected-resource/deputize",
        "oauth-protected-resource/deputize/mcp",
    ):
        assert (await page.http.get(f"{LOCAL}/.well-known/{name}")).status_code == 200


async def have_an_account(page: Page) -> None:
    await page.sign_up()
    await page.sign_in()
    assert (await page.http.get(f"{ISSUER}/device")).status_code == 200
    begun = (await page.send("POST", "/credentials", page=False)).json()
    key = SoftAuthenticator(LOCAL, transports=("usb",))
    path, made = f"/credentials/{begun['challengeId']}", key.create(begun["creationOptions"])
    added = (await page.send("POST", path, {"response": made, "label": "Key"}, page=False)).json()
    path = f"/credentials/{added['credential_id']}"
    await page.send("POST", f"{path}/approval", page.evidence(added), page=False)
    await page.send("DELETE", path, page=False)
    window = "/account/enrollment-window"
    minted = (await page.send("POST", f"{window}/challenge", page=False)).json()
    await page.send("POST", f"{window}/approval", page.evidence(minted), page=False)
    await page.send("DELETE", window, page=False)
    for method in ("POST", "DELETE"):
        await page.send(method, "/account/pause", page=False)
    assert (await page.http.get(f"{ISSUER}/account/history?state=denied&month=2027-01")).status_code == 200


async def call_tools(bank: Bank, page: Page) -> None:
    await page.deputize("account:read payments:write")
    message: Json = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    token = str(page.tokens["access_token"])
    proof = page.proof("POST", "/mcp", token)
    await page.send("POST", "/mcp", message, {"authorization": f"DPoP {token}", "dpop": proof}, page=False)
    client: dict[str, Json] = {
        "capabilities": {"elicitation": {"url": {}}},
        "clientInfo": {"name": "x", "version": "1"},
    }
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", **client},
    }
    headers = {"authorization": f"DPoP {token}", "dpop": page.proof("POST", "/mcp", token)}
    opened = await page.send("POST", "/mcp", message, headers, page=False)
    headers = {"dpop": page.proof("GET", "/mcp", token), "mcp-session-id": opened.headers["mcp-session-id"]}
    await page.send("GET", "/mcp", None, {"authorization": f"DPoP {token}", **headers}, page=False)
    declined = (await page.send("POST", "/grants", {"scope": "account:read", "expires_in": 60})).json()
    await page.send("POST", f"/grants/{declined['grant_id']}/phone")
    await page.send("POST", f"/grants/{declined['grant_id']}/denial")

    call = (await page.call("transfer_money", {"amount": 1, "name": "Ada"})).json()
    await page.send("POST", f"/calls/{call['call_id']}/phone")
    approved = (await page.confirm(f"/calls/{call['call_id']}")).json()
    bodies = {"redemption": {"call_token": approved["call_token"]}, "outcome": {"outcome": "succeeded"}}
    for name, body in bodies.items():
        path = f"/calls/{call['call_id']}/{name}"
        proof = dpop.make(bank.keys["api"], "POST", ISSUER + path, int(bank.clock()), name)
        await page.send("POST", path, body, {"deputize-guard": proof}, page=False)
    await page.send("POST", f"/calls/{call['call_id']}/events", {"type": "delivered"})
    assert (await page.http.get(f"{ISSUER}/calls/{call['call_id']}/receipt")).status_code == 200
    await page.send("GET", f"/calls/{call['call_id']}")

    noted = (await page.call("note", delivered=[call["call_id"]])).json()
    await page.send("POST", f"/calls/{noted['call_id']}/redemption", {"call_token": noted["call_token"]})
    other = (await page.call("transfer_money", {"amount": 2, "name": "Bob"})).json()
    await page.send("POST", f"/calls/{other['call_id']}/denial", {"reason": "declined"})
    last = (await page.send("POST", "/grants", {"scope": "account:read", "expires_in": 60})).json()
    await page.send("POST", f"/grants/{last['grant_id']}/denial", {"reason": "declined"})
    await page.send("POST", "/account/questions", {"asker": "browsers"}, page=False)
    grant = f"/grants/{page.tokens['grant_id']}"
    await page.send("GET", grant, page=False)
    await page.send("DELETE", grant, page=False)
    await page.send("POST", f"{grant}/block", {"seconds": 60}, page=False)
    await page.send("POST", f"{grant}/block", {}, page=False)
    await page.send("DELETE", f"{grant}/block", {}, page=False)


async def answer_elsewhere(page: Page) -> None:
    """Answer on the authority's own page, and go on in the one that asked."""
    asked = (await page.send("POST", "/grants", {"scope": "account:read payments:write"})).json()
    assert (await page.http.get(f"{ISSUER}/ask/{asked['grant_id']}")).status_code == 200
    assert (await page.confirm(f"/ask/{asked['grant_id']}", page=False)).status_code == 200
    assert (await page.send("GET", f"/grants/{asked['grant_id']}/wait")).status_code == 200
    page.tokens = (await page.send("POST", f"/grants/{asked['grant_id']}/resumption")).json()
    call = (await page.call("transfer_money", {"amount": 3, "name": "Ada"})).json()
    assert (await page.confirm(f"/ask/{call['call_id']}", page=False)).status_code == 200
    assert (await page.send("GET", f"/calls/{call['call_id']}/wait")).status_code == 200
    assert (await page.send("POST", f"/calls/{call['call_id']}/resumption")).status_code == 200
    call = (await page.call("transfer_money", {"amount": 4, "name": "Ada"})).json()
    assert (await page.send("POST", f"/ask/{call['call_id']}/denial", {}, page=False)).status_code == 200


async def deputize_agents(page: Page, helper: Client, errand: Client) -> None:
    await page.authorize(await helper.page_url(), approve=False)
    limits = [{"type": "webmcp_tool", "tool": "transfer_money", "max_calls": 3, "sum": {"/amount": 500}}]
    await helper.deputized(page, details=limits)
    await helper.refresh()
    await helper.deputizes(errand, "account:read")
    await helper.call(page, "get_balance")
    await helper.introspect(helper.tokens["access_token"])
    await helper.introspect("nothing")
    await helper.revoke(helper.tokens["refresh_token"])
    device = (await helper.post("/device_authorization", {"scope": "account:read"})).json()
    await page.authorize(f"{ISSUER}/device?{urlencode({'user_code': device['user_code']})}")
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": device["device_code"],
    }
    assert (await helper.post("/token", form)).status_code == 200


@pytest.mark.anyio
async def test_an_address_says_what_it_takes(local: Bank) -> None:  # ERR-1
    for path, allowed in (
        ("/calls", "POST"),
        ("/credentials/x", "DELETE, POST"),
        ("/jwks.json", "GET, HEAD, OPTIONS"),
    ):
        answer = await local.page().http.request("PATCH", ISSUER + path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
        assert answer.json()["code"] == "method_not_allowed"
