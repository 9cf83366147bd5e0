"""What people read who open a page and are refused: what has happened, and what they can do (SHIM-10)."""

from starlette.requests import Request
from starlette.responses import Response

from ...protocol.errors import Refusal
from ...protocol.policy import Site
from ...protocol.quota import retry_after
from ...words.catalogue import language_of, words
from ..pages import message


def as_page(refusal: Refusal, request: Request, site: Site) -> Response:
    """Answer a page, in words for people: those of the refusal itself, else of its code, else of any."""
    language = language_of(request.headers.get("accept-language", ""))
    said, wait = words(language), retry_after(refusal)
    takes = said.variables
    taken = {"detail": said.quoted(refusal.detail)}
    if wait is not None:
        taken["wait"] = said.duration(int(wait))
    own = (refusal.told, refusal.code.value.replace("_", "-"))
    names = [f"refused-page-{each}" for each in own if f"refused-page-{each}" in takes]
    name = next((each for each in names if takes[each] <= taken.keys()), "refused-page")
    return message(site, language, name, refusal.code.status, **taken)
