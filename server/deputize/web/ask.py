"""`/ask/{id}`: a question on the authority's own page, to its own user alone (APPR-12)."""

from typing import Annotated, Any

from msgspec import UNSET
from starlette.responses import Response

from ..protocol.call import State
from ..protocol.errors import Refused
from ..protocol.grant import Grant
from ..protocol.ids import UserId
from ..protocol.url import origin_of
from ..service import posed, questions
from ..service.calls.standing import standing_of
from ..service.moment import Moment
from ..service.ports import Reader
from ..service.posed import Posed
from ..words.consent import text_of
from .access import Who
from .answers import envelope
from .context import Context
from .pages import drawing
from .pages.returning import account_uri, sign_in
from .phone import Typed, TypedEvidence, typed
from .types import Closed, No, said, sent


class Became(Closed):
    """What has become of a question."""

    state: Annotated[str, said(enum=[*State, "active", "revoked"])]


async def page(context: Context) -> Response:
    """Show a question to its own user, and what became of it. Nothing is changed by that.

    To anybody else it is unknown, like one that never was: nobody learns whether there is one.
    """
    user = await context.user()
    if user is None:
        return sign_in(context)
    site, language = context.authority.policy.site, context.at.language
    shared: dict[str, Any] = {"csrf": context.csrf_token(user.user_id), "user": user}
    try:
        asked, drawn = await context.look(_read, user.user_id, context.named("asked_id"))
    except Refused:
        return drawing.page(site, "ask-unknown.html", language, 404, **shared)
    place, account = origin_of(site.issuer).partition("://")[2], account_uri(context)
    return drawing.page(
        site, "ask.html", language, asked=asked, place=place, account_uri=account, **shared, **drawn
    )


def _read(reader: Reader, at: Moment, user_id: UserId, asked_id: str) -> tuple[Posed, dict[str, Any]]:
    """Read a question and what its page draws of it; Refused where it is not this user's."""
    found = posed.find(reader, at, user_id, asked_id)
    if not isinstance(found, Posed):
        raise Refused.of(found)
    about = found.about
    if isinstance(about, Grant):
        text = text_of(about.shown)
        return found, {"asked_id": about.grant_id, "is_call": False, "text": text, "details": ()}
    standing, on_page = standing_of(reader, about), about.page_jkt is not None
    text = questions.of_call(at, questions.told_of(at, about), standing, on_page)
    details = questions.details_of(at, about)
    return found, {"asked_id": about.call_id, "is_call": True, "text": text, "details": details}


async def challenge(context: Context, user: Who[UserId], body: Typed) -> dict[str, object]:
    """Mint the challenge, at the user's click, for who has typed the digits if the question has some (PHONE-3)."""
    minted = await user.run(posed.challenge, context.named("asked_id"), typed(body.digits))
    return envelope(minted, context.now)


async def approve(context: Context, user: Who[UserId], evidence: TypedEvidence) -> Became:
    """Take the evidence of a yes. Neither token nor code is in the answer: whoever asked fetches what is his."""
    asked_id, digits = context.named("asked_id"), typed(evidence.pop("digits", UNSET))
    verdict = await user.verdict(posed.check, asked_id, sent(evidence))
    return Became(await user.run(posed.approve, asked_id, verdict, digits))


async def deny(context: Context, user: Who[UserId], body: No) -> Became:
    """Take the user's no."""
    return Became(await user.run(posed.deny, context.named("asked_id"), body.block))
