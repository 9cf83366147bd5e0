"""Harbor's books: they balance, whatever is asked of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.demo.bank import OPENING_BALANCE, Bank, BankError, cents, is_iban

ADA = "DE89370400440532013000"


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path / "harbor.db", lambda: 1_800_000_000)


def test_an_account_is_opened_on_first_sight_and_once(bank: Bank) -> None:
    first = bank.account("grace")
    assert (first.balance, first.closed_at) == (OPENING_BALANCE, None)
    assert is_iban(first.iban)
    assert bank.account("grace") == first
    assert bank.account("alan").iban != first.iban
    assert [entry.amount for entry in bank.transactions("grace")] == [OPENING_BALANCE]


def test_a_transfer_takes_what_it_says(bank: Bank) -> None:
    sent = bank.transfer("grace", 250_00, ADA, "Ada Lovelace")
    assert (sent.amount, sent.name, sent.iban, sent.at) == (-250_00, "Ada Lovelace", ADA, 1_800_000_000)
    assert bank.account("grace").balance == OPENING_BALANCE - 250_00
    assert bank.transactions("grace", limit=1) == [sent]


def test_what_goes_to_another_customer_arrives(bank: Bank) -> None:
    alan = bank.account("alan")
    bank.transfer("grace", 1, alan.iban, "Alan")
    assert bank.account("alan").balance == OPENING_BALANCE + 1
    assert bank.transactions("alan")[0].iban == bank.account("grace").iban


@pytest.mark.parametrize(
    ("amount", "iban"),
    [
        pytest.param(OPENING_BALANCE + 1, ADA, id="more than there is"),
        pytest.param(1, "DE89370400440532013001", id="wrong check digits"),
        pytest.param(1, "DE893704", id="too short"),
        pytest.param(1, "own", id="to itself"),
    ],
)
def test_what_the_bank_does_not_do_leaves_no_trace(bank: Bank, amount: int, iban: str) -> None:
    before = bank.account("grace")
    with pytest.raises(BankError):
        bank.transfer("grace", amount, before.iban if iban == "own" else iban, "Ada Lovelace")
    assert bank.account("grace") == before
    assert len(bank.transactions("grace")) == 1


def test_all_of_it_may_be_sent_and_then_no_more(bank: Bank) -> None:
    bank.transfer("grace", OPENING_BALANCE, ADA, "Ada Lovelace")
    with pytest.raises(BankError, match="not enough"):
        bank.transfer("grace", 1, ADA, "Ada Lovelace")
    assert bank.account("grace").balance == 0


def test_a_closed_account_is_paid_out_and_does_nothing_more(bank: Bank) -> None:
    closed = bank.close_account("grace")
    assert (closed.balance, closed.closed_at) == (0, 1_800_000_000)
    assert bank.transactions("grace")[0].amount == -OPENING_BALANCE
    with pytest.raises(BankError, match="closed"):
        bank.transfer("grace", 1, ADA, "Ada Lovelace")
    with pytest.raises(BankError, match="closed"):
        bank.close_account("grace")
    bank.transfer("alan", 1, closed.iban, "Grace")
    assert bank.account("grace").balance == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.integers(1, 2 * OPENING_BALANCE), st.sampled_from(("a", "b", "c", ADA))
        )
    )
)
def test_balances_are_the_sums_of_what_moved_and_never_below_zero(
    orders: list[tuple[str, int, str]],
) -> None:
    bank = Bank(Path(":memory:"), lambda: 0)
    for sender, amount, to in orders:
        try:
            bank.transfer(sender, amount, to if to == ADA else bank.account(to).iban, "somebody")
        except BankError:
            continue
    for customer in "abc":
        moved = sum(entry.amount for entry in bank.transactions(customer, limit=1_000_000))
        assert bank.account(customer).balance == moved >= 0
    bank.close()


def test_the_books_are_still_there_after_a_restart(tmp_path: Path) -> None:
    before = Bank(tmp_path / "harbor.db", lambda: 0)
    before.transfer("grace", 1, ADA, "Ada Lovelace")
    before.close()
    assert Bank(tmp_path / "harbor.db", lambda: 0).account("grace").balance == OPENING_BALANCE - 1


@given(st.integers(1, 100_000_000))
def test_every_amount_of_cents_survives_json(amount: int) -> None:
    assert cents(amount / 100) == amount


@pytest.mark.parametrize("euros", [0, -1, 0.001, 19.999, 1e-7, 250.005])
def test_what_is_no_amount_of_money_is_refused(euros: float) -> None:
    with pytest.raises(BankError):
        cents(euros)
