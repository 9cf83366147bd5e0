"""`/findings`: what the shim in a page of the site finds wrong there, for those who run and build it (PROTOCOL §21).

It needs no session, so anybody can send it. It is counted and told, and decides nothing.
"""

from typing import Annotated

from starlette.responses import Response

from ..protocol.errors import Code, Refused
from ..protocol.finding import Finding
from .context import Context
from .endpoint import SCRIPT
from .saying import tell
from .types import Closed, said

MOST = 32
"""How many may be told at once."""


class Found(Closed):
    """What is wrong, and where: with a tool, in a context, a form or a frame (PAGE-1)."""

    finding: Finding
    name: str | None = None
    where: str | None = None


class Findings(Closed):
    """What a page has found; `page` is the path of its address."""

    page: str
    findings: Annotated[list[Found], said(maxItems=MOST)]


async def take(context: Context, body: Findings) -> None:
    """Count and log what a page has found; Refused(invalid_request) if that is more than fits."""
    if len(body.findings) > MOST:
        raise Refused(Code.INVALID_REQUEST, f"At most {MOST} findings are told at once.")
    tools = context.authority.policy.tools
    for each in body.findings:
        if each.finding is Finding.UNKNOWN_TOOL and each.name in tools:
            continue  # the policy has changed since
        known = each.name is None or each.name in tools
        facts = {"tool": each.name, "where": each.where, "page": body.page}
        tell(context, each.finding, each.name, known, facts)


async def blocked(context: Context) -> Response:
    """Answer an empty script, which a page asks for that may not send anything else: its own policy forbids it."""
    tell(context, Finding.BLOCKED, None, True, {"where": "connect-src"})
    return Response(b"export {};\n", media_type=SCRIPT)
