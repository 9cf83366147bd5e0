"""Who may call an endpoint: each kind is a value, with what proves it before a handler runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from ..protocol.agent import Assurance
from ..protocol.canonical import canonicalize, s256
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.ids import UserId
from ..protocol.proof import Proof
from ..protocol.quota import Quota
from ..protocol.token import Delegation
from ..protocol.tool import Executes, is_tool_name
from ..service.credentials import SignIn
from ..service.grants import PageRequest
from ..service.moment import Moment
from ..service.ports import Reader, Tx
from .context import Context
from .types import CallRequest, Enrollment

P = ParamSpec("P")
T = TypeVar("T")
W = TypeVar("W", covariant=True)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call. `before` proves it before the body is read, `by` from the body.

    The rest is for the document: headers that it `needs`, headers that it `may` have, and the ways to be signed in.
    """

    before: Callable[[Context], Awaitable[Any]] | None = None
    by: Callable[[Context, Any], Awaitable[Any]] | None = None
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    security: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Who(Generic[W]):
    """Who asks. `find` reads it in the transaction of the use case, or raises Refused."""

    context: Context
    find: Callable[[Reader], W]

    async def run(
        self, fn: Callable[Concatenate[Tx, Moment, W, P], T | Refusal], /, *args: P.args, **more: P.kwargs
    ) -> T:
        """Run a use case as one transaction, for who asks; what it refuses is raised once that is committed."""
        return await self.context.run(lambda tx, at: fn(tx, at, self.find(tx), *args, **more))

    async def look(
        self, fn: Callable[Concatenate[Reader, Moment, W, P], T | Refusal], /, *args: P.args, **more: P.kwargs
    ) -> T:
        """Run a use case that changes nothing, for who asks, over one snapshot; what it refuses is raised."""
        return await self.context.look(lambda tx, at: fn(tx, at, self.find(tx), *args, **more))

    def map(self, other: Callable[[W], V]) -> "Who[V]":
        """Return the same caller, as another use case wants it."""
        return Who(self.context, lambda tx: other(self.find(tx)))


async def _session(context: Context) -> Callable[[Reader], SignIn]:
    """Return a function that tells who is signed in; Refused(login_required) at once where nobody can be."""
    look = await context.session()
    if context.is_nobody:
        context.must(None)
    return lambda tx: context.must(look(tx))


async def signed_in(context: Context) -> Who[UserId]:
    """Know a user by the session alone, for what changes nothing."""
    look = await _session(context)
    return Who(context, lambda tx: look(tx).user_id)


async def here(context: Context) -> Who[SignIn]:
    """Know a user by session, origin and CSRF token: for changes that need no proof of a page (SESSION-2)."""
    context.check_origin()
    look = await _session(context)

    def find(tx: Reader) -> SignIn:
        who = look(tx)
        context.check_csrf(who.user_id)
        return who

    return Who(context, find)


async def user(context: Context) -> Who[UserId]:
    """Know a user as `here` does."""
    return (await here(context)).map(lambda who: who.user_id)


async def page(context: Context) -> Who[PageRequest]:
    """Know the page of a user by its proof (PROOF-3), which also stands in for the CSRF token."""
    context.check_origin()
    proof = context.proof("deputize-page")
    look = await _session(context)
    return Who(context, lambda tx: PageRequest(look(tx).user_id, proof))


async def user_or_page(context: Context) -> Who[PageRequest]:
    """Know a user as `here` does or by a page of theirs: taking away is never hard."""
    if context.has("deputize-page"):
        return await page(context)
    return (await here(context)).map(lambda who: PageRequest(who.user_id, None))


@dataclass(frozen=True, slots=True)
class Executor:
    """Who runs a call, and so redeems it: an API, whose guard has a proof, or the page (GUARD-3)."""

    by: Executes
    page: Who[PageRequest] | None
    proof: Proof | None = None

    def spend(self, tx: Tx) -> bool:
        """Use up a guard's proof (PROOF-2); False if it was used before. The use case uses up a page's."""
        return self.proof is None or tx.use_proof(self.proof)


