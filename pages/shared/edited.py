"""Files that a teacher may edit while the app runs: read again when they are others, and not before."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, int]  # when it was written, ns, and its bytes; (0, 0) where there is none


def stamp(path: Path) -> Stamp:
    """What tells one state of a file from another: part of the key under which what was read of it is kept."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def read(path: Path) -> str:
    """However it was saved; "" where there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
