"""What can go wrong for an agent. No text of these carries a token, a code or a proof."""

import re
from typing import ClassVar

from ..protocol.shown import plain

_SECRET = re.compile(r"[A-Za-z0-9_.~+/=-]{40,}")  # whatever an answer repeats of what was sent
_MAX_TEXT = 300


class AgentError(Exception):
    """Anything that keeps an agent from acting for its user."""


class Unreachable(AgentError):
    """The authority gave no answer. Trying again later may help."""


class Unexpected(AgentError):
    """What came is not what the specifications promise, or not from whom it should be. It was not used."""


class NotDeputized(AgentError):
    """There is no delegation: the user has to be asked first."""


class OAuthError(AgentError):
    """The authority said no. `code` is its OAuth error code, `description` its sentence for developers."""

    usual: ClassVar[str] = ""
    """What to say where the authority says nothing more."""

    def __init__(self, code: str, description: str = "") -> None:
        """Keep both, as text that is safe to show."""
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
    """Make the error of an OAuth error code (RFC 6749 §5.2), of a class of its own where there is one."""
    return _KINDS.get(code, OAuthError)(code, description)


def _shown(text: str) -> str:
    return _SECRET.sub("…", plain(text))[:_MAX_TEXT]
