"""What people are asked, and in which words (APPR-10). Whoever changes how something is put changes it here."""

from ..protocol.asker import asker_of
from ..protocol.authorization import Standing
from ..protocol.call import Call
from ..protocol.description import Description, Row, details
from ..protocol.errors import Code, Refused
from ..protocol.grant import Grant
from ..protocol.question import Text
from ..words.asker import asker_line
from ..words.catalogue import words
from ..words.consent import text_of
from .moment import Moment


def of_call(at: Moment, description: Description | None, standing: Standing, on_page: bool) -> Text:
    """Put a call: what its tool says of it, and who asks (APPR-2); `on_page` is one that was made on a page."""
    worded = words(at.language)
    told = description or Description("")
    lines = [("headline", told.headline)]
    for row in told.rows:
        lines += [("row", row.title), *(("value", each) for each in row.values)]
    asker = asker_of(standing.agent, standing.lineage, on_page)
    lines += [("row", worded("asked-by")), *asker_line(worded, asker, at.policy.site.name)]
    parts, said = zip(*lines, strict=True)
    return Text(worded.language, said, parts)


def told_of(at: Moment, call: Call) -> Description:
    """Return what is said of a call; of one that nobody was asked about, what its tool is called."""
    tool = at.policy.tools.get(call.tool)
    return call.description or Description((tool.title if tool else "") or call.tool)


def details_of(at: Moment, call: Call, said: bool = False) -> tuple[Row, ...]:
    """Put in rows those arguments of a call that its words leave out; `said`, if its tool has just said these."""
    return _rows(at, call, call.description, said)


def rows_of(at: Moment, call: Call) -> tuple[Row, ...]:
    """Put all arguments of a call in rows."""
    return _rows(at, call, None)


def _rows(at: Moment, call: Call, told: Description | None, said: bool = False) -> tuple[Row, ...]:
    tool = at.policy.tools.get(call.tool)
    arguments = call.arguments if isinstance(call.arguments, dict) else {}
    return tool.details(arguments, told, said) if tool else details(arguments, None)


def of_consent(grant: Grant) -> Text:
    """Put a consent as it was put when it was first asked for; Refused(expired) where that cannot be (GRANT-2)."""
    if (text := text_of(grant.shown)) is None:
        raise Refused(Code.EXPIRED, "This request would be worded otherwise now. Let the agent ask again.")
    return text


def of_addition(at: Moment) -> Text:
    """Put the confirmation of a further passkey (CRED-3)."""
    return _said(at, "passkey-add-approval")


def of_window(at: Moment) -> Text:
    """Put the opening of the window of enrollment (CRED-7)."""
    return _said(at, "passkey-window-approval")


def of_forgetting(at: Moment) -> Text:
    """Put the end of an account (KEEP-3)."""
    return _said(at, "forget-approval")


def _said(at: Moment, message: str) -> Text:
    worded = words(at.language)
    return Text(worded.language, (worded(message),), ("headline",))
