"""The authority as one parser: a good request of the tour, in which headers and body are replaced."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.hostile.requests import Arena, Authorities, Caught

NAMES = (
    *(
        "POST /calls",
        "POST /mcp tools/call",
        "POST /mcp approval/challenge/create",
        "POST /par",
        "POST /par signed",
    ),
    *(
        "POST /token refresh_token",
        "POST /account/sign-up",
        "POST /account/sign-up/{challenge_id}",
        "GET /authorize",
    ),
    *("POST /calls/{call_id}/approval", "POST /grants", "GET /account", "POST /introspect", "GET /device"),
)

FIRST = ord("a")


class Whole:
    """An authority, in a loop of its own. It lies in a folder that is gone when this process is."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._folder = tempfile.TemporaryDirectory()
        self._authorities = Authorities(Path(self._folder.name))
        self._caught = self._runner.run(self._authorities.catch())
        self._arenas: dict[str, Arena] = {}

    def send(self, data: bytes) -> None:
        """Take a letter for the name, lines of headers, an empty line, and the body, if that is to be another one."""
        head, _, body = data.partition(b"\n\n")
        name, *lines = head.split(b"\n")
        one = self._caught[NAMES[(name[0] - FIRST) % len(NAMES)] if name else NAMES[0]]
        request = replace(one.request, body=body or one.request.body)
        for line in lines:
            field, _, value = line.partition(b":")
            request = request.having(field.lower(), value)
        answer = self._runner.run(self._arena(one).send(request))
        assert answer.status != 500

    def _arena(self, one: Caught) -> Arena:
        key = str(one.data)
        if key not in self._arenas:
            opening = self._stack.enter_async_context(self._authorities.at(one.data))
            self._arenas[key] = self._runner.run(opening)
        return self._arenas[key]


@cache
def whole() -> Whole:
    """Return the one of this process."""
    return Whole()
