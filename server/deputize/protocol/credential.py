"""Credentials: the public keys of a user (PROTOCOL §2)."""

from dataclasses import dataclass
from enum import StrEnum

from .ids import CredentialId, UserId
from .value import value

ENROLL_ACTION = "deputize.credential"
ENROLLMENT_LIFETIME = 300  # seconds
WINDOW_ACTION = "deputize.enrollment"
FORGETTING_ACTION = "deputize.forgetting"
WINDOW_LIFETIME = 300  # seconds (CRED-7)
RECENT_SIGN_IN = 300  # seconds (CRED-2)
RECOVERY_LIFETIME = 900  # seconds (CRED-5)
_ROAMING = frozenset({"hybrid", "usb", "nfc", "ble"})
_TRANSPORTS = _ROAMING | {"internal", "smart-card"}


class AuthenticatorClass(StrEnum):
    """Which credentials a tool accepts (SEP-2672 §4.7)."""

    PLATFORM = "platform"
    CROSS_PLATFORM = "cross-platform"


@dataclass(frozen=True, slots=True)
class User:
    """The human. `handle` is the WebAuthn user handle, `external_id` the id in the site's own login, if any.

    Until the second `enrolls_until`, a credential may be enrolled over MCP (CRED-7). Since `paused_since`, if that is
    there, no agent does anything for this user (PROMPT-5).
    """

    user_id: UserId
    name: str
    handle: bytes
    created_at: int
    external_id: str | None = None
    enrolls_until: int = 0
    paused_since: int | None = None


@value
class Credential:
    """A public key (COSE) of a user. Until `active`, it approves nothing (CRED-3)."""

    credential_id: CredentialId
    user_id: UserId
    public_key: bytes
    sign_count: int
    transports: frozenset[str]
    label: str
    created_at: int
    active: bool

    def is_(self, other: "Credential") -> bool:
        """Tell whether the other is this user's same key, as usable; ids are the authenticator's to choose."""
        one, two = ((c.user_id, c.public_key, c.active) for c in (self, other))
        return one == two

    def satisfies(self, wanted: AuthenticatorClass) -> bool:
        """Tell whether a tool that wants this class may be approved with it (CRED-6)."""
        return wanted is AuthenticatorClass.PLATFORM or bool(self.transports & _ROAMING)


def known_transports(names: object) -> frozenset[str]:
    """Keep of what a browser said the transports that WebAuthn L3 §5.8.4 knows; anything else is dropped."""
    if not isinstance(names, list):
        return frozenset()
    return frozenset(name for name in names if isinstance(name, str) and name in _TRANSPORTS)


def counter_moves(stored: int, presented: int) -> bool:
    """Apply the counter rule of SEP-2672 §4.8 step 11: a stored zero disables it (APPR-7)."""
    return stored == 0 or presented > stored
