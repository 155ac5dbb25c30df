"""The engine on its embedded cluster: the numbers of train() in here, whatever is stopped, killed, full or damaged."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runs.conftest import assert_ended_as_here, small, trained_here
from tests.runs.engines import all_workers, counted, ended, get, is_sentence, long, under_way
from tests.waiting import wait_until
from vae_core import RunSpec
from vae_core.errors import StoreError
from vae_core.runs import engine as engine_module, lanes
from vae_core.runs.cluster import worker_count
from vae_core.runs.engine import Engine
from vae_core.runs.messages import Progress
from vae_core.runs.store import Run

# ---- the ordinary day


def test_the_embedded_cluster_comes_up(engine: Engine) -> None:
    workers = all_workers(engine)
    assert len(workers) == worker_count() >= 3
    assert engine.problem == ""
    assert len({process.pid for process in workers.values()}) == len(workers)  # processes, not threads
    for address, process in workers.items():
        assert address.startswith("tls://127.0.0.1:")  # nobody else on this machine or beyond can reach them
        assert process.nice() >= 10  # pages come before training
        assert os.getpid() in [parent.pid for parent in process.parents()]
    assert all(engine._client.run(lambda: "torch" in sys.modules).values())  # warm before work comes


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian_learned"])
def test_a_run_gives_what_train_gives(engine: Engine, likelihood: str) -> None:
    spec = small(likelihood=likelihood, binarize="stochastic", epochs=8, mc_samples=2, learning_rate=3e-3)
    run = engine.submit(spec)
    assert (run.id, run.spec, run.attempt, run.active) == (spec.id, spec, 1, True)
    run = ended(engine, spec)
    assert_ended_as_here(engine.store, spec)
    assert run.images_per_second > 0
    assert run.seconds > 0
    assert engine.problem == ""


def test_lanes_train_side_by_side(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """And step for step, though one has 17 outputs a pixel."""
    specs = [small(likelihood=key, hidden=(64,), epochs=40) for key in ("bernoulli", "gaussian_learned", "categorical")]
    all_workers(engine)
    monkeypatch.setattr(lanes, "FAR", 1000)  # whoever begins late, on however many cores
    added = counted(monkeypatch, engine.store, "add_snapshot")
    for spec in specs:
        engine.submit(spec)
    for spec in specs:
        ended(engine, spec)
        assert_ended_as_here(engine.store, spec)
    steps = {spec.id: 0 for spec in specs}
    for spec, progress in added:
        steps[spec.id] = progress.numbers["step"]
        if max(steps.values()) == spec.total_steps:  # the first has ended
            assert min(steps.values()) >= spec.total_steps - 3 * 16  # three snapshots


def test_equal_specs_are_one_run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of thirty presses the default button."""
    spec = small(seed=4, epochs=20)
    begun = counted(monkeypatch, engine.store, "begin")
    runs: list[Run] = []
    threads = [threading.Thread(target=lambda: runs.append(engine.submit(spec))) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [run.id for run in runs] == [spec.id] * 30
    done = ended(engine, spec)
    assert engine.submit(replace(spec, sigma=9.0)) == done  # a setting that a Bernoulli decoder does not use
    assert begun == [(spec.id, -1)]
    assert done.attempt == 1
    assert_ended_as_here(engine.store, spec)


def test_stopped_and_continued_is_uninterrupted(engine: Engine) -> None:
    spec = long(seed=5, likelihood="gaussian_learned", binarize="stochastic")
    engine.submit(spec)
    at = under_way(engine, spec).step
    engine.stop(spec.id)
    run = ended(engine, spec, "stopped")
    assert at <= run.step < spec.total_steps
    assert run.message == f"Stopped at step {run.step:,} of 1,440."
    assert run.result is not None
    assert engine.store.weights_path(spec.id).exists()

    again = engine.submit(spec)
    assert (again.attempt, again.step) == (2, run.step)
    ended(engine, spec)
    assert_ended_as_here(engine.store, spec)
    assert get(engine, spec).seconds > run.seconds  # of both tries together


def test_stopping_what_is_not_under_way_changes_nothing(engine: Engine) -> None:
    spec = small(seed=6)
    engine.stop(spec.id)
    assert engine.store.run(spec.id) is None
    engine.submit(spec)
    done = ended(engine, spec)
    engine.stop(spec.id)
    assert get(engine, spec) == done


def test_more_epochs_go_on_from_fewer(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ten, twenty = small(seed=7, epochs=10), small(seed=7, epochs=20)
    engine.submit(ten)
    ended(engine, ten)
    begun = counted(monkeypatch, engine.store, "begin")
    run = engine.submit(twenty)
    assert (run.step, run.total_steps) == (120, 240)
    ended(engine, twenty)
    assert begun == [(twenty.id, 120)]  # and not from the start
    assert_ended_as_here(engine.store, ten)
    assert_ended_as_here(engine.store, twenty)


def test_a_run_whose_loss_overflows(engine: Engine) -> None:
    spec = small(hidden=(64,) * 4, learning_rate=1.0, epochs=10)
    engine.submit(spec)
    run = ended(engine, spec, "diverged")
    assert is_sentence(run.message)
    assert "smaller learning rate" in run.message
    assert_ended_as_here(engine.store, spec)
    assert engine.submit(spec) == run  # it would only diverge again


def test_a_queued_run_can_be_stopped(engine: Engine) -> None:
    workers = all_workers(engine)
    busy = [small(seed=8, epochs=3000, latent_dim=dim) for dim in range(1, len(workers) + 1)]
    waiting, next_one = small(seed=8, epochs=4), small(seed=8, epochs=5)
    for spec in busy:
        engine.submit(spec)
    for spec in busy:
        under_way(engine, spec)
    engine.submit(waiting)
    engine.submit(next_one)
    assert get(engine, waiting).status == "queued"
    engine.stop(waiting.id)
    run = get(engine, waiting)
    assert (run.status, run.message) == ("stopped", "Taken out of the queue.")
    assert engine.store.history(waiting.id) == []
    assert get(engine, next_one).status == "queued"
    engine.stop(busy[0].id)
    ended(engine, next_one)
    assert_ended_as_here(engine.store, next_one)
    for spec in busy:
        engine.stop(spec.id)
    for spec in busy:
        ended(engine, spec, "stopped")
    assert get(engine, waiting) == run  # it never began
    assert engine.submit(waiting).attempt == 2
    ended(engine, waiting)
    assert_ended_as_here(engine.store, waiting)


# ---- what can be damaged or missing


def cut_short(data: bytes) -> bytes:
    return data[: len(data) // 2]


def garbage(data: bytes) -> bytes:
    return b"<html>502 Bad Gateway</html>"


def of_another_network(data: bytes) -> bytes:
    checkpoint = trained_here(small(seed=9, epochs=1, hidden=(8,)))[-1].checkpoint
    assert checkpoint is not None
    return checkpoint.to_bytes()


DAMAGES: list[Callable[[bytes], bytes]] = [cut_short, garbage, of_another_network]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_weights_are_set_aside_and_trained_again(engine: Engine, damage: Callable[[bytes], bytes]) -> None:
    ten = small(seed=9, epochs=10, latent_dim=DAMAGES.index(damage) + 3)
    twenty = ten.with_epochs(20)
    engine.submit(ten)
    ended(engine, ten)
    path = engine.store.weights_path(ten.id)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    engine.submit(twenty)
    ended(engine, twenty)
    assert_ended_as_here(engine.store, twenty)
    assert damaged in [file.read_bytes() for file in path.parent.iterdir()]  # kept, by another name
    assert not path.exists()
    assert engine.problem == ""


def test_a_run_that_lost_its_weights_can_be_trained_again(engine: Engine) -> None:
    """ "Train this run again", says the page; so the button must do something."""
    spec = small(seed=9, epochs=3)
    engine.submit(spec)
    ended(engine, spec)
    engine.store.set_weights_aside(spec.id)
    run = engine.submit(spec)
    assert (run.active, run.attempt) == (True, 2)
    ended(engine, spec)
    assert_ended_as_here(engine.store, spec)


def test_data_that_cannot_be_read_fail_with_a_sentence(engine: Engine, offline: Path) -> None:
    file = offline / "data" / "fashion_60k.npz"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"half a download")
    spec = RunSpec(dataset="fashion_full", hidden=(8,), epochs=1)
    engine.submit(spec)
    run = ended(engine, spec, "failed")
    assert str(file) in run.message
    assert "delete it and try again" in run.message
    assert is_sentence(run.message)
    assert run.result is None
    assert engine.submit(spec).attempt == 2  # trying again is allowed
    ended(engine, spec, "failed")


def test_without_network_a_download_fails_with_a_sentence(engine: Engine) -> None:
    spec = RunSpec(dataset="mnist_full", hidden=(8,), epochs=1)
    engine.submit(spec)
    said = wait_until(lambda: get(engine, spec).message)
    assert said.startswith("Downloading MNIST")
    run = ended(engine, spec, "failed")
    assert "could not be downloaded" in run.message
    assert "Connect to the network" in run.message
    assert is_sentence(run.message)
    assert engine.problem == ""


def test_a_disk_that_is_full_for_a_while_loses_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = small(seed=10, epochs=40)
    full, refused = threading.Event(), threading.Event()
    write = engine.store.add_snapshot

    def add_snapshot(spec: RunSpec, progress: Progress) -> None:
        if full.is_set():
            refused.set()
            raise StoreError("Runs cannot be kept in here (database or disk is full). Free some disk space there.")
        write(spec, progress)

    monkeypatch.setattr(engine.store, "add_snapshot", add_snapshot)
    monkeypatch.setattr(engine_module, "RETRY_SECONDS", 0.05)
    full.set()
    engine.submit(spec)
    assert refused.wait(60)
    problem = wait_until(lambda: engine.problem)
    assert "Free some disk space" in problem
    assert "lost while the app stays open" in problem
    assert is_sentence(problem)
    assert engine.store.history(spec.id) == []
    full.clear()
    ended(engine, spec)
    wait_until(lambda: engine.problem == "")
    assert_ended_as_here(engine.store, spec)


@pytest.mark.parametrize("step", ["save_weights", "finish", "begin", "unfinished"])
def test_whatever_cannot_be_kept_is_tried_again(engine: Engine, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Three refusals of each thing the store is asked for on the engine's own threads."""
    spec = small(seed=11, latent_dim=["save_weights", "finish", "begin", "unfinished"].index(step) + 1)
    refusals = iter(range(3))
    method = getattr(engine.store, step)

    def refuse(*arguments: Any) -> Any:
        if next(refusals, None) is not None:
            raise StoreError("The disk is full.")
        return method(*arguments)

    monkeypatch.setattr(engine_module, "RETRY_SECONDS", 0.05)
    if step != "unfinished":
        monkeypatch.setattr(engine.store, step, refuse)
        engine.submit(spec)
    else:  # in the middle of a run: a submit of its own would hear the refusal itself
        engine.submit(spec)
        monkeypatch.setattr(engine.store, step, refuse)
    ended(engine, spec)
    wait_until(lambda: next(refusals, None) is None)
    wait_until(lambda: engine.problem == "")
    assert_ended_as_here(engine.store, spec)
    other = replace(spec, seed=12)
    monkeypatch.undo()
    engine.submit(other)  # the engine is as good as before
    ended(engine, other)
