"""The engine while its processes are killed, frozen or broken: it costs time and nothing else."""

from __future__ import annotations

import os
import random
import threading
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.runs.conftest import assert_ended_as_here, processes, small, wait_until_whole
from tests.runs.engines import all_workers, app, ended, get, is_sentence, long, under_way, worker_of
from tests.waiting import SECONDS, alive, wait_until
from vae_core.runs import connection, engine as engine_module, health
from vae_core.runs.cluster import worker_count
from vae_core.runs.dispatch import LOST
from vae_core.runs.engine import Engine

KILLS, AT_ONCE = 12, 6


def whole(engine: Engine) -> None:
    """Wait until every process is a warm worker, and of them all there are: the engine's count may be a look behind."""

    def registered() -> list[int]:
        return sorted(engine._client.run(os.getpid, on_error="ignore").values()) if engine._client is not None else []

    wait_until_whole(engine)
    wait_until(
        lambda: len(pids := registered()) == worker_count() and pids == sorted(one.pid for one in processes(engine)),
        how=lambda: f"registered {registered()}, alive {processes(engine)}",
    )


def test_all_are_killed_within_their_first_warm_up(engine: Engine) -> None:
    """(The first test here: it has the first warm-up.)"""
    first = wait_until(lambda: processes(engine))  # the others start when it is warm
    assert engine.workers == 0
    for process in first:
        process.kill()
    whole(engine)
    assert engine.wait_until_ready(0)


def test_other_users_of_the_machine_find_nothing(engine: Engine, offline: Path) -> None:
    """No page of Dask's at any port of the cluster's, whatever is asked, and no scratch of it in a folder of all."""
    whole(engine)
    child = engine._connection.child
    assert child is not None
    family = [psutil.Process(child.pid), *processes(engine)]
    ports = [one.laddr.port for each in family for one in each.net_connections() if one.status == psutil.CONN_LISTEN]
    assert len(ports) == len(family)  # each where Dask's own encrypted messages come in, and nothing else
    for port in ports:
        for path in ("/", "/health", "/metrics", "/info/main/workers.html", "/status", "/json/counts.json"):
            with pytest.raises((OSError, HTTPException)):
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=SECONDS)
    scratch = engine._client.run(_scratch).values()
    assert {Path(folder).parents[1] for folder in scratch} == {offline}
    assert engine.store.folder.stat().st_mode & 0o777 == 0o700


def _scratch(dask_worker: Any) -> str:
    return dask_worker.local_directory


