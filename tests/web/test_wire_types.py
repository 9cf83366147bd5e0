"""The shim's types are those of the table of endpoints."""

from tests.web.wire_types import FILE, text


def test_they_were_written_after_the_last_change() -> None:
    assert FILE.read_text() == text(), "run `make types`"
