"""The engine on a real Dask scheduler, started as anybody would."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runs.conftest import assert_ended_as_here, small
from tests.runs.engines import NOBODY, all_workers, app, ended, get, is_sentence, long, under_way, worker_of
from tests.runs.schedulers import RealScheduler
from tests.waiting import wait_until
from vae_core.runs import connection
from vae_core.runs.dispatch import LOST
from vae_core.runs.engine import Engine

SPEC = long(seed=20)  # each of these tests has its own store


def test_the_same_code_on_a_real_scheduler(scheduler: RealScheduler, tmp_path: Path) -> None:
    spec = small(seed=20, likelihood="gaussian_learned", epochs=8)
    with app(tmp_path, scheduler.address) as engine:
        assert len(all_workers(engine, 1)) == 1
        assert engine._connection.child is None
        engine.submit(spec)
        ended(engine, spec)
        assert_ended_as_here(engine.store, spec)


def test_the_environment_names_the_scheduler(
    scheduler: RealScheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", scheduler.address)
    with app(tmp_path) as engine:
        wait_until(lambda: engine.state == "ready")
        assert engine.address == scheduler.address
        assert engine._connection.child is None


def test_two_apps_on_one_scheduler_do_not_meddle(scheduler: RealScheduler, tmp_path: Path) -> None:
    """Two classrooms, one cluster: each has its own store, and both press the same default button."""
    with app(tmp_path / "one", scheduler.address) as one, app(tmp_path / "two", scheduler.address) as two:
        all_workers(one, 1)
        all_workers(two, 1)
        one.submit(SPEC)
        under_way(one, SPEC)
        two.submit(SPEC)
        at = get(one, SPEC).step
        wait_until(lambda: get(one, SPEC).step > at + 64)
        assert get(two, SPEC).status == "queued"  # there is one worker
        assert two.store.history(SPEC.id) == []
        one.stop(SPEC.id)
        ended(one, SPEC, "stopped")
        ended(two, SPEC)
        assert_ended_as_here(two.store, SPEC)
        one.submit(SPEC)
        ended(one, SPEC)
        assert_ended_as_here(one.store, SPEC)


def test_an_app_started_again_takes_its_run_up_again(scheduler: RealScheduler, tmp_path: Path) -> None:
    """The scheduler outlives the app, and with it, for a while, the work it was given."""
    with app(tmp_path, scheduler.address) as engine:
        all_workers(engine, 1)
        engine.submit(SPEC)
        under_way(engine, SPEC)
    with app(tmp_path, scheduler.address) as engine:
        assert get(engine, SPEC).active
        ended(engine, SPEC)
        assert_ended_as_here(engine.store, SPEC)


def test_a_connection_that_breaks_for_a_moment(scheduler: RealScheduler, tmp_path: Path) -> None:
    """Once while a run is under way, and once in a quiet moment before the next."""

    def break_connection(engine: Engine) -> None:
        client, comm = engine._client, engine._client.scheduler_comm
        client.loop.add_callback(comm.comm.abort)
        wait_until(lambda: engine._client is not None and engine._client.scheduler_comm not in (None, comm))

    with app(tmp_path, scheduler.address) as engine:
        all_workers(engine, 1)
        engine.submit(SPEC)
        under_way(engine, SPEC)
        break_connection(engine)
        ended(engine, SPEC)
        assert_ended_as_here(engine.store, SPEC)
        break_connection(engine)
        other = small(seed=21, epochs=10)
        engine.submit(other)
        ended(engine, other)
        assert_ended_as_here(engine.store, other)
        assert engine.problem == ""


def test_a_run_that_kills_its_worker_is_given_up(scheduler: RealScheduler, tmp_path: Path) -> None:
    """With Dask's patience at no retries here; three by default."""
    with app(tmp_path, scheduler.address) as engine:
        workers = all_workers(engine, 1)
        engine.submit(SPEC)
        under_way(engine, SPEC)
        worker_of(engine, workers, SPEC).kill()
        run = ended(engine, SPEC, "failed")
        assert "worker process died" in run.message
        assert is_sentence(run.message)
        assert engine.submit(SPEC).attempt == 2
        ended(engine, SPEC)
        assert_ended_as_here(engine.store, SPEC)


def test_runs_wait_while_no_worker_is_connected(offline: Path, tmp_path: Path) -> None:
    scheduler = RealScheduler(tmp_path, allowed_failures=3)
    scheduler.start()
    try:
        with app(tmp_path / "app", scheduler.address) as engine:
            all_workers(engine, 1)
            stopped, other = small(seed=22, epochs=3000), small(seed=23)
            engine.submit(SPEC)
            under_way(engine, SPEC)
            engine.submit(other)
            scheduler.kill_worker()
            wait_until(lambda: get(engine, SPEC).status == "queued")
            assert get(engine, SPEC).message == LOST
            wait_until(lambda: engine.problem)
            assert f"No worker is connected to the Dask scheduler at {scheduler.address}" in engine.problem
            assert is_sentence(engine.problem)
            assert (engine.state, engine.workers) == ("starting", 0)
            assert get(engine, other).status == "queued"
            scheduler.start_worker()
            for run in (SPEC, other):
                ended(engine, run)
                assert_ended_as_here(engine.store, run)
            assert (engine.state, engine.problem) == ("ready", "")
            engine.submit(stopped)
            under_way(engine, stopped)
            engine.stop(stopped.id)
            scheduler.kill_worker()
            assert is_sentence(ended(engine, stopped, "stopped").message)  # with nobody left to hear it
    finally:
        scheduler.kill()


def test_a_scheduler_that_goes_and_comes_back(
    scheduler: RealScheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.5)
    spec, other = SPEC, small(seed=25)
    with app(tmp_path, scheduler.address) as engine:
        all_workers(engine, 1)
        engine.submit(spec)
        under_way(engine, spec)
        scheduler.kill()
        try:
            wait_until(lambda: engine.state == "unreachable")
            assert scheduler.address in engine.problem
            assert is_sentence(engine.problem)
            assert get(engine, spec).active
            assert engine.submit(other).status == "queued"
            assert engine.store.history(spec.id) != []  # what is there can be looked at
        finally:
            scheduler.start()
        for run in (spec, other):
            ended(engine, run)
            assert_ended_as_here(engine.store, run)
        assert (engine.state, engine.problem) == ("ready", "")


def test_what_was_queued_without_a_scheduler_trains_with_one(scheduler: RealScheduler, tmp_path: Path) -> None:
    specs = [small(seed=30 + n) for n in range(3)]
    with app(tmp_path, NOBODY) as engine:
        for spec in specs:
            assert engine.submit(spec).status == "queued"
    with app(tmp_path, scheduler.address) as engine:
        for spec in specs:
            ended(engine, spec)
            assert_ended_as_here(engine.store, spec)
