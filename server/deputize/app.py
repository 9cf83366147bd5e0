"""The composition root: a policy, a folder for data, and out comes an ASGI app (mounted or alone)."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .crypto.keys import KeyRing, thumbprint
from .crypto.sealed import Sealer
from .crypto.webauthn import Ceremonies
from .guard import Guard
from .protocol.call import State
from .protocol.credential import User
from .protocol.ids import CallId
from .protocol.policy import Policy
from .protocol.token import CallToken
from .protocol.tool import Executes
from .service import calls
from .store.sqlite import SqliteStore
from .web import routes
from .web.ask import Ask
from .web.authority import Authority, CurrentUser, SiteUser
from .web.clients import Clients
from .web.cors import SitePages
from .web.fetching import Fetcher
from .web.hardening import Hardening, LocalhostRedirect
from .web.mcp.endpoint import Mcp
from .web.mcp.offers import HandledCall, Handler, Offers, ToolFailed
from .web.operations import Log
from .web.problems import not_routed, or_refuse

__all__ = ["Deputize", "HandledCall", "SiteUser", "ToolFailed", "build"]

SWEEP_EVERY = 5.0  # seconds between sweeps of what has expired
KEPT_AFTER = 600  # seconds that expired rows still answer `expired` rather than `unknown`
CHECKPOINT_EVERY = 60  # seconds between checkpoints of a record that grew


H = TypeVar("H", bound=Handler)


class Deputize:
    """The authority as an ASGI app, to be mounted at the path of its issuer.

    `data` is the folder of its database and keys (made if missing, readable by its owner only). `current_user`, given a
    Starlette request, tells who is signed in at the site; without it, users sign up and in here with passkeys.
    """

    def __init__(
        self,
        policy: Policy,
        data: Path | str = "var",
        current_user: CurrentUser | None = None,
        clock: Callable[[], float] = time.time,
        log: Log | None = None,
    ) -> None:
        """Open the store and the keys."""
        folder = Path(data)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys = KeyRing.open(folder / "keys.json")
        site = policy.site
        self.policy = policy
        self.store = SqliteStore(folder / "deputize.db")
        self.log = log or Log()
        self.authority = Authority(
            policy,
            self.store,
            keys,
            Sealer(keys.secret, clock),
            Ceremonies(site.rp_id, policy.origins()),
            clock,
            secrets.token_bytes,
            Clients(policy, Fetcher(policy.development, clock)),
            frozenset(thumbprint(key) for key in policy.api.keys),
            current_user,
        )
        self.guard = Guard(
            issuer=site.issuer,
            audience=policy.api.audience,
            key_of=keys.public_key,
            redeemer=InProcess(self.authority),
            schemas={name: tool.input_schema for name, tool in policy.tools.items()},
            clock=clock,
        )
        self._offers = Offers(policy)
        self._mcp = Mcp(self.authority, self.log, self._offers)
        self._app = self._build()
        self._housekeeping: asyncio.Task[None] | None = None

    def _build(self) -> ASGIApp:
        inner: ASGIApp = Starlette(
            routes=routes.routes(self.authority, self.log, self._mcp),
            exception_handlers={HTTPException: not_routed},
        )
        site = self.policy.site
        if not site.issuer.startswith(site.origin + "/"):  # stand-alone: the site's pages are another origin
            inner = SitePages(inner, site.origin)
        return Hardening(inner, https=site.issuer.startswith("https://"))

    def well_known_routes(self) -> list[BaseRoute]:
        """Return the routes that belong into the root app of a site that mounts this one."""
        return routes.well_known_routes(self.authority, self.log)

    def handler(self, tool: str) -> Callable[[H], H]:
        """Offer a tool of the policy over MCP, run by a function of `(arguments, call)`: a decorator (MCP-5).

            @authority.handler("transfer_money")
            async def transfer_money(arguments, call):
                return {"sent": bank.transfer(call.user.external_id, **arguments)}

        It runs once for each call that was allowed, after that is recorded; if it is not async, in a thread.
        What it returns, text or JSON, goes to the agent. It raises `ToolFailed` where it has done nothing; after
        any other exception the record says that the outcome is unknown. ValueError for a tool that the policy
        does not declare, or that has an endpoint or a handler already.
        """

        def offer(handler: H) -> H:
            self._offers.handle(tool, handler)
            return handler

        return offer

    async def user(self, request: Request) -> User | None:
        """Tell which user is signed in, for the site's own pages."""
        who = await Ask(request, self.authority).signed_in()
        return self.store.read(lambda tx: tx.user(who.user_id)) if who else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve. Housekeeping starts with the first request, since a mounted app gets no lifespan of its own."""
        if self._housekeeping is None:
            self._housekeeping = asyncio.create_task(self._keep_house())
        await self._app(scope, receive, send)

    async def _keep_house(self) -> None:
        """Expire calls, delete what has run out, and sign the record from time to time."""
        signed, signed_at = -1, 0
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            now = self.authority.now()
            try:
                await self.sweep(now)
                size = self.store.read(lambda tx: tx.head().size)
                if size != signed and now - signed_at >= CHECKPOINT_EVERY:
                    await self.authority.checkpoint()
                    signed, signed_at = size, now
            except Exception as error:  # what fails now is tried again in a moment; the owner reads why
                self.log.note("housekeeping", error=repr(error))

    async def sweep(self, now: int) -> None:
        """End what has run out by `now`, each call with its entry, and delete what nobody can ask for any more."""
        await self.store.transact(lambda tx: calls.expire(tx, now))
        while await self.store.transact(lambda tx: tx.sweep(now - KEPT_AFTER)):
            pass  # a thousand rows of each kind at a time, so that nobody waits long behind it

    async def aclose(self) -> None:
        """End housekeeping and MCP and close the store; what was acknowledged is on disk already."""
        if self._housekeeping is not None:
            self._housekeeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._housekeeping
        await self._mcp.aclose()
        self.store.close()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Serve as the lifespan of the app that mounts this one, or as part of it."""
        try:
            yield
        finally:
            await self.aclose()


