"""What the tests of the engine share: engines, and waiting for what their workers do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.runs.conftest import small, wait_until_whole
from tests.waiting import wait_until
from vae_core import RunSpec
from vae_core.runs.engine import Engine
from vae_core.runs.store import Run, Store

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "tcp://127.0.0.1:1"


@contextmanager
def app(folder: Path, address: str | None = None) -> Iterator[Engine]:
    engine = Engine(Store(folder), address)
    try:
        yield engine
    finally:
        engine.close()


def long(**changes: Any) -> RunSpec:
    """A few seconds of training: long enough to be interrupted, short enough to be done again."""
    return small(**{"epochs": 120, **changes})


def get(engine: Engine, run: Run | RunSpec) -> Run:
    found = engine.store.run(run.id)
    assert found is not None
    return found


def under_way(engine: Engine, spec: RunSpec) -> Run:
    """The run once its first steps are in the store; it must not have ended by then."""
    run = wait_until(
        lambda: run if (run := get(engine, spec)).status != "queued" and run.step > 0 else None,
        how=lambda: f"{get(engine, spec)}; {engine.workers} workers, {engine.problem}",
    )
    assert run.status == "running"
    return run


def ended(engine: Engine, spec: RunSpec, status: str = "done") -> Run:
    run = wait_until(
        lambda: None if (run := get(engine, spec)).active else run,
        how=lambda: f"{get(engine, spec)}; {engine.workers} workers, {engine.problem}",
    )
    assert run.status == status, run.message
    return run


def all_workers(engine: Engine, count: int | None = None) -> dict[str, psutil.Process]:
    """By address, once all have come that are to come."""
    wait_until_whole(engine, count)
    return {address: psutil.Process(pid) for address, pid in engine._client.run(os.getpid).items()}


def worker_of(engine: Engine, workers: dict[str, psutil.Process], spec: RunSpec) -> psutil.Process:
    processing = engine._client.processing()
    (address,) = [a for a, keys in processing.items() if any(spec.id in key for key in keys)]
    return workers[address]


def counted(patch: pytest.MonkeyPatch, store: Store, name: str) -> list[Any]:
    """The arguments of every call of this method of the store from now on."""
    calls: list[Any] = []
    method = getattr(store, name)

    def call(*arguments: Any) -> Any:
        calls.append(arguments)
        return method(*arguments)

    patch.setattr(store, name, call)
    return calls


def is_sentence(text: str) -> bool:
    return text[:1].isupper() and text.endswith(".") and "Traceback" not in text and "\n" not in text
