"""A clock that goes forward and back: nothing is good twice, honest things go on (CLOCK-1), it is told (CLOCK-2)."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import methodcaller
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bank import ISSUER, Bank

from deputize.authority.clock import HELD_FOR, STEP, Clock
from deputize.authority.housekeeping import KEPT_AFTER, SWEEP_EVERY
from deputize.protocol.ids import Jkt
from deputize.protocol.proof import Proof
from deputize.store.sqlite import SqliteStore
from deputize.testing.page import Page

NOW = 1_800_000_000
WINDOW = 30  # PROOF-1
KEPT = WINDOW + 1 + 60  # seconds after `iat` for which a proof is remembered (crypto/dpop.py)


@dataclass
class Machine:
    """A machine whose clock somebody sets, with an authority's store; `real` is the time that passes."""

    store: SqliteStore
    real: float = 100.0
    ahead: float = 0.0
    used: set[int] = field(default_factory=set)
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the process anew: what it had seen is gone."""
        self.clock = Clock(lambda: self.wall, lambda: self.real)

    @property
    def wall(self) -> float:
        return NOW + self.real + self.ahead

    def pass_(self, seconds: float) -> None:
        """Let time pass while house is kept."""
        end = self.real + seconds
        while self.real < end:
            self.real = min(end, self.real + SWEEP_EVERY)
            held = self.clock.held()
            if held is not None and (
                self.real == end or self.real % 100 < SWEEP_EVERY
            ):  # each costs a commit
                before = held - KEPT_AFTER
                asyncio.run(self.store.transact(methodcaller("sweep", before)))

    def present(self, iat: int) -> bool:
        """Show a proof that was made at that second; tell whether it is taken."""
        if abs(self.wall - iat) > WINDOW:
            return False
        proof = Proof(Jkt("key"), f"jti {iat}", iat + KEPT)
        return asyncio.run(self.store.transact(lambda tx: tx.use_proof(proof)))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    store = SqliteStore(tmp_path / "deputize.db")
    yield Machine(store)
    store.close()


def test_clock_1_an_hour_forward_for_six_seconds(machine: Machine) -> None:
    machine.pass_(2 * HELD_FOR)
    iat = int(machine.wall)
    assert machine.present(iat)
    machine.ahead = 3600
    machine.pass_(6)
    machine.ahead = 0
    assert not machine.present(iat)
    assert machine.present(int(machine.wall) + 1)  # and who comes honestly comes in


def test_clock_1_an_hour_forward_for_long(machine: Machine) -> None:
    """Then it is believed; so when it turns out wrong, what was forgotten is refused until it is that late again."""
    machine.pass_(2 * HELD_FOR)
    iat = int(machine.wall)
    assert machine.present(iat)
    machine.ahead = 3600
    machine.pass_(3 * HELD_FOR)
    machine.ahead = -1800 - 10  # as if those minutes had not been
    assert abs(machine.wall - iat) <= WINDOW
    assert not machine.present(iat)
    machine.start()
    assert not machine.present(iat)


@dataclass(frozen=True)
class Step:
    what: str
    amount: int


STEPS = st.one_of(
    st.builds(Step, st.just("pass"), st.sampled_from([1, 6, 700, 1500])),
    st.builds(Step, st.just("set"), st.sampled_from([0, 6, -6, 3600, -3600, 700, -700, 86400, -1800])),
    st.builds(Step, st.just("use"), st.integers(-WINDOW, WINDOW)),
    st.builds(Step, st.just("replay"), st.integers(1, 3)),
    st.builds(Step, st.just("start"), st.just(0)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, min_size=10, max_size=25))
def test_clock_1_whatever_the_clock_does_no_proof_is_good_twice(steps: list[Step]) -> None:
    with TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "deputize.db")
        try:
            machine = Machine(store)
            for step in steps:
                match step.what:
                    case "pass":
                        machine.pass_(step.amount)
                    case "set":
                        machine.ahead = step.amount
                    case "start":
                        machine.start()
                    case "use" if machine.present(iat := int(machine.wall) + step.amount):
                        assert iat not in machine.used
                        machine.used.add(iat)
                    case "replay":  # set the clock so that it fits, as whoever may set it would
                        for iat in sorted(machine.used)[: step.amount]:
                            machine.ahead += iat - machine.wall
                            assert not machine.present(iat)
        finally:
            store.close()


def test_clock_1_what_is_forgotten_is_of_a_time_that_has_held(machine: Machine) -> None:
    for _ in range(int(HELD_FOR / SWEEP_EVERY)):
        assert machine.clock.held() is None
        machine.real += SWEEP_EVERY
    assert machine.clock.held() == int(machine.wall)
    machine.ahead = 3600
    for _ in range(int(HELD_FOR / SWEEP_EVERY)):
        machine.real += SWEEP_EVERY
        held = machine.clock.held()
        assert held is not None
        assert held == int(machine.wall) - 3600
    machine.real += SWEEP_EVERY
    assert machine.clock.held() == int(machine.wall)
    machine.ahead = 0
    assert machine.clock.held() == int(machine.wall)


@pytest.mark.parametrize(
    ("back", "told"), [(0, False), (1, False), (STEP, False), (STEP + 1, True), (3600, True)]
)
def test_clock_2_a_clock_that_goes_back_is_a_fault(machine: Machine, back: int, told: bool) -> None:
    machine.clock()
    machine.ahead = -back
    machine.clock()
    assert machine.clock.fault == (f"it went back by {back} s" if told else None)
    machine.real += back
    machine.clock()
    assert machine.clock.fault is None


@pytest.mark.anyio
class TestTheOwner:
    """Hears of it, and the record goes on being signed."""

    async def test_clock_2_is_told(self, bank: Bank, grace: Page, capsys: pytest.CaptureFixture[str]) -> None:
        async def ask(path: str) -> str:
            return (await grace.http.get(f"{ISSUER}/{path}")).text

        assert await ask("readyz") == "ready\n"
        assert 'deputize_faulty{part="clock"} 0.0' in await ask("metrics")
        bank.clock.forward(-3600)
        for _ in range(3):
            assert await ask("readyz") == "ready, but its clock went back\n"
        assert 'deputize_faulty{part="clock"} 1.0' in await ask("metrics")
        bank.clock.forward(3600)
        assert await ask("readyz") == "ready\n"
        assert 'deputize_faulty{part="clock"} 0.0' in await ask("metrics")

    async def test_checkpoints_go_on(self, bank: Bank, grace: Page) -> None:
        bank.clock.forward(3600)
        first = (await grace.http.get(f"{ISSUER}/log/checkpoint")).text
        bank.clock.forward(-3600)
        await grace.deputize("account:read")
        second = (await grace.http.get(f"{ISSUER}/log/checkpoint")).text
        assert second != first
        assert int(second.splitlines()[1]) > int(first.splitlines()[1])
