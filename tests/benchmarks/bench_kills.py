"""A class under load whose processes are killed one after the other, part of `make bench`: how long its address does
not answer, and that it costs nothing else. Every run ends with the numbers it has undisturbed, none is lost, and no
process outlives the class.

    python -m tests.benchmarks.bench_kills --kills 50 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch
from tornado.httpclient import HTTPError
from websockets.exceptions import WebSocketException

from tests.benchmarks.bench_class import train_button
from tests.browser.classroom import PAGES, Class
from tests.protocol import Lost, Visitor
from tests.runs.conftest import assert_ended_as_here
from tests.waiting import SECONDS, alive, run_apart, wait_until
from vae_core.classroom import COOKIE
from vae_core.runs.run import Run
from vae_core.runs.store import Store

KINDS = ("page", "leader", "cluster", "worker", "proxy")
LEARNERS = 3
EPOCHS = (20, 120)  # of every other run: within a second, and a few
LONGEST_PAUSE = 20.0  # between two kills: some come while the last is being mended, some when runs train again
TRY_SECONDS = 5.0  # for a page to open, before a visitor loads it again
GONE = (Lost, HTTPError, OSError, WebSocketException)  # whatever a killed process leaves a visitor with


@dataclass
class Soak:
    classroom: Class
    store: Store
    # Without pages, by who was killed.
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    pressed: set[int] = field(default_factory=set)  # seeds, by which runs are told apart
    finished: dict[str, Run] = field(default_factory=dict)  # as they were when they were first seen so
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def run_of(self, seed: int) -> Run | None:
        rows = self.store.read("SELECT id FROM runs WHERE json_extract(spec, '$.seed') = ?", (seed,))
        return self.store.run(rows[0]["id"]) if rows else None

    def runs(self) -> list[Run]:
        found = [self.store.run(row["id"]) for row in self.store.read("SELECT id FROM runs")]
        return [run for run in found if run is not None]


def victims(classroom: Class) -> dict[str, list[psutil.Process]]:
    """Who can be killed now, by kind."""
    found: dict[str, list[psutil.Process]] = defaultdict(list)
    for page in classroom.pages().values():
        clusters = [one for one in page.children() if "vae_core.runs.cluster" in one.cmdline()]
        found["leader" if clusters else "page"].append(page)
        found["cluster"] += clusters
        found["worker"] += [worker for cluster in clusters for worker in cluster.children()]
    found["proxy"] = [one for one in classroom.family() if one.name() == "haproxy"]
    return {kind: alive(some) for kind, some in found.items() if alive(some)}


async def victim(classroom: Class, kind: str, chance: random.Random) -> psutil.Process:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with suppress(psutil.NoSuchProcess):  # gone while we looked
            if some := victims(classroom).get(kind):
                return chance.choice(some)
        await asyncio.sleep(0.1)
    raise AssertionError(f"no {kind} has come back within {SECONDS:g} s: {classroom.log()[-2000:]}")


async def learn(soak: Soak, number: int) -> None:
    """Train, wait for the end, train with another seed; load the page again whenever it was lost."""
    for seed in range(1000 * number, 1000 * number + 1000):
        query = f"dataset=digits&epochs={EPOCHS[seed % 2]}&hidden=16&latent_dim=2&decoders=bernoulli&seed={seed}"
        while not soak.over.is_set():
            run = soak.run_of(seed)
            assert run or seed not in soak.pressed, f"the run of seed {seed} was lost"
            if run and not run.active:
                break
            visitor = Visitor(soak.classroom.url)
            try:
                await visitor.open("train", query)
                if not run and (button := train_button(visitor)):
                    await visitor.change(button, True)
                    soak.pressed.add(seed)
                while not soak.over.is_set() and (run := soak.run_of(seed)) and run.active:
                    await asyncio.sleep(0.2)
            except GONE:
                await asyncio.sleep(0.2)
            finally:
                await visitor.close()
        if soak.over.is_set():
            return


async def opens(url: str, cookie: str) -> None:
    """A page, for who was last on this page process, or on none: loaded again and again until it is there."""
    while True:
        visitor = Visitor(url)
        if cookie:
            visitor.cookies = f"{COOKIE}={cookie}"
        try:
            await asyncio.wait_for(visitor.open(), TRY_SECONDS)
            return
        except GONE:
            await asyncio.sleep(0.05)
        finally:
            await visitor.close()


async def kill(soak: Soak, kinds: Sequence[str], chance: random.Random, longest_pause: float) -> None:
    for kind in kinds:
        await asyncio.sleep(chance.uniform(0, chance.choice((2, longest_pause))))
        process = await victim(soak.classroom, kind, chance)
        process.kill()
        began = time.perf_counter()
        await asyncio.wait_for(asyncio.gather(*(opens(soak.classroom.url, one) for one in ("", *PAGES))), SECONDS)
        soak.seconds[kind].append(time.perf_counter() - began)
        print(f"{kind} killed: {soak.seconds[kind][-1]:.1f} s", flush=True)
        for run in soak.runs():
            if run.status == "done":
                soak.finished.setdefault(run.id, run)


async def under_load(soak: Soak, kinds: Sequence[str], chance: random.Random, longest_pause: float) -> None:
    learners = [asyncio.create_task(learn(soak, number)) for number in range(1, LEARNERS + 1)]
    try:
        await kill(soak, kinds, chance, longest_pause)
    finally:
        soak.over.set()
        await asyncio.gather(*learners)


def soak_and_kill(classroom: Class, kinds: Sequence[str], chance: random.Random, longest_pause: float) -> Soak:
    """Kill one of each of these, in this order, and check all that it must not cost."""
    soak = Soak(classroom, Store(classroom.home))
    run_apart(under_load(soak, kinds, chance, longest_pause))
    wait_until(lambda: not soak.store.unfinished(), how=lambda: f"{soak.store.unfinished()} {classroom.log()[-2000:]}")
    runs = soak.runs()
    print(f"{len(runs)} runs have ended, {len(soak.finished)} of them before the last kill", flush=True)
    assert len(runs) >= LEARNERS
    assert [seed for seed in soak.pressed if not soak.run_of(seed)] == []
    assert [run for run in soak.finished.values() if soak.store.run(run.id) != run] == []
    for run in runs:
        assert_ended_as_here(soak.store, run.spec)
    return soak


def left_behind(home: Path) -> list[psutil.Process]:
    """Processes of the class in this folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("VAE_HOME") == str(home):
                found.append(process)
    return alive(found)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--kills", type=int, default=10)
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    torch.set_num_threads(1)  # as a worker, for the same numbers
    chance = random.Random(given.seed)
    kinds = [*KINDS, *(chance.choice(KINDS) for _ in range(given.kills - len(KINDS)))][: given.kills]
    chance.shuffle(kinds)
    with tempfile.TemporaryDirectory() as folder:
        classroom = Class(Path(folder) / "home").start()
        assert classroom.process is not None
        try:
            soak = soak_and_kill(classroom, kinds, chance, LONGEST_PAUSE)
            print(f"{len(soak.runs())} runs, all with their undisturbed numbers; none lost")
        finally:
            classroom.process.send_signal(signal.SIGKILL)
            classroom.process.wait()
        began = time.perf_counter()
        while (left := left_behind(classroom.home)) and time.perf_counter() - began < 5:
            time.sleep(0.05)
        took = time.perf_counter() - began
        print(f"{took:.1f} s after the supervisor was killed: {len(left)} processes (target 5 s: 0)")
    for kind, seconds in soak.seconds.items():
        worst = f"{statistics.median(seconds):.1f} s, at worst {max(seconds):.1f} s (target 3)"
        print(f"{len(seconds)} x {kind} killed: pages open again after {worst}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
