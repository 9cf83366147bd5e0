"""A store that lives elsewhere: each question goes to another thread's loop, as it would over a network."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from deputize.service.ports import Health, Reader, Store, Tx
from deputize.store.sqlite import SqliteStore

T = TypeVar("T")


class Elsewhere(Store):
    """A store over SQLite for which everybody has to wait."""

    def __init__(self, path: Path) -> None:
        """Open it there."""
        self._store = SqliteStore(path)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="elsewhere", daemon=True)
        self._thread.start()

    async def read(self, fn: Callable[[Reader], T]) -> T:
        return await self._there(self._store.read(fn))

    def look(self, fn: Callable[[Reader], T]) -> T:
        return asyncio.run_coroutine_threadsafe(self._store.read(fn), self._loop).result(60)

    async def transact(self, fn: Callable[[Tx], T]) -> T:
        return await self._there(self._store.transact(fn))

    async def health(self) -> Health:
        return await self._there(self._store.health())

    async def check(self) -> None:
        await self._there(self._store.check())

    async def scrub(self) -> bool:
        return await self._there(self._store.scrub())

    def close(self) -> None:
        self._store.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _there(self, asked: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, self._loop))
