"""For every test: asynchronous ones run on asyncio, and no example is timed on a busy machine."""

import pytest
from hypothesis import settings

settings.register_profile("deputize", deadline=None)
settings.load_profile("deputize")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
