"""Which contract this is: the version that PROTOCOL.md begins with (VERSION-1)."""

from .errors import Code, Refused

VERSION = 1
"""What an authority, a shim and a guard have to have in common."""

HEADER = "Deputize-Protocol"
"""In which a guard says its own."""


def check(named: str | None) -> None:
    """Raise Refused(version_skew) for a guard that names another version; who names none is taken for one of this."""
    if named is not None and named != str(VERSION):
        raise Refused(
            Code.VERSION_SKEW,
            f"This guard speaks version {named[:16]} of the protocol, and the authority version {VERSION}: install "
            "the same release of deputize for both.",
            protocol=VERSION,
        )
