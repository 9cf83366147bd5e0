"""The example with Vite and React, as it is developed and as it is built: a tool that an effect registers (SHIM-1)."""

import os
import runpy
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path

import pytest
from playwright.sync_api import Page
from starlette.types import ASGIApp

from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site

EXAMPLE = Path(__file__).parent.parent / "examples/vite-react"
VITE = EXAMPLE / "node_modules/.bin/vite"
PATIENCE = 60  # seconds until Vite is up, on a machine that has other things to do

pytestmark = pytest.mark.skipif(
    not VITE.exists(), reason="the packages of examples/vite-react are not installed: make test installs them"
)

COUNTING = """
globalThis.registered = [];
const { prototype } = ModelContext;
const { registerTool } = prototype;
prototype.registerTool = function (tool, { signal }) {
  registered.push(signal);
  return registerTool.call(this, tool, { signal });
};
"""


@pytest.fixture
def library(
    serve: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Site]:
    """Run the example's backend; its pages are at this port, or at its own."""

    def build(port: int) -> ASGIApp:
        policy = (EXAMPLE / "deputize.toml").read_text(encoding="utf-8")
        assert "http://localhost:5173" in policy
        policy = policy.replace(":5173", f":{pages or port}")
        (tmp_path / "deputize.toml").write_text(policy, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        app: ASGIApp = runpy.run_path(str(EXAMPLE / "library.py"))["app"]
        return app

    pages = 0

    def start(at: int = 0) -> Site:
        nonlocal pages
        pages = at
        return serve(build)

    return start


@pytest.fixture
def developed(library: Callable[..., Site]) -> Iterator[str]:
    """The page at Vite's own server, which hands on to the backend what is not a page."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    # It writes in colours where it believes to be in CI, and then nothing reads as it does here.
    environment = {**os.environ, "BACKEND": library(port).url, "NO_COLOR": "1"}
    command: list[str | Path] = [VITE, "--port", str(port)]
    with subprocess.Popen(
        command, cwd=EXAMPLE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as vite:
        assert vite.stdout
        late = threading.Timer(PATIENCE, vite.kill)
        late.start()
        try:
            told = [*takewhile(lambda line: "Local:" not in line, vite.stdout)]
            assert vite.poll() is None, f"Vite did not start: {told}"
            late.cancel()
            yield f"http://localhost:{port}"
        finally:
            late.cancel()
            vite.terminate()


@pytest.fixture
def built(library: Callable[..., Site], tmp_path: Path) -> str:
    """The page as the backend serves it once it is built."""
    command: list[str | Path] = [
        VITE,
        "build",
        "--outDir",
        tmp_path / "dist",
        "--emptyOutDir",
        "--logLevel",
        "warn",
    ]
    made = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, timeout=120, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    return library().url


@pytest.mark.parametrize(("way", "registrations"), [("developed", [True, False]), ("built", [False])])
def test_a_tool_of_an_effect_is_gated_and_runs_as_approved(
    request: pytest.FixtureRequest,
    tab: Page,
    passkeys: Passkeys,
    human: Human,
    way: str,
    registrations: list[bool],
) -> None:
    """StrictMode registers, aborts and registers again: the tool is there once, gated, and nobody is warned."""
    url = request.getfixturevalue(way)
    warned: list[str] = []
    tab.on("console", lambda message: warned.append(message.text) if message.type == "warning" else None)
    tab.add_init_script(COUNTING)
    passkeys.add()
    tab.goto(f"{url}/deputize/account?return_to=/")
    tab.get_by_label("Your name").fill("Grace Hopper")
    tab.get_by_role("button", name="Create an account with a passkey").click()
    tab.get_by_role("button", name="Let an agent borrow a book").click()
    assert "Borrow books, which you approve one by one" in human.approve().text
    assert {"Borrow this book?", "Title", "“Notes on the Analytical Engine”"} <= set(human.approve().lines)
    tab.get_by_text("“Notes on the Analytical Engine” is lent to you.").wait_for()
    tab.get_by_role("listitem").get_by_text("Notes on the Analytical Engine").wait_for()
    assert tab.evaluate("registered.map(({ aborted }) => aborted)") == registrations
    report = tab.evaluate("document[Symbol.for('deputize')].unguarded()")
    assert report == {"context": "native", "tools": [], "frames": []}
    assert warned == []
