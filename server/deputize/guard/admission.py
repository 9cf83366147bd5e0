"""The order in which a guard admits a call, written once for all that guards stand in (GUARD-1)."""

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from ..crypto import jwt
from ..protocol.canonical import JsonError, args_s256
from ..protocol.errors import Code, Refused
from ..protocol.ids import CallId, ClientId, UserId
from ..protocol.scope import ScopeSet
from ..protocol.token import CALL_TYP, CallToken
from .point import Arguments


@dataclass(frozen=True, slots=True)
class GuardedCall:
    """The call that a handler runs for.

    `client_id` is the agent's, None if the user called himself. `external_id` is the user's id in the site's own login
    (`SiteUser.id`), None where users sign in at deputize. A handler that takes its arguments from here, and from
    nowhere else, does what was approved.
    """

    call_id: CallId
    user_id: UserId
    external_id: str | None
    client_id: ClientId | None
    scopes: ScopeSet
    arguments: Arguments  # by this name, or FastAPI ends in a recursion where somebody forgets `Depends`
    tool: str


@dataclass(frozen=True, slots=True)
class NeedsKey:
    """Asks for the authority's public key of this id, None if it has none."""

    kid: str


@dataclass(frozen=True, slots=True)
class NeedsArguments:
    """Asks for the arguments that are about to run, for this tool."""

    tool: str


@dataclass(frozen=True, slots=True)
class NeedsRedemption:
    """Asks for the redemption of a verified call token, spelled `text`; its answer is the user's external id."""

    token: CallToken
    text: str
    args_s256: str


Step = NeedsKey | NeedsArguments | NeedsRedemption


def admission(
    issuer: str, audience: str, clock: Callable[[], float], tools: Collection[str], texts: Sequence[str]
) -> Generator[Step, Any, GuardedCall]:
    """Verify and redeem the call of which a request carries these tokens, where one of these tools runs.

    It yields what it needs, is sent it, and returns the call, which then has to run, once. Refused if it must not run.

    1. There is a `Txn-Token`.
    2. It is a valid call token for this audience.
    3. It is for one of the tools.
    4. Its digest is that of the arguments that are about to run.
    5. It is redeemed.
    """
    if not texts:  # 1
        raise Refused(
            Code.MISSING_CALL_TOKEN, "This API runs approved calls only: send a call token as Txn-Token."
        )
    if len(texts) > 1:  # 2
        raise Refused(Code.INVALID_CALL_TOKEN, "Send one call token.")
    text = texts[0]
    unverified = jwt.parse(text, code=Code.INVALID_CALL_TOKEN)
    key = yield NeedsKey(jwt.key_id(unverified, CALL_TYP, code=Code.INVALID_CALL_TOKEN))
    claims = jwt.check(unverified, key, code=Code.INVALID_CALL_TOKEN)
    token = CallToken.parse(claims, issuer, audience, int(clock()))
    if token.tool not in tools:  # 3
        raise Refused(
            Code.CALL_WRONG_TOOL,
            f"This call token is for the tool {token.tool}, and this is {' or '.join(sorted(tools))}.",
        )
    arguments = yield NeedsArguments(token.tool)
    try:
        digest = args_s256(arguments)
    except JsonError as error:
        raise Refused(Code.INVALID_ARGUMENTS, f"The arguments are not JSON: {error.reason}.") from error
    if digest != token.args_s256:  # 4
        raise Refused(
            Code.ARGUMENT_HASH_MISMATCH, "These are not the arguments that the call was allowed for."
        )
    token.check_expiry(int(clock()))  # 2, once more: the body may have taken its time
    external_id = yield NeedsRedemption(token, text, digest)  # 5
    return GuardedCall(
        token.call_id, token.user_id, external_id, token.client_id, token.scopes, arguments, token.tool
    )
