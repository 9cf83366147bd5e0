"""Requests and answers without a network: what a flow wants sent, and what came back.

A flow is a generator: it yields requests, is sent their answers, and returns what it was for. So everything
about OAuth is written once, and a client is what carries requests over the network, blocking or not.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from ..protocol.canonical import Json, JsonError, parse
from .errors import Unexpected

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send, `after` so many seconds from now."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes = field(repr=False, default=b"")
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def good(self) -> bool:
        """Tell whether the request succeeded."""
        return 200 <= self.status < 300

    def json(self) -> dict[str, Json]:
        """Return the JSON object in it, empty for an empty body; Unexpected for anything else."""
        try:
            value = parse(self.body) if self.body else {}
        except JsonError:
            value = None
        if not isinstance(value, dict):
            raise Unexpected(f"The authority answered {self.status} with something else than a JSON object.")
        return value


Flow: TypeAlias = Generator[Request, Answer, T]
