"""The sites that are measured: the real authority mounted in a site, and a bare route as the floor of HTTP."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

import deputize
from deputize.app import HandledCall
from deputize.log.log import Log
from deputize.protocol.canonical import Json

SCOPES = "account:read payments:write"
_POLICY = """
[site]
name = "Bench"
origin = "{origin}"

[scopes."account:read"]
title = "See your balance"
writes = false

[scopes."payments:write"]
title = "Send money"

[agents.opaque]
scopes = ["account:read", "payments:write"]

[agents.registered."https://agent.example/agent.json"]
name = "Bench agent"
scopes = ["account:read", "payments:write"]
redirect_uris = ["https://agent.example/callback"]

[[agents.registered."https://agent.example/agent.json".keys]]
kty = "EC"
crv = "P-256"
kid = "{kid}"
x = "{x}"
y = "{y}"

[agents.registered."https://errand.example/agent.json"]
name = "Bench agent"
scopes = ["account:read", "payments:write"]
redirect_uris = ["https://errand.example/callback"]

[[agents.registered."https://errand.example/agent.json".keys]]
kty = "EC"
crv = "P-256"
kid = "{kid}"
x = "{x}"
y = "{y}"

[tools.get_balance] # decided, and run by nobody
elsewhere = true
scopes = ["account:read"]

[tools.get_balance.input_schema]
type = "object"
properties = {{ account = {{ type = "string" }} }}
additionalProperties = false

[tools.transfer_money]
scopes = ["payments:write"]
approval = "always"
describe = "Send {{{{ amount | money('EUR') }}}} to {{{{ name }}}} ({{{{ iban | iban }}}})"

[tools.transfer_money.input_schema]
type = "object"
required = ["amount", "iban", "name"]
additionalProperties = false

[tools.transfer_money.input_schema.properties]
amount = {{ type = "number", minimum = 0.01 }}
iban = {{ type = "string", pattern = "^[A-Z]{{2}}[0-9]{{2}}[A-Z0-9]{{11,30}}$" }}
name = {{ type = "string", minLength = 1, maxLength = 70 }}
"""

_PAGE = '<!doctype html><html lang="en"><title>Bench</title>'
_GATED_PAGE = f'{_PAGE}<script src="/deputize/shim.js"></script>'
# Isolated from other origins, a page reads its clock to 5 µs, else to 100 µs.
_PAGE_HEADERS = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}


@dataclass(frozen=True, slots=True)
class Bank:
    """A site that mounts the authority, and has two empty pages: one with the shim, one without.

    `kid`, `x` and `y` are the public key of the attested agent.
    """

    folder: Path
    kid: str
    x: str
    y: str

    def authority(self, origin: str, clock: Callable[[], float] = time.time) -> deputize.Deputize:
        """Build the authority for this origin. Log lines are made and written as ever, to nowhere."""
        self.folder.mkdir(exist_ok=True)
        path = self.folder / "deputize.toml"
        path.write_text(_POLICY.format(origin=origin, kid=self.kid, x=self.x, y=self.y), encoding="utf-8")
        log = Log(os.fdopen(os.open(os.devnull, os.O_WRONLY), "wb"))
        authority = deputize.Deputize(deputize.load(path), self.folder / "data", clock=clock, log=log)

        @authority.handler("transfer_money")
        async def transfer_money(arguments: dict[str, Json], call: HandledCall) -> object:
            return {"sent": arguments["amount"]}

        return authority

    def __call__(self, origin: str) -> ASGIApp:
        """Build the site for this origin."""
        authority = self.authority(origin)

        async def native(request: Request) -> Response:
            return HTMLResponse(_PAGE, headers=_PAGE_HEADERS)

        async def gated(request: Request) -> Response:
            return HTMLResponse(_GATED_PAGE, headers=_PAGE_HEADERS)

        return Starlette(
            routes=[
                *authority.well_known_routes(),
                Mount("/deputize", authority),
                Route("/native", native, methods=["GET"]),
                Route("/gated", gated, methods=["GET"]),
            ],
            lifespan=authority.lifespan,
        )


@dataclass(frozen=True, slots=True)
class Bare:
    """A site that answers any call with the same bytes, and does nothing else."""

    answer: bytes

    def __call__(self, origin: str) -> ASGIApp:
        """Build it."""

        async def endpoint(request: Request) -> Response:
            return Response(self.answer, media_type="application/json")

        return Starlette(routes=[Route("/deputize/calls", endpoint, methods=["POST"])])
