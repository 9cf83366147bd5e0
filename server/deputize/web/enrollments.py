"""`/account/enrollment-window`: the user lets a passkey be added over MCP, for five minutes (CRED-7)."""

from starlette.responses import Response

from ..protocol.errors import or_refuse
from ..service import enrollments
from . import wire
from .ask import Ask
from .problems import answer


async def challenge(ask: Ask) -> Response:
    """Mint the challenge, at the user's click."""
    who = await ask.must_be_here()
    authority = ask.authority
    minted = or_refuse(
        await authority.store.transact(lambda tx: enrollments.window_challenge(tx, ask.at, who.user_id))
    )
    return answer(wire.envelope(minted, ask.now))


async def approve(ask: Ask) -> Response:
    """Take the assertion, and open the window."""
    who = await ask.must_be_here()
    evidence = await ask.evidence()
    authority = ask.authority
    verdict = await authority.store.read(
        lambda tx: enrollments.check_window(tx, ask.at, who.user_id, evidence)
    )
    until = or_refuse(
        await authority.store.transact(lambda tx: enrollments.open_window(tx, ask.at, who.user_id, verdict))
    )
    return answer({"open_until": until})


async def close(ask: Ask) -> Response:
    """Close the window; no passkey is asked for."""
    who = await ask.must_be_here()
    await ask.authority.store.transact(lambda tx: enrollments.close_window(tx, who.user_id, ask.now))
    return Response(status_code=204)
