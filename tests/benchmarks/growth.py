"""What a server grows by while a class uses it: the memory of each of its processes, and its folder of runs."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tests.benchmarks.bench_page import report
from vae_core.runs.retention import limit

LOOK_SECONDS = 5.0
SETTLED, WINDOW = 300.0, 60.0  # seconds: growth is counted from there on, between the medians of two windows


def memory(pages: Sequence[psutil.Process]) -> dict[str, float]:
    """MB, by what the process is."""
    found = {}
    for number, page in enumerate(pages, 1):
        for process in (page, *page.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # it has a successor by now
                what = ["child", *process.cmdline()][-1].rpartition(".")[2]  # cluster, embedded_worker
                name = f"page process {number}" if process == page else f"{what} {process.pid}"
                found[name] = process.memory_info().rss / 1e6
    return found


class Growth:
    """`watch` until it is cancelled; then `tell`."""

    def __init__(self, pages: Sequence[psutil.Process], folder: Path | None):
        self.pages, self.folder = pages, folder
        self.seen: list[tuple[float, dict[str, float]]] = []  # seconds since the start, memory
        self.most_bytes = 0  # of the folder

    async def watch(self) -> None:
        began = time.monotonic()
        while True:
            self.seen.append((time.monotonic() - began, memory(self.pages)))
            self.most_bytes = max(self.most_bytes, self._bytes())
            await asyncio.sleep(LOOK_SECONDS)

    def _bytes(self) -> int:
        found = 0
        for path in self.folder.rglob("*") if self.folder else ():
            with suppress(OSError):  # it was removed meanwhile
                found += path.stat().st_size
        return found

    def tell(self) -> None:
        end = self.seen[-1][0]
        if end >= SETTLED + 2 * WINDOW:
            first, last = self._medians(SETTLED, SETTLED + WINDOW), self._medians(end - WINDOW, end)
            for name in sorted(first.keys() | last.keys()):
                if name not in first or name not in last:
                    print(f"{name} was not there all the time")
                    continue
                more = f"{first[name]:.0f} MB after {SETTLED / 60:.0f} minutes, {last[name]:.0f} MB at the end"
                report(f"growth of {name}, {more}", 100 * (last[name] / first[name] - 1), "%", "5")
        if self.folder:
            report("the folder of runs at its largest", self.most_bytes / 1e6, "MB", f"{limit() / 1e6:.0f}")

    def _medians(self, begin: float, end: float) -> dict[str, float]:
        """Of each process that was there at all looks of this time."""
        looks = [found for at, found in self.seen if begin <= at <= end]
        everywhere = set.intersection(*(set(found) for found in looks))
        return {name: statistics.median(found[name] for found in looks) for name in everywhere}
