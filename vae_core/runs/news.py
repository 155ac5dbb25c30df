"""Word that runs have changed, for who waits in an asyncio loop: nobody polls, and no thread waits."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress


class News:
    """Read `version`, look at the store, then `wait(since=that version)`: nothing told in between is missed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = 0
        self._last: dict[str, int] = {}  # by run id
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def version(self) -> int:
        """Of the last change that was told of; every process on a store counts alike."""
        return self._version

    def last(self, run_id: str) -> int:
        """The version that the news last told of this run made; 0 before there was any."""
        return self._last.get(run_id, 0)

    def tell(self, run_id: str, version: int) -> bool:
        """Wake all who wait, once what is told of can be read in the store; False where it was told before. From any
        thread."""
        with self._lock:
            if version <= self.last(run_id):
                return False
            self._version = max(self._version, version)
            self._last[run_id] = version
            waiting, self._waiting = self._waiting, set()
        for future in waiting:
            with suppress(RuntimeError):  # its loop has closed, and nobody waits there any more
                future.get_loop().call_soon_threadsafe(_wake, future)
        return True

    async def wait(self, since: int, seconds: float) -> None:
        """Returns once `version` is not `since`, at once where it is not now, or after so many seconds."""
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._version != since:
                return
            self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=seconds)
        finally:
            future.cancel()
            with self._lock:
                self._waiting.discard(future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
