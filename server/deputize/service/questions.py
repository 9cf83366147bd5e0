"""What people are asked, and in which words (APPR-10). Whoever changes how something is put changes it here."""

from collections.abc import Mapping
from typing import Any, cast

from ..protocol.agent import Assurance
from ..protocol.grant import Grant
from ..protocol.question import Text
from ..protocol.shown import isolated, quotes_isolated, warning
from ..protocol.url import origin_of
from .moment import Moment

_ADDITION = "Add a new passkey to your account"
_WINDOW = "For the next five minutes, let an app that acts for you add one passkey to your account"


def of_call(at: Moment, description: str | None) -> Text:
    """Put a call, whose words its tool makes (APPR-2)."""
    return Text(at.language, (description or "",))


def of_consent(at: Moment, grant: Grant) -> Text:
    """Put a consent (GRANT-2)."""
    return Text(at.language, (consent(grant),))


def of_addition(at: Moment) -> Text:
    """Put the confirmation of a further passkey (CRED-3)."""
    return Text(at.language, (_ADDITION,))


def of_window(at: Moment) -> Text:
    """Put the opening of the window of enrollment (CRED-7)."""
    return Text(at.language, (_WINDOW,))


def consent(grant: Grant) -> str:
    """Say in one sentence what a grant lets an agent do; the dialog shows the parts too."""
    shown = cast("Mapping[str, Any]", grant.shown)  # as `shown_grant` made it
    titles = "; ".join(scope["title"] for scope in shown["scopes"])
    limits = "".join(
        f"; limits of {each['title'] or each['tool']}: {quotes_isolated(', '.join(each['limits']))}"
        for each in shown.get("constraints", ())
    )
    return f"Let {_asker(shown['agent'], shown['site'])} act for you at {shown['site']}: {titles}{limits}"


def _asker(agent: Mapping[str, str], site: str) -> str:
    """Say who asks: what is proven first, then what is claimed (OAUTH-4)."""
    match agent["assurance"]:
        case Assurance.ORIGIN:
            return f"{isolated(origin_of(agent['client_id']))}, which calls itself {_name(agent)},"
        case Assurance.REGISTERED:
            return f"{_name(agent)}, registered by {site} as {isolated(agent['client_id'])},"
    if "name" in agent:  # BEARER-6
        said = f"says it is {isolated(agent['client_id'])} and calls itself {_name(agent)}"
        return f"an app that does not prove who it is, but {said},"
    return "the agent in this browser"


def _name(agent: Mapping[str, str]) -> str:
    return isolated(f"“{agent['name']}”") + warning(agent["name"])
