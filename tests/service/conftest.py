"""One desk for each module: every test has people of its own."""

from collections.abc import Iterator

import pytest
from tests.service.agents import Browser
from tests.service.kit import SITE, Desk, Person
from tests.store import values as v

from deputize.store.sqlite import SqliteStore


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(SqliteStore(tmp_path_factory.mktemp("desk") / "deputize.db"))
    yield desk
    desk.close()


@pytest.fixture
def desk(opened: Desk) -> Desk:
    opened.now, opened.policy = v.NOW, SITE
    return opened


@pytest.fixture
def grace(desk: Desk) -> Person:
    return desk.person("internal")


@pytest.fixture
def browser(desk: Desk, grace: Person) -> Browser:
    """Give a browser whose agent may read and pay."""
    browser = Browser(desk, grace)
    browser.deputized()
    return browser
