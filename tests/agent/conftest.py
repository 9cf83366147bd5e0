"""A site that runs, an agent's own origin beside it, and a user with a passkey who answers what agents ask."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tests.bank import POLICY, Visited
from tests.web.agents import with_agents

from deputize import settings
from deputize.agent import LOOPBACK_REDIRECT, AgentKey, client_document
from deputize.app import build
from deputize.testing.page import Page
from deputize.testing.server import Site


@dataclass
class Origin:
    """An agent's own origin: each file of `documents` is at its path."""

    documents: dict[str, Any] = field(default_factory=dict)
    url: str = ""

    def publish(self, path: str, key: AgentKey, **changed: Any) -> str:
        """Publish the document of an agent, and return its client_id."""
        client_id = f"{self.url}/{path}"
        self.documents[path] = (
            client_document(client_id, "Example Agent", [key], [LOOPBACK_REDIRECT]) | changed
        )
        return client_id

    def app(self) -> Starlette:
        async def document(request: Request) -> JSONResponse:
            return JSONResponse(self.documents[request.path_params["path"]])

        return Starlette(routes=[Route("/{path}", document)])


@dataclass
class User:
    """A user at the site, with a browser and a passkey. What takes time is done in a loop of its own."""

    page: Page
    runner: asyncio.Runner

    def approves(self, url: str) -> str | None:
        """Open the page that an agent sent the user to, agree, and return where the browser goes on."""
        return self._answers(url, approve=True)

    def declines(self, url: str) -> str | None:
        return self._answers(url, approve=False)

    def browses(self, url: str, approve: bool = True) -> None:
        """Do all that a browser does: agree, and follow the redirect to the agent."""
        target = self._answers(url, approve=approve)
        assert target is not None
        assert httpx2.get(target).status_code == 200

    def call(self, evidence: dict[str, str], tool: str, arguments: Any = None) -> httpx2.Response:
        """Let the page call a tool with the evidence that an agent passed in its input."""
        (member,) = evidence.values()
        return self.runner.run(self.page.call_for(member, tool, arguments))

    def _answers(self, url: str, approve: bool) -> str | None:
        answer = self.runner.run(self.page.authorize(url, approve=approve))
        assert answer.status_code == 200, answer.text
        target: str | None = answer.json()["redirect_to"]
        return target


@pytest.fixture
def origin() -> Iterator[Origin]:
    here = Origin()
    with Site(lambda port: here.app()) as site:
        here.url = site.url
        yield here


@pytest.fixture
def site(tmp_path: Path, origin: Origin) -> Iterator[Site]:
    """Run a bank that lets agents of that origin in."""

    def bank(port: int) -> Any:
        text = with_agents(POLICY, {}, origin.url).replace("localhost:8000", f"localhost:{port}")
        return build(settings.loads(text.encode()), tmp_path / "var")

    with Site(bank) as running:
        yield running


@pytest.fixture
def issuer(site: Site) -> str:
    return f"{site.url}/deputize"


@pytest.fixture
def user(site: Site) -> Iterator[User]:
    with asyncio.Runner() as runner:
        bank = Visited(origin=site.url)
        user = User(bank.page(), runner)
        assert runner.run(user.page.sign_up("Ada Lovelace")).status_code == 200
        yield user
        runner.run(bank.stack.aclose())


@pytest.fixture
def key() -> AgentKey:
    return AgentKey.generate()


@pytest.fixture
def client_id(origin: Origin, key: AgentKey) -> str:
    """Publish the document of an agent with this key, and give its client_id."""
    return origin.publish("agent.json", key)


def secrets_of(value: Any) -> list[str]:
    """Return what must not be seen in any text: each long string in a JSON value."""
    texts = json.dumps(value).replace('"', " ").replace("~", " ").split()
    return [text for text in texts if len(text) > 40 and "://" not in text]
