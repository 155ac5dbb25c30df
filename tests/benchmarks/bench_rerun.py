"""What a rerun costs the page process, part of `make bench`: one visitor, each control of each page many times, and
each clock. `--url` measures a server that runs on this machine."""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import psutil

from tests.benchmarks.bench_class import CROWD, another, answering, controls, cpu, p, warm
from tests.benchmarks.bench_page import report
from tests.browser.conftest import Server
from tests.protocol import Visitor


async def table(url: str, times: int = 20) -> None:
    """CPU of the page process for a rerun by each control of each page, and for each clock."""
    (app,) = answering(url)
    await warm(url)
    medians: dict[str, float] = {}
    print(f"\n| page | control | ms of CPU, median of {times} | 95 % |\n|---|---|---|---|")
    for page in CROWD:
        await page_costs(app, url, page, times, shown=False)  # what a class looks at is computed for the first alone
        if costs := await page_costs(app, url, page, times):
            medians[page or "start"] = statistics.median(costs)
    report("CPU of a control's rerun, median over pages", statistics.median(medians.values()), "ms", "10")
    worst = max(medians, key=lambda page: medians[page])
    report(f"CPU of a control's rerun, worst page ({worst})", medians[worst], "ms", "25")


async def page_costs(app: psutil.Process, url: str, page: str, times: int, shown: bool = True) -> list[float]:
    """Draw the rows of one page; the median of each of its controls, ms."""
    show = row if shown else lambda *_: None
    visitor = Visitor(url)
    await visitor.open(page)
    medians = []
    controls_here = [(one.kind, one.key or one.label) for one in controls(visitor)]
    for kind, name in controls_here[:1] if page == "questions" else controls_here:
        one = Visitor(url)  # another each time: what one control shows another may hide
        await one.open(page)
        found = await cost(app, partial(turn, one, kind, name), times)
        show(page, name, found)
        medians.append(statistics.median(found))
        await one.close()
    show(page, "(the page opened)", await cost(app, partial(visitor.go, page), times))
    for fragment, interval in visitor.clocks.items():
        show(page, f"(a clock, each {interval:g} s)", await cost(app, partial(visitor.tick, fragment), times))
    for sentence in visitor.exceptions:
        print(f"| {page or 'start'} | exception | {sentence} | |")
    await visitor.close()
    return medians


async def turn(visitor: Visitor, kind: str, name: str) -> None:
    widget = next((one for one in visitor.widgets(kind) if name in (one.key, one.label)), None)
    if widget is not None:
        await visitor.change(widget, another(visitor, widget, random.Random(visitor.reruns)))


async def cost(app: psutil.Process, act: Callable[[], Awaitable[object]], times: int) -> list[float]:
    found = []
    for _ in range(times):
        before = cpu(app)
        await act()
        await asyncio.sleep(0.02)  # the runner's thread ends, pictures are fetched
        found.append(1000 * (cpu(app) - before))
    return found


def row(page: str, name: str, found: list[float]) -> None:
    print(f"| {page or 'start'} | {name} | {statistics.median(found):.1f} | {p(found, 0.95):.1f} |", flush=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--url", help="of a server that runs on this machine")
    asked.add_argument("--times", type=int, default=20, help="reruns by each control")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = None if given.url else Server(Path(folder)).start()
        try:
            asyncio.run(table(server.url if server else given.url, given.times))
        finally:
            if server:
                server.stop()


if __name__ == "__main__":
    main()
