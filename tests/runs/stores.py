"""What the tests of the store share: runs as the engine keeps them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.runs.conftest import small
from vae_core import RunSpec
from vae_core.runs.messages import Progress
from vae_core.runs.store import Run, Store
from vae_core.spec import NOMINAL_FLOPS, NOMINAL_STEP_SECONDS, cost

ROOT = Path(__file__).resolve().parents[2]
MAX_SNAPSHOTS, MAX_CURVE = 200, 1000  # what is promised
SPEC = small(epochs=20)  # 240 steps, 12 an epoch; here a snapshot every 32, a point of the curve every 4
NAMES = ("input", "mean", "sample", "prior_mean", "prior_sample")


def progress(step: int, *, since: int = 0, **more: Any) -> Progress:
    """What a worker sends at `step`, the one before having been sent at `since`. Numbers and pictures tell the step."""
    fields: dict[str, Any] = {
        "numbers": {"step": step, "images_seen": 100 * step, "seconds": step / 8, "elbo": -step / 3, "sigma": None},
        "pictures": {name: f"{name} at {step}".encode() for name in NAMES},
        "curve": [[s, -s / 3, s / 7] for s in range((since // 4 + 1) * 4, step + 1, 4)],
        "images_per_second": 800.0,
    }
    return Progress(run="", token="", **fields | more)


def feed(store: Store, spec: RunSpec, start: int, end: int) -> None:
    """Snapshots from `start` to `end` as training sends them: at the start, at each multiple of 32, at the end."""
    steps = sorted({start, end, *range(-(-start // 32) * 32, end, 32)})
    for since, step in zip([start, *steps], steps):
        store.add_snapshot(spec, progress(step, since=since))


def trained(store: Store, spec: RunSpec, *, start: int = -1, end: int | None = None, status: Any = "done") -> Run:
    """A run as the engine keeps it, its weights being a few bytes that name spec and step."""
    end = spec.total_steps if end is None else end
    store.queue(spec)
    store.begin(spec.id, start)
    feed(store, spec, max(0, start), end)
    store.save_weights(spec.id, f"{spec.id} at {end}".encode())
    store.finish(spec.id, status, "" if status == "done" else f"Stopped at step {end}.", {"active_latents": 2})
    return found(store, spec)


def ended(store: Store, seed: int, times: float, **settings: Any) -> RunSpec:
    """A run of the default kind that took so many times as long as `cost` expects of it."""
    spec = RunSpec(seed=seed, **settings)
    step_seconds = times * (cost(spec).step_flops / NOMINAL_FLOPS + NOMINAL_STEP_SECONDS)
    store.queue(spec)
    store.add_snapshot(spec, progress(spec.total_steps))
    store.finish(spec.id, "done", "", {"images_per_second": spec.batch_size / step_seconds})
    return spec


def begin_again(store: Store) -> None:
    """Everything a store must be able to do, done."""
    spec = replace(SPEC, seed=77)
    run = trained(store, spec)
    assert (run.status, run.step) == ("done", 240)
    assert steps_of(store, spec) == [*range(0, 240, 32), 240]
    assert len(store.curve(spec.id)) == 60
    assert store.prefix(spec.with_epochs(30)) is not None
    assert store.unfinished() == []


def found(store: Store, spec: RunSpec) -> Run:
    run = store.run(spec.id)
    assert run is not None
    return run


def steps_of(store: Store, spec: RunSpec) -> list[int]:
    return [values["step"] for values in store.history(spec.id)]


def sql(store: Store, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store.path)) as db, db:
        return db.execute(query, values).fetchall()
