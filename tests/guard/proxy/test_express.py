"""An API in Express behind the proxy, as docs/proxy.md has it, and one that verifies nothing (PROXY-2, PROXY-5)."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from deputize.crypto import jwk_file

from ..conftest import AUDIENCE, KEY, text_of
from .conftest import TRANSFER, Site, before
from .test_two_readings import TRANSFERS, request

ROOT = Path(__file__).parents[3]
LENIENT = """
import express from 'express';
const app = express();
app.use(express.json(), express.urlencoded());
app.post('/api/transfers', (request, response) => response.json({ ran: true }));
app.listen(3000, '127.0.0.1');
"""


def in_the_docs() -> str:
    (script,) = re.findall(
        r"^```js\n(.*?)^```", (ROOT / "docs/proxy.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert "'https://bank.example'" in script
    return str(script).replace("'https://bank.example'", repr(AUDIENCE))


@contextmanager
def running(folder: Path, script: str) -> Iterator[tuple[Site, str]]:
    """Run an API on Node on a socket in this folder, behind a proxy; yields it, and the path of the socket."""
    (folder / "node_modules").symlink_to(ROOT / "js/node_modules")
    (folder / "guard.pub.jwk").write_text(json.dumps(jwk_file.public(KEY)))
    listening = "app.listen(3000, '127.0.0.1')"
    assert listening in script
    own = "app.listen('api.sock', () => console.log('listens'))"
    (folder / "api.mjs").write_text(script.replace(listening, own))
    with subprocess.Popen(["node", "api.mjs"], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "listens\n"
            with before(Site(), f"unix:{folder}/api.sock") as site:
                yield site, f"{folder}/api.sock"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


def test_the_api_of_the_docs_runs_what_the_guard_has_admitted_and_nothing_else(
    folder: Path,
) -> None:  # PROXY-5
    with running(below(folder, "docs"), in_the_docs()) as (site, path):
        site.authority.external_id = "customer-7"
        answer = site.transfer()
        assert answer.json() == {"sent": 250, "to": "Ada", "for": "customer-7"}
        transport = httpx2.HTTPTransport(uds=path)
        with httpx2.Client(transport=transport, base_url="http://api", timeout=30) as past:
            assert past.post("/api/transfers", json=TRANSFER).status_code == 401
            forged = {"Deputize-Facts": text_of(site.authority.call("transfer_money", TRANSFER))}
            assert past.post("/api/transfers", json=TRANSFER, headers=forged).status_code == 401


def test_facts_are_good_for_their_own_request_only(site: Site, folder: Path) -> None:  # PROXY-5
    body = b'{"amount":250,"name":"Ada"}'
    kind = {"Content-Type": "application/json"}
    token = site.authority.call("transfer_money", TRANSFER)
    site.send("POST", "/api/transfers", token, content=body, headers=list(kind.items()))
    facts = site.came[0].header("deputize-facts") or ""
    with running(below(folder, "own"), in_the_docs()) as (_, path):
        transport = httpx2.HTTPTransport(uds=path)
        with httpx2.Client(transport=transport, base_url="http://api", timeout=30) as past:

            def sent(target: str = "/api/transfers", content: bytes = body, text: str = facts) -> int:
                headers = {**kind, "Deputize-Facts": text}
                return past.post(target, content=content, headers=headers).status_code

            assert sent() == 200
            assert sent(content=body.replace(b"250", b"999")) == 401
            assert sent(content=body + b" ") == 401
            assert sent(text="") == 401
            for target in ("/api/transfers/", "/API/transfers", "/api/transfers?x"):
                assert sent(target) == 401


def below(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def test_an_api_that_verifies_nothing_is_not_reached_by_another_spelling(folder: Path) -> None:  # PROXY-2
    """Express takes any case and a slash at the end, so some of these would run there."""
    with running(below(folder, "lenient"), LENIENT) as (site, path):
        transport = httpx2.HTTPTransport(uds=path)
        with httpx2.Client(transport=transport, base_url="http://api", timeout=30) as past:
            assert past.post("/API/Transfers/", json={}).json() == {"ran": True}
        for target in TRANSFERS.values():
            answer = site.raw(request(f"POST {target} HTTP/1.1", "Content-Type: application/json"))
            assert b'"ran"' not in answer, target
            assert answer.startswith(b"HTTP/1.1 400 "), target
        assert site.transfer().json() == {"ran": True}
