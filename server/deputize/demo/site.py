"""Harbor, a small bank: an example of a site that lets agents in through deputize.

`harbor.toml` says what agents may do, `api.py` guards every effect, `static/harbor.js` offers the tools, and here
deputize is mounted.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

import deputize
from deputize import Deputize, LocalhostRedirect
from deputize.log.log import Log

from . import api, record
from .bank import Bank

_PORT = 8000  # what harbor.toml says
_HERE = Path(str(files(__package__)))
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "cross-origin-opener-policy": "same-origin",
    "origin-agent-cluster": "?1",  # without it there is no WebMCP in Firefox
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Harbor:
    """The parts of the site, which is reached at `url`. `database` is the bank's own file, not deputize's."""

    app: ASGIApp
    deputize: Deputize
    bank: Bank
    database: Path
    url: str


def build(data: Path, port: int, clock: Callable[[], float] = time.time, log: Log | None = None) -> Harbor:
    """Build the site for localhost at this port; all that it keeps is in the folder `data`.

    ValueError if the policy there is for another port.
    """
    url = f"http://localhost:{port}"
    path = policy_file(data, port)
    policy = deputize.load(path)
    if policy.site.origin != url:
        raise ValueError(f"{path} is for {policy.site.origin}: serve that port, or change the file")
    authority = Deputize(path, data, clock=clock, log=log)
    database = data / "harbor.db"
    bank = Bank(database, clock)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with authority.lifespan(app):
            yield
        bank.close()

    app = Starlette(
        routes=[
            *authority.well_known_routes(),
            Mount("/deputize", authority),
            *api.routes(bank, authority),
            record.route(authority),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
            Route("/", _home(bank, authority), methods=["GET"]),
        ],
        lifespan=lifespan,
    )
    return Harbor(LocalhostRedirect(app), authority, bank, database, url)


def policy_file(data: Path, port: int) -> Path:
    """Return the path of the policy file in the folder, which is made with the folder if it is missing."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data / "deputize.toml"
    if not path.exists():
        text = (_HERE / "harbor.toml").read_text(encoding="utf-8")
        path.write_text(text.replace(f"localhost:{_PORT}", f"localhost:{port}"), encoding="utf-8")
    return path


def _home(bank: Bank, authority: Deputize) -> Callable[[Request], Awaitable[Response]]:
    """Return the only page: the account of whoever deputize has signed in, since Harbor has no login of its own."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"euros": _euros, "iban": _iban, "day": _day, "iso": _iso}
    template = templates.get_template("home.html")

    async def home(request: Request) -> Response:
        user = await authority.user(request)
        account = bank.account(user.user_id) if user else None
        transactions = bank.transactions(user.user_id) if user else []
        page = template.render(user=user, account=account, transactions=transactions)
        return HTMLResponse(page, headers=_HEADERS)

    return home


def _euros(cents: int) -> str:
    sign = "−" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100:,}.{abs(cents) % 100:02} EUR"


def _iban(text: str) -> str:
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def _day(seconds: int) -> str:
    day = datetime.fromtimestamp(seconds, UTC)
    return f"{day.day} {day:%b %Y}"


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
