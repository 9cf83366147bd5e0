"""Harbor for each test: its own port, folder, clock and browser profile. The rest comes from the plugin."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from e2e.bank import Bank, Customer, Persistent, sign_up
from e2e.script import PageScript
from playwright.sync_api import Page, expect
from starlette.types import ASGIApp

from deputize.cli.serving import settle
from deputize.demo import site as harbor_site
from deputize.demo.site import Harbor
from deputize.testing.agent import Agent, PlaywrightAgent
from deputize.testing.clock import HeldClock
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site

# As long as locators wait: on a busy machine half of the usual five seconds went by before a page had drawn itself.
expect.set_options(timeout=30_000)

POLICY = Path(harbor_site.__file__).with_name("harbor.toml").read_text(encoding="utf-8")


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through all stories again and again."""
    settle()


@pytest.fixture
def open_bank(tmp_path: Path, serve: Callable[..., Site], held_clock: HeldClock) -> Callable[..., Bank]:
    """Run a Harbor; `policy` is put after its own policy file, `without` are texts that are left out of it."""
    # The folder is asked for first, so that it goes last: a server that stops writes its checkpoint there.

    def open_one(policy: str = "", without: Sequence[str] = ()) -> Bank:
        running: list[Harbor] = []

        def build(port: int) -> ASGIApp:
            text = POLICY.replace("http://localhost:8000", f"http://localhost:{port}")
            for each in without:
                assert each in text
                text = text.replace(each, "")
            (tmp_path / "deputize.toml").write_text(f"{text}\n{policy}\n", encoding="utf-8")
            running.append(harbor_site.build(tmp_path, port, held_clock))
            return running[0].app

        return Bank(serve(build), *running)

    return open_one


@pytest.fixture
def bank(open_bank: Callable[..., Bank]) -> Bank:
    """Harbor as it is."""
    return open_bank()


@pytest.fixture
def impatient_bank(open_bank: Callable[..., Bank]) -> Bank:
    """A Harbor whose shim lets agents wait for a human for one second only, instead of twenty."""
    return open_bank("[lifetimes]\nwait = 1")


@pytest.fixture
def agent(tab: Page, request: pytest.FixtureRequest) -> Agent:
    """An agent that calls tools of `tab`; it comes back when it is told to, but not at a bank that is to tell it so."""
    return (PlaywrightAgent if "impatient_bank" in request.fixturenames else Persistent)(tab)


@pytest.fixture
def customer(bank: Bank, tab: Page, passkeys: Passkeys, human: Human, agent: Agent) -> Customer:
    """A customer of `bank` at `tab`, with a passkey on this device, who has deputized nobody yet."""
    return Customer(bank, tab, sign_up(bank, tab, passkeys), human, agent)


@pytest.fixture
def deputized(customer: Customer) -> Customer:
    """A customer whose agent may prepare transfers."""
    customer.deputizes_for("transfer_money")
    return customer


@pytest.fixture
def script(bank: Bank, tab: Page) -> PageScript:
    """Script of the bank's own page that goes past the shim."""
    return PageScript(tab, bank.issuer)


@pytest.fixture(scope="session")
def pictures(pytestconfig: pytest.Config) -> Path:
    """The folder for screenshots, which git ignores."""
    folder = pytestconfig.rootpath / "screenshots" / "e2e"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
