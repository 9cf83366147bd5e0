"""Every clause of PROTOCOL.md is cited by code and by a test: a clause that nobody enforces is no promise."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "server/deputize/PROTOCOL.md").read_text()
CLAUSES = re.findall(r"^\* \*\*([A-Z]+-\d+)\*\*", TEXT, re.MULTILINE)
CITED = re.compile(r"\b[A-Z]+-\d+\b")


def cited_in(*folders: str) -> set[str]:
    """Collect the clause ids that the sources in these folders name, ranges included (CALL-1 to CALL-3)."""
    found: set[str] = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".js"} and "node_modules" not in path.parts and path.name[:4] != "shim":
                text = path.read_text()
                found |= set(CITED.findall(text))
                for name, first, last in re.findall(r"\b([A-Z]+)-(\d+) to [A-Z]+-(\d+)", text):
                    found |= {f"{name}-{number}" for number in range(int(first), int(last) + 1)}
    return found


CODE = cited_in("server/deputize", "js/src")
TESTS = cited_in("tests", "js/test", "e2e")


def test_clause_ids_are_unique() -> None:
    assert len(CLAUSES) == len(set(CLAUSES)) > 50


def test_nothing_is_left_of_a_merge() -> None:
    assert re.findall(r"^(?:<{7}|={7}|>{7}).*", TEXT, re.MULTILINE) == []


def test_sections_are_numbered_in_order() -> None:
    """Whoever cites one by its number means one."""
    numbers = [int(number) for number in re.findall(r"^## (\d+)\. ", TEXT, re.MULTILINE)]
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_clause_has_code_and_a_test(clause: str) -> None:
    assert clause in CODE, "no code cites it"
    assert clause in TESTS, "no test cites it"


def test_nothing_cites_a_clause_that_does_not_exist() -> None:
    names = {clause.partition("-")[0] for clause in CLAUSES}
    ours = {cited for cited in CODE | TESTS if cited.partition("-")[0] in names}
    assert ours <= set(CLAUSES)
