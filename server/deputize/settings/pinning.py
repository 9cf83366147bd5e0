"""Writing pins into a policy file, of which all else stays as it is: order, comments, white space (PIN-2)."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tree_sitter import Node

from deputize.settings.toml import Path, parsed, steps

_BOM = b"\xef\xbb\xbf"


def pinned(data: bytes, pins: Mapping[str, Sequence[str]]) -> bytes:
    """Return a policy file in which these tools are pinned to these digests; ValueError for a tool it does not have."""
    bom, text = (_BOM, data[len(_BOM) :]) if data.startswith(_BOM) else (b"", data)
    expected: Any = tomllib.loads(text.decode())
    for tool, digests in pins.items():
        text = _with_pin(text, tool, digests)
        expected["tools"][tool]["pinned"] = [*digests]
    if tomllib.loads(text.decode()) != expected:
        raise ValueError(
            "this file is written in a way that cannot be changed safely: write the pins by hand"
        )
    return bom + text


def _with_pin(text: bytes, tool: str, digests: Sequence[str]) -> bytes:
    value = written(digests).encode()
    last: tuple[Path, Node] | None = None
    for path, pair in _pairs(text):
        if path == ("tools", tool, "pinned"):
            old = pair.named_children[1]
            return text[: old.start_byte] + value + text[old.end_byte :]
        if path[:2] == ("tools", tool) and len(path) == 3:
            last = path, pair
    if last is None:
        raise ValueError(f"there is no tool {tool} in this file")
    _, pair = last
    key = pair.named_children[0]
    prefix = (key.text or b"")[: -len(_last_step(key))]
    if pair.parent is not None and pair.parent.type == "inline_table":
        return text[: pair.end_byte] + b", " + prefix + b"pinned = " + value + text[pair.end_byte :]
    begin = text.rfind(b"\n", 0, pair.start_byte) + 1
    end = text.find(b"\n", pair.end_byte)
    line = text[begin : pair.start_byte] + prefix + b"pinned = " + value
    if end < 0:
        return text + b"\n" + line + b"\n"
    ending = b"\r\n" if text[:end].endswith(b"\r") else b"\n"
    return text[: end + 1] + line + ending + text[end + 1 :]


def written(digests: Sequence[str]) -> str:
    """Write pins as TOML does."""
    return "[" + ", ".join(f'"{digest}"' for digest in digests) + "]"


def _last_step(key: Node) -> bytes:
    return (key.named_children[-1] if key.type == "dotted_key" else key).text or b""


def _pairs(text: bytes) -> Iterator[tuple[Path, Node]]:
    """List all that is set in a file, with its path, in the order of the file; arrays are not looked into."""
    for node in parsed(text).named_children:
        if node.type == "pair":
            yield from _in((), node)
        elif node.type == "table":
            base = steps(node.named_children[0])
            for child in node.named_children[1:]:
                if child.type == "pair":
                    yield from _in(base, child)


def _in(base: Path, pair: Node) -> Iterator[tuple[Path, Node]]:
    key, value = pair.named_children[:2]
    path = (*base, *steps(key))
    yield path, pair
    if value.type == "inline_table":
        for child in value.named_children:
            if child.type == "pair":
                yield from _in(path, child)
