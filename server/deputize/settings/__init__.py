"""The policy file: `deputize.toml` → `Policy`, or all that is wrong with it at once."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from deputize.protocol.canonical import s256
from deputize.protocol.policy import Policy
from deputize.settings import toml
from deputize.settings.schemas import DeeperError
from deputize.settings.table import Context
from deputize.settings.tables import PolicyFile, table_at
from deputize.settings.toml import Lines, PolicyError, PolicyFault, dotted
from deputize.settings.values import did_you_mean

__all__ = ["PolicyError", "PolicyFault", "load", "loads"]

_KINDS = {
    "bool_type": "write true or false",
    "list_type": "write a list: [ … ]",
    "string_too_short": "write some text",
    "string_type": "write a text, in quotes",
}


def load(path: str | Path) -> Policy:
    """Read a policy file; PolicyError with all its faults, OSError if it cannot be read."""
    return loads(Path(path).read_bytes())


def loads(data: bytes) -> Policy:
    """Read the content of a policy file; PolicyError with all its faults."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError([PolicyFault(line, "file", "not UTF-8; save the file in that encoding")]) from error
    raw = toml.parse(text)
    try:
        policy = PolicyFile.model_validate(raw, context=_context(raw)).policy()
    except ValidationError as error:
        lines = Lines(text)
        # A default that cannot be made, since it needs a value with a fault, is no other fault.
        found = [details for details in error.errors() if details["type"] != "default_factory_not_called"]
        raise PolicyError(_fault(details, lines) for details in found) from error
    return replace(policy, file_s256=s256(data))


def _context(raw: Mapping[str, object]) -> Context:
    """Return what tables have to know of others before those are validated."""
    scopes, agents = raw.get("scopes"), raw.get("agents")
    development = isinstance(agents, dict) and agents.get("development") is True
    return Context(frozenset(scopes) if isinstance(scopes, dict) else frozenset(), development)


def _fault(details: ErrorDetails, lines: Lines) -> PolicyFault:
    """Return a fault that pydantic has found, in words of ours and with its place in the file."""
    path: toml.Path = details["loc"]
    context = details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            keys = [field.alias or name for name, field in table_at(path[:-1]).model_fields.items()]
            message = "no such key" + (did_you_mean(str(path[-1]), keys) or f"; there is {', '.join(keys)}")
        case "missing":
            (example,) = table_at(path[:-1]).model_fields[str(path[-1])].examples or [""]
            message = f"missing; write {example}"
        case "model_type" | "dict_type":
            message = f"write a table: [{dotted(path)}]"
        case "enum":
            message = f"write {context['expected']}".replace("'", '"')
        case "too_long":
            message = f"write at most {context['max_length']}"
        case "value_error":
            message = str(context["error"])
            if path[-1] == "[key]":  # so pydantic marks a fault in the name of a table
                path = path[:-1]
            if isinstance(context["error"], DeeperError):
                path += context["error"].path
        case kind:
            message = _KINDS.get(kind, details["msg"])
    return PolicyFault(lines[path], dotted(path), message)
