"""Whether a client takes JSON: `Accept`, read as RFC 9110 §12.5.1 has it (MCP-1)."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = rf'\s*+;\s*+(?:(?P<name>{_TOKEN})=(?P<value>{_TOKEN}|"(?:[^"\\]|\\.)*+"))?+'
_ELEMENT = re.compile(
    rf"\s*+(?P<range>{_TOKEN}/{_TOKEN})(?P<more>(?:{re.sub('[?]P<[a-z]+>', '?:', _PARAMETER)})*+)\s*+"
)
_PARAMETERS = re.compile(_PARAMETER)
_BETWEEN = re.compile(r"[\s,]*+")
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_RANGES = ("application/json", "application/*", "*/*")  # the most specific one decides


def takes_json(lines: Sequence[str]) -> bool:
    """Tell whether JSON may be the answer, by the lines of `Accept`.

    A client without the field takes anything, and so does one that says nothing in it. A field that cannot be read
    says nothing either: whoever sent it gets the one answer that there is.
    """
    weights = _weights(", ".join(lines))
    if not weights:
        return True
    return next((weights[name] > 0 for name in _RANGES if name in weights), False)


def takes_events(lines: Sequence[str]) -> bool:
    """Tell whether a client says that it takes a stream of events: not each that takes anything does (MCP-19)."""
    return _weights(", ".join(lines)).get("text/event-stream", 0) > 0


@lru_cache(64)  # clients say the same each time
def _weights(text: str) -> Mapping[str, float]:
    """Read the weight of each media range, the greatest where one is repeated; nothing if a part cannot be read."""
    weights: dict[str, float] = {}
    at = _skipped(text, 0)
    while at < len(text):
        element = _ELEMENT.match(text, at)
        if element is None or (element.end() < len(text) and text[element.end()] != ","):
            return {}
        parameters = _PARAMETERS.finditer(element["more"])
        said = next((each["value"] for each in parameters if (each["name"] or "").lower() == "q"), "1")
        if _QVALUE.fullmatch(said) is None:
            return {}
        name = element["range"].lower()
        weights[name] = max(float(said), weights.get(name, 0))
        at = _skipped(text, element.end())
    return weights


def _skipped(text: str, at: int) -> int:
    """Return where the next element begins: lists may have empty ones (RFC 9110 §5.6.1)."""
    between = _BETWEEN.match(text, at)
    assert between is not None
    return between.end()
