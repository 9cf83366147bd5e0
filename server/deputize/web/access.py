"""Who may call an endpoint: each kind is a value, with what proves it before a handler runs."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from ..protocol import version
from ..protocol.agent import Assurance
from ..protocol.canonical import canonicalize, s256
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.ids import CallId, UserId
from ..protocol.login import OpenId, Tickets
from ..protocol.proof import Proof
from ..protocol.quota import Quota
from ..protocol.token import Delegation
from ..protocol.tool import is_tool_name
from ..protocol.value import value
from ..service.approvals import Verdict
from ..service.calls import request
from ..service.calls.request import Executor, PageCall
from ..service.grants import PageRequest
from ..service.moment import Moment
from ..service.ports import Reader, Tx
from ..service.sessions import SignIn
from .context import Context
from .saying import of_the_site
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


@value
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

    async def verdict(
        self, check: Callable[Concatenate[Reader, Moment, W, P], Verdict], /, *args: P.args, **more: P.kwargs
    ) -> Verdict:
        """Check evidence, for who asks, as `Context.verdict` does."""
        return await self.context.verdict(lambda tx, at: check(tx, at, self.find(tx), *args, **more))

    def map(self, other: Callable[[W], V]) -> "Who[V]":
        """Return the same caller, as another use case wants it."""
        return Who(self.context, lambda tx: other(self.find(tx)))


async def _session(context: Context) -> Who[SignIn]:
    """Know who is signed in; Refused(login_required) at once where nobody can be."""
    look = await context.session()
    if context.is_nobody:
        context.must(None)
    return Who(context, lambda tx: context.must(look(tx)))


async def signed_in(context: Context) -> Who[UserId]:
    """Know a user by the session alone, for what changes nothing."""
    return (await _session(context)).map(_user_id)


async def here(context: Context) -> Who[SignIn]:
    """Know a user by session, origin and CSRF token: for changes that need no proof of a page (SESSION-2)."""
    context.check_origin()
    return (await _session(context)).map(partial(_with_csrf, context))


def _with_csrf(context: Context, who: SignIn) -> SignIn:
    context.check_csrf(who.user_id)
    return who


def _user_id(who: SignIn) -> UserId:
    return who.user_id


async def user(context: Context) -> Who[UserId]:
    """Know a user as `here` does."""
    return (await here(context)).map(_user_id)


async def at_ours(context: Context) -> Who[UserId]:
    """Know a user as `user` does, on a page of the authority's own origin: the site's pages answer nothing there
    (APPR-12)."""
    context.check_own_origin()
    return await user(context)


async def page(context: Context) -> Who[PageRequest]:
    """Know the page of a user by its proof (PROOF-3), which also stands in for the CSRF token."""
    return await _by_page(context, PageRequest)


async def page_of_call(context: Context) -> Who[PageCall]:
    """Know a page as `page` does, and the call that it asks about, which the address names."""
    return await _by_page(context, partial(PageCall, CallId(context.named("call_id"))))


async def _by_page(context: Context, asks: Callable[[UserId, Proof], V]) -> Who[V]:
    context.check_origin()
    proof = context.proof("deputize-page")
    return (await _session(context)).map(lambda who: asks(who.user_id, proof))


async def user_or_page(context: Context) -> Who[PageRequest]:
    """Know a user as `here` does or by a page of theirs: taking away is never hard."""
    if context.has("deputize-page"):
        return await page(context)
    return (await here(context)).map(lambda who: PageRequest(who.user_id, None))


async def executor(context: Context) -> Who[Executor]:
    """Know a guard by its registered key (PROOF-4), else the page (GUARD-3)."""
    if not context.has("deputize-guard"):
        return await page_of_call(context)
    return _guard(context)


async def receiver(context: Context) -> Who[UserId | Proof]:
    """Know a guard by its registered key (PROOF-4), else a user by the session: for what changes nothing (LOG-9)."""
    if not context.has("deputize-guard"):
        return await signed_in(context)
    return _guard(context)


def _guard(context: Context) -> Who[Proof]:
    version.check(context.header(version.HEADER.lower()))
    proof = context.proof("deputize-guard")
    if proof.jkt not in context.authority.guard_keys:
        raise Refused(
            Code.REDEEMER_NOT_ALLOWED,
            "This key is not registered for the site's API: its public half belongs in `keys`, under [api] in the "
            "policy.",
        )
    return Who(context, lambda tx: proof)


async def reader(context: Context) -> Who[Proof]:
    """Know who may read the entries of the record, by a key that the policy names (LOG-8)."""
    proof = context.proof("deputize-reader")
    if proof.jkt not in context.authority.reader_keys:
        raise Refused(Code.READER_NOT_ALLOWED, "The policy names no reader of the record with this key.")
    return Who(context, lambda tx: proof)


async def same_site(context: Context) -> None:
    """Know nobody, but that no other site made a browser send this (SESSION-2)."""
    context.check_origin()


async def deputy(context: Context, body: CallRequest) -> Who[request.CallRequest]:
    """Know who calls, and what: by the session, the delegation that the request carries, if any, and the page's proof.

    An opaque agent's proof is the page's as well (CALL-2). An attested agent has one of its own, which names the tool
    and the arguments of this very call (EVID-2).
    """
    session = await context.session()
    if not is_tool_name(body.tool):
        raise Refused(Code.INVALID_REQUEST, "A tool name matches [A-Za-z0-9_.-]{1,128}.")  # HASH-2
    canonical = canonicalize(body.arguments)
    digest = s256(canonical)
    delegation, proofs = _delegated(context, {"tool": body.tool, "args_s256": digest})
    if delegation is None and context.is_nobody:
        context.take(Quota.REFUSED_CALLS)

    def find(tx: Reader) -> request.CallRequest:
        present = session(tx)
        return request.CallRequest(
            way=request.PAGE,
            principal=request.Principal(present.user_id if present else None, delegation, proofs),
            tool=body.tool,
            arguments=body.arguments,
            canonical=canonical,
            args_s256=digest,
            definition_s256=body.definition_s256,
            page_jkt=proofs[0].jkt,
            delivered=tuple(CallId(each) for each in body.delivered),
        )

    return Who(context, find)


def _delegated(context: Context, bound: Mapping[str, str]) -> tuple[Delegation | None, tuple[Proof, ...]]:
    """Verify the delegation of a call, if there is one, and the proofs that come with it, the page's first."""
    values = context.headers("authorization")
    if not values:
        return None, (context.proof("deputize-page"),)
    scheme, _, token = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "dpop":
        raise Refused(Code.INVALID_TOKEN, "Send one delegation token, as `Authorization: DPoP …`.")
    delegation = context.authority.delegation(token, context.now)
    if delegation.assurance is Assurance.OPAQUE:
        return delegation, (context.proof("dpop", access_token=token, jkt=delegation.jkt),)
    own = context.proof("dpop", access_token=token, jkt=delegation.jkt, bound=bound)
    return delegation, (context.proof("deputize-page"), own)


