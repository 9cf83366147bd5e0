"""What people read who open a page and are refused: what has happened, and what they can do (SHIM-10)."""

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...protocol.errors import Refusal
from ...protocol.policy import Site
from ...protocol.quota import retry_after
from ...words.catalogue import language_of, words
from ..refusals import later
from . import message


class _Page(Response):
    """A page that says one thing, made when it is sent: only then it is known who reads it, and in which language."""

    def __init__(self, site: Site, refusal: Refusal) -> None:
        super().__init__(status_code=refusal.code.status)
        self._site = site
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        language = language_of(Headers(scope=scope).get("accept-language", ""))
        page = _told(self._site, self._refusal, language)
        page.headers.update({**self.headers, **page.headers})
        await page(scope, receive, send)


def refused(site: Site, refusal: Refusal) -> Response:
    """Answer a refusal as a page, in words for people."""
    return later(_Page(site, refusal), refusal)


def _told(site: Site, refusal: Refusal, language: str) -> Response:
    said = words(language)
    name = f"refused-page-{refusal.code.value.replace('_', '-')}"
    wait = retry_after(refusal)
    taken = {"wait": said.duration(int(wait))} if wait is not None else {}
    known = name in said and said.taken(name) <= taken.keys()
    return message(site, language, name if known else "refused-page", refusal.code.status, **taken)
