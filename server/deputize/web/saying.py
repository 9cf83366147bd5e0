"""What a page says of itself, on its way to the owner: who may say it, and how it is told (PROTOCOL §21)."""

from collections.abc import Mapping

from ..protocol.errors import Code, Refused
from ..protocol.finding import Finding
from ..protocol.question import Surface
from ..protocol.quota import Quota
from ..words.catalogue import DEFAULT, words
from .context import Context

_MAX_TEXT = 128  # characters that are kept of what a page calls something
_ISOLATES = str.maketrans("", "", "\u2068\u2069")


async def of_the_site(context: Context) -> None:
    """Know nobody, but that a browser says that a page of the site sends this (PAGE-3).

    Refused(cross_site_request), Refused(too_many_requests), both quietly: a flood fills no log.
    """
    try:
        context.take(Quota.FINDINGS)
        named, site = context.has("origin"), context.header("sec-fetch-site")
        # A browser names the origin but where it gets something of the page's own.
        near = (None, "same-origin", "same-site") if named else ("same-origin",)
        if not told_origin(context) or site not in near:
            raise Refused(Code.CROSS_SITE_REQUEST, "Only pages of the site tell what is wrong with them.")
    except Refused as refused:
        refused.quietly = True
        raise


def told_origin(context: Context) -> bool:
    """Tell whether a request names no other origin than ours; where it does, so does the log (PAGE-5)."""
    origin = context.header("origin")
    if origin is None or origin in context.authority.origins[Surface.EITHER]:
        return True
    tell(context, Finding.WRONG_ORIGIN, origin, False, {"origin": origin})
    return False


def tell(
    context: Context, finding: Finding, about: str | None, known: bool, facts: Mapping[str, str | None]
) -> None:
    """Hand on what a page says, with the sentence for it, in letters that hide nothing (PAGE-4).

    `about` and `known` are those of `Log.page_says`.
    """
    told = {name: _shown(text) for name, text in facts.items() if text is not None}
    site, say = context.authority.policy.site, words(DEFAULT)
    taken = {
        "name": f"“{told.get('tool', '?')}”",
        "where": told.get("where", "?"),
        "origin": told.get("origin", site.origin),
        "issuer": site.issuer,
    }
    sentences = (say(message, **taken) for message in (finding.message, f"{finding.message}.cure"))
    told["message"] = " ".join(sentences).translate(_ISOLATES)
    context.log.page_says(finding, about and _shown(about), known, context.now, told)


def _shown(text: str) -> str:
    """Write a stranger's text in ASCII, cut off where it gets long."""
    return ascii(text[:_MAX_TEXT])[1:-1][:_MAX_TEXT]
