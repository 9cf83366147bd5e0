"""The composition root: makes an ASGI app of a policy and a folder for data, to be mounted or served alone."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar, Unpack

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .authority.authority import Authority, CurrentUser, SiteUser
from .authority.clock import Clock
from .authority.head import Head
from .authority.head_at_witnesses import AtWitnesses, WitnessedHead
from .authority.head_file import HeadFile
from .authority.housekeeping import Housekeeping
from .authority.in_force import FORKED, InForce
from .authority.in_process import InProcess
from .crypto.sealed import Sealer
from .crypto.webauthn import Ceremonies
from .fetching.fetcher import Fetcher
from .guard import Guard, Unguarded
from .guard.start import StartCheck, start, survey
from .log.log import Log
from .methods import methods
from .opening import LostData, opened
from .protocol.credential import User
from .protocol.declared import Declaration, declared
from .protocol.endpoints import Endpoints
from .protocol.errors import Refused
from .protocol.policy import Policy
from .protocol.tool import Describe
from .service import forgetting
from .service.faults import PutBack
from .service.ports import Store, Tx
from .settings.following import Followed
from .web import routes
from .web.context import Context
from .web.front import Front
from .web.mcp.endpoint import Mcp
from .web.mcp.offers import HandledCall, Handler, Offers, ToolFailed
from .web.refusals import Dialect, Refusals
from .words.catalogue import languages

__all__ = ["Deputize", "HandledCall", "LostData", "PutBack", "SiteUser", "ToolFailed", "build"]

H = TypeVar("H", bound=Handler)


class Deputize:
    """The authority as an ASGI app, to be mounted at the path of its issuer.

    `policy` is the path of the policy file, which is followed: its changes are in force from the next request on
    (POLICY-1). PolicyError with all faults of the file, OSError if it cannot be read. Or it is a `Policy`, which stays.

    `data` is the folder of database and keys; it is made if missing, readable by its owner only. LostData if it has one
    of the two without the other, unless `new_keys` or `new_record` allows to make that one anew. PutBack if the
    database is behind the newest checkpoint that has left it, or where that is missing, unless `new_head` allows to
    make it anew (HEAD-2); where witnesses keep it, they are asked (HEAD-4). With a `store` of another kind, which is
    open already and is closed with this, the folder has no database.

    `current_user` is a function of a Starlette request that returns who is signed in at the site. Without it, users
    sign up and in here, with passkeys. `clock` returns seconds since the epoch.
    """

    def __init__(
        self,
        policy: Policy | Path | str,
        data: Path | str = "var",
        current_user: CurrentUser | None = None,
        clock: Callable[[], float] = time.time,
        log: Log | None = None,
        *,
        new_keys: bool = False,
        new_record: bool = False,
        new_head: bool = False,
        store: Store | None = None,
    ) -> None:
        """Open the store, unless it is given, and the keys; ValueError for a language that would hide something."""
        languages()  # reads them all
        clock = Clock(clock)
        followed = None
        if not isinstance(policy, Policy):
            followed = Followed(policy)
            policy = followed.policy
        site = policy.site
        self.log = log or Log()
        self.store, keys, made = opened(Path(data), self.log.alarm, new_keys, new_record, store)
        self._head: Head | WitnessedHead
        if policy.record.at_witnesses:
            self._head = WitnessedHead(AtWitnesses(policy, keys), self.store, self.log.alarm)
        else:
            self._head = Head(HeadFile.of(policy, Path(data), keys.record_key), self.store, self.log.alarm)
        try:
            self._head.start(new_head, made)
            if self.store.look(forgetting.is_again):
                now = int(clock())
                _at_once(self.store, lambda tx: forgetting.again(tx, now))
        except BaseException:
            self.store.close()
            raise
        authority = Authority(
            policy,
            self.store,
            self._head,
            keys,
            Sealer(keys.secret, clock),
            Ceremonies(site.rp_id, policy.origins()),
            methods(policy, keys.secret),
            clock,
            os.urandom,
            Fetcher(policy.development, clock),
            current_user,
        )
        self._current = InForce(authority, followed, self.log, self._look_again)
        self.guard = Guard(
            issuer=site.issuer,
            audience=policy.api.audience,
            key_of=keys.public_key,
            redeemer=InProcess(self._current),
            clock=clock,
            tools=lambda: self.policy.tools,
            endpoints=lambda: Endpoints(self.policy.guarded_here()),
        )
        self._site: object = None  # the app that mounts this
        self._started = False  # whether that app was looked over (GUARD-8)
        self._alone = False  # whether no app mounts this but that of `build`
        self._offers = Offers()
        self._refusals = Refusals(lambda: self._current.latest.policy, self.log)
        self._mcp = Mcp(self._current, self._refusals, self._offers)
        if self._offers.all(self.policy):
            self._mcp.prepare()
        self._front = front = Front(self._refusals)
        addresses = routes.addresses(self._current, self._refusals, self._mcp, front.not_routed)
        self._app = front.before(front.for_the_site(addresses))
        self._housekeeping = Housekeeping(self._current, self.log)

    @property
    def authority(self) -> Authority:
        """The authority, under the policy that is in force now."""
        return self._current()

    @property
    def policy(self) -> Policy:
        """The policy that is in force now."""
        return self._current().policy

    @property
    def routes(self) -> list[BaseRoute]:
        """Return none: whoever looks for the site's routes, and their guards, is not to find ours (GUARD-8)."""
        return []

    def well_known_routes(self) -> list[BaseRoute]:
        """Return the routes that come first in the root app of a site that mounts this one.

        The first of them looks the app over at its first request, if `lifespan` has not done that: no request is
        answered until its guards are in order (GUARD-8).
        """
        front = self._front
        issuer = self.policy.site.issuer
        return [
            StartCheck(lambda: self._started, self.start),
            routes.WellKnown(issuer, self._current, self._refusals, front.not_routed, front.before),
        ]

    def start(self, app: object) -> None:
        """Look over the app that mounts this one, once; Unguarded if it would run anything without a guard (GUARD-8).

        `lifespan` calls it, or else the first request.
        """
        if not self._started:
            guarded = start(app, self.guard, self.guarded_here())
            self._site, self._started = app, True
            self.log.note("guards", standing=[f"{each.tool}: {each.route} ({each.how})" for each in guarded])

    def guarded_here(self) -> list[str]:
        """Return the tools that need a guard in the app that mounts this one: no handler runs them (GUARD-8)."""
        if self._alone:  # then no API is here
            return []
        return [tool.name for tool in self.policy.guarded_here() if not self.handles(tool.name)]

    def handles(self, tool: str) -> bool:
        """Tell whether a handler runs this tool's calls here."""
        return self._offers.handles(self.policy, tool)

    def _look_again(self) -> None:
        """Log what a new policy wants guarded and is not: nobody would redeem calls of that."""
        if not self._started:
            return
        try:
            survey(self._site, [self.guard], self.guarded_here())
        except Unguarded as error:
            self.log.alarm("unguarded", faults=error.faults)

    def tool(self, **declaration: Unpack[Declaration]) -> Callable[[Describe], Describe]:
        """Declare a tool from Python: a decorator for the function that describes a call of it.

            @authority.tool(scopes=["payments:write"], approval="always")
            def transfer_money(args):
                return f"Send {args['amount']} EUR to {args['name']}"

        The function's name is the tool's, unless `name` says otherwise; the other keys are those of the policy file. A
        text that the function writes by an f-string, or adds to another, gets quotation marks (APPR-2); what it makes
        of texts in other ways it has to pass through `protocol.shown.said`. The tool stays declared when the file
        changes. Declare it before the app serves, and before its endpoint is guarded. ValueError for a tool that the
        file could not declare either, and for one that is declared already.
        """

        def declare(describe: Describe) -> Describe:
            self._current.declare(declared(describe, declaration))
            return describe

        return declare

    def handler(self, tool: str) -> Callable[[H], H]:
        """Offer a tool of the policy over MCP, run by a function of `(arguments, call)`: a decorator (MCP-5).

            @authority.handler("transfer_money")
            async def transfer_money(arguments, call):
                return {"sent": bank.transfer(call.user.external_id, **arguments)}

        It runs once for each call that was allowed, after that is recorded; in a thread, if it is not async. What it
        returns goes to the agent: text, JSON, content of `mcp_types` or a list of that, or a `CallToolResult`; it fits
        the tool's `output_schema`, if it has one (MCP-18). `call.progress(done, total)` tells how far it is (MCP-19);
        it is cancelled when the client calls it off, or after 300 seconds (MCP-20). It raises `ToolFailed` if it has
        done nothing; after any other exception the record says that the outcome is unknown. ValueError for a tool that
        the policy does not declare, or that has an endpoint or a handler already.
        """

        def offer(handler: H) -> H:
            self._offers.handle(self.policy, tool, handler)
            self._mcp.prepare()
            return handler

        return offer

    async def user(self, request: Request) -> User | None:
        """Return the user who is signed in, for the site's own pages; None for nobody, and if unknown (SESSION-1)."""
        try:
            return await Context(request, self._current, self.log).user()
        except Refused:
            return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve. The first request begins the housekeeping, where the site has not entered `lifespan`."""
        if self._current.is_forked:
            response = self._refusals.noted(Refused.of(FORKED), Dialect.PROBLEM, Request(scope))
            await response(scope, receive, send)
            return
        if not self._started:
            self.start(scope.get("router"))
        self._begin()
        await self._app(scope, receive, send)

    def _begin(self) -> None:
        self._housekeeping.begin()
        self._head.begin()

    async def sweep(self, now: int, held: int | None) -> None:
        """Do now what housekeeping does every few seconds; for its arguments see `authority.housekeeping`."""
        await self._housekeeping.sweep(now, held)

    async def aclose(self) -> None:
        """Stop housekeeping and MCP, and close the store; what was acknowledged is on disk already."""
        await self._housekeeping.end()
        await self._mcp.aclose()
        await self._head.end()
        self.store.close()
        self.log.flush()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Be the lifespan, or part of it, of the app that mounts this one; RuntimeError after a fork.

        Unguarded, so that the app does not start, if it would run anything without a guard (GUARD-8).
        """
        if self._current.is_forked:
            raise RuntimeError(FORKED.detail)
        if app is not None:
            self.start(app)
        self._begin()
        try:
            yield
        finally:
            await self.aclose()


