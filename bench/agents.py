"""An attested agent: what its tokens cost at the token endpoint, and its calls (PROTOCOL §11, §13, §14)."""

import math
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import parse_qs

import httpx2
import orjson

from deputize.agent import AgentKey, AsyncAgentClient

from . import site
from .client import Connection, Load, closed_loop, post
from .figures import Figure
from .people import DEFINITION, IBAN, Person

CLIENT_ID = "https://agent.example/agent.json"
CHILD = "https://errand.example/agent.json"
REDIRECT_URI = "https://agent.example/callback"
TIMES = 100
"""How often each grant type is asked for."""

CALLS = 200
"""How many calls each user's agent makes in a round."""

_NAMES = {
    "authorization_code": "code",
    "refresh_token": "refresh",
    "urn:ietf:params:oauth:grant-type:token-exchange": "exchange",
}


class Watch(httpx2.AsyncHTTPTransport):
    """Notes how long the token endpoint took for each grant type, as an agent's own client meets it."""

    def __init__(self) -> None:
        """Have seen nothing yet."""
        super().__init__()
        self.seconds: dict[str, list[float]] = defaultdict(list)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        started = time.perf_counter()
        response = await super().handle_async_request(request)
        await response.aread()
        if request.url.path.endswith("/token") and response.status_code == 200:
            grant_type = parse_qs(request.content.decode())["grant_type"][0]
            self.seconds[_NAMES[grant_type]].append(time.perf_counter() - started)
        return response


@dataclass
class Attested(Person):
    """A user who has deputized the agent by name, on the consent page."""

    agent: AsyncAgentClient | None = None

    async def deputizes(self, key: AgentKey, http: httpx2.AsyncClient) -> None:
        """Let the agent of this key have the bench's scopes; RuntimeError if that fails."""
        self.agent = AsyncAgentClient(self.page.issuer, CLIENT_ID, key, http=http)
        await self.consents()

    async def consents(self) -> None:
        """Consent on the page, and let the agent collect its code."""
        assert self.agent is not None
        answer = await self.page.authorize(await self.agent.authorization_url(site.SCOPES, REDIRECT_URI))
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
        await self.agent.finish(answer.json()["redirect_to"])

    async def calls(self, count: int) -> list[bytes]:
        """Make calls that need no approval, each with evidence of its own (EVID-2)."""
        assert self.agent is not None
        arguments = {"account": IBAN}
        body = orjson.dumps({"tool": "get_balance", "arguments": arguments, "definition_s256": DEFINITION})
        made = []
        for _ in range(count):
            (evidence,) = (await self.agent.evidence("get_balance", arguments)).values()
            token, proof = evidence.split("~")
            page = self.page.proof("POST", "/calls")
            headers = {"authorization": f"DPoP {token}", "dpop": proof, "deputize-page": page}
            made.append(post(self.page.origin, "/deputize/calls", {"cookie": self.cookie, **headers}, body))
        return made


async def measure(origin: str, key: AgentKey, connections: int, rounds: int) -> dict[str, Figure]:
    """Measure an attested agent: its plain calls, and its tokens."""
    watch = Watch()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(transport=watch))
        people = []
        for number in range(connections):
            person = await Attested.arrives(origin, f"Client {number}")
            stack.push_async_callback(person.leaves)
            await person.deputizes(key, http)
            people.append(person)
        rates: list[float] = []
        latencies: dict[int, list[float]] = {1: [], connections: []}
        for _ in range(rounds):
            for many in latencies:
                found = await load(origin, people[:many], CALLS)
                latencies[many] += [1e3 * each for each in found.latencies]
                if many == connections:
                    rates.append(found.rate)
        return {
            "rps": Figure.of(rates),
            **_spread("c1", latencies[1]),
            **_spread(f"c{connections}", latencies[connections]),
            **await tokens(people[0], watch, key),
        }


async def load(origin: str, people: list[Attested], count: int) -> Load:
    """Have the agent of each of these people make so many calls, each over a connection of its own."""

    def work(requests: list[bytes]) -> Callable[[Connection], Awaitable[float | None]]:
        async def step(connection: Connection) -> float | None:
            if not requests:
                return None
            started = time.perf_counter()
            await connection.send(requests.pop(), b"200")
            return time.perf_counter() - started

        return step

    return await closed_loop(origin, [work(await person.calls(count)) for person in people], math.inf)


def _spread(name: str, milliseconds: list[float]) -> dict[str, Figure]:
    """Tell the p50 and the p99 of latencies, with the least and the greatest of all."""
    ordered = sorted(milliseconds)
    at = {share: ordered[min(len(ordered) * share // 100, len(ordered) - 1)] for share in (50, 99)}
    return {f"{name}_p{share}_ms": Figure(value, ordered[0], ordered[-1]) for share, value in at.items()}


async def tokens(person: Attested, watch: Watch, key: AgentKey) -> dict[str, Figure]:
    """Ask for each kind of token over and over; p50 and p99 in milliseconds, on one connection."""
    assert person.agent is not None
    for _ in range(TIMES):
        await person.consents()
        await person.agent.refresh()
        await person.agent.hand_on(CHILD, key.thumbprint)
    figures: dict[str, Figure] = {}
    for name, seconds in watch.seconds.items():
        figures |= _spread(name, [1e3 * each for each in seconds])
    return figures
