"""What the tests of the store share: runs as the engine keeps them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.runs.conftest import small
from vae_core import RunSpec
from vae_core.runs.store import Run, Store

ROOT = Path(__file__).resolve().parents[2]
MAX_SNAPSHOTS, MAX_CURVE = 200, 1000  # what is promised
SPEC = small(epochs=20)  # 240 steps, 12 an epoch
NAMES = ("input", "mean", "sample", "prior_mean", "prior_sample")


def message(step: int, *, since: int = 0, stride: int = 32, curve_stride: int = 4, **more: Any) -> dict[str, Any]:
    """What a worker sends at `step`, the one before having been sent at `since`. Numbers and pictures tell the step."""
    first = since // curve_stride + 1
    return {
        "numbers": {"step": step, "images_seen": 100 * step, "seconds": step / 8, "elbo": -step / 3, "sigma": None},
        "pictures": {name: f"{name} at {step}".encode() for name in NAMES},
        "curve": [[s, -s / 3, s / 7] for s in range(first * curve_stride, step + 1, curve_stride)],
        "stride": stride,
        "curve_stride": curve_stride,
        "images_per_second": 800.0,
        **more,
    }


def feed(store: Store, spec: RunSpec, start: int, end: int, stride: int = 32) -> None:
    """Snapshots from `start` to `end` as training sends them: at the start, at each multiple of stride, at the end."""
    steps = sorted({start, end, *range(-(-start // stride) * stride, end, stride)})
    for since, step in zip([start, *steps], steps):
        store.add_snapshot(spec.id, message(step, since=since, stride=stride))


def trained(store: Store, spec: RunSpec, *, start: int = -1, end: int | None = None, status: Any = "done") -> Run:
    """A run as the engine keeps it, its weights being a few bytes that name spec and step."""
    end = spec.total_steps if end is None else end
    store.queue(spec)
    store.begin(spec.id, start)
    feed(store, spec, max(0, start), end)
    store.save_weights(spec.id, f"{spec.id} at {end}".encode())
    store.finish(spec.id, status, "" if status == "done" else f"Stopped at step {end}.", {"active_latents": 2})
    return found(store, spec)


def found(store: Store, spec: RunSpec) -> Run:
    run = store.run(spec.id)
    assert run is not None
    return run


def steps_of(store: Store, spec: RunSpec) -> list[int]:
    return [values["step"] for values in store.history(spec.id)]


def sql(store: Store, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store.path)) as db, db:
        return db.execute(query, values).fetchall()
