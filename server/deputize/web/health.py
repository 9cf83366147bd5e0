"""Whether it runs, and how: `/healthz`, `/readyz` and `/metrics`, for whoever runs it."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import PlainTextResponse, Response

from ..protocol.errors import Code, Refused
from .context import Context


async def healthz(context: Context) -> Response:
    """Answer that the process runs."""
    return PlainTextResponse("ok\n")


async def metrics(context: Context) -> Response:
    """Answer counts and times only."""
    return Response(generate_latest(context.log.registry), media_type=CONTENT_TYPE_LATEST)


async def readyz(context: Context) -> Response:
    """Answer that a decision could be recorded now; 503 with what is wrong if not (READY-1).

    Some things do not end that, but are told of: the policy or the keys before a file that is not good are in force
    (POLICY-2, TOKEN-6), the clock went back (CLOCK-2), what wraps the users' keys is missing (SEAL-5), and the database
    is still being looked through (READY-5).
    """
    authority = context.authority
    health, wrapping = await authority.store.health(), authority.wrapping_fault
    told = {
        "under the policy of before: its file has a fault": authority.fault is not None,
        "with the keys of before: their file has a fault": authority.keys.fault is not None,
        "its clock went back": authority.clock.fault is not None,
        "its newest checkpoint cannot be kept outside the database": authority.head.fault is not None,
        f"without what wraps the users' keys: {wrapping}": wrapping is not None,
        "checking the database, which was not closed the last time": health.checking,
    }
    besides = [said for said, true in told.items() if true]
    if health.fault is not None:
        why = "; besides, ".join([f"Nothing can be recorded now: {health.fault}", *besides])
        raise Refused(Code.RECORD_UNAVAILABLE, f"{why}.")
    return PlainTextResponse(", but ".join(["ready", *besides]) + "\n")
