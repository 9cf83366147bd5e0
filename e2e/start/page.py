"""A quickstart as its reader takes it: what to write and what to run, in order. `following` says how one is made."""

import re
from dataclasses import dataclass
from pathlib import Path

START = Path(__file__).parent.parent.parent / "docs" / "start"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SERVES = re.compile(r"\s+# (http://localhost:\d+)\b.*$")
_SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class File:
    """A file to write, at a path below the folder."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Commands:
    """Lines for a shell, which end; `told` are lines that they print."""

    script: str
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """A line for a shell that goes on running, and answers at this origin."""

    line: str
    url: str


Step = File | Commands | Server


@dataclass(frozen=True, slots=True)
class Quickstart:
    """A page of docs/start."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> "Quickstart":
        """Read a page."""
        return cls(path, path.read_text(encoding="utf-8"))

    def at(self, ports: dict[str, int]) -> "Quickstart":
        """Return the same page for other ports."""
        text = re.sub(r"\b\d{4}\b", lambda found: str(ports.get(found[0], found[0])), self.text)
        return Quickstart(self.path, text)

    @property
    def ports(self) -> list[str]:
        """Name the ports that it needs."""
        return sorted(set(re.findall(r"localhost:(\d{4})\b", self.text)))

    @property
    def origin(self) -> str:
        """Return where its site is, as its policy says."""
        (found,) = re.findall(r'^origin = "(.*)"', self.text, re.MULTILINE)
        return str(found)

    def steps(self) -> list[Step]:
        """Return what it has its reader do; ValueError for a block that says not what it is."""
        steps: list[Step] = []
        for block in _BLOCK.finditer(self.text):
            language, text = block.groups()
            before = steps[-1] if steps else None
            if language == "sh":
                steps += _shell(text)
            elif language == "text":
                if not isinstance(before, Commands):
                    raise ValueError(f"no command has printed this: {text}")
                steps[-1] = Commands(before.script, tuple(text.splitlines()))
            else:
                steps.append(File(self._named_before(block.start()), text))
        return steps

    def _named_before(self, start: int) -> str:
        paragraph = self.text[:start].rstrip().rpartition("\n\n")[2]
        names = [each for each in _SPAN.findall(paragraph) if re.search(r"\.\w+$", each) and " " not in each]
        if not names or not paragraph.endswith(":"):
            raise ValueError(
                f"the paragraph before a block names no file, or ends without a colon: {paragraph}"
            )
        return str(names[0])


def _shell(text: str) -> list[Step]:
    steps: list[Step] = []
    for line in text.splitlines():
        last = steps[-1] if steps else None
        if serves := _SERVES.search(line):
            steps.append(Server(line[: serves.start()], serves[1]))
        elif isinstance(last, Commands):
            steps[-1] = Commands(f"{last.script}\n{line}")
        else:
            steps.append(Commands(line))
    return steps
