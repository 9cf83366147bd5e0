"""The types of the shim, from the table of endpoints: `make types` writes `js/src/wire.js`, a test holds it to that."""

from pathlib import Path
from typing import Any

from deputize.web.endpoint import Endpoint
from deputize.web.endpoints import ENDPOINTS
from deputize.web.openapi import schemas

FILE = Path(__file__).parents[2] / "js" / "src" / "wire.js"
_HEAD = """\
/**
 * What goes over the wire between the shim and the authority. Written from the table of endpoints by
 * `make types`, and not by hand. Types only: nothing here runs.
 *
 * @template T
 * @typedef {{readonly [name in keyof T]?: unknown}} Said what somebody has answered who should have answered a `T`
 */
"""
_NAMES = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def text() -> str:
    """Write what JSON bodies and answers are made of, each type by its name."""
    told = tuple(each for each in ENDPOINTS if _is_for_pages(each))
    return "\n".join(
        [_HEAD, *(_typedef(name, schema) for name, schema in schemas(told).items()), "export {};\n"]
    )


def _is_for_pages(endpoint: Endpoint) -> bool:
    return endpoint.path.startswith(("/calls", "/tools", "/agents", "/grants", "/findings"))


def _typedef(name: str, schema: Any) -> str:
    about = " ".join(schema["description"].split("\n\n")[0].split())
    if "properties" not in schema:
        return f"/** @typedef {{{_type(schema)}}} {name} {about} */\n"
    lines = [f"/**\n * @typedef {{object}} {name} {about}"]
    for member, kind in schema["properties"].items():
        said = member if member in schema["required"] else f"[{member}]"
        lines.append(f" * @property {{{_type(kind)}}} {said}")
    return "\n".join([*lines, " */\n"])


def _type(schema: Any) -> str:
    match schema:
        case {"$ref": ref}:
            return str(ref).rpartition("/")[2]
        case {"enum": values}:
            return " | ".join(f"'{value}'" for value in values)
        case {"anyOf": kinds}:
            return " | ".join(_type(kind) for kind in kinds)
        case {"type": "array", "items": item}:
            return f"Array<{_type(item)}>"
        case {"type": "object", "additionalProperties": dict(of)}:
            return f"Record<string, {_type(of)}>"
        case {"type": "object"}:
            return "Record<string, unknown>"
        case {"type": str(kind)}:
            return _NAMES[kind]
    return "unknown"


if __name__ == "__main__":
    FILE.write_text(text())
