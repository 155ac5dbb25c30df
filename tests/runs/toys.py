"""Measurements for the tests of measuring. The engine's workers import this file."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vae_core.errors import LevelsError


def count(weights: bytes, upto: int, diary: str = "") -> Iterator[tuple[float, Any]]:
    """Adds the numbers up; a diary gets a line with the process each time it begins."""
    if diary:
        with Path(diary).open("a") as file:
            file.write(f"{os.getpid()}\n")
    total = len(weights)
    for n in range(1, upto + 1):
        total += n
        yield n / upto, {"n": n, "total": total}


def wait_for(weights: bytes, file: str, diary: str) -> Iterator[tuple[float, Any]]:
    """Half done at once, and done when that file is there; the diary says when it began and when it was let go."""
    path, notes = Path(file), Path(diary)
    try:
        with notes.open("a") as lines:
            lines.write(f"{os.getpid()}\n")
        while not path.exists():
            yield 0.5, {"so far": len(weights)}
            threading.Event().wait(0.02)
        yield 1.0, {"found": len(weights)}
    finally:
        with notes.open("a") as lines:
            lines.write("let go\n")


def refuse(weights: bytes, levels: int) -> Iterator[tuple[float, Any]]:
    yield 0.1, None
    raise LevelsError(f"{levels} grey levels cannot be scored.")


def fail(weights: bytes) -> Iterator[tuple[float, Any]]:
    yield 0.1, None
    raise ZeroDivisionError("nobody thought of this")


def kill_its_worker(weights: bytes) -> Iterator[tuple[float, Any]]:
    yield 0.1, None
    os._exit(1)
