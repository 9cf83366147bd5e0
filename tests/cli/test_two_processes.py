"""Two processes serve one folder, as `uvicorn --workers 2` does: what is answered in one, the other goes on with."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page, browser_cookies
from deputize.web import waiting

pytestmark = pytest.mark.anyio

ORIGIN = "http://localhost:8000"
ISSUER = f"{ORIGIN}/deputize"
TRANSFER = {"amount": 250, "iban": "DE89370400440532013000", "name": "Ada"}


class Behind(httpx2.AsyncHTTPTransport):
    """Reaches the site at one of its processes, as a proxy that spreads requests would."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        there = request.url.copy_with(host="127.0.0.1", port=self.port)
        sent = httpx2.Request(request.method, there, headers=request.headers, stream=request.stream)
        return await super().handle_async_request(sent)


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Run `deputize serve`, and yield its port."""
    command = [sys.executable, "-m", "deputize", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            yield int(process.stderr.readline().split()[-1].rstrip("."))
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "deputize", "init"], cwd=folder, check=True, capture_output=True)
    policy = folder / "deputize.toml"
    policy.write_text(policy.read_text() + '[agents.opaque]\nscopes = ["payments:write"]\n')
    with ExitStack() as stack:
        yield [stack.enter_context(serving(folder)) for _ in range(2)]


@pytest.fixture
async def browsers(ports: list[int]) -> AsyncIterator[tuple[Page, Page]]:
    """Give one user's two devices, with a passkey that both have: each is served by another process."""
    device = SoftAuthenticator(ORIGIN)
    async with AsyncExitStack() as stack:
        first, second = [
            Page(
                await stack.enter_async_context(
                    httpx2.AsyncClient(transport=Behind(port), cookies=browser_cookies(), timeout=30)
                ),
                ISSUER,
                ORIGIN,
                device,
            )
            for port in ports
        ]
        assert (await first.sign_up()).status_code == 200
        assert (await second.sign_in()).status_code == 200
        yield first, second


async def test_a_page_goes_on_with_what_is_answered_in_another_process(
    browsers: tuple[Page, Page],
) -> None:  # WAIT-2
    page, phone = browsers
    await page.send("POST", "/agents")
    asked = (await page.send("POST", "/grants", {"scope": "payments:write"})).json()
    assert "grant_id" in asked, asked
    async with asyncio.timeout(
        waiting.LONGEST / 2
    ):  # it was found by looking, and not at the end of the wait
        state, resumed = await answered_there(page, phone, f"/grants/{asked['grant_id']}")
        assert (state, resumed.status_code) == ("active", 200)
        page.tokens = resumed.json()
        call = (await page.call("transfer_money", dict(TRANSFER))).json()
        state, resumed = await answered_there(page, phone, f"/calls/{call['call_id']}")
        assert (state, resumed.json()["state"]) == ("approved", "approved")
        assert resumed.json()["call_token"]


async def answered_there(page: Page, phone: Page, path: str) -> tuple[str, httpx2.Response]:
    """Let a page wait, answer on the other device, and let the page go on; return how its wait ended."""
    asked_id = path.rpartition("/")[2]
    headers = {"deputize-page": page.proof("GET", f"{path}/wait"), "origin": page.origin}
    async with page.http.stream("GET", f"{page.issuer}{path}/wait", headers=headers) as waits:
        chunks = waits.aiter_text()
        assert await anext(chunks) == "\n"  # it waits
        given = await phone.confirm(f"/ask/{asked_id}", page=False)
        assert given.status_code == 200, given.text
        told = httpx2.Response(200, text="".join([each async for each in chunks])).json()
    assert told.get("answered_on", "authority") == "authority"
    return told["state"], await page.send("POST", f"{path}/resumption")
