"""What people are asked, and in which words (APPR-10). Whoever changes how something is put changes it here."""

from ..protocol.errors import Code, Refused
from ..protocol.grant import Grant
from ..protocol.question import Text
from ..words.catalogue import words
from ..words.consent import text_of
from .moment import Moment

_THE_SITES = "und"
"""The language of what a site's own templates say, which nobody has told (BCP 47, RFC 5646 §4.1)."""


def of_call(description: str | None) -> Text:
    """Put a call, whose words its tool makes (APPR-2)."""
    return Text(_THE_SITES, (description or "",))


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


def _said(at: Moment, message: str) -> Text:
    worded = words(at.language)
    return Text(worded.language, (worded(message),))
