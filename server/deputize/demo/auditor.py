"""An auditor elsewhere: she has the record's key, what she has kept, and the command `deputize log follow`."""

from dataclasses import dataclass
from pathlib import Path

import httpx2
from typer.testing import CliRunner

from deputize.cli import app


@dataclass(frozen=True, slots=True)
class Told:
    """What a command said, in one line, and its exit code."""

    code: int
    line: str


@dataclass(frozen=True, slots=True)
class Auditor:
    """Knows the key of a record, and keeps what she sees of it in a folder."""

    key: str
    folder: Path

    @property
    def kept(self) -> Path:
        """The checkpoint that `keep` has kept."""
        return self.folder / "kept"

    def keep(self, site: str) -> None:
        """Keep the checkpoint that a site shows now."""
        self.take(self.kept, site)

    def take(self, file: Path, site: str, **headers: str) -> None:
        """Write a checkpoint to a file, as whoever sends these headers is shown it."""
        file.write_bytes(
            httpx2.get(f"{site}/deputize/log/checkpoint", headers=headers, trust_env=False).content
        )

    def look(self, site: str, *options: str, keep: str = "followed") -> Told:
        """Look once whether the record of a site continues what she has seen of it, in the folder `keep`."""
        hers = ("--key", self.key, "--keep", str(self.folder / keep), "--once")
        told = command("log", "follow", f"{site}/deputize", *hers, *options)
        return Told(told.code, told.line.replace(f"{self.folder}/", ""))


def command(*line: str) -> Told:
    """Run a command of `deputize` in this process."""
    done = CliRunner().invoke(app, line)
    return Told(done.exit_code, (done.stdout + done.stderr).strip())