def _at_once(store: Store, fn: Callable[[Tx], int]) -> None:
    """Run a transaction while there is no loop yet, or one that is waiting for this."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(store.transact(fn))).result()


def build(
    policy: Policy | Path | str,
    data: Path | str = "var",
    clock: Callable[[], float] = time.time,
    log: Log | None = None,
    *,
    new_keys: bool = False,
    new_record: bool = False,
    new_head: bool = False,
    store: Store | None = None,
) -> ASGIApp:
    """Build the stand-alone app: the authority at the path of its issuer, and the well-known routes at the root.

    The root, and the issuer itself, redirect to the account page. The parameters are those of `Deputize`.
    """
    deputize = Deputize(
        policy,
        data,
        clock=clock,
        log=log,
        new_keys=new_keys,
        new_record=new_record,
        new_head=new_head,
        store=store,
    )
    deputize._alone = True
    issuer = deputize.policy.site.issuer
    path = "".join(f"/{step}" for step in issuer.split("/")[3:])
    account = RedirectResponse(f"{issuer}/account", 303)
    entrance = Route("/", lambda _: account, methods=["GET"])
    routes = [*deputize.well_known_routes(), entrance, Mount(path, deputize)]
    return deputize._front.before(deputize._front.exactly(routes, deputize.lifespan))
