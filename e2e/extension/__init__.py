"""An agent that is an extension of Chromium: it calls tools over @mcp-b's transports, or by what the browser has."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from typing import Any

from playwright.sync_api import BrowserContext, Page, Playwright

from deputize.testing import browser, chromium

HERE = Path(__file__).parent
JS = HERE.parent.parent / "js"


@contextmanager
def installed(playwright: Playwright, folder: Path) -> Iterator[BrowserContext]:
    """Start a Chromium of its own that has the extension: only its command line installs one."""
    for name in ("manifest.json", "panel.html"):
        copy(HERE / name, folder)
    bundle: list[str | Path] = [
        JS / "node_modules/.bin/esbuild",
        "--bundle",
        "--log-level=warning",
        f"--outdir={folder}",
    ]
    environment = {**os.environ, "NODE_PATH": str(JS / "node_modules")}
    subprocess.run([*bundle, *HERE.glob("*.js")], cwd=JS, env=environment, timeout=60, check=True)
    switches = [f"--disable-extensions-except={folder}", f"--load-extension={folder}"]
    with playwright.chromium.launch_persistent_context(
        "",
        executable_path=chromium.find(),
        args=[*browser.ARGUMENTS, *switches],
        chromium_sandbox=False,
    ) as context:
        yield context


def agent(context: BrowserContext) -> Page:
    """Open the page in which the agent lives."""
    running = context.service_workers or [context.wait_for_event("serviceworker")]
    page = context.new_page()
    page.goto(running[0].url.replace("background.js", "panel.html"))
    return page


def call(agent: Page, way: str, tool: str) -> Any:
    """Let it call a tool of the tab that is open at localhost, by `call` or `callNatively`, and return the result."""
    return agent.evaluate(f"{way}({tool!r})")
