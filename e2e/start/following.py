"""Follows a quickstart as a stranger would, in an empty folder, with what was built of this checkout.

How a page of docs/start is written, so that this can:

* A block of any language but `sh` and `text` is a file. The paragraph right before it names it and ends with a colon:
  "The policy, `deputize.toml`:". The first code span that looks like a file is its path, below the folder.
* `sh` is run by bash, and has to end well. One environment lasts for the whole page, as in one terminal: what a block
  activates or exports holds for the next.
* A line of `sh` that ends with `# http://localhost:8000` (and perhaps more words) is a server. It is started, awaited
  until it answers there, and ended when the test ends; a page may have several.
* `text` right after `sh` has lines that the last commands printed, each a piece of one of theirs.
* Ports are written as `localhost:8000`, with four digits, and are replaced by free ones wherever they stand.
* `python3 -m venv .venv`, `pip install` and `npm install` are written as a reader needs them, with `deputize` by its
  name, and install what was built of this checkout. In `make thorough` all else comes from the registries; otherwise
  it is what this environment and js/node_modules have, without a network.
* Whoever needs two terminals says so in the text, and has a block for each.
* The page of the site has a button "Ask as an agent", a link "Your account", an `output` for what the agent gets, and a
  `b` with the number of transfers: see docs/start/starlette.md, whose HTML every page has, but for the shim's address
  and where the framework wants it. `GET /api/transfers` is the list of transfers.
* **Bold** words of the section "Click" are words that a reader sees on the screen then.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

import httpx2
from e2e.start.built import ROOT, Built
from e2e.start.page import Commands, File, Quickstart, Server
from tests.size import THOROUGH

PATIENCE = 60  # seconds until a server answers, on a machine that has other things to do
LONG = 600  # seconds for commands: in `make thorough` they download
_FOREIGN = ("PYTHON", "PIP_", "VIRTUAL_ENV", "DEPUTIZE_", "npm_")


class Stranger:
    """A reader in an empty folder, whose servers run until the end of the `with`."""

    def __init__(self, page: Quickstart, folder: Path, built: Built) -> None:
        """Take the page into an empty folder, at ports that are free."""
        self.page = page.at(_free(page.ports))
        self.folder = folder / "site"
        self.folder.mkdir()
        self._built = built
        self._servers: list[subprocess.Popen[bytes]] = []
        self._environ = {
            name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)
        } | {
            "PATH": os.pathsep.join([str(built.programs), "/usr/local/bin", "/usr/bin", "/bin"]),
            "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "NO_COLOR": "1",
            "NEXT_TELEMETRY_DISABLED": "1",
        }
        if not THOROUGH:
            self._environ["PIP_NO_INDEX"] = "1"

    def follow(self) -> None:
        """Do all that the page says; AssertionError where something comes out otherwise."""
        for step in self.page.steps():
            match step:
                case File(path, text):
                    (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
                    (self.folder / path).write_text(text, encoding="utf-8")
                case Commands(script, told):
                    self._run(script, told)
                case Server(line, url):
                    self._serve(line, url)

    def _run(self, script: str, told: tuple[str, ...]) -> None:
        after = self.folder.parent / "environ"
        lines = "\n".join(self._here(line) for line in script.splitlines())
        done = subprocess.run(
            ["bash", "-ec", f"{lines}\nenv -0 > {shlex.quote(str(after))}"],
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONG,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        for line in told:
            assert line in done.stdout, f"{script}\nprints no {line!r}:\n{done.stdout}"
        pairs = (each.partition("=") for each in after.read_text().split("\0") if each)
        self._environ = {name: value for name, _, value in pairs}

    def _serve(self, line: str, url: str) -> None:
        said = self.folder.parent / f"server-{len(self._servers)}.txt"
        with said.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {line}"],
                cwd=self.folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that what it starts ends with it
            )
        self._servers.append(process)
        late = time.monotonic() + PATIENCE
        while not _answers(url):
            assert process.poll() is None, f"{line} has ended:\n{said.read_text()}"
            assert time.monotonic() < late, f"{line} does not answer at {url}:\n{said.read_text()}"

    def _here(self, line: str) -> str:
        """Return a command as it is run here: what it installs is what was built, and needs no network."""
        if re.match(r"npm install .*\bdeputize\b", line):
            return self._npm(line)
        if line.startswith("pip install "):
            return re.sub(r"\bdeputize\[\w+\]", rf"\g<0> @ {self._built.wheel.as_uri()}", line)
        if made := re.fullmatch(r"python3 -m venv (\S+)", line):
            if THOROUGH:
                return line
            return f"python -m venv --without-pip {made[1]} && cp -r {self._built.inherited}/. {made[1]}/"
        return line

    def _npm(self, line: str) -> str:
        if THOROUGH:
            return re.sub(r"\bdeputize\b", str(self._built.tarball), line)
        modules = ROOT / "js" / "node_modules"
        packed = f"tar -xzf {self._built.tarball} -C node_modules/deputize --strip 1"
        others = [each for each in shlex.split(line)[2:] if each != "deputize"]
        links = [f"test -d {modules}/{each} && ln -s {modules}/{each} node_modules/" for each in others]
        return "; ".join(["mkdir -p node_modules/deputize", packed, *links])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._servers):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._servers:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _free(ports: list[str]) -> dict[str, int]:
    """Find a free port for each of these."""
    found = [socket.create_server(("127.0.0.1", 0)) for _ in ports]
    try:
        return {port: listener.getsockname()[1] for port, listener in zip(ports, found, strict=True)}
    finally:
        for listener in found:
            listener.close()


def _answers(url: str) -> bool:
    """Tell whether something answers there, whatever it says, after a moment at most."""
    try:
        httpx2.get(url, timeout=5)
    except httpx2.TransportError:
        time.sleep(0.05)  # nothing tells when a port begins to listen
        return False
    return True
