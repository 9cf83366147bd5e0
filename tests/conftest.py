"""For every test: asynchronous ones run on asyncio, no example is timed on a busy machine, lower floors come first."""

import os
import ssl
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer.main
import typer.testing
from hypothesis import settings
from tests.size import tries
from tests.streams import ended_at_once

from deputize.cli.serving import settle

# No test leaves this machine, so nobody needs to be trusted: reading whom it trusts would take longer than most tests.
NOBODY = str(Path(__file__).parent / "vectors" / "nobody.pem")
os.environ["SSL_CERT_FILE"] = NOBODY
TRUSTED = ssl.get_default_verify_paths()._replace(openssl_cafile=NOBODY, openssl_capath="")
ssl.get_default_verify_paths = lambda: TRUSTED  # what clients trust that do not look at the environment

# httpx2 asks for it before each request of a test to an app, and Python looks through all folders for it each time,
# but where it stands as None, which its types do not know: then there is none (Python reference, §5.3.1).
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]

# Tests of commands would make the tree of all commands anew for each. `CliRunner.invoke` has a name of its own for what
# makes it, and nothing public that could be given it.
typer.testing._get_command = cache(typer.main.get_command)  # type: ignore[attr-defined]

settings.register_profile("deputize", deadline=None, max_examples=tries(100, 1_000))
settings.load_profile("deputize")

ROOMS = (
    *("protocol", "words", "service"),
    *("settings", "crypto", "fetching", "store"),
    *("authority", "methods", "agent", "guard"),
    "web",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes no time and says most precisely what is wrong."""
    items.sort(key=lambda item: ROOMS.index(room) if (room := _room(item)) in ROOMS else len(ROOMS))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through all tests again and again."""
    settle()


def _room(item: pytest.Item) -> str:
    return item.nodeid.removeprefix("tests/").partition("/")[0]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def streams_end_at_once() -> Iterator[None]:
    with ended_at_once():
        yield
