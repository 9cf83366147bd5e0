"""How a client hears that a call waits for its user, who answers on the authority's own page (MCP-15).

Whatever the client says of him decides nothing: that he is on his way there is no approval, and that he is not takes
the question back.
"""

from ...protocol.call import Call
from ...protocol.errors import Code, Refused
from ...protocol.policy import Policy
from ...words.catalogue import words
from .exchange import Exchange
from .messages import MODERN

_ANSWERS = "inputResponses"
_STATE = "requestState"
_KEY = "approval"


def withdrawn(exchange: Exchange) -> bool:
    """Tell whether a client says that its user will not answer (2026-07-28)."""
    answers = exchange.message.params.get(_ANSWERS) if _is_modern(exchange) else None
    answer = answers.get(_KEY) if isinstance(answers, dict) else None
    return isinstance(answer, dict) and answer.get("action") in ("decline", "cancel")


def continued(exchange: Exchange) -> bool:
    """Tell whether a message goes on with an earlier one, after its question was shown (2026-07-28)."""
    return _is_modern(exchange) and bool({_ANSWERS, _STATE} & exchange.message.params.keys())


def question(exchange: Exchange, call: Call) -> dict[str, object]:
    """Say where the user answers: a result that wants input, or Refused(url_elicitation_required, missing_evidence)."""
    context = exchange.context
    policy = context.authority.policy
    url = f"{policy.site.issuer}/ask/{call.call_id}"
    if not exchange.asks.by_url:
        facts = {"url": url, "call_id": call.call_id}
        raise Refused(
            Code.MISSING_EVIDENCE,
            "The evidence of the approval is missing. Show the user this address, where they approve, and when they "
            f"have, call again with the same arguments: {url}",
            **facts,
        )
    elicitation = {"mode": "url", "url": url, "message": _said(policy, context.at.language)}
    if _is_modern(exchange):
        request = {"method": "elicitation/create", "params": elicitation}
        return {"resultType": "input_required", "inputRequests": {_KEY: request}}
    raise Refused(
        Code.URL_ELICITATION_REQUIRED,
        "The user has to approve this first, at the address below. Then call again with the same arguments.",
        elicitations=[{**elicitation, "elicitationId": call.call_id}],
    )


def still_waits(call: Call) -> dict[str, object]:
    """Say that the user has not answered yet, to a client that has shown him where."""
    return {"resultType": "input_required", _STATE: call.call_id}


def _is_modern(exchange: Exchange) -> bool:
    """Tell whether its client can be asked for input, in a result."""
    return exchange.asks.by_url and exchange.context.header("mcp-protocol-version") == MODERN


def _said(policy: Policy, language: str) -> str:
    return words(language)("mcp-waits", site=policy.site.name)
