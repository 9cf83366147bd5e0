"""`/account/enrollment-window`: the user lets a passkey be added over MCP, for five minutes (CRED-7)."""

from starlette.responses import Response

from ..protocol.errors import or_refuse
from ..service import enrollments
from . import wire
from .ask import Ask
from .problems import answer

_TEXT = "For the next five minutes, let an app that acts for you add one passkey to your account"


async def challenge(ask: Ask) -> Response:
    """Mint the challenge, at the user's click."""
    who = await ask.must_be_here()
    authority = ask.authority
    site = authority.policy.site
    minted = or_refuse(
        await authority.store.transact(lambda tx: enrollments.window_challenge(tx, ask.at, who.user_id))
    )
    return answer(wire.envelope(minted, _TEXT, site.rp_id, ask.now))


async def approve(ask: Ask) -> Response:
    """Take the assertion, and open the window."""
    who = await ask.must_be_here()
    evidence = await ask.json({}, {"method": str, "challengeId": str, "response": dict})
    authority = ask.authority
    verdict = await authority.store.read(
        lambda tx: enrollments.check_window(tx, ask.at, who.user_id, evidence, authority.ceremonies)
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
