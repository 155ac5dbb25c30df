"""Waiting for what another process or thread does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psutil

T = TypeVar("T")
SECONDS = 200.0  # a limit for broken code, not for slow machines: beside other work, workers get a tenth of a core


def wait_until(condition: Callable[[], T | None], seconds: float = SECONDS, how: Callable[[], str] = str) -> T:
    """The first true value of `condition`; where the limit is reached, `how` says what is missing. A condition on a
    browser has to ask it: a page's `url`, and what its events append to, stand still until something does."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"still not so after {seconds} s; {how()}"
        threading.Event().wait(0.02)
    return found


def run_apart(act: Coroutine[Any, Any, T]) -> T:
    """asyncio.run in a thread of its own: while a browser is open, this one has a loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, act).result()


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those not yet gone; a dead one that nobody has waited for is gone."""

    def runs(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return [process for process in processes if runs(process)]
