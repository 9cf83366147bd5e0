"""What can go wrong for an agent. No message carries a token, a code or a proof."""

import re
from typing import ClassVar

from ..protocol.shown import plain

_SECRET = re.compile(r"[A-Za-z0-9_.~+/=-]{40,}")  # an answer may repeat what was sent
_MAX_TEXT = 300


class AgentError(Exception):
    """Anything that keeps an agent from acting for its user."""


class Unreachable(AgentError):
    """The authority gave no answer. Trying again later may help."""


class Unexpected(AgentError):
    """An answer breaks its specification, or is not from whom it should be. It was not used."""


class NotDeputized(AgentError):
    """There is no delegation: the user has to be asked first."""


class OAuthError(AgentError):
    """The authority refused. `code` is its OAuth error code, `description` its sentence for developers."""

    usual: ClassVar[str] = ""
    """The description where the authority gives none."""

    def __init__(self, code: str, description: str = "") -> None:
        """Keep both as plain text: short, and without what may be a secret."""
        self.code, self.description = _shown(code), _shown(description or self.usual)
        super().__init__(f"{self.code}: {self.description}" if self.description else self.code)


class AccessDenied(OAuthError):
    """The user does not want this. Do not ask again by yourself."""

    usual = "The user does not want this."


class RequestExpired(OAuthError):
    """The user did not answer in time."""


class ConsentNeeded(OAuthError):
    """What the agent holds is not good any more: taken back, run out or used. Ask the user again."""


class ClientRefused(OAuthError):
    """The agent itself is not known here: its document, its keys, or the site's policy."""


_KINDS: dict[str, type[OAuthError]] = {
    "access_denied": AccessDenied,
    "expired_token": RequestExpired,
    "invalid_grant": ConsentNeeded,
    "invalid_client": ClientRefused,
    "invalid_client_metadata": ClientRefused,
    "unauthorized_client": ClientRefused,
}


def oauth_error(code: str, description: str = "") -> OAuthError:
    """Return the error for an OAuth error code (RFC 6749 §5.2), of the class that stands for it."""
    return _KINDS.get(code, OAuthError)(code, description)


def _shown(text: str) -> str:
    return _SECRET.sub("…", plain(text))[:_MAX_TEXT]
