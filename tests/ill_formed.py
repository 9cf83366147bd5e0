"""Texts that JSON-1 and JSON-2 refuse, each with the reason: from `tests/vectors/canonical.json`."""

import json
from pathlib import Path

_VECTORS = json.loads((Path(__file__).parent / "vectors" / "canonical.json").read_text())

VALUES: list[tuple[bytes, str]] = [
    (case["text"].encode(), case["reason"]) for case in _VECTORS["refused_values"]
]
"""What a lenient parser makes a value of."""

TEXTS: list[tuple[bytes, str]] = [
    (bytes.fromhex(case["hex"]), case["reason"]) for case in _VECTORS["refused_texts"]
]
"""What can be seen only in the bytes."""


def inside(*members: str) -> list[bytes]:
    """Return all of them as objects: each value as one more member, after these that are written as JSON has them."""
    return [
        *(text for text, _ in TEXTS),
        *(b"{%s}" % b",".join((*map(str.encode, members), b'"x":' + value)) for value, _ in VALUES),
        *(b"{%s}" % b",".join((*map(str.encode, members), text)) for text in (b'"x":1,"x":2', b'"x":NaN')),
    ]
