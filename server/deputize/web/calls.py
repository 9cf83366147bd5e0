"""`/calls`: the way of one call (PROTOCOL §5 to §7)."""

from collections.abc import Callable
from time import perf_counter
from typing import cast

from starlette.responses import Response

from ..protocol.call import CALL_TOKEN_LIFETIME, State
from ..protocol.canonical import Json, canonicalize, s256, unb64u
from ..protocol.errors import Code, Refusal, Refused, or_refuse
from ..protocol.ids import CallId, is_id
from ..protocol.quota import Quota
from ..protocol.tool import Executes, is_tool_name
from ..service.approvals import Verdict
from ..service.calls import approving, arrivals, endings, redemptions
from ..service.calls.answers import Answered, Denied
from ..service.calls.request import PAGE, CallRequest, PageCall, Principal
from ..service.ports import Reader, Tx
from . import wire
from .ask import Ask
from .operations import Log
from .problems import answer, refusal_response

MAX_DELIVERED = 100
_ENDINGS = {"declined": State.DECLINED, "cancelled": State.CANCELLED}
_OUTCOMES = {state.value: state for state in (State.SUCCEEDED, State.FAILED, State.UNKNOWN)}


class Calls:
    """The endpoints under `/calls`."""

    def __init__(self, log: Log) -> None:
        """Note each decision in this log."""
        self._log = log

    async def create(self, ask: Ask) -> Response:
        """Decide a call (CALL-1): 200 with a call token, 202 with a description, or a problem."""
        authority = ask.authority
        ask.check_origin()
        body = await ask.json({"tool": str, "arguments": dict, "definition_s256": str}, {"delivered": list})
        session = await ask.session()
        tool = _tool_name(body["tool"])
        arguments = cast(dict[str, Json], body["arguments"])
        canonical = canonicalize(arguments)
        digest = s256(canonical)
        delegation, page, evidence = ask.caller({"tool": tool, "args_s256": digest})
        if delegation is None and ask.is_nobody:
            ask.take(Quota.REFUSED_CALLS, authority.policy.quotas.refused_calls)
        definition_s256 = _digest(body["definition_s256"])
        delivered = _call_ids(body.get("delivered", []))

        def decide(tx: Tx) -> Answered | Denied | Refusal:
            who, proofs = session(tx), (page, evidence) if evidence else (page,)
            request = CallRequest(
                way=PAGE,
                principal=Principal(who.user_id if who else None, delegation, proofs),
                tool=tool,
                arguments=arguments,
                canonical=canonical,
                args_s256=digest,
                definition_s256=definition_s256,
                page_jkt=page.jkt,
                delivered=delivered,
            )
            return arrivals.create(tx, ask.at, request)

        started = perf_counter()
        decided = await authority.store.transact(decide)
        if isinstance(decided, Denied):
            self._log.denied(decided.call_id, decided.refusal)
            return refusal_response(decided.refusal, call_id=decided.call_id, state="denied")
        made = or_refuse(decided)
        self._log.decided(made.call, started)
        return self._answer(ask, made)

    async def challenge(self, ask: Ask) -> Response:
        """Mint the challenge, at the user's click (APPR-1)."""
        page = await self._page(ask)
        authority = ask.authority
        minted = await authority.store.transact(lambda tx: approving.challenge(tx, ask.at, page(tx)))
        return answer(wire.envelope(or_refuse(minted), ask.now))

    async def approve(self, ask: Ask) -> Response:
        """Take the evidence of an approval (APPR-3): verified on a snapshot, consumed in a transaction."""
        page = await self._page(ask)
        evidence = await ask.evidence()
        authority = ask.authority

        def check(tx: Reader) -> tuple[PageCall, Verdict]:
            request = page(tx)
            return request, approving.check(tx, ask.at, request, evidence)

        started = perf_counter()
        request, verdict = await authority.store.read(check)
        decided = await authority.store.transact(lambda tx: approving.approve(tx, ask.at, request, verdict))
        made = or_refuse(decided)
        self._log.decided(made.call, started)
        return self._answer(ask, made)

    async def deny(self, ask: Ask) -> Response:
        """End a call that the user declined, or whose dialog went away (APPR-6)."""
        if not ask.has("deputize-page"):  # of the account page: taking away is never hard
            who = await ask.must_be_here()
            await ask.json({"reason": str})
            return await self._transact_and_show(
                ask, lambda tx: endings.call_off(tx, _call_id(ask), who.user_id, State.DECLINED, ask.now)
            )
        page = await self._page(ask)
        reason = (await ask.json({"reason": str}))["reason"]
        state = _ENDINGS.get(str(reason))
        if state is None:
            raise Refused(Code.INVALID_REQUEST, "`reason` is `declined` or `cancelled`.")
        return await self._transact_and_show(ask, lambda tx: endings.deny(tx, page(tx), state, ask.now))

    async def show(self, ask: Ask) -> Response:
        """Show a call to its page (CALL-9)."""
        page = await self._page(ask)
        return await self._transact_and_show(ask, lambda tx: endings.look(tx, page(tx), ask.now))

    async def events(self, ask: Ask) -> Response:
        """Note that a result reached the agent (CALL-10)."""
        page = await self._page(ask)
        if (await ask.json({"type": str}))["type"] != "delivered":
            raise Refused(Code.INVALID_REQUEST, "The only event is `delivered`.")
        return await self._transact_and_show(ask, lambda tx: endings.deliver(tx, page(tx), ask.now))

    async def redeem(self, ask: Ask) -> Response:
        """Redeem a call token, once: a guard or, for tools that run in the page, the page (GUARD-3)."""
        by, page = await self._redeemer(ask)
        token = ask.authority.read_call_token(
            str((await ask.json({"call_token": str}))["call_token"]), ask.now
        )
        if token.call_id != ask.request.path_params["call_id"]:
            raise Refused(Code.INVALID_CALL_TOKEN, "This call token is for another call.")

        redeemed = or_refuse(
            await ask.authority.store.transact(
                lambda tx: redemptions.redeem(tx, ask.at, token, token.args_s256, by, page and page(tx))
            )
        )
        shown, user = _shown(redeemed), redeemed.user
        return answer({**shown, "external_id": user.external_id} if user else shown)

    async def report(self, ask: Ask) -> Response:
        """Note the outcome of a redeemed call (GUARD-5)."""
        by, page = await self._redeemer(ask)
        outcome = _OUTCOMES.get(str((await ask.json({"outcome": str}))["outcome"]))
        if outcome is None:
            raise Refused(Code.INVALID_REQUEST, "`outcome` is `succeeded`, `failed` or `unknown`.")
        call_id = _call_id(ask)
        return await self._transact_and_show(
            ask, lambda tx: redemptions.report(tx, call_id, outcome, by, ask.now, page and page(tx))
        )

    async def _page(self, ask: Ask) -> Callable[[Reader], PageCall]:
        look, proof = await ask.page_session()
        return lambda tx: PageCall(_call_id(ask), look(tx).user_id, proof)

    async def _redeemer(self, ask: Ask) -> tuple[Executes, Callable[[Reader], PageCall] | None]:
        """Tell who redeems: a guard by its registered key (PROOF-4), else the page (GUARD-3)."""
        if not ask.has("deputize-guard"):
            return Executes.PAGE, await self._page(ask)
        proof = ask.proof("deputize-guard")
        if proof.jkt not in ask.authority.guard_keys:
            raise Refused(Code.REDEEMER_NOT_ALLOWED, "This key is not registered for the site's API.")
        await ask.use_once(proof)
        return Executes.API, None

    async def _transact_and_show(self, ask: Ask, fn: Callable[[Tx], Answered | Refusal]) -> Response:
        return answer(_shown(or_refuse(await ask.authority.store.transact(fn))))

    def _answer(self, ask: Ask, made: Answered) -> Response:
        """Answer an approved call with its token, a pending one with what is to be shown (CALL-3)."""
        shown = _shown(made)
        if made.call.state is State.PENDING:
            return answer(shown, 202)
        token = ask.authority.call_token(made.call, ask.now)
        return answer({**shown, "call_token": token, "expires_in": CALL_TOKEN_LIFETIME})


