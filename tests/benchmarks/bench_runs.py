"""Runs as a visitor waits for them, through the engine and its own cluster: `make bench`.

The share of looking is of processor time, in this process and as a worker does it: beside other load that is steadier
than the clock. All other times are the clock's, each told with how many cores other programs took meanwhile.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch

from vae_core.runs import worker
from vae_core.runs.engine import Engine
from vae_core.runs.load import CORES, OtherPrograms
from vae_core.runs.store import Store
from vae_core.shipped import DECODERS
from vae_core.spec import RunSpec, snapshot_stride
from vae_core.training import _Loop

DEFAULT = RunSpec(binarize="threshold")
LANES = [replace(DEFAULT, likelihood=key) for key in DECODERS]
PRESSES = 5


def main() -> None:
    torch.set_num_threads(1)
    worker.warm_up()
    for spec in LANES:
        print(f"looking, of a default run's processor time, {spec.likelihood}: {looking(spec):.1%} (target 10 %)")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        engine = Engine(Store(Path(folder)))
        try:
            wait_until(lambda: engine.workers > 0)
            print(f"from Engine(Store()) to the first warm worker: {time.perf_counter() - began:.1f} s")
            wait_until(lambda: engine.state == "ready")
            print(f"to all {engine.workers}: {time.perf_counter() - began:.1f} s")
            for seed in range(1, 1 + PRESSES):
                first_snapshots(engine, [replace(spec, seed=seed) for spec in LANES])
            whole_lanes(engine, LANES[:1])
            whole_lanes(engine, [replace(spec, seed=99) for spec in LANES])
        finally:
            engine.close()


def looking(spec: RunSpec) -> float:
    """The part of what a worker does of a run that is no step: evaluation, the state kept, pictures, the result."""
    stepping, step = 0.0, _Loop.step

    def timed(loop: _Loop, rows: torch.Tensor) -> None:
        nonlocal stepping
        began = time.thread_time()
        step(loop, rows)
        stepping += time.thread_time() - began

    with mock.patch.object(_Loop, "step", timed):
        began = time.thread_time()
        worker.run_spec(spec.to_dict(), None, "bench", lambda _: None)
        whole = time.thread_time() - began
    return 1 - stepping / whole


def first_snapshots(engine: Engine, specs: list[RunSpec]) -> None:
    """From the press to the first snapshot of each lane in the store."""
    seen: dict[str, float] = {}
    add, began = engine.store.add_snapshot, time.perf_counter()

    def seen_at(spec: RunSpec, progress: object) -> None:
        add(spec, progress)  # type: ignore[arg-type]
        seen.setdefault(spec.id, time.perf_counter() - began)

    with mock.patch.object(engine.store, "add_snapshot", seen_at):
        for spec in specs:
            engine.submit(spec)
        wait_until(lambda: len(seen) == len(specs))
    for spec in specs:
        engine.stop(spec.id)
    wait_until(lambda: not engine.store.unfinished())
    print("from submit() to the first snapshots:", *(f"{1000 * at:.0f}" for at in seen.values()), "ms (target 250 ms)")


def whole_lanes(engine: Engine, specs: list[RunSpec]) -> None:
    """From the press until all have ended, and how far apart they stood meanwhile, in snapshots."""
    others, began, apart = OtherPrograms(), time.perf_counter(), 0
    for spec in specs:
        engine.submit(spec)
    while runs := engine.store.unfinished():
        if len(runs) == len(specs):
            apart = max(apart, max(run.step for run in runs) - min(run.step for run in runs))
        time.sleep(0.05)
    seconds = time.perf_counter() - began
    others.look()
    print(
        f"{len(specs)} default run(s): {seconds:.1f} s (target of three on two cores: 15 s), "
        f"at most {apart / snapshot_stride(specs[0]):.0f} snapshots apart; "
        f"other programs took {others.cores:.1f} of {CORES} cores"
    )
    for spec in specs:
        run = engine.store.run(spec.id)
        assert run is not None and run.result is not None
        print(f"    {spec.likelihood}: held-out ELBO {run.result['held_out']['elbo']:.4f} nats")


def wait_until(done: Callable[[], bool]) -> None:
    while not done():
        time.sleep(0.005)


if __name__ == "__main__":
    main()
