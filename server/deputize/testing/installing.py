"""Programs that tests need, and how a Debian that lacks one comes by it."""

import os
import re
import shutil
import subprocess


def major(path: str) -> int | None:
    """Return the major version that a program prints; None if it does not start, as when a library is missing."""
    version = re.search(r"(\d+)\.\d+", output([path, "--version"]))
    return int(version[1]) if version else None


def output(command: list[str]) -> str:
    """Return a command's standard output; empty if it fails or takes half a minute."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def apt(package: str) -> list[list[str]]:
    """Return the commands that install a Debian package; none where apt or the right to use it is lacking."""
    if shutil.which("apt-get") is None:
        return []
    if os.geteuid() == 0:
        root = []
    elif shutil.which("sudo"):
        root = ["sudo", "-n"]  # never asks for a password: there may be nobody to answer
    else:
        return []
    command = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    return [[*command, "update"], [*command, "install", "--yes", "--no-install-recommends", package]]


def run(commands: list[list[str]]) -> None:
    """Run the commands in sight of the user, up to the first that fails."""
    for command in commands:
        print(f"Running `{' '.join(command)}`", flush=True)
        if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
            return
