"""What a reader of docs/start installs, made of this checkout: a wheel, and a tarball for npm."""

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_PACKAGES = Path(sysconfig.get_path("purelib"))


@dataclass(frozen=True)
class Built:
    """A folder with what is installed."""

    folder: Path

    @property
    def wheel(self) -> Path:
        """Return the wheel of the Python package."""
        (found,) = self.folder.glob("*.whl")
        return found

    @property
    def tarball(self) -> Path:
        """Return what npm has packed."""
        (found,) = self.folder.glob("*.tgz")
        return found

    @property
    def programs(self) -> Path:
        """Return a folder with the interpreters of this run and nothing that is installed in its environment."""
        return self.folder / "programs"

    @property
    def inherited(self) -> Path:
        """Return what is laid over a new virtual environment: all that is installed here, but for deputize."""
        return self.folder / "inherited"


def build(folder: Path) -> Built:
    """Build, once for all processes of a run."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = Built(folder)
        if not built.inherited.exists():
            _run(
                [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder], ROOT
            )
            # Without its scripts: they would write the bundles anew, which other tests serve meanwhile.
            _run(["npm", "pack", "--ignore-scripts", "--silent", "--pack-destination", folder], ROOT / "js")
            _programs(built.programs)
            _inherit(built.inherited)
        return built


def _programs(folder: Path) -> None:
    folder.mkdir()
    for name, path in (
        *((each, sys.executable) for each in ("python", "python3")),
        *((each, shutil.which(each)) for each in ("node", "npm", "npx")),
    ):
        if path is not None:
            (folder / name).symlink_to(Path(path).resolve())


def _inherit(folder: Path) -> None:
    """Name each package of this environment, and write its commands for whatever environment is active."""
    packages = folder / "packages"
    packages.mkdir(parents=True)
    for each in _PACKAGES.iterdir():
        if "deputize" not in each.name and each.suffix != ".pth":
            (packages / each.name).symlink_to(each)
    below = folder / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    below.mkdir(parents=True)
    (below / "inherited.pth").write_text(str(packages))
    (folder / "bin").mkdir()
    for command in entry_points(group="console_scripts"):
        if command.name != "deputize":
            script = folder / "bin" / command.name
            imported = f"from {command.module} import {command.attr.partition('.')[0]}"
            script.write_text(f"#!/usr/bin/env python\nimport sys\n{imported}\nsys.exit({command.attr}())\n")
            script.chmod(0o755)


def _run(command: list[str | Path], folder: Path) -> None:
    environ = {**os.environ, "NO_UPDATE_NOTIFIER": "1"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
