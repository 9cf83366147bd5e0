"""What a passkey is called."""

from ..protocol.credential import Credential
from .catalogue import Words


def passkey(words: Words, credential: Credential) -> str:
    """Call a passkey as its user did, or else by what its browser said of it."""
    here = "internal" in credential.transports
    return credential.label or words("passkey-here" if here else "passkey-elsewhere")
