"""Harbor's books: accounts and transactions in an SQLite file of its own. Amounts are integers, in cents.

Nothing here knows of agents or of deputize: this is the part of a site that was there before them.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

OPENING_BALANCE = 1_000_00
_BANK_CODE = "12345678"
_SCHEMA = """
    PRAGMA journal_mode = WAL;
    PRAGMA foreign_keys = ON;
    CREATE TABLE IF NOT EXISTS accounts (
        user_id TEXT PRIMARY KEY,
        iban TEXT NOT NULL UNIQUE,
        balance INTEGER NOT NULL CHECK (balance >= 0),
        opened_at INTEGER NOT NULL,
        closed_at INTEGER
    ) STRICT;
    CREATE TABLE IF NOT EXISTS transactions (
        id INTEGER PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES accounts,
        at INTEGER NOT NULL,
        amount INTEGER NOT NULL,
        name TEXT NOT NULL,
        iban TEXT
    ) STRICT;
"""


class BankError(Exception):
    """The bank refuses; the text tells a customer why."""


@dataclass(frozen=True, slots=True)
class Account:
    """One customer's account. `balance` is in cents; `closed_at` is None while it is open."""

    user_id: str
    iban: str
    balance: int
    opened_at: int
    closed_at: int | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """What moved on an account, and when: `amount` in cents, negative for money that went out."""

    id: int
    at: int
    amount: int
    name: str
    iban: str | None


class Bank:
    """The books. Every change is one SQL transaction: all of it is in the file, or nothing."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Open the file, which is made if missing; `clock` returns seconds since the epoch."""
        self._clock = clock
        self._sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._sql.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def account(self, user_id: str) -> Account:
        """Return a customer's account; on first sight it is opened, with 1,000.00 EUR in it."""
        with self._change(user_id) as account:
            return account

    def transactions(self, user_id: str, limit: int = 20) -> list[Transaction]:
        """Return what moved on an account, newest first; on first sight it is opened."""
        self.account(user_id)
        rows = self._sql.execute(
            "SELECT id, at, amount, name, iban FROM transactions WHERE user_id = ? ORDER BY id DESC LIMIT ?",
            [user_id, limit],
        )
        return [Transaction(*row) for row in rows]

    def transfer(self, user_id: str, amount: int, iban: str, name: str) -> Transaction:
        """Send `amount` cents; BankError for a closed account, a wrong IBAN, or more than there is."""
        if not is_iban(iban):
            raise BankError(f"{iban} is not a valid IBAN. Check it and try again.")
        with self._change(user_id) as account:
            _must_be_open(account)
            if iban == account.iban:
                raise BankError("This is your own account.")
            if amount > account.balance:
                raise BankError("There is not enough money in the account.")
            self._add(user_id, -amount)
            for (recipient,) in self._sql.execute(
                "SELECT user_id FROM accounts WHERE iban = ? AND closed_at IS NULL", [iban]
            ).fetchall():
                self._add(recipient, amount)
                self._note(recipient, amount, "A customer of Harbor", account.iban)
            return self._note(user_id, -amount, name, iban)

    def close_account(self, user_id: str) -> Account:
        """Close an account for good, and pay out what is in it; BankError if it is closed."""
        with self._change(user_id) as account:
            _must_be_open(account)
            if account.balance:
                self._add(user_id, -account.balance)
                self._note(user_id, -account.balance, "Paid out when the account was closed")
            self._sql.execute("UPDATE accounts SET closed_at = ? WHERE user_id = ?", [self._now(), user_id])
        return self.account(user_id)

    @contextmanager
    def _change(self, user_id: str) -> Iterator[Account]:
        """Run the block in one SQL transaction, rolled back if it raises; yields the account, opened if need be."""
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield self._find(user_id) or self._open(user_id)
            self._sql.execute("COMMIT")
        finally:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")

    def _find(self, user_id: str) -> Account | None:
        row = self._sql.execute("SELECT * FROM accounts WHERE user_id = ?", [user_id]).fetchone()
        return Account(*row) if row else None

    def _open(self, user_id: str) -> Account:
        (number,) = self._sql.execute("SELECT count(*) + 1 FROM accounts").fetchone()
        account = Account(user_id, _german_iban(_BANK_CODE, number), OPENING_BALANCE, self._now(), None)
        self._sql.execute(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, NULL)",
            [user_id, account.iban, account.balance, account.opened_at],
        )
        self._note(user_id, OPENING_BALANCE, "Welcome to Harbor")
        return account

    def _add(self, user_id: str, amount: int) -> None:
        self._sql.execute("UPDATE accounts SET balance = balance + ? WHERE user_id = ?", [amount, user_id])

    def _note(self, user_id: str, amount: int, name: str, iban: str | None = None) -> Transaction:
        row = self._sql.execute(
            "INSERT INTO transactions (user_id, at, amount, name, iban) VALUES (?, ?, ?, ?, ?)"
            " RETURNING id, at, amount, name, iban",
            [user_id, self._now(), amount, name, iban],
        ).fetchone()
        return Transaction(*row)

    def _now(self) -> int:
        return int(self._clock())


def cents(euros: float) -> int:
    """Return an amount from JSON in cents; BankError unless it is above zero, and a whole number of them."""
    amount = Decimal(repr(euros)) * 100
    if amount <= 0 or amount != int(amount):
        raise BankError("An amount is more than zero, and has at most two digits after the point.")
    return int(amount)


def is_iban(text: str) -> bool:
    """Tell whether the check digits of an IBAN, written without spaces, are right (ISO 7064, MOD 97-10)."""
    return text.isascii() and text.isalnum() and len(text) > 14 and _remainder(text[4:] + text[:4]) == 1


def _must_be_open(account: Account) -> None:
    if account.closed_at is not None:
        raise BankError("This account is closed.")


def _german_iban(bank_code: str, number: int) -> str:
    account = f"{bank_code}{number:010}"
    return f"DE{98 - _remainder(account + 'DE00'):02}{account}"


def _remainder(text: str) -> int:
    return int("".join(str(int(letter, 36)) for letter in text)) % 97
