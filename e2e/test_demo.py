"""The narrated run, as `make demo` plays it: in a process of its own, to its end."""

import subprocess
import sys
from pathlib import Path


def test_the_story_comes_out_as_told_and_leaves_its_pictures(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deputize", "demo", "--shots", str(tmp_path)]
    played = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert played.returncode == 0, played.stdout + played.stderr
    assert f"Pictures: {tmp_path}" in played.stdout.replace("\n", "")
    assert {"consent.png", "approval.png", "ask.png"} <= {picture.name for picture in tmp_path.iterdir()}
