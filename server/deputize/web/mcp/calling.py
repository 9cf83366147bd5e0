"""`tools/list` and `tools/call`: decide, check the evidence, record, run, tell (MCP-5, MCP-9, MCP-11, MCP-12)."""

from collections.abc import Awaitable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from time import perf_counter

from ...authority.authority import Authority, Current
from ...detached import apart
from ...log.log import Log
from ...protocol.arguments import request_for
from ...protocol.call import Call, State
from ...protocol.canonical import Json, b64u
from ...protocol.credential import User
from ...protocol.errors import Code, Refusal, Refused
from ...protocol.question import Surface
from ...protocol.scope import ScopeSet
from ...protocol.tool import Tool, is_tool_name
from ...service.approvals import Verdict
from ...service.calls import approving, arrivals, endings, redemptions
from ...service.calls.answers import Answered, Denied
from ...service.calls.request import MCP, MCP_ASKING, NOBODY, CallRequest, Principal, Way
from ...service.calls.standing import enter
from ...service.moment import Moment
from ...service.ports import Tx
from ..refusals.rpc import as_result
from . import asking, handling, running
from .contents import Untellable, as_error, check, fitting
from .declaring import Asks
from .exchange import Exchange
from .handling import Handling, Ran
from .holding import until_answered
from .offers import ANNOTATION, HandledCall, Offer, Offers
from .progress import Progress
from .running import Gateway
from .underway import Underway

CHAIN = "dev.deputize/call"
_AFTER_EVIDENCE = frozenset({Code.INVALID_ARGUMENTS, Code.NO_ELIGIBLE_CREDENTIAL})


