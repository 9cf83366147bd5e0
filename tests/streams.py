"""Streamed answers that end with their first line: how long they wait is theirs to say."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deputize.web import waiting
from deputize.web.mcp import listening


@contextmanager
def ended_at_once() -> Iterator[None]:
    """Have them end so."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (waiting, listening):
            patch.setattr(module, "LONGEST", 0)
        yield
