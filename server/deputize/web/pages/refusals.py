"""What people read who open a page and are refused: what has happened, and what they can do (SHIM-10)."""

from starlette.responses import Response

from ...protocol.errors import Code, Refusal
from ...protocol.policy import Site
from ..problems import later
from . import message

_NOTHING = ("There is nothing here", "No page has this address. Check it, or go back to where you found it.")
_WORDS = {
    Code.NOT_FOUND: _NOTHING,
    Code.METHOD_NOT_ALLOWED: _NOTHING,
    Code.URI_TOO_LONG: ("This link is too long", "Go back to where you found it, and try again."),
    Code.HEADERS_TOO_LARGE: (
        "Too many cookies",
        "Your browser sends more than this site takes. Delete its cookies and those of its domain, then sign in again.",
    ),
    Code.RECORD_UNAVAILABLE: (
        "Not now",
        "This site cannot write down what is done here, so it has done nothing. Open this page again in a few minutes.",
    ),
    Code.OUTCOME_UNKNOWN: (
        "Not now",
        "It is not known whether this site wrote down what you did. Open this page again in a few minutes, to see.",
    ),
    Code.SERVER_ERROR: (
        "Something went wrong here",
        "It is this site's fault, and has been noted. Open this page again in a moment.",
    ),
}
_TITLES = {Code.USER_BLOCKED: "Not here", Code.TOO_MANY_REQUESTS: "Not now"}


def refused(site: Site, refusal: Refusal) -> Response:
    """Answer a refusal as a page. Where no words for people are here, the refusal's own are such."""
    title = _TITLES.get(refusal.code, "This page cannot be shown")
    title, text = _WORDS.get(refusal.code, (title, refusal.detail))
    return later(message(site, title, text, refusal.code.status), refusal)