@dataclass(frozen=True, slots=True)
class Calling:
    """The methods of one authority. Each takes an exchange and returns a result, or raises Refused."""

    current: Current
    log: Log
    offers: Offers
    gateway: Gateway
    handling: Handling = field(default_factory=Handling)
    underway: Underway = field(default_factory=Underway)

    async def list_tools(self, exchange: Exchange) -> dict[str, object]:
        """`tools/list`: one page, so that nobody has a cursor from here."""
        if exchange.message.params.get("cursor") is not None:
            raise Refused(
                Code.INVALID_ARGUMENTS, "There is no such cursor: all tools are in the first answer."
            )
        who, offers = exchange.principal, self.offers.all(exchange.context.authority.policy)
        return {"tools": [offer.listed(_by_evidence(who, offer.tool)) for offer in offers]}

    def input_schema(self, name: str) -> dict[str, Json] | None:
        """Return the schema of a tool, to which headers may be held that repeat arguments (2026-07-28)."""
        offer = self.offers.find(self.current().policy, name)
        return offer.input_schema if offer else None

    def call_off(self, exchange: Exchange) -> None:
        """`notifications/cancelled` (MCP-20)."""
        if not exchange.is_modern:
            self.underway.call_off(exchange)

    async def call_tool(self, exchange: Exchange) -> dict[str, object]:
        """`tools/call` (MCP-9; SEP-2672 §4.5, §4.8)."""
        result = await self._called(exchange)
        tool = exchange.context.authority.policy.tools.get(str(exchange.message.params.get("name")))
        return fitting(result, tool.output_schema if tool is not None else None)

    async def _called(self, exchange: Exchange) -> dict[str, object]:
        context, arguments = exchange.context, exchange.message.params.get("arguments")
        evidence = exchange.message.meta.get(ANNOTATION)
        way = _way(exchange, evidence)
        request, offer = exchange.call(self.offers, "name", {} if arguments is None else arguments, way)
        if not is_tool_name(request.tool):  # HASH-2
            raise Refused(Code.UNKNOWN_TOOL, "A tool name matches [A-Za-z0-9_.-]{1,128}.")
        if offer is not None and offer.handler is not None and offer.tool.public:
            return await self._call_public(exchange, offer, request)
        started = perf_counter()
        verdict: Verdict | None = None
        if evidence is not None:
            verdict = await context.verdict(approving.check_ahead, request, evidence)
        try:
            made: Answered | Denied
            if way.waits and asking.withdrawn(exchange):
                made = await exchange.run(endings.withdraw, request)
            else:
                made = await exchange.run(arrivals.create, request, verdict)
        except Refused as refused:
            if refused.refusal.code not in (Code.TOO_MANY_REQUESTS, Code.CANCELLED):
                raise
            self.log.refused(context.request, refused.refusal)
            return as_result(refused.refusal, None)  # for the model, which can wait
        if isinstance(made, Denied):
            return self._denied(exchange, made, request)
        self.log.decided(made.call, started)
        if made.call.state is State.PENDING:
            if asking.continued(exchange):
                await until_answered(context, made.call, exchange.line)
                return asking.still_waits(made.call)
            return asking.question(exchange, made.call)
        assert offer is not None  # or it were denied
        return await self._run(exchange, offer, request, made)

    def _denied(self, exchange: Exchange, denied: Denied, request: CallRequest) -> dict[str, object]:
        """Answer a refused call: by an error where the proposal, MCP or HTTP have one, else in a result (MCP-7)."""
        self.log.denied(denied.call_id, denied.refusal)
        refusal = denied.refusal
        if exchange.asks is Asks.NONE and refusal.code in _AFTER_EVIDENCE:
            refusal = approving.lacking(exchange.context.at, request, refusal)
        in_rpc = refusal.code.is_reason or refusal.code is Code.UNKNOWN_TOOL
        if in_rpc or exchange.is_for_connection(refusal):
            raise Refused.of(replace(refusal, facts={**refusal.facts, "call_id": denied.call_id}))
        return as_result(refusal, denied.call_id)

    async def _call_public(self, exchange: Exchange, offer: Offer, request: CallRequest) -> dict[str, object]:
        """Run a public tool, without any record (CALL-8)."""
        user = await exchange.run(_user, request.principal)
        if offer.tool.input_schema is not None and (
            fault := offer.tool.input_schema.fault(request.arguments)
        ):
            refusal = Refusal(Code.INVALID_ARGUMENTS, f"The arguments do not fit the tool: {fault}")
            return as_result(refusal, None)
        result, _ = await self._handle(exchange, offer, request, user, None)
        return result

    async def _run(
        self, exchange: Exchange, offer: Offer, request: CallRequest, made: Answered
    ) -> dict[str, object]:
        """Run a call that may run, and return its result with the chain of what made it so (MCP-11)."""
        authority = exchange.context.authority
        if offer.handler is not None and made.user is not None:
            result, left = await self._handle(exchange, offer, request, made.user, made.call)
            call = left or made.call
        else:
            result, call = await self._send(authority, offer.tool, request, made.call)
            result = self._held(exchange, result, offer)
        by = request.principal.delegation
        entries = dict.fromkeys((*made.entries, call.entry))
        chain: dict[str, object] = {
            "call_id": call.call_id,
            "agent": {"client_id": by.client_id, "assurance": by.assurance.value} if by else None,
            "grant_id": call.grant_id,
            "tool": call.tool,
            "args_s256": call.args_s256,
            "args_salt": b64u(call.salt),
            "approval": call.approval,
            "state": call.state.value,
            "entries": list(entries),
        }
        meta = result.get("_meta")
        return {**result, "_meta": {**(meta if isinstance(meta, dict) else {}), CHAIN: chain}}

    def _held(self, exchange: Exchange, result: dict[str, object], offer: Offer) -> dict[str, object]:
        """Hold what the site's API has answered to the tool's output schema (MCP-18)."""
        try:
            check(result, offer.tool.output_schema)
        except Untellable as error:
            self.log.failed(exchange.context.request, error)
            return as_error(
                f"The site's API has answered, but what it answered {error.why}. Check what was done."
            )
        return result

    async def _handle(
        self, exchange: Exchange, offer: Offer, request: CallRequest, user: User, call: Call | None
    ) -> tuple[dict[str, object], Call | None]:
        """Run a handler; CalledOff if nobody waits for it any more. What becomes of it is noted all the same."""
        assert offer.handler is not None
        delegation, progress = request.principal.delegation, Progress(exchange.progress_token)
        handled = HandledCall(
            call.call_id if call else None,
            user,
            delegation.client_id if delegation else None,
            delegation.grant_id if delegation else None,
            call.scopes if call else ScopeSet(),
            progress,
        )
        running = self.handling.begin(
            offer.handler,
            deepcopy(request.arguments),  # what it does with them is done to no call
            handled,
            offer.tool.output_schema,
            lambda error: self.log.failed(exchange.context.request, error),
        )
        noted = apart(self._noted(exchange.context.authority, running.ended, call))
        if not await self.underway.attend(exchange, noted, running.stop, progress):
            return handling.endless(handled), call
        ran, left = noted.result()
        return ran.result, left

    async def _noted(
        self, authority: Authority, ended: Awaitable[Ran], call: Call | None
    ) -> tuple[Ran, Call | None]:
        """Wait until a handler has ended, however long that takes, and note what has become of its call."""
        ran = await ended
        return ran, await self._note(authority, call, ran.outcome) if call is not None else None

    async def _note(self, authority: Authority, call: Call, outcome: State) -> Call:
        """Note what became of a call. What was done is told also if that cannot be noted."""
        at = authority.moment()
        try:
            return await authority.store.transact(lambda tx: redemptions.conclude(tx, at, call, outcome))
        except Refused as refused:
            self.log.note("outcome", correlation_id=call.call_id, code=refused.refusal.code)
            return call

    async def _send(
        self, authority: Authority, tool: Tool, request: CallRequest, call: Call
    ) -> tuple[dict[str, object], Call]:
        """Have the site's API do it; its guard redeems and reports (MCP-12)."""
        store, call_id = authority.store, call.call_id
        endpoint = tool.endpoint
        assert endpoint is not None  # or it had a handler
        sent = request_for(
            endpoint, tool.input_schema, request.arguments
        )  # it can be: CALL-1 has seen to that
        token = authority.call_token(call, authority.now())
        result = await self.gateway.send(authority.policy.api.origin(endpoint), sent, token)
        if result is None or "isError" in result:  # what was not redeemed by now is not to be done later
            at = authority.moment()
            left = await store.transact(lambda tx: endings.cancel(tx, at, call_id)) or call
            return result or running.unanswered(left.state), left
        found = await store.read(lambda tx: tx.call(call_id))
        left = found or call
        if left.state is State.APPROVED:
            self.log.note("unguarded", correlation_id=call_id, tool=call.tool, endpoint=str(endpoint))
        return result, left


def _by_evidence(who: Principal, tool: Tool) -> bool:
    """Tell whether calls of a tool may need an approval that evidence can bring: not where it counts elsewhere only."""
    return who.approves(tool) and tool.surface.has(Surface.PAGE)


def _way(exchange: Exchange, evidence: Json) -> Way:
    """Tell whether evidence comes with a call, or its user is asked elsewhere, where the policy takes that (MCP-15)."""
    takes = exchange.context.authority.policy.surface_of(str(exchange.message.params.get("name")))
    if evidence is not None or not takes.has(Surface.AUTHORITY):
        return MCP
    return MCP if exchange.asks.by_evidence and takes.has(Surface.PAGE) else MCP_ASKING


def _user(tx: Tx, at: Moment, who: Principal) -> User | Refusal:
    entered = enter(tx, at, who)
    return entered if isinstance(entered, Refusal) else tx.user(who.user_id) or NOBODY
