"""What the tests of runs share: waiting for what another process does, small specs, and the same training in here."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.runs.schedulers import RealScheduler
from tests.waiting import alive, wait_until
from vae_core import RunSpec, Snapshot, load_dataset, train
from vae_core.checkpoint import Checkpoint
from vae_core.runs.cluster import worker_count
from vae_core.runs.engine import Engine
from vae_core.runs.messages import numbers
from vae_core.runs.store import Store
from vae_core.tiles import png


@pytest.fixture(autouse=True)
def no_cluster_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty VAE_HOME and no way out, for this process and its children."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("VAE_HOME", str(folder))
        patch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
        for name in ("http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")  # the discard port: refused at once
            patch.delenv(name.upper(), raising=False)
        patch.setenv("no_proxy", "127.0.0.1,localhost")
        patch.delenv("NO_PROXY", raising=False)
        yield folder


@pytest.fixture(scope="module")
def only_app(offline: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One app with its embedded cluster, for all tests that do not need their own."""
    engine = Engine(Store(tmp_path_factory.mktemp("store")))
    yield engine
    family = processes(engine)
    engine.close()
    assert engine.state == "closed"
    wait_until(lambda: not alive(family), how=lambda: f"left behind: {alive(family)}")
    assert len(family) >= worker_count()


@pytest.fixture
def engine(only_app: Engine) -> Iterator[Engine]:
    """No test leaves the pool of workers smaller than it found it."""
    yield only_app
    wait_until_whole(only_app)


@pytest.fixture(scope="module")
def scheduler(offline: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealScheduler]:
    scheduler = RealScheduler(tmp_path_factory.mktemp("dask"))
    scheduler.start()
    yield scheduler
    scheduler.kill()


def processes(engine: Engine) -> list[psutil.Process]:
    """The embedded workers, warm or not; none while the cluster itself begins."""
    child = engine._connection.child
    return alive(psutil.Process(child.pid).children()) if child is not None else []


def wait_until_whole(engine: Engine, count: int | None = None) -> None:
    count = count or worker_count()
    wait_until(
        lambda: engine.state == "ready" and engine.workers == count,
        how=lambda: f"{engine.workers} of {count} workers, {engine.state}: {engine.problem or 'no problem told'}",
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def small(**changes: Any) -> RunSpec:
    return RunSpec(**{"dataset": "digits", "hidden": (16,), "latent_dim": 2, "epochs": 2, **changes})


@functools.cache
def trained_here(spec: RunSpec) -> list[Snapshot]:
    return list(train(spec, load_dataset(spec.dataset), device="cpu"))


def without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def assert_ended_as_here(store: Store, spec: RunSpec) -> None:
    """What the store has of this run is, to the last bit, what train() gives without any of its machinery."""
    snapshots = trained_here(spec)
    last = snapshots[-1]
    assert last.result is not None
    assert last.checkpoint is not None
    run = store.run(spec.id)
    assert run is not None
    assert (run.status, run.message) == (last.status, last.message)
    assert (run.step, run.total_steps, run.images_seen) == (last.step, last.total_steps, last.images_seen)
    assert run.result is not None
    assert without(run.result, "images_per_second") == without(asdict(last.result), "images_per_second")
    by_step = {snapshot.step: snapshot for snapshot in snapshots}
    history = store.history(spec.id)
    assert [values["step"] for values in history] == list(by_step)
    for values in history:
        assert without(values, "seconds") == without(numbers(by_step[values["step"]]), "seconds")
        assert store.pictures(spec.id, values["step"]) == pngs(by_step[values["step"]])
    assert store.curve(spec.id) == [(p.step, p.reconstruction, p.kl) for s in snapshots for p in s.curve]
    saved = Checkpoint.from_bytes(store.weights_path(spec.id).read_bytes())
    assert (saved.spec.id, saved.step, saved.window_steps) == (spec.id, last.step, last.checkpoint.window_steps)
    assert saved.tensors.keys() == last.checkpoint.tensors.keys()
    assert [n for n, tensor in saved.tensors.items() if not tensor.equal(last.checkpoint.tensors[n])] == []


def pngs(snapshot: Snapshot) -> dict[str, bytes]:
    found = {name: sheet for name, sheet in vars(snapshot.pictures).items() if sheet is not None}
    exact = found.pop("exact").tobytes()
    return {"exact": exact} | {name: png(images) for name, images in found.items()}
