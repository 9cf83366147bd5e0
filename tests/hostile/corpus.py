"""What the fuzzer has found worth keeping: one file for each parser, in it one input a line, in base64."""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path

CORPUS = Path(__file__).parents[1] / "corpus"
KEPT = 120  # inputs for one parser, the smallest of those that reach what no other reaches
LARGEST = 512  # bytes of one of them


def path_of(target: str) -> Path:
    """Return where the inputs for a parser are."""
    return CORPUS / f"{target}.txt"


def read(target: str) -> list[bytes]:
    """Return the inputs for a parser."""
    path = path_of(target)
    return [b64decode(line) for line in path.read_text().splitlines()] if path.exists() else []


def write(target: str, inputs: Iterable[bytes]) -> None:
    """Keep these inputs, if they are small, and no others."""
    small = sorted({data for data in inputs if len(data) <= LARGEST}, key=lambda data: (len(data), data))
    CORPUS.mkdir(exist_ok=True)
    path_of(target).write_text("".join(f"{b64encode(data).decode()}\n" for data in small[:KEPT]))