async def guard_or_page(context: Context) -> Executor:
    """Know a guard by its registered key (PROOF-4), else the page (GUARD-3)."""
    if not context.has("deputize-guard"):
        return Executor(Executes.PAGE, await page(context))
    proof = context.proof("deputize-guard")
    if proof.jkt not in context.authority.guard_keys:
        raise Refused(Code.REDEEMER_NOT_ALLOWED, "This key is not registered for the site's API.")
    return Executor(Executes.API, None, proof)


@dataclass(frozen=True, slots=True)
class Deputy:
    """Who calls a tool: the delegation that the request carries, if any, the page's proof, and an attested agent's own.

    An opaque agent's proof is the page's as well (CALL-2). `canonical` are the arguments that they are for.
    """

    session: Callable[[Reader], SignIn | None]
    delegation: Delegation | None
    page: Proof
    evidence: Proof | None
    canonical: bytes
    args_s256: str


async def same_site(context: Context) -> None:
    """Know nobody, but that no other site made a browser send this (SESSION-2)."""
    context.check_origin()


async def deputy(context: Context, body: CallRequest) -> Deputy:
    """Know who calls. An attested agent's proof names the tool and the arguments of this very call (EVID-2)."""
    session = await context.session()
    if not is_tool_name(body.tool):
        raise Refused(Code.INVALID_REQUEST, "A tool name matches [A-Za-z0-9_.-]{1,128}.")  # HASH-2
    canonical = canonicalize(body.arguments)
    digest = s256(canonical)
    values = context.request.headers.getlist("authorization")
    if not values:
        found = Deputy(session, None, context.proof("deputize-page"), None, canonical, digest)
        if context.is_nobody:
            context.take(Quota.REFUSED_CALLS)
        return found
    scheme, _, token = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "dpop":
        raise Refused(Code.INVALID_TOKEN, "Send one delegation token, as `Authorization: DPoP …`.")
    delegation = context.authority.delegation(token, context.now)
    if delegation.assurance is Assurance.OPAQUE:
        proof = context.proof("dpop", access_token=token, jkt=delegation.jkt)
        return Deputy(session, delegation, proof, None, canonical, digest)
    bound = {"tool": body.tool, "args_s256": digest}
    own = context.proof("dpop", access_token=token, jkt=delegation.jkt, bound=bound)
    return Deputy(session, delegation, context.proof("deputize-page"), own, canonical, digest)


async def own_users(context: Context) -> None:
    """Know nobody, where users are ours, not the site's (CRED-2)."""
    context.check_origin()
    if context.authority.current_user is not None:
        raise Refused(Code.NOT_FOUND, "Users sign up and in at the site itself.")


async def own_user(context: Context) -> Who[UserId]:
    """Know a user as `here`, where users are ours."""
    who = await user(context)
    await own_users(context)
    return who


async def enrolling(context: Context, body: Enrollment) -> Who[SignIn | None]:
    """Know a user as `here` does; None with a recovery link, since the use case finds whose that is (CRED-5)."""
    if isinstance(body.recovery, str):
        return Who(context, lambda tx: None)
    return await here(context)


_OR_NOBODY = ((), ("session",))

ANYONE = Access()
VISITOR = Access(security=_OR_NOBODY)
SESSION = Access(signed_in, security=(("session",),))
USER = Access(user, needs=("Deputize-CSRF",), security=(("session",),))
OWN_USER = Access(own_user, needs=("Deputize-CSRF",), security=(("session",),))
USER_OR_PAGE = Access(user_or_page, may=("Deputize-CSRF", "Deputize-Page"), security=(("session",),))
PAGE = Access(page, needs=("Deputize-Page",), security=(("session",),))
GUARD = Access(guard_or_page, may=("Deputize-Guard", "Deputize-Page"), security=_OR_NOBODY)
DEPUTY = Access(
    same_site, deputy, may=("DPoP", "Deputize-Page"), security=(("session", "delegation"), ("session",))
)
NEWCOMER = Access(own_users)
ENROLLING = Access(same_site, enrolling, may=("Deputize-CSRF",), security=_OR_NOBODY)
ENROLLED = Access(same_site, may=("Deputize-CSRF",), security=_OR_NOBODY)
MCP = Access(may=("DPoP",), security=(("delegation",), ("session", "delegation"), ("bearer",), ()))
