"""What is tried against programs in Go, in `make thorough`: `python -m tests.golang` installs Debian's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deputize.testing.installing import apt, run

from .size import THOROUGH

ROOT = Path(__file__).parent.parent
GO = shutil.which("go") or ""
MODULES = Path("/usr/share/gocode/src/golang.org/x/mod")
"""Where Debian has the sources of `golang.org/x/mod`, in which are `sumdb/note` and `sumdb/tlog`."""

needs_go = pytest.mark.skipif(not (THOROUGH and GO), reason="`make thorough` only, and where there is Go")
needs_modules = pytest.mark.skipif(not MODULES.exists(), reason="needs golang-golang-x-mod-dev")


def go(folder: Path, *command: str, **environ: str) -> None:
    """Run Go's command in a folder, without a network and without a C compiler; AssertionError if it fails."""
    environ = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOPROXY": "off", **environ}
    done = subprocess.run(
        [GO, *command], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def go_of_debian(folder: Path, *command: str) -> None:
    """Run Go's command with the libraries that Debian has, which are no modules."""
    go(folder, *command, GO111MODULE="off", GOPATH=str(MODULES.parents[3]))


def main() -> int:
    """Install Go and its library of logs where they are not; without them, tests are skipped, and this says so."""
    if not GO:
        run(apt("golang-go"))
    run([] if MODULES.exists() else apt("golang-golang-x-mod-dev"))
    if shutil.which("go") is None or not MODULES.exists():
        sys.stderr.write("Go could not be had by apt-get as root or with sudo: what needs it is skipped.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
