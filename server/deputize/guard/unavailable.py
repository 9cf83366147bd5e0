"""An authority that is of no use to a guard: what clients hear (GUARD-6), and what its owner is to look at."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..protocol.canonical import Json
from ..protocol.errors import Code, Refused

_LOG = logging.getLogger("deputize.guard")
_MAX_TEXT = 400  # characters of what the authority says
_REACH = (
    "Is the authority there, and is this its address? It is made of `issuer`, under [site] in the policy."
)
_ADDRESS = "Is this the authority's address, or does a proxy in front of it lead elsewhere?"
_KEY = "`deputize guard public` prints what belongs there."
_CLOCK = "Set the clock of this machine right."
_PROOF = (
    "The guard and the authority have to have the same `issuer`, and nothing between them may change the "
    "address or the headers of a request."
)
_CURES = {Code.REDEEMER_NOT_ALLOWED: _KEY, Code.VERSION_SKEW: "", Code.SERVER_ERROR: "Its log tells more."}


class Unavailable(Refused):
    """The authority does not answer as it should. `why` and `cure` are for who runs the API, and for nobody else."""

    def __init__(self, what: str, why: str = "", cure: str = _ADDRESS) -> None:
        """Say `what` to the client; nothing in it is of use to a stranger."""
        super().__init__(
            Code.AUTHORITY_UNAVAILABLE,
            f"Nothing was done: the authority {what}. Try again later; whoever runs this API finds more in its log.",
        )
        self.why = why or f"the authority {what}"
        self.cure = cure


def not_reached(error: Exception) -> Unavailable:
    """Make it of what failed on the way there."""
    return Unavailable("cannot be reached", f"{type(error).__name__} {_shown(str(error))}".strip(), _REACH)


def refused_us(problem: Mapping[str, Json]) -> Unavailable:
    """Make it of what the authority says of the guard's own request."""
    code, detail = str(problem.get("code"))[:64], problem.get("detail")
    why = f"it refused this guard ({_shown(code)}): {_shown(detail) if isinstance(detail, str) else ''}"
    if code == Code.INVALID_DPOP_PROOF:
        cure = _CLOCK if "now" in problem else _PROOF
    else:
        cure = next((cure for known, cure in _CURES.items() if known == code), _ADDRESS)
    return Unavailable(f"refused this guard ({code})", why, cure)


@contextmanager
def explained(method: str, url: str) -> Iterator[None]:
    """Log why the authority is of no use where that is raised, or that it does not know the guard's key."""
    try:
        yield
    except Unavailable as refused:
        _tell(method, url, refused.why, refused.cure)
        raise
    except Refused as refused:
        if refused.refusal.code is Code.REDEEMER_NOT_ALLOWED:
            _tell(method, url, _shown(refused.refusal.detail), _KEY)
        raise


def _tell(method: str, url: str, why: str, cure: str) -> None:
    _LOG.error("%s", f"{method} {url}: {why.rstrip('.: ')}. {cure}".rstrip())


def _shown(text: str) -> str:
    """Write what somebody else said in letters that hide nothing."""
    return ascii(text[:_MAX_TEXT])[1:-1]