def _shown(made: Answered) -> dict[str, object]:
    """Write a call, and who makes it: in full where a human is asked."""
    agent, asked = made.standing.agent, made.call.state is State.PENDING
    return wire.call(made.call, wire.caller(agent, made.standing.lineage if asked else ()) if agent else None)


def _call_id(ask: Ask) -> CallId:
    return CallId(ask.request.path_params["call_id"])


def _tool_name(value: object) -> str:
    name = str(value)
    if not is_tool_name(name):
        raise Refused(Code.INVALID_REQUEST, "A tool name matches [A-Za-z0-9_.-]{1,128}.")  # HASH-2
    return name


def _digest(value: object) -> str:
    text = str(value)
    try:
        if len(unb64u(text)) == 32:
            return text
    except ValueError:
        pass
    raise Refused(Code.INVALID_REQUEST, "`definition_s256` is a base64url SHA-256.")


def _call_ids(value: object) -> tuple[CallId, ...]:
    if (
        not isinstance(value, list)
        or len(value) > MAX_DELIVERED
        or not all(is_id("cal", item) for item in value)
    ):
        raise Refused(Code.INVALID_REQUEST, f"`delivered` is a list of at most {MAX_DELIVERED} call ids.")
    return tuple(CallId(str(item)) for item in value)
