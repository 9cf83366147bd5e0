"""Who calls over MCP: a delegation with its proof, evidence in the message, or the machine's one user."""

from dataclasses import replace

from starlette.requests import Request

from ...crypto import dpop
from ...fetching.addresses import is_loopback
from ...protocol.agent import Assurance
from ...protocol.canonical import args_s256
from ...protocol.errors import Code, Refused
from ...protocol.ids import UserId
from ...protocol.proof import Proof
from ...protocol.token import Delegation
from ...service.calls.request import Principal
from ..context import Context
from .exchange import Exchange
from .line import Line
from .messages import CALL, CHALLENGE, Message

EVIDENCE = "dev.deputize/delegation"
_OF_PROXIES = frozenset({"forwarded", "via", "x-real-ip"})
_TOOL_IN = {CALL: "name", CHALLENGE: "toolName"}


async def authenticate(context: Context, message: Message, line: Line) -> Exchange:
    """Tell who sends a message (MCP-2, MCP-3); Refused(invalid_token, invalid_dpop_proof, wrong_user, …).

    That is what needs no store. Session and grants are read in the transaction that decides.
    """
    exchange = Exchange(context, message, await _connection(context), line)
    by = exchange.principal
    evidence = _evidence(context, message)
    if by.connection is not None and by.connection.assurance is Assurance.OPAQUE and not by.unproven:
        exchange.session = await context.session()  # CALL-2: one in a browser is nobody without its session
    if evidence is not None:
        delegation, proof = evidence
        if delegation.user_id != by.user_id:
            raise Refused(Code.WRONG_USER, "Another user deputized this agent than the one who is connected.")
        exchange.principal = replace(by, delegation=delegation, proofs=(*by.proofs, proof))
    return exchange


async def _connection(context: Context) -> Principal:
    values = context.headers("authorization")
    if not values and (user_id := await _single_user(context)) is not None:
        return Principal(user_id, None)
    scheme, _, token = values[0].partition(" ") if values else ("", "", "")
    bearer = scheme.lower() == "bearer" and context.authority.policy.bearer  # BEARER-5
    if len(values) != 1 or not (bearer or scheme.lower() == "dpop"):
        raise Refused(
            Code.INVALID_TOKEN, "Send one delegation token, as `Authorization: DPoP …`, and a DPoP proof."
        )
    delegation = context.authority.delegation(token, context.now, over_mcp=True)
    if delegation.bearer is not bearer:  # BEARER-1; RFC 9449 §7.1: a bound token is no bearer token
        raise Refused(Code.INVALID_TOKEN, "Send this token as what it is: as DPoP or Bearer.")
    proofs = () if bearer else (context.proof("dpop", access_token=token, jkt=delegation.jkt),)
    return Principal(delegation.user_id, delegation, proofs, delegation.unproven, delegation)


def _evidence(context: Context, message: Message) -> tuple[Delegation, Proof] | None:
    """Read an attested agent's evidence for this very call (MCP-3, EVID-2); None if there is none."""
    value = message.meta.get(EVIDENCE)
    if message.method not in _TOOL_IN or value is None or value == "":
        return None
    token, tilde, proof = value.partition("~") if isinstance(value, str) else ("", "", "")
    if not tilde:
        raise Refused(Code.INVALID_TOKEN, f'`_meta["{EVIDENCE}"]` is a token, a tilde and a proof.')
    delegation = context.authority.delegation(token, context.now)
    if delegation.assurance is Assurance.OPAQUE:
        raise Refused(Code.INVALID_TOKEN, "An agent without keys of its own has no evidence to give.")
    arguments = message.params.get("arguments")
    bound = {
        "tool": str(message.params.get(_TOOL_IN[message.method])),
        "args_s256": args_s256({} if arguments is None else arguments),
    }
    url = f"{context.authority.policy.site.issuer}/calls"
    verified = dpop.verify(
        [proof], "POST", url, context.now, access_token=token, jkt=delegation.jkt, bound=bound
    )
    return delegation, verified


def _is_from_here(request: Request, issuer: str) -> bool:
    """Tell whether a program of this machine sent a request, itself and knowingly (MCP-4).

    A name that leads here only since its owner turned it round (DNS rebinding) shows in `Host`; the numbers of this
    machine are no names. What a proxy or a tunnel brings has come from somewhere else, though the last step was a
    short one.
    """
    peer, headers = request.client, request.headers
    own = issuer.split("/")[2]
    hosts = [host.lower() for host in headers.getlist("host")]
    return (
        peer is not None
        and is_loopback(peer.host)
        and hosts in ([own], *([own.replace("localhost", number)] for number in ("127.0.0.1", "[::1]")))
        and not any(name in _OF_PROXIES or name.startswith("x-forwarded-") for name in headers)
    )


async def _single_user(context: Context) -> UserId | None:
    """Find, or make, the user of this machine, for its own requests (MCP-4); None if there is none."""
    name = context.authority.policy.single_user
    if name is None or not _is_from_here(context.request, context.authority.policy.site.issuer):
        return None
    return (await context.site_user(name, name)).user_id
