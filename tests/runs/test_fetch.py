"""A run whose data set must be downloaded first, from a server that accepts and never answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.runs.conftest import assert_ended_as_here, small, wait_until_whole
from tests.runs.engines import app, ended, get, under_way
from tests.waiting import wait_until
from vae_core import RunSpec
from vae_core.catalogue import DATASETS
from vae_core.runs.cluster import worker_count
from vae_core.runs.engine import Engine


@pytest.fixture
def silent(offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:  # whom the system accepts, nobody answers
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.getsockname()[1]}")
        with app(tmp_path) as engine:
            yield engine


def test_downloads_that_hang_hold_no_worker(silent: Engine, offline: Path) -> None:
    wait_until_whole(silent)
    info = DATASETS["mnist_full"]
    stuck = [
        RunSpec(dataset="mnist_full", hidden=(8,), epochs=1, batch_size=1000, seed=seed)
        for seed in range(2 * worker_count())
    ]
    for spec in stuck:
        silent.submit(spec, "ann")
    told = lambda: [get(silent, spec).message for spec in stuck]
    wait_until(lambda: all(one.startswith(f"Downloading {info.title}: ") for one in told()), how=lambda: str(told()))

    # Others train, as many at once as there are workers.
    several = [small(seed=seed, epochs=3000) for seed in range(worker_count())]
    for spec in several:
        silent.submit(spec, "bob")
    for spec in several:
        under_way(silent, spec)
    for spec in several:
        silent.stop(spec.id)
        ended(silent, spec, "stopped")
    silent.submit(small(), "bob")
    ended(silent, small())
    assert_ended_as_here(silent.store, small())

    # Stop ends one that hangs; the others begin when the data set has come in whatever way.
    *many, one = stuck
    assert get(silent, one).active
    for spec in many:
        silent.stop(spec.id, "ann")
    wait_until(lambda: not any(get(silent, spec).active for spec in many))
    (offline / "data").mkdir(exist_ok=True)
    images = np.random.default_rng(0).integers(0, 256, (info.n_images, info.side, info.side), np.uint8)
    part = offline / "data" / "part.npz"
    np.savez(part, images=images, labels=np.zeros(info.n_images, np.uint8))
    part.rename(offline / "data" / info.file)
    ended(silent, one)
    assert_ended_as_here(silent.store, one)
