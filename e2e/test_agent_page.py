"""An agent that is a page, at another origin: it gets a delegation with fetch alone, and reads nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e.bank import Bank, sign_up
from e2e.conftest import POLICY
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from deputize.agent import AgentKey
from deputize.demo import site as harbor_site
from deputize.demo.site import Harbor
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site

JS = Path(__file__).parents[1] / "js"
CLIENT_ID = "https://page.example/agent.json"
PAGE = """<!doctype html><title>An agent</title>
<script type="importmap">{"imports": {"oauth4webapi": "/oauth4webapi.js"}}</script>
<script type="module">import * as agent from "/agent.js"; window.agent = agent</script>"""
READABLE = {
    "GET": ["/jwks.json"],
    "POST": ["/par", "/token", "/device_authorization", "/introspect", "/revoke"],
}
KEPT = {
    "GET": ["/tools", "/account", "/openapi.json", "/metrics", "/log/checkpoint", "/calls/cal_x"],
    "POST": [
        "/calls",
        "/mcp",
        "/agents",
        "/grants",
        "/credentials",
        "/account/sign-out",
        "/authorize/x/approval",
    ],
    "DELETE": ["/grants/grt_x"],
}


@pytest.fixture
def bank(serve: Callable[..., Site], tmp_path: Path) -> Bank:
    """Harbor, by the clock on the wall, where the agent is registered."""
    running: list[Harbor] = []
    key = AgentKey.generate()
    key.save(tmp_path / "agent.jwk")
    jwk = "\n".join(f"{name} = {json.dumps(value)}" for name, value in key.public_jwk().items())
    agent = f'''
[agents.registered."{CLIENT_ID}"]
name = "A page"
redirect_uris = ["http://127.0.0.1/callback"]
[[agents.registered."{CLIENT_ID}".keys]]
{jwk}
'''

    def build(port: int) -> Any:
        text = POLICY.replace("http://localhost:8000", f"http://localhost:{port}") + agent
        (tmp_path / "deputize.toml").write_text(text, encoding="utf-8")
        running.append(harbor_site.build(tmp_path, port))
        return running[0].app

    return Bank(serve(build), *running)


@pytest.fixture
def home(serve: Callable[..., Site]) -> Site:
    """The agent's own origin: another site than the bank's, for the browser."""

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE)

    scripts = {"/agent.js": "interop/page.js", "/oauth4webapi.js": "node_modules/oauth4webapi/build/index.js"}
    routes = [Route(path, page) for path in ("/", "/callback")]
    for path, file in scripts.items():
        routes.append(Route(path, lambda request, file=file: FileResponse(JS / file)))
    return serve(lambda port: Starlette(routes=routes), host="127.0.0.1")


def test_an_agent_that_is_a_page_of_its_own_origin_gets_a_delegation_and_acts(
    bank: Bank, home: Site, tab: Page, passkeys: Passkeys, tmp_path: Path
) -> None:  # OAUTH-12, OAUTH-11
    sign_up(bank, tab, passkeys)
    agent = tab.context.new_page()
    agent.goto(home.url)
    agent.wait_for_function("window.agent")

    told = {
        "issuer": bank.issuer,
        "clientId": CLIENT_ID,
        "privateKey": json.loads((tmp_path / "agent.jwk").read_text()),
        "redirect": f"{home.url}/callback",
        "scope": "account:read",
    }
    there = agent.evaluate("told => agent.ask(told)", told)
    tab.goto(there)
    tab.get_by_role("button", name="Allow with passkey").click()
    tab.wait_for_url(f"{home.url}/callback?*")
    got = agent.evaluate("landed => agent.collect(landed)", tab.url)
    assert (got["first"]["token_type"], got["renewed"]["scope"]) == ("dpop", "account:read")
    assert (got["live"]["active"], got["live"]["client_id"]) == (True, CLIENT_ID)

    def peek(method: str, path: str, simple: bool) -> int | None:
        status: int | None = agent.evaluate(
            "([method, url, simple]) => agent.peek(method, url, simple)", [method, bank.issuer + path, simple]
        )
        return status

    for method, paths in KEPT.items():  # the user is signed in, in this very browser
        for path in paths:
            for simple in (True, False):
                assert peek(method, path, simple) is None, (method, path, simple)
    for method, paths in READABLE.items():
        for path in paths:
            assert peek(method, path, True) is None, (method, path)  # never with credentials
