"""Scopes: rights that the site names (RFC 6749 §3.3)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}\Z")  # scope-token, RFC 6749 §3.3
MAX_SCOPES = 32


@dataclass(frozen=True, slots=True)
class ScopeSet:
    """A legal set of scopes; whoever holds one need not check it again."""

    names: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse, with ValueError, a name that is no scope-token and more than 32 names."""
        if len(self.names) > MAX_SCOPES:
            raise ValueError(f"more than {MAX_SCOPES} scopes")
        for name in self.names:
            if not _TOKEN.match(name):
                raise ValueError(f"not a scope: {name!r}")

    @classmethod
    def of(cls, names: Iterable[str]) -> "ScopeSet":
        """Make one from names."""
        return cls(frozenset(names))

    @classmethod
    def parse(cls, text: str) -> "ScopeSet":
        """Read the wire form: names separated by single spaces, none twice; ValueError otherwise."""
        names = text.split(" ") if text else []
        if len(set(names)) != len(names):
            raise ValueError("a scope is named twice")
        return cls(frozenset(names))

    def __str__(self) -> str:
        """Return the wire form, sorted."""
        return " ".join(sorted(self.names))

    def __iter__(self) -> Iterator[str]:
        """Iterate in the order of the wire form."""
        return iter(sorted(self.names))

    def __len__(self) -> int:
        """Count the names."""
        return len(self.names)

    def __or__(self, other: "ScopeSet") -> "ScopeSet":
        """Return what either holds."""
        return ScopeSet(self.names | other.names)

    def __sub__(self, other: "ScopeSet") -> "ScopeSet":
        """Return what only this one holds."""
        return ScopeSet(self.names - other.names)

    def __and__(self, other: "ScopeSet") -> "ScopeSet":
        """Return what both hold."""
        return ScopeSet(self.names & other.names)

    def __le__(self, other: "ScopeSet") -> bool:
        """Tell whether the other one holds all of this."""
        return self.names <= other.names


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope as the policy declares it: its title in a user's words, and whether it can change things."""

    name: str
    title: str
    writes: bool
