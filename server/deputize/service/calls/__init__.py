"""The way of one call, from a page or over MCP (PROTOCOL §5 to §7, §15). Each function is one transaction, or reads one
snapshot; refusals in a transaction are values.

A `CallRequest` says who calls what; its `Way` is all that pages and MCP differ by. It is decided (`arriving`,
`deciding`) by what `standing` has read; `meeting` finds an equal one, `approving` has challenges and approvals,
`redeeming` lets it run once, `outcomes` notes what became of it, and `carrying_over` puts it under a newer grant.
"""

from .answers import Answered, Denied, Shown
from .approving import approve, challenge, challenge_ahead, check, check_ahead, needs_check
from .arriving import create
from .moves import expire
from .outcomes import call_off, cancel, deliver, deny, look, note, report
from .principal import Principal
from .redeeming import is_redeemable, redeem
from .request import MCP, PAGE, CallRequest, PageCall
from .standing import standing_of

__all__ = [
    "MCP",
    "PAGE",
    "Answered",
    "CallRequest",
    "Denied",
    "PageCall",
    "Principal",
    "Shown",
    "approve",
    "call_off",
    "cancel",
    "challenge",
    "challenge_ahead",
    "check",
    "check_ahead",
    "create",
    "deliver",
    "deny",
    "expire",
    "is_redeemable",
    "look",
    "needs_check",
    "note",
    "redeem",
    "report",
    "standing_of",
]
