"""node-oidc-provider, whose store is Redis that writes through to the disk: a token, and a call with it."""

import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import orjson

from deputize.agent import AgentKey

from ..client import Connection, Load, closed_loop, post
from .programs import free_port, running

HERE = Path(__file__).parent
_FORM = "application/x-www-form-urlencoded"
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Issuer:
    """One that runs, and the client that it knows."""

    def __init__(self, origin: str, key: AgentKey) -> None:
        """Know where it is; it has registered this key."""
        self.origin, self.key = origin, key

    def token_request(self) -> bytes:
        """Ask for a token: client credentials, `private_key_jwt`, bound by a proof."""
        now = int(time.time())
        form = {
            "grant_type": "client_credentials",
            "scope": "account:read",
            "client_assertion_type": _JWT_BEARER,
            "client_assertion": self.key.assertion("agent", self.origin, now),
        }
        headers = {"dpop": self.key.proof("POST", f"{self.origin}/token", now)}
        return post(self.origin, "/token", headers, urlencode(form).encode(), _FORM)

    def token(self) -> str:
        """Get one; RuntimeError if there is none."""
        head, _, body = self.token_request().partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        kept = {name: headers[name] for name in ("dpop", "content-type")}
        answer = httpx2.post(f"{self.origin}/token", content=body, headers=kept)
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
        return str(answer.json()["access_token"])

    def call(self, token: str) -> bytes:
        """Make a call of the protected resource."""
        proof = self.key.proof("POST", f"{self.origin}/resource", int(time.time()), token)
        return post(self.origin, "/resource", {"authorization": f"DPoP {token}", "dpop": proof}, b"{}")


@contextmanager
def served(folder: Path, redis: str, node: str) -> Iterator[Issuer]:
    """Run it, with Redis on a socket in `folder`, where its data lie as well."""
    key, port, socket = AgentKey.generate(), free_port(), folder / "redis.sock"
    store = [redis, "--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""]
    store += ["--appendonly", "yes", "--appendfsync", "always"]
    program = [
        node,
        str(HERE / "issuer.mjs"),
        str(port),
        str(socket),
        orjson.dumps(key.public_jwk()).decode(),
    ]
    with ExitStack() as stack:
        stack.enter_context(running(store, folder, socket, folder))
        stack.enter_context(running(program, folder, port, folder))
        yield Issuer(f"http://localhost:{port}", key)


async def load(origin: str, make: Callable[[], bytes], connections: int, count: int) -> Load:
    """Send `count` requests, made beforehand, over so many connections."""
    work = [make() for _ in range(count)]

    async def step(connection: Connection) -> float | None:
        if not work:
            return None
        started = time.perf_counter()
        await connection.send(work.pop(), b"200")
        return time.perf_counter() - started

    steps: list[Callable[[Connection], Awaitable[float | None]]] = [step] * connections
    return await closed_loop(origin, steps, math.inf)
