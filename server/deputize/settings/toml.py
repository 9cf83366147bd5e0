"""TOML with the lines of its values, and all faults of a policy file at once."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]
"""Keys and indexes from the root of the file to a value."""

_TOML = Language(tree_sitter_toml.language())
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_NOT_BARE = re.compile(r"[^A-Za-z0-9_-]|\A\Z")
_MAX_SYNTAX_FAULTS = 20


@dataclass(frozen=True, slots=True, order=True)
class PolicyFault:
    """One fault: its line, from 1; `where`, a key or a column; and what is wrong and what to write instead."""

    line: int
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.line}: {self.where}: {self.message}"


class PolicyError(ValueError):
    """A policy file has faults: `faults` are all that could be found, by line."""

    def __init__(self, faults: Iterable[PolicyFault]) -> None:
        self.faults = sorted(faults)
        super().__init__("\n".join(map(str, self.faults)))


def parse(text: str) -> dict[str, object]:
    """Parse TOML; PolicyError with the faults of its syntax.

    The parser stops at the first fault. To find the next, that line is taken out and the rest is parsed again, until a
    fault may come from a line that is missing.
    """
    faults: dict[int, PolicyFault] = {}
    lines = text.split("\n")
    while len(faults) < _MAX_SYNTAX_FAULTS:
        try:
            value = tomllib.loads("\n".join(lines))
        except (ValueError, RecursionError) as error:
            line, fault = _syntax_fault(error, len(lines))
            if line in faults or (faults and fault.where == "end of file"):
                break
            faults[line] = fault
            # A broken header must not hand its keys to the table above.
            lines[line - 1] = f"[fault-{line}]" if lines[line - 1].lstrip().startswith("[") else ""
        else:
            if faults:
                break
            return value
    raise PolicyError(faults.values())


def _syntax_fault(error: Exception, last: int) -> tuple[int, PolicyFault]:
    position = _POSITION.search(str(error))
    if position is None:
        return 1, PolicyFault(1, "file", "not TOML: nested too deeply, or a number that is too long")
    message = str(error)[: position.start()]
    if message.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate")):
        message = "this is in the file already; write all of it in one place"
    elif message == "Invalid value":
        message = "not a value; text stands in quotes"
    elif message.startswith("Expected ']' at the end of a table"):
        message = "not the name of a table; what has a colon or a space in it stands in quotes"
    else:
        message = "not TOML: " + message[0].lower() + message[1:]
    line, column = position.groups()
    return int(line or last), PolicyFault(
        int(line or last), f"column {column}" if column else "end of file", message
    )


def dotted(path: Path) -> str:
    """Write a path like a key in TOML, with indexes from 1: `tools.transfer_money.scopes[2]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step + 1}]"
        else:
            text += "." * bool(text) + (f'"{step}"' if _NOT_BARE.search(step) else step)
    return text


class Lines:
    """The lines in which the values of a TOML file begin."""

    def __init__(self, text: str) -> None:
        """Read a file that `parse` accepts."""
        self._lines: dict[Path, int] = {}
        arrays: Counter[Path] = Counter()
        for node in parsed(text.encode()).named_children:
            if node.type == "pair":
                self._add((), node)
            elif node.type in ("table", "table_array_element"):
                path = self._resolve(
                    arrays, steps(node.named_children[0]), node.type == "table_array_element"
                )
                self._note(path, node)
                for child in node.named_children[1:]:
                    self._add(path, child)

    def __getitem__(self, path: Path) -> int:
        """Return the line of a value, or of the nearest thing that contains it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def _note(self, path: Path, node: Node) -> None:
        for end in range(1, len(path) + 1):
            self._lines.setdefault(path[:end], node.start_point.row + 1)

    @staticmethod
    def _resolve(arrays: Counter[Path], keys: Path, is_element: bool) -> Path:
        """Return the path of a table's header: the name of an array of tables means its last element (TOML 1.0)."""
        path: Path = ()
        for position, key in enumerate(keys):
            path += (key,)
            if is_element and position == len(keys) - 1:
                arrays[path] += 1
            if path in arrays:
                path += (arrays[path] - 1,)
        return path

    def _add(self, parent: Path, node: Node) -> None:
        if node.type == "pair":
            key, value = node.named_children[:2]
            path = (*parent, *steps(key))
            self._note(path, node)
            self._add(path, value)
        elif node.type == "inline_table":
            for child in node.named_children:
                self._add(parent, child)
        elif node.type == "array":
            for index, child in enumerate(child for child in node.named_children if child.type != "comment"):
                self._note((*parent, index), child)
                self._add((*parent, index), child)


def parsed(text: bytes) -> Node:
    """Return the syntax tree of a TOML file."""
    return Parser(_TOML).parse(text).root_node


def steps(node: Node) -> Path:
    """Return the path that a bare, quoted or dotted key is, as the parser reads it."""
    return tuple(_walk(tomllib.loads(f"{(node.text or b'').decode()} = 0")))


def _walk(value: object) -> Iterator[str]:
    while isinstance(value, dict):
        (key,) = value
        yield key
        value = value[key]
