"""Firefox, driven by the protocol that is built in: Marionette, WebDriver's commands as JSON over TCP."""

import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

from deputize.testing import firefox

PATIENCE = 20.0
PREFERENCES = """
user_pref("marionette.port", 0);
user_pref("network.proxy.type", 0);
user_pref("network.dns.disableIPv6", true);
user_pref("app.normandy.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("security.webauth.webauthn_enable_usbtoken", false);
user_pref("security.webauth.webauthn_enable_softtoken", true);
"""
"""By the last two, WebAuthn asks virtual authenticators and no real ones."""


class Firefox:
    """One Firefox with a profile of its own, for as long as its `with`."""

    def __init__(self, folder: Path) -> None:
        """Start it; `folder` is for its profile."""
        path = firefox.find()
        assert path, "`python -m deputize.testing.firefox` installs one"
        (folder / "user.js").write_text(PREFERENCES, encoding="utf-8")
        command = [
            path,
            "--headless",
            "--marionette",
            "--remote-allow-system-access",
            "--no-remote",
            "--profile",
        ]
        self._folder = folder
        self._socket: socket.socket | None = None
        self._process = subprocess.Popen(
            [*command, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "MOZ_DISABLE_CONTENT_SANDBOX": "1"},
        )
        try:
            self._socket = socket.create_connection(("127.0.0.1", self._port()), timeout=60)
            self._read = self._socket.makefile("rwb")
            self._count = 0
            self._message()  # it introduces itself
            self.send("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        if self._socket:
            self._read.close()
            self._socket.close()
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def send(self, command: str, **parameters: Any) -> Any:
        """Send a command; RuntimeError if it fails."""
        self._count += 1
        text = json.dumps([0, self._count, command, parameters]).encode()
        self._read.write(b"%d:%s" % (len(text), text))
        self._read.flush()
        _, _, error, result = self._message()
        if error:
            raise RuntimeError(f"{command}: {error['error']}: {error['message']}")
        return result.get("value") if isinstance(result, dict) and set(result) == {"value"} else result

    def goto(self, url: str) -> None:
        """Open a page."""
        self.send("WebDriver:Navigate", url=url)

    def run(self, script: str, *args: object) -> Any:
        """Return what a script of the page's own returns or, if that is a promise, brings."""
        return self.send(
            "WebDriver:ExecuteScript",
            script=f"return (async function () {{ {script} }}).apply(null, arguments)",
            args=list(args),
            sandbox=None,
        )

    def add_passkeys(self) -> None:
        """Put a virtual authenticator in the place of this device's own."""
        self.send(
            "WebAuthn:AddVirtualAuthenticator",
            protocol="ctap2",
            transport="internal",
            hasResidentKey=True,
            hasUserVerification=True,
            isUserConsenting=True,
            isUserVerified=True,
        )

    def click(self, script: str) -> None:
        """Click as a user does on the element that a script returns."""
        (element,) = self.run(script).values()
        self.send("WebDriver:ElementClick", id=element)

    def type(self, script: str, text: str) -> None:
        """Type into the element that a script returns."""
        (element,) = self.run(script).values()
        self.send("WebDriver:ElementSendKeys", id=element, text=text)

    def until(self, script: str) -> None:
        """Wait until a script returns something true in whatever page is there then; RuntimeError if it never does."""
        if not self._wait(lambda: self.run(script)):
            raise RuntimeError(f"never true: {script}")

    def _port(self) -> int:
        """Return where it listens, which it writes into its profile."""
        file = self._folder / "MarionetteActivePort"
        return int(self._wait(lambda: file.read_text(encoding="utf-8"), 60))

    def _message(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            byte = self._read.read(1)
            if not byte:
                raise ConnectionError("Firefox has ended")
            length += byte
        return json.loads(self._read.read(int(re.sub(rb"\D", b"", length))))

    def _wait(self, look: Any, patience: float = PATIENCE) -> Any:
        deadline = time.monotonic() + patience
        while True:
            try:
                found = look()
                if found or time.monotonic() > deadline:
                    return found
            except (RuntimeError, OSError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)  # files and pages are of another process: nothing wakes us
