"""Whatever goes through without a call is for no guarded handler, by the rules of routers that there are (PROXY-2)."""

import random
import re
from urllib.parse import unquote

import pytest
from starlette.routing import Match, Route
from tests.size import tries
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from deputize.guard.proxy.app import _found
from deputize.protocol.errors import Refused
from deputize.settings import loads

from .conftest import POLICY

ENDPOINTS = loads(POLICY.encode()).endpoints()
GUARDED = [(endpoint.method, endpoint.path) for endpoint, _ in ENDPOINTS]
PIECES = [
    *(
        "/",
        "/api",
        "/transfers",
        "/accounts",
        "/7",
        "transfers",
        ".",
        "..",
        "//",
        ";",
        ";a=b",
        "?",
        "?x",
        "#",
        "\\",
    ),
    *(
        "%2F",
        "%5C",
        "%2E",
        "%252F",
        "%00",
        "%0A",
        "%20",
        "%23",
        "%3F",
        "%3B",
        "%25",
        "%61",
        "%41",
        "%7E",
        "%C2%A0",
    ),
    *(
        "%C0%AF",
        "%EF%BC%8F",
        "%E2%81%84",
        "%E2%80%A5",
        "%EF%BC%8E",
        "%C5%BF",
        "%E2%80%8B",
        "%EF%BD%94",
        "%CC%81",
    ),
    *(
        ".json",
        ".html",
        "/index",
        "/index.php",
        "/~",
        "T",
        "S",
        "*",
        "+",
        "'",
        "@",
        ":",
        "=",
        ",",
        "(",
        "-",
        "_",
    ),
]


def mutated(chance: random.Random) -> str:
    """Take a guarded path, and change up to three places of it."""
    parts = list(chance.choice(GUARDED)[1].replace("{account}", "7"))
    for _ in range(chance.randint(1, 3)):
        at, kind = chance.randrange(len(parts)), chance.random()
        if kind < 0.6:
            parts.insert(at + chance.randint(0, 1), chance.choice(PIECES))
        elif kind < 0.8:
            parts[at] = parts[at].swapcase()
        else:
            parts[at] = "".join(f"%{byte:02X}" for byte in parts[at].encode())
    return "".join(parts)


def express(method: str, path: str) -> bool:
    """Route as Express and ASP.NET do: case and a slash at the end make no difference."""
    patterns = [re.sub(r"\{\w+\}", "[^/]+", template) for of, template in GUARDED if of == method]
    return any(re.fullmatch(f"{pattern}/?", path, re.IGNORECASE | re.ASCII) for pattern in patterns)


def starlette(method: str, path: str) -> bool:
    scope = {"type": "http", "method": method, "path": unquote(path), "root_path": ""}
    return any(
        Route(template, lambda request: None, methods=[of]).matches(scope)[0] is Match.FULL
        for of, template in GUARDED
    )


RULES = [(template.replace("{account}", "<account>"), of) for of, template in GUARDED]
FLASK = [
    Map([Rule(path, methods=[of]) for path, of in RULES], strict_slashes=strict) for strict in (True, False)
]


def flask(method: str, path: str) -> bool:
    for routes in FLASK:
        try:
            routes.bind("bank.example").match(unquote(path, errors="replace"), method)
        except HTTPException:  # RequestRedirect is one, too
            continue
        return True
    return False


@pytest.mark.parametrize("routed", [express, starlette, flask])
def test_what_goes_through_without_a_call_is_routed_to_nothing_guarded(routed: object) -> None:
    assert callable(routed)
    chance = random.Random()
    through = 0
    for _ in range(tries(3_000, 100_000)):
        method, target = chance.choice(GUARDED)[0], mutated(chance)
        if not target.startswith("/"):
            continue
        try:
            if _found(ENDPOINTS, method, target, method == "POST") is not None:
                continue
        except Refused:
            continue
        through += 1
        assert not routed(method, target.partition("?")[0]), (method, target)
    assert through > 100  # it tried something


@pytest.mark.parametrize("routed", [express, starlette, flask])
def test_the_routers_take_what_is_guarded(routed: object) -> None:
    assert callable(routed)
    for method, template in GUARDED:
        assert routed(method, template.replace("{account}", "7"))