async def own_users(context: Context) -> None:
    """Know nobody, where users sign up and in here, not at the site (CRED-2)."""
    context.check_origin()
    if not context.authority.own_users:
        raise Refused.of(_AT_THE_SITE)


async def own_session(context: Context) -> Who[UserId]:
    """Know a user as `here`, where sessions are ours, not the site's."""
    who = await user(context)
    if context.authority.current_user is not None:
        raise Refused.of(_AT_THE_SITE)
    return who


async def leaver(context: Context) -> Tickets | OpenId:
    """Know nobody, but the site's login that a browser may leave for, as a page that its user sees (SIGNIN-1)."""
    if context.header("sec-fetch-dest") not in (None, "document"):
        raise Refused(Code.CROSS_SITE_REQUEST, "Only a page that its user sees leads to the site's login.")
    return _site_login(context)


async def bringer(context: Context) -> Tickets:
    """Know nobody, but the site's page that has tickets, for what a page of the site sends (SIGNIN-2)."""
    login = _site_login(context)
    if not isinstance(login, Tickets):
        raise Refused.of(_NOT_THERE)
    context.check_site_origin()
    return login


async def returner(context: Context) -> OpenId:
    """Know nobody, but the site's provider, for an answer of that, as a page that its user sees (OPENID-2)."""
    login = await leaver(context)
    if not isinstance(login, OpenId):
        raise Refused.of(_NOT_THERE)
    return login


async def login(context: Context) -> Tickets | OpenId:
    """Know nobody, but the site's login, which says itself who it is (SIGNIN-7)."""
    return _site_login(context)


def _site_login(context: Context) -> Tickets | OpenId:
    login = context.authority.login
    if login is None:
        raise Refused.of(_NOT_THERE)
    return login.by


_NOT_THERE = Refusal(Code.NOT_FOUND, "Users do not sign in at the site in this way, by the policy.")


_AT_THE_SITE = Refusal(Code.NOT_FOUND, "Users sign up and in at the site itself.")


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
AT_OURS = Access(at_ours, needs=("Deputize-CSRF",), security=(("session",),))
OWN_USER = Access(own_session, needs=("Deputize-CSRF",), security=(("session",),))
USER_OR_PAGE = Access(user_or_page, may=("Deputize-CSRF", "Deputize-Page"), security=(("session",),))
PAGE = Access(page, needs=("Deputize-Page",), security=(("session",),))
CALLS_PAGE = replace(PAGE, before=page_of_call)
GUARD = Access(executor, may=("Deputize-Guard", "Deputize-Page"), security=_OR_NOBODY)
RECEIVER = Access(receiver, may=("Deputize-Guard",), security=_OR_NOBODY)
READER = Access(reader, needs=("Deputize-Reader",))
DEPUTY = Access(
    same_site, deputy, may=("DPoP", "Deputize-Page"), security=(("session", "delegation"), ("session",))
)
NEWCOMER = Access(own_users)
LEAVER = Access(leaver)
BRINGER = Access(bringer)
RETURNER = Access(returner)
LOGIN = Access(login)
SITE_PAGE = Access(of_the_site)
ENROLLING = Access(same_site, enrolling, may=("Deputize-CSRF",), security=_OR_NOBODY)
ENROLLED = Access(same_site, may=("Deputize-CSRF",), security=_OR_NOBODY)
MCP = Access(may=("DPoP",), security=(("delegation",), ("session", "delegation"), ("bearer",), ()))
