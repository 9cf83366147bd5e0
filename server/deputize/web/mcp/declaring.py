"""What a client has declared of itself, as far as answers depend on it, and the session id that carries it (MCP-16).

In 2026-07-28 each request declares it anew. Before, `initialize` does, once, and no process remembers it: it comes back
sealed in `Mcp-Session-Id`, which is no authority.
"""

from enum import StrEnum

from ...crypto.sealed import Sealer
from ...protocol.canonical import Json, s256
from ...protocol.errors import Code, Refusal
from ...service.calls.request import Principal
from .offers import ANNOTATION

SESSION = "mcp-session-id"
LIFETIME = 7 * 24 * 3600
"""Seconds for which a session id is good."""

LONGEST = 512
"""Characters of a session id; ours have half of that."""

UNKNOWN = Refusal(
    Code.NOT_FOUND, "This session is not known, or not any more. Initialize again, without `Mcp-Session-Id`."
)
_URL_SINCE = "2025-11-25"
_VERIFIED = ("verifiedApproval", ANNOTATION)
"""The proposal's name for it, and the one that a client can declare whose SDK takes names with a prefix only."""

_FORM = 1
"""The number of the form that the sealed value has."""


class Asks(StrEnum):
    """How a client has its user asked about a call that needs an approval.

    EVIDENCE: by itself, as SEP-2672 has it. URL: it can lead him to an address. NONE: it has declared neither.
    """

    EVIDENCE = "evidence"
    URL = "url"
    BOTH = "both"
    NONE = "none"

    @property
    def by_evidence(self) -> bool:
        """Tell whether it brings evidence, wherever that counts."""
        return self in (Asks.EVIDENCE, Asks.BOTH)

    @property
    def by_url(self) -> bool:
        """Tell whether it can lead its user to an address."""
        return self in (Asks.URL, Asks.BOTH)


def asks(capabilities: Json, version: str) -> Asks:
    """Read what a client of this version of the protocol declares."""
    if not isinstance(capabilities, dict):
        return Asks.NONE
    extensions, elicitation = capabilities.get("extensions"), capabilities.get("elicitation")
    verified = isinstance(extensions, dict) and any(
        isinstance(extensions.get(name), dict) for name in _VERIFIED
    )
    by_url = (
        isinstance(elicitation, dict) and isinstance(elicitation.get("url"), dict) and version >= _URL_SINCE
    )
    if verified:
        return Asks.BOTH if by_url else Asks.EVIDENCE
    return Asks.URL if by_url else Asks.NONE


def session_id(sealer: Sealer, issuer: str, who: Principal, declared: Asks) -> str | None:
    """Seal what a client declared, for this client of this user; None where there is nothing to remember."""
    if declared is Asks.NONE:
        return None
    return sealer.seal("mcp_session", [_FORM, _whose(issuer, who), declared.value])


def of_session(sealer: Sealer, issuer: str, who: Principal, lines: list[str]) -> Asks | None:
    """Read it back from the lines of the header, NONE without any; None if it is not good for who sends it."""
    if not lines:
        return Asks.NONE
    if len(lines) > 1 or len(lines[0]) > LONGEST:
        return None
    match sealer.open("mcp_session", lines[0], LIFETIME):
        case [int(form), str(whose), str(declared)] if form == _FORM and whose == _whose(issuer, who):
            return Asks(declared)
    return None


def _whose(issuer: str, who: Principal) -> str:
    """Name a client of a user at this authority, whatever grant it has by now."""
    client_id = who.connection.client_id if who.connection else ""
    return s256(f"{issuer}\0{who.user_id}\0{client_id}".encode())