class InProcess:
    """The guard's way to an authority in the same process: no HTTP, the same transactions (GUARD-3, GUARD-5)."""

    def __init__(self, authority: Authority) -> None:
        """Redeem with this authority."""
        self._authority = authority

    async def redeem(self, token: CallToken, text: str, args_s256: str) -> None:
        """Redeem a verified call token for these arguments; Refused if it may not run."""
        now = self._authority.now()
        or_refuse(
            await self._authority.store.transact(
                lambda tx: calls.redeem(tx, token, args_s256, Executes.API, now, None)
            )
        )

    async def report(self, call_id: CallId, outcome: State) -> None:
        """Note the outcome."""
        now = self._authority.now()
        or_refuse(
            await self._authority.store.transact(
                lambda tx: calls.report(tx, call_id, outcome, Executes.API, now, None)
            )
        )


def build(policy: Policy, data: Path | str = "var", clock: Callable[[], float] = time.time) -> ASGIApp:
    """Build the stand-alone app: the authority at the path of its issuer, and the well-known routes at the root.

    Who comes to the root, or to the issuer itself, is led to the page of the account.
    """
    deputize = Deputize(policy, data, clock=clock)
    path = "/" + "/".join(policy.site.issuer.split("/")[3:])
    account = RedirectResponse(f"{policy.site.issuer}/account", 303)
    entrances = [Route(entrance, lambda _: account, methods=["GET"]) for entrance in {"/", path}]
    return LocalhostRedirect(
        Starlette(
            routes=[*deputize.well_known_routes(), *entrances, Mount(path.rstrip("/"), deputize)],
            lifespan=deputize.lifespan,
            exception_handlers={HTTPException: not_routed},
        )
    )