def test_kills_at_random_moments(engine: Engine) -> None:
    """While warming, idle or training, one after the other or together: the pool is whole each time, and every run
    ends with the undisturbed numbers."""
    chance = random.Random(0)
    for seed in range(KILLS // AT_ONCE):
        specs = [long(seed=100 + seed, latent_dim=dim) for dim in (2, 3)]
        for spec in specs:
            engine.submit(spec)
        for _ in range(AT_ONCE):
            threading.Event().wait(chance.choice([0, 0.3, 1]) * chance.random())
            victims = wait_until(lambda: processes(engine))
            chance.choice(victims).kill()
        whole(engine)
        for spec in specs:
            ended(engine, spec)
            assert_ended_as_here(engine.store, spec)
            assert get(engine, spec).attempt == 1
    assert engine.problem == ""


def test_a_killed_worker_costs_time_and_nothing_else(engine: Engine) -> None:
    workers = all_workers(engine)
    spec = long(seed=13)
    engine.submit(spec)
    under_way(engine, spec)
    process = worker_of(engine, workers, spec)
    process.kill()
    wait_until(lambda: not alive([process]))
    assert get(engine, spec).active  # it had not ended by itself before
    wait_until(lambda: (engine.state, engine.workers) == ("starting", worker_count() - 1))  # and is not called ready
    ended(engine, spec)
    assert_ended_as_here(engine.store, spec)
    assert get(engine, spec).attempt == 1
    assert set(all_workers(engine).values()) != set(workers.values())  # there is another in its place


def test_all_workers_killed_at_once(engine: Engine) -> None:
    """As a system short of memory would."""
    workers = all_workers(engine)
    spec, next_one = long(seed=17), small(seed=17)
    engine.submit(spec)
    under_way(engine, spec)
    for process in workers.values():
        process.kill()
    wait_until(lambda: not alive([*workers.values()]))
    engine.submit(next_one)
    for run in (spec, next_one):
        ended(engine, run)
        assert_ended_as_here(engine.store, run)


def test_a_killed_cluster_costs_time_and_nothing_else(engine: Engine) -> None:
    finished, spec, waiting = small(seed=14), long(seed=14), small(seed=16)
    early, late = small(seed=14, epochs=3000), small(seed=15, epochs=3000)
    workers = all_workers(engine)
    engine.submit(finished)
    done = ended(engine, finished)
    for run in (early, late, spec):
        engine.submit(run)
    for run in (early, late, spec):
        under_way(engine, run)
    child = engine._connection.child
    assert child is not None
    orphans = psutil.Process(child.pid).children(recursive=True)
    frozen = worker_of(engine, workers, early)
    frozen.suspend()
    engine.stop(early.id)  # its worker cannot hear this any more, and yet it must count
    child.kill()
    frozen.resume()  # or it would outlive the tests
    wait_until(lambda: engine._client is None)
    engine.stop(late.id)  # nor is anybody there to hear this
    assert get(engine, engine.submit(waiting)).status == "queued"
    assert get(engine, spec).active
    for run in (spec, waiting):
        ended(engine, run)
        assert_ended_as_here(engine.store, run)
    assert get(engine, finished) == done
    for run in (early, late):
        stopped = ended(engine, run, "stopped")
        assert (stopped.attempt, is_sentence(stopped.message)) == (1, True)
    assert len(orphans) >= len(workers)
    wait_until(lambda: not alive(orphans))
    whole(engine)
    assert engine.problem == ""


def test_a_worker_that_hangs_in_its_start_is_replaced(engine: Engine) -> None:
    before = all_workers(engine)
    next(iter(before.values())).kill()
    (newcomer,) = wait_until(lambda: {*processes(engine)} - {*before.values()})
    newcomer.suspend()
    whole(engine)
    assert alive([newcomer]) == []


def test_a_run_that_lost_every_worker_waits_and_can_be_stopped(engine: Engine) -> None:
    lost, waiting = small(seed=18, epochs=3000), long(seed=18)
    before = all_workers(engine)
    for spec in (lost, waiting):
        engine.submit(spec)
        under_way(engine, spec)
    for process in before.values():
        process.kill()
    wait_until(lambda: [get(engine, spec).message for spec in (lost, waiting)] == [LOST, LOST])
    assert is_sentence(LOST)
    for spec in (lost, waiting):
        assert get(engine, spec).status == "queued"
        assert engine.store.history(spec.id) != []  # what it had can be looked at meanwhile
    engine.stop(lost.id)
    assert get(engine, lost).status == "stopped"
    ended(engine, waiting)
    assert_ended_as_here(engine.store, waiting)
    assert get(engine, lost).status == "stopped"
    assert engine.submit(lost).attempt == 2
    under_way(engine, lost)
    engine.stop(lost.id)
    ended(engine, lost, "stopped")


def test_workers_that_cannot_start_are_told_of(offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence says so, the cluster is begun anew at longer and longer intervals, and then all is as it should be."""
    monkeypatch.setattr(health, "MISSING_SECONDS", 0.5)
    monkeypatch.setattr(health, "NONE_SECONDS", 2.0)
    monkeypatch.setattr(engine_module, "RETRY_SECONDS", 0.1)
    with monkeypatch.context() as broken:
        broken.setenv("DASK_DISTRIBUTED__WORKER__TRANSFER__MESSAGE_BYTES_LIMIT", "'no size'")
        with app(tmp_path) as engine:
            told = wait_until(lambda: engine.problem)
            assert f"Only 0 of {worker_count()} training processes" in told
            assert is_sentence(told.split(". ")[0] + ".")
            first = engine._connection.child
            wait_until(
                lambda: engine.state == "unreachable", how=lambda: f"{engine.state} {engine.workers} {engine.problem}"
            )
            assert "none has come up within" in engine.problem
            assert engine.submit(small(seed=19)).status == "queued"
            wait_until(lambda: engine._connection.child not in (None, first))
            assert engine._patience == 4.0
            broken.undo()
            wait_until_whole(engine)
            assert engine.problem == ""
            ended(engine, small(seed=19))


def test_a_cluster_that_hangs_in_its_start_is_begun_anew(
    offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "RETRY_SECONDS", 0.1)
    with monkeypatch.context() as impatient:
        impatient.setattr(connection, "START_SECONDS", 0.01)
        with app(tmp_path) as engine:
            wait_until(
                lambda: engine.state == "unreachable", how=lambda: f"{engine.state} {engine.workers} {engine.problem}"
            )
            assert "ended before they were up" in engine.problem
            impatient.undo()
            wait_until_whole(engine)
            assert engine.problem == ""
