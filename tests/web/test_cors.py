"""What pages of other origins may read: what agents need, and nothing of a session (OAUTH-12, SESSION-2, MCP-1)."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from tests.bank import ISSUER, ORIGIN, POLICY, Bank
from tests.web.agents import LOCAL, Client, error

from deputize import settings
from deputize.app import build
from deputize.testing.page import Page
from deputize.web.endpoints import ENDPOINTS, WELL_KNOWN

pytestmark = pytest.mark.anyio

AGENT = "https://agent.example"
SHARED = {"/token", "/par", "/device_authorization", "/introspect", "/revoke", "/jwks.json", "/parts/{part}"}
METADATA = ["/.well-known/" + each.path.format("/deputize") for each in WELL_KNOWN]
OPERATIONS = [each.name for each in ENDPOINTS]
CLOSED = [name for name in OPERATIONS if name.partition(" ")[2] not in SHARED]
OPEN = [name for name in OPERATIONS if name not in CLOSED]
ASKED = ["authorization", "content-type", "dpop", "mcp-protocol-version"]


def preflight(origin: str, method: str = "POST", headers: list[str] = ASKED) -> dict[str, str]:
    return {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": ",".join(headers),
    }


def allowed(answer: httpx2.Response) -> dict[str, str]:
    """Return what an answer allows."""
    prefix = "access-control-allow-"
    return {name.removeprefix(prefix): answer.headers[name] for name in answer.headers if prefix in name}


async def test_agents_in_pages_use_the_oauth_endpoints(local: Bank) -> None:  # OAUTH-12
    client = local.client()
    for name in OPEN:
        method, _, path = name.partition(" ")
        url = f"{LOCAL}/deputize{path}"
        before = await client.options(url, headers=preflight(AGENT, method))
        assert before.status_code == 200, name
        assert allowed(before)["origin"] == "*", name
        assert set(ASKED) <= set(allowed(before)["headers"].lower().split(", ")), name
        answer = await client.request(method, url, headers={"origin": AGENT})
        assert allowed(answer) == {"origin": "*"}, name  # the refusals, too
        assert answer.headers["access-control-expose-headers"] == "dpop-nonce, www-authenticate", name


async def test_options_alone_does_nothing(bank: Bank) -> None:
    answer = await bank.client().options(f"{ISSUER}/token")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "POST, OPTIONS"


async def test_agents_in_pages_find_the_metadata_at_the_root(bank: Bank) -> None:  # OAUTH-12
    client = bank.client()
    for path in METADATA:
        before = await client.options(ORIGIN + path, headers=preflight(AGENT, "GET"))
        answer = await client.get(ORIGIN + path, headers={"origin": AGENT})
        assert (before.status_code, answer.status_code) == (200, 200), path
        assert allowed(before)["origin"] == "*", path
        assert allowed(answer) == {"origin": "*"}, path


@pytest.mark.parametrize("origin", [AGENT, "null", "https://sub.bank.example", ORIGIN + ".evil.example"])
async def test_nothing_else_is_readable(bank: Bank, grace: Page, origin: str) -> None:
    """With the cookie of a user who is signed in, whatever the answer is."""
    for name in CLOSED:
        method, _, path = name.partition(" ")
        url = ISSUER + path.replace("{", "").replace("}", "")
        before = await grace.http.options(url, headers=preflight(origin, method))
        answer = await grace.http.request(method, url, headers={"origin": origin}, json={})
        assert before.status_code in (403, 405), name
        assert allowed(before) == allowed(answer) == {}, name
        if path == "/mcp":  # MCP-1
            assert answer.status_code == 403
    assert (await grace.configure())["user"] is not None  # nothing of that signed her out


async def test_a_session_counts_for_nothing_where_all_may_read(ada: Page, helper: Client) -> None:
    """The answer is the same with the user's cookie, and needs none."""
    form = {"token": "x"}
    for client in (ada.http, helper.http):
        helper.http = client
        answer = await helper.post("/introspect", form)
        assert answer.json() == {"active": False}


async def test_a_foreign_page_renews_with_token_and_key_alone(local: Bank, ada: Page, helper: Client) -> None:
    await helper.deputized(ada)
    helper.http.headers |= {"origin": AGENT, "sec-fetch-site": "cross-site"}
    renewed = await helper.refresh()
    assert (renewed.status_code, renewed.headers["access-control-allow-origin"]) == (200, "*")

    await ada.deputize("account:read")
    ada.http.cookies.clear()
    ada.http.headers |= {"sec-fetch-site": "cross-site"}
    assert (await ada.refresh()).status_code == 200  # GRANT-6
    elsewhere = await ada.send("POST", "/grants", {"scope": "account:read"}, {"origin": AGENT})
    assert error(elsewhere) == "cross_site_request"  # SESSION-2


class TestStandAlone:
    """The site's pages are another origin, and the only one with credentials."""

    @pytest.fixture
    async def client(self, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
        site = f'origin = "{ORIGIN}"'
        issuer = 'issuer = "https://auth.bank.example/deputize"\nrp_id = "bank.example"'
        policy = settings.loads(POLICY.replace(site, f"{site}\n{issuer}").encode())
        transport = httpx2.ASGITransport(build(policy, tmp_path / "var"))
        async with httpx2.AsyncClient(transport=transport, base_url="https://auth.bank.example") as client:
            yield client

    async def test_the_site_reads_everything(self, client: httpx2.AsyncClient) -> None:
        asked = ["authorization", "dpop", "content-type", "deputize-page", "deputize-csrf"]
        for name in OPERATIONS:
            method, _, path = name.partition(" ")
            url = "/deputize" + path.replace("{", "").replace("}", "")
            before = await client.options(url, headers=preflight(ORIGIN, method, asked))
            answer = await client.request(method, url, headers={"origin": ORIGIN})
            for said in (allowed(before), allowed(answer)):
                assert (said["origin"], said["credentials"]) == (ORIGIN, "true"), name
            assert answer.headers.get_list("access-control-allow-origin") == [ORIGIN], name
            assert "dpop-nonce" in answer.headers["access-control-expose-headers"], name

    async def test_others_read_what_agents_need(self, client: httpx2.AsyncClient) -> None:
        for name in OPERATIONS:
            method, _, path = name.partition(" ")
            url = "/deputize" + path.replace("{", "").replace("}", "")
            before = await client.options(url, headers=preflight(AGENT, method))
            answer = await client.request(method, url, headers={"origin": AGENT})
            assert allowed(answer) == ({"origin": "*"} if path in SHARED else {}), name
            assert (before.status_code == 200) == (path in SHARED), name
            assert "credentials" not in allowed(before), name
