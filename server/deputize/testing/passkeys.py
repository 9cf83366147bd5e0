"""Passkeys without hands: Chromium's virtual authenticators, over the DevTools protocol.

They make and use real keys by the real WebAuthn code of the browser. That is the tester's power, and the
reason why a machine whose DevTools an attacker holds is lost.
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any, Literal

from playwright.sync_api import CDPSession, Page

from ..protocol.canonical import b64u, unb64u

Transport = Literal["internal", "usb", "nfc", "ble", "hybrid"]


@dataclass(frozen=True, slots=True)
class Passkey:
    """A credential in an authenticator: its id in base64url, and its signature counter."""

    credential_id: str
    rp_id: str
    user_name: str
    sign_count: int


class Authenticator:
    """One virtual authenticator: this device's own (`internal`), or a security key or phone."""

    def __init__(self, session: CDPSession, authenticator_id: str, transport: Transport) -> None:
        """Made by `Passkeys.add`."""
        self._session = session
        self._id = authenticator_id
        self.transport = transport
        self._ahead = 0

    def passkeys(self) -> list[Passkey]:
        """List the passkeys in it."""
        found = self._send("getCredentials")["credentials"]
        return [
            Passkey(
                b64u(b64decode(c["credentialId"])), c.get("rpId", ""), c.get("userName", ""), c["signCount"]
            )
            for c in found
        ]

    def forget(self, credential_id: str) -> None:
        """Delete one passkey from it; the site does not learn of that."""
        self._send("removeCredential", credentialId=b64encode(unb64u(credential_id)).decode())

    def sync(self, other: "Authenticator") -> None:
        """Copy its passkeys to another device, as passkey managers do.

        Counters that are synced stay at 0; those of virtual authenticators cannot, so each other device's are ahead of
        those before it: an older one would be taken for a copy (APPR-7).
        """
        self._ahead += 1000
        for passkey in self._send("getCredentials")["credentials"]:
            ahead = {**passkey, "signCount": passkey["signCount"] + self._ahead}
            other._send("addCredential", credential=ahead)

    def verifies_user(self, yes: bool) -> None:
        """Let user verification succeed from now on, or fail, as for somebody else's finger."""
        self._send("setUserVerified", isUserVerified=yes)

    def lies(self, *, unverified: bool = False, forged: bool = False) -> None:
        """Spoil its answers from now on: `unverified` clears the user-verified flag, `forged` breaks the signature."""
        self._send("setResponseOverrideBits", isBadUV=unverified, isBogusSignature=forged)

    def present(self, yes: bool) -> None:
        """Let it be touched whenever it is asked, or not at all, as by a user who looks elsewhere."""
        self._send("setAutomaticPresenceSimulation", enabled=yes)

    def remove(self) -> None:
        """Take it away from the browser with all that is in it."""
        self._send("removeVirtualAuthenticator")

    def _send(self, method: str, **parameters: object) -> Any:
        return self._session.send(f"WebAuthn.{method}", {"authenticatorId": self._id, **parameters})


class Passkeys:
    """The authenticators of one page. Without any, every passkey prompt of the page finds nothing."""

    def __init__(self, page: Page) -> None:
        """Put virtual authenticators in the place of real ones for this page."""
        self._session = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable", {"enableUI": False})

    def add(self, transport: Transport = "internal", *, verifies_user: bool = True) -> Authenticator:
        """Add an authenticator that keeps discoverable passkeys. Chromium takes one `internal` at most."""
        options = {
            "protocol": "ctap2",
            "transport": transport,
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": verifies_user,
            "automaticPresenceSimulation": True,
        }
        answer = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return Authenticator(self._session, answer["authenticatorId"], transport)
