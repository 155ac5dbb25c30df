"""Waiting for what another process or thread does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
SECONDS = 200.0  # a limit for broken code, not for slow machines: beside other work, workers get a tenth of a core


def wait_until(condition: Callable[[], T | None], seconds: float = SECONDS, how: Callable[[], str] = str) -> T:
    """The first true value of `condition`; where the limit is reached, `how` says what is missing."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"still not so after {seconds} s; {how()}"
        threading.Event().wait(0.02)
    return found
