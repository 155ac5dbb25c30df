"""Measurements on the workers: shared, watched, stopped, and lost with a worker or a scheduler."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.runs import toys
from tests.runs.conftest import assert_ended_as_here, small
from tests.runs.engines import NOBODY, all_workers, app, ended, is_sentence, long, under_way
from tests.runs.schedulers import RealScheduler
from tests.waiting import wait_until
from vae_core.runs import connection, measure
from vae_core.runs.cluster import worker_count
from vae_core.runs.engine import Engine
from vae_core.runs.measure import FORGOTTEN, KILLED, LOST, MOST_AT_ONCE, MOST_KEPT, Measurement, Measurements, key_of


def until(engine: Engine, key: str, *statuses: str) -> Measurement:
    now = lambda: engine.measurements.get(key)
    return wait_until(
        lambda: found if (found := now()).status in statuses else None,
        how=lambda: f"{now()}; {engine.workers} workers, {engine.problem}",
    )


def held(tmp_path: Path, name: str = "one") -> tuple[dict[str, str], Path, Path]:
    """Arguments of a `wait_for`, the file that lets it end, and its diary."""
    file, diary = tmp_path / f"{name}.go", tmp_path / f"{name}.diary"
    diary.touch()
    return {"file": str(file), "diary": str(diary)}, file, diary


# ---- on the embedded cluster


def test_a_measurement_gives_what_its_function_gives(engine: Engine) -> None:
    key = engine.measurements.ask(toys.count, b"four", {"upto": 300})
    found = until(engine, key, "done", "failed")
    assert found == Measurement("done", 1.0, 0.0, [*toys.count(b"four", 300)][-1][1])
    assert engine.measurements.ask(toys.count, b"four", {"upto": 300}) == key
    assert engine.measurements.get(key) is found  # at once, and without a worker


def test_progress_is_seen_and_thirty_share_one(engine: Engine, tmp_path: Path) -> None:
    arguments, file, diary = held(tmp_path)
    keys = {engine.measurements.ask(toys.wait_for, b"12345", arguments) for _ in range(30)}
    (key,) = keys
    now = until(engine, key, "running", "failed")
    assert (now.share, now.found, now.active) == (0.5, {"so far": 5}, True)
    assert now.seconds_left is not None
    file.touch()
    assert until(engine, key, "done", "failed").found == {"found": 5}
    assert len(diary.read_text().splitlines()) == 2


def test_stopping_lets_the_worker_go_and_keeps_what_is_known(engine: Engine, tmp_path: Path) -> None:
    arguments, file, diary = held(tmp_path)
    key = engine.measurements.ask(toys.wait_for, b"", arguments)
    until(engine, key, "running")
    engine.measurements.stop(key)
    stopped = engine.measurements.get(key)
    assert (stopped.status, stopped.found, stopped.active) == ("stopped", {"so far": 0}, False)
    wait_until(lambda: "let go" in diary.read_text())  # its thread has ended, though the file never came
    assert engine.measurements.ask(toys.wait_for, b"", arguments) == key  # and asking again begins anew
    file.touch()
    assert until(engine, key, "done", "failed").found == {"found": 0}
    engine.measurements.stop(key)
    assert engine.measurements.get(key).status == "done"


def test_errors_are_one_sentence(engine: Engine) -> None:
    key = engine.measurements.ask(toys.refuse, b"", {"levels": 3})
    now = until(engine, key, "done", "failed")
    assert (now.status, now.message) == ("failed", "3 grey levels cannot be scored.")
    unforeseen = until(engine, engine.measurements.ask(toys.fail, b"", {}), "done", "failed")
    assert "ZeroDivisionError" in unforeseen.message
    assert all(is_sentence(part + ".") for part in unforeseen.message.rstrip(".").split(". "))
    assert engine.problem == ""


def test_a_killed_worker_costs_time_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    workers = all_workers(engine)
    arguments, file, diary = held(tmp_path)
    key = engine.measurements.ask(toys.wait_for, b"", arguments)
    until(engine, key, "running")
    pid = int(diary.read_text().splitlines()[0])
    next(process for process in workers.values() if process.pid == pid).kill()
    pids = lambda: [int(line) for line in diary.read_text().splitlines() if line != "let go"]
    wait_until(lambda: len(pids()) == 2)  # it has begun again, in another process
    file.touch()
    assert until(engine, key, "done", "failed").found == {"found": 0}
    assert pids()[1] != pid


def test_measuring_and_training_do_not_wait_for_each_other(engine: Engine, tmp_path: Path) -> None:
    """Every worker trains, and yet a measurement is made; two measurements hold on, and yet every worker trains."""
    all_workers(engine)
    busy = [small(seed=70, epochs=3000, latent_dim=dim) for dim in range(1, worker_count() + 1)]
    for spec in busy:
        engine.submit(spec)
    for spec in busy:
        under_way(engine, spec)
    until(engine, engine.measurements.ask(toys.count, b"busy", {"upto": 10}), "done")
    for spec in busy:
        engine.stop(spec.id)
        ended(engine, spec, "stopped")
    holds = [held(tmp_path, str(n)) for n in range(MOST_AT_ONCE)]
    keys = [engine.measurements.ask(toys.wait_for, b"", arguments) for arguments, _, _ in holds]
    for key in keys:
        until(engine, key, "running")
    again = [small(seed=71, epochs=3000, latent_dim=dim) for dim in range(1, worker_count() + 1)]
    for spec in again:
        engine.submit(spec)
    for spec in again:
        under_way(engine, spec)
    own = lambda: {launched.worker for launched in engine._dispatch.launched.values()}
    wait_until(lambda: len(own()) == len(again), how=lambda: str(own()))  # each on one of its own
    for spec in again:
        engine.stop(spec.id)
        ended(engine, spec, "stopped")
    for (_, file, _), key in zip(holds, keys):
        file.touch()
        until(engine, key, "done")


def test_training_beside_a_measurement_gives_the_same_numbers(engine: Engine) -> None:
    """They share a process, and yet not a bit of the run may change."""
    all_workers(engine)
    specs = [long(seed=72, latent_dim=dim) for dim in range(2, worker_count() + 2)]
    for spec in specs:
        engine.submit(spec)
    for n in range(40):
        until(engine, engine.measurements.ask(toys.count, b"beside", {"upto": 1000 + n}), "done")
    for spec in specs:
        ended(engine, spec)
        assert_ended_as_here(engine.store, spec)


# ---- on a real scheduler


def test_a_measurement_that_kills_every_worker_is_told(scheduler: RealScheduler, tmp_path: Path) -> None:
    with app(tmp_path, scheduler.address) as engine:
        all_workers(engine, 1)
        key = engine.measurements.ask(toys.kill_its_worker, b"", {})
        now = until(engine, key, "failed")
        assert now.message == KILLED


def test_a_lost_connection_is_told_and_asking_again_works(
    scheduler: RealScheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.5)
    arguments, file, _ = held(tmp_path)
    with app(tmp_path, scheduler.address) as engine:
        wait_until(lambda: engine.state != "unreachable" and engine.workers)
        key = engine.measurements.ask(toys.wait_for, b"", arguments)
        until(engine, key, "running")
        scheduler.kill()
        try:
            now = until(engine, key, "failed")
            assert (now.message, now.found) == (LOST, {"so far": 0})
            engine.measurements.ask(toys.wait_for, b"", arguments)
            assert engine.measurements.get(key) == Measurement("waiting")  # the engine's problem says for what
        finally:
            file.touch()
            scheduler.start()
        assert until(engine, key, "done", "failed").found == {"found": 0}


# ---- without Dask


class Client:
    """Takes tasks and does nothing, until it is told what came of them."""

    def __init__(self) -> None:
        self.futures: dict[str, Any] = {}
        self.handler: Any = None

    def subscribe_topic(self, topic: str, handler: Any) -> None:
        assert topic == measure.TOPIC
        self.handler = handler

    def submit(self, *task: Any, key: str, **how: Any) -> Any:
        future = self.futures[key] = SimpleNamespace(key=key, status="pending")
        future.add_done_callback = lambda call: setattr(self.futures[key], "call", call)
        return future

    def finish(self, key: str, result: Any) -> None:
        future = self.futures.pop(next(token for token in self.futures if token.startswith(key)))
        future.status, future.result = "finished", lambda: result
        future.call(future)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def measurements(client: Client) -> Measurements:
    measurements = Measurements()
    measurements.connected(client)
    return measurements


def test_two_at_a_time_and_in_turn(client: Client, measurements: Measurements) -> None:
    keys = [measurements.ask(toys.count, b"", {"upto": n}) for n in range(1, 6)]
    started = lambda: {token.partition("-")[0] for token in client.futures}
    assert started() == {*keys[:2]}
    measurements.stop(keys[2])  # still in line
    client.finish(keys[0], "one")
    assert started() == {keys[1], keys[3]}
    assert [measurements.get(key).status for key in keys] == ["done", "waiting", "stopped", "waiting", "waiting"]
    assert measurements.get(keys[0]).found == "one"


def test_it_ends_when_nobody_wants_it_any_more() -> None:
    measurements = Measurements()  # with nobody connected: it waits
    ask = lambda learner: measurements.ask(toys.count, b"", {"upto": 7}, learner)
    (key,) = {ask(learner) for learner in ("ann", "bob", "ann")}
    assert measurements.stop(key, "ann")  # goes on, for bob
    assert measurements.stop(key, "eve")  # whom nobody asks
    assert measurements.get(key).active
    assert not measurements.stop(key, "bob")
    assert measurements.get(key).status == "stopped"
    assert not measurements.stop(key, "bob")
    ask("eve")  # anew, and what ann and bob wanted before does not count
    assert not measurements.stop(key, "eve")
    assert measurements.get(key).status == "stopped"
    ask("ann"), ask("bob")
    assert not measurements.stop(key)  # for all
    assert measurements.get(key).status == "stopped"


def test_each_process_has_its_own() -> None:
    measurements, other = Measurements(), Measurements()
    key = measurements.ask(toys.count, b"", {"upto": 8}, "ann")
    assert other.ask(toys.count, b"", {"upto": 8}, "bob") == key
    assert not other.stop(key, "bob")
    assert measurements.get(key).active


def test_the_time_left_is_at_the_pace_so_far(client: Client, measurements: Measurements) -> None:
    key = measurements.ask(toys.count, b"", {"upto": 9})
    (token,) = client.futures
    client.handler((time.time(), {"token": token, "share": 0.25, "seconds": 3.0, "found": [1]}))
    assert measurements.get(key) == Measurement("running", 0.25, 9.0, [1])
    client.handler((time.time(), {"token": f"{key}-00000000", "share": 0.9, "seconds": 4.0, "found": [2]}))
    assert measurements.get(key).share == 0.25  # an echo of another try
    client.handler((time.time(), {"token": token, "share": 0.0, "seconds": 3.0, "found": None}))
    assert measurements.get(key).seconds_left is None


def test_the_newest_are_kept(client: Client, measurements: Measurements) -> None:
    keys = []
    for n in range(MOST_KEPT + 5):
        keys.append(measurements.ask(toys.count, b"", {"upto": n}))
        client.finish(keys[-1], n)
    assert [measurements.get(key).status for key in keys] == ["failed"] * 5 + ["done"] * MOST_KEPT
    assert measurements.get(keys[0]).message == FORGOTTEN
    assert is_sentence(FORGOTTEN.split(". ")[0] + ".")


def test_what_tells_measurements_apart() -> None:
    keys = [
        key_of(toys.count, b"a", {"upto": 1, "diary": ""}),
        key_of(toys.count, b"a", {"upto": 2, "diary": ""}),
        key_of(toys.count, b"b", {"upto": 1, "diary": ""}),
        key_of(toys.refuse, b"a", {"upto": 1, "diary": ""}),
    ]
    assert len({*keys}) == 4
    assert key_of(toys.count, b"a", {"diary": "", "upto": 1}) == keys[0]  # the order of arguments does not


def test_asked_before_anybody_answers_it_waits(tmp_path: Path) -> None:
    with app(tmp_path, NOBODY) as engine:
        key = engine.measurements.ask(toys.count, b"", {"upto": 1})
        wait_until(lambda: engine.state == "unreachable")
        assert engine.measurements.get(key).status == "waiting"
        engine.measurements.stop(key)
        assert engine.measurements.get(key).status == "stopped"
