"""The engine with real Dask processes: the numbers of train() in here, whatever is stopped, killed, full or damaged."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.runs.conftest import alive, assert_ended_as_here, small, trained_here, wait_until
from vae_core import RunSpec
from vae_core.errors import StoreError
from vae_core.runs import engine as engine_module
from vae_core.runs.cluster import worker_count
from vae_core.runs.engine import Engine
from vae_core.runs.store import Run, Store

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "tcp://127.0.0.1:1"


@pytest.fixture(scope="module")
def engine(offline: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One app with its embedded cluster, for all tests that do not need their own."""
    engine = Engine(Store(tmp_path_factory.mktemp("store")))
    yield engine
    family = psutil.Process(engine._child.pid).children(recursive=True) if engine._child is not None else []
    engine.close()
    assert engine.state == "closed"
    wait_until(lambda: not alive(family), 20)
    assert len(family) > worker_count()


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
    run = wait_until(lambda: run if (run := get(engine, spec)).status != "queued" and run.step > 0 else None)
    assert run.status == "running"
    return run


def ended(engine: Engine, spec: RunSpec, status: str = "done") -> Run:
    run = wait_until(lambda: None if (run := get(engine, spec)).active else run, 120)
    assert run.status == status, run.message
    return run


def all_workers(engine: Engine, count: int | None = None) -> dict[str, psutil.Process]:
    """By address, once all have come that are to come."""
    wait_until(lambda: engine.state == "ready" and engine.workers == (count or worker_count()))
    return {address: psutil.Process(pid) for address, pid in engine._client.run(os.getpid).items()}


def worker_of(engine: Engine, workers: dict[str, psutil.Process], spec: RunSpec) -> psutil.Process:
    processing = engine._client.processing()
    (address,) = [a for a, keys in processing.items() if any(key.startswith(spec.id) for key in keys)]
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


def test_lanes_train_side_by_side(engine: Engine) -> None:
    specs = [long(likelihood=key, seed=3) for key in ("bernoulli", "gaussian_identity", "gaussian_learned")]
    all_workers(engine)
    for spec in specs:
        engine.submit(spec)
    wait_until(lambda: all(get(engine, spec).step > 0 for spec in specs))
    assert [get(engine, spec).status for spec in specs] == ["running"] * 3
    for spec in specs:
        engine.stop(spec.id)
    for spec in specs:
        ended(engine, spec, "stopped")


def test_equal_specs_are_one_run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of thirty presses the default button."""
    spec = small(seed=4, epochs=20)
    begun, queued = counted(monkeypatch, engine.store, "begin"), counted(monkeypatch, engine.store, "queue")
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
    assert queued == [(spec,)]
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

    def add_snapshot(run_id: str, message: Any) -> None:
        if full.is_set():
            refused.set()
            raise StoreError("Runs cannot be kept in here (database or disk is full). Free some disk space there.")
        write(run_id, message)

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


# ---- what can be killed


def test_a_killed_worker_costs_time_and_nothing_else(engine: Engine) -> None:
    workers = all_workers(engine)
    spec = long(seed=13)
    engine.submit(spec)
    under_way(engine, spec)
    process = worker_of(engine, workers, spec)
    process.kill()
    wait_until(lambda: not alive([process]))
    assert get(engine, spec).active  # it had not ended by itself before
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
    child = engine._child
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
    assert engine.state == "ready"
    assert engine.problem == ""


# ---- a scheduler somewhere else


SPEC = long(seed=20)  # each of these tests has its own store


class RealScheduler:
    """`dask scheduler` and one `dask worker`, started as anybody would."""

    def __init__(self, folder: Path):
        self.processes: list[psutil.Process] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.folder = folder

    def start(self) -> None:
        port = self.address.rpartition(":")[2]
        self._run("dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-show")
        more = ("--nthreads", "1", "--no-dashboard", "--preload", "vae_core.runs.worker")
        self._run("dask_worker", self.address, "--host", "127.0.0.1", *more)

    def _run(self, program: str, *arguments: str) -> None:
        environment = {
            **os.environ,
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",  # so that one death is enough to give up
            "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error",
            "DASK_TEMPORARY_DIRECTORY": str(self.folder),
        }
        with (self.folder / f"{program}.log").open("w") as log:
            command = [sys.executable, "-m", f"distributed.cli.{program}", *arguments]
            self.processes.append(psutil.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))

    def kill(self) -> None:
        family = [p for process in self.processes for p in (*process.children(recursive=True), process)]
        for process in family:
            process.kill()
        psutil.wait_procs(self.processes)
        wait_until(lambda: not alive(family))
        self.processes.clear()


@pytest.fixture(scope="module")
def scheduler(offline: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealScheduler]:
    scheduler = RealScheduler(tmp_path_factory.mktemp("dask"))
    scheduler.start()
    yield scheduler
    scheduler.kill()


def test_the_same_code_on_a_real_scheduler(scheduler: RealScheduler, tmp_path: Path) -> None:
    spec = small(seed=20, likelihood="gaussian_learned", epochs=8)
    with app(tmp_path, scheduler.address) as engine:
        assert len(all_workers(engine, 1)) == 1
        assert engine._child is None
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
        assert engine._child is None


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


def test_a_scheduler_that_goes_and_comes_back(
    scheduler: RealScheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "CONNECT_SECONDS", 0.5)
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


# ---- addresses where there is no scheduler


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (NOBODY, "refused"),
        ("127.0.0.1:1", "refused"),
        ("localhost", "missing port"),
        ("localhost:abc", "abc"),
        ("tcp://127.0.0.1:99999", ""),
        ("127.0.0.1:", ""),
        ("nonsense", ""),
        ("http://127.0.0.1:1", ""),
        ("tcp://", ""),
        ("tls://", "missing port"),
        ("tls://127.0.0.1:1", ""),  # and no certificates configured
        ("tcp://192.0.2.1:8786", "not encrypted"),
        ("192.0.2.1:8786", "not encrypted"),
        ("tcp://localhost:1@192.0.2.1:8786", "not encrypted"),
        ("inproc://192.0.2.1/1/1", "not encrypted"),
    ],
)
def test_an_address_that_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, why: str) -> None:
    monkeypatch.setattr(engine_module, "CONNECT_SECONDS", 0.2)
    with app(tmp_path, address) as engine:
        wait_until(lambda: engine.state == "unreachable" and engine.problem, 20)
        assert address in engine.problem
        assert why in engine.problem
        assert "DASK_SCHEDULER_ADDRESS" in engine.problem
        assert is_sentence(engine.problem)
        run = engine.submit(small(epochs=1))
        assert run.status == "queued"
        engine.stop(run.id)
        assert get(engine, run).status == "stopped"


def test_trying_again_for_hours_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is started before its scheduler must not run out of threads and files meanwhile."""
    monkeypatch.setattr(engine_module, "CONNECT_SECONDS", 0.02)
    monkeypatch.setattr(engine_module, "RETRY_SECONDS", 0.01)
    tries = 0

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return super().wait(0.01)

    class Counting(Engine):
        def _why_unreachable(self, error: Exception) -> str:
            nonlocal tries
            tries += 1
            if tries == 1:
                self._closing = Impatient()  # the pauses between tries grow
            return super()._why_unreachable(error)

    engine = Counting(Store(tmp_path), NOBODY)
    try:
        wait_until(lambda: tries >= 3)
        threads, files = threading.active_count(), psutil.Process().num_fds()
        wait_until(lambda: tries >= 33)
        assert threading.active_count() <= threads + 10
        assert psutil.Process().num_fds() <= files + 20
    finally:
        engine.close()


def test_an_address_that_is_refused_is_not_even_knocked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent to a scheduler is run there: not over a line that others can read and write."""
    called: list[Any] = []

    def connect(self: Any, address: tuple[str, int]) -> int:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(engine_module, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(engine_module, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    with app(tmp_path, "tcp://192.0.2.1:8786") as engine:
        wait_until(lambda: engine.state == "unreachable")
    assert called == []
    with app(tmp_path, NOBODY) as engine:
        wait_until(lambda: engine.state == "unreachable")
    assert set(called) == {("127.0.0.1", 1)}


def test_what_was_queued_without_a_scheduler_trains_with_one(scheduler: RealScheduler, tmp_path: Path) -> None:
    specs = [small(seed=30 + n) for n in range(3)]
    with app(tmp_path, NOBODY) as engine:
        for spec in specs:
            assert engine.submit(spec).status == "queued"
    with app(tmp_path, scheduler.address) as engine:
        for spec in specs:
            ended(engine, spec)
            assert_ended_as_here(engine.store, spec)


# ---- the app's process itself


def test_a_second_app_on_the_same_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writers of one store would undo each other's work."""
    monkeypatch.setattr(engine_module, "CONNECT_SECONDS", 0.2)
    with app(tmp_path, NOBODY):
        with pytest.raises(StoreError, match="VAE_HOME") as raised:
            Engine(Store(tmp_path), NOBODY)
        assert str(tmp_path) in str(raised.value)
        assert is_sentence(str(raised.value))
    with app(tmp_path, NOBODY) as engine:  # and not for ever
        assert engine.submit(small()).status == "queued"


APP = """
import json, os, sys, threading
from pathlib import Path
import psutil
from vae_core import RunSpec
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store

engine = Engine(Store(Path(sys.argv[1])))
finished, failing, damaged, under_way = [RunSpec.from_dict(values) for values in json.loads(sys.argv[2])]

def wait(condition):
    while not condition():
        threading.Event().wait(0.01)

def run(spec):
    engine.submit(spec)
    wait(lambda: not engine.store.run(spec.id).active)
    return engine.store.run(spec.id).status

statuses = [run(finished), run(failing)]
engine.store.weights_path(finished.id).write_bytes(b"damaged")
statuses.append(run(damaged))
engine.submit(under_way)
wait(lambda: engine.store.run(under_way.id).step > 0)
children = [child.pid for child in psutil.Process().children(recursive=True)]
heavy = sorted({"torch", "sklearn", "pandas"} & set(sys.modules))
print(json.dumps({"statuses": statuses, "heavy": heavy, "children": children}), flush=True)
threading.Event().wait()
"""


def test_an_app_that_is_killed_leaves_no_process_and_loses_no_run(
    offline: Path, scheduler: RealScheduler, tmp_path: Path
) -> None:
    (offline / "data").mkdir(exist_ok=True)
    (offline / "data" / "fashion_60k.npz").write_bytes(b"half a download")
    finished, unfinished = small(seed=40, epochs=3), SPEC
    failing, damaged = RunSpec(dataset="fashion_full", hidden=(8,), epochs=1), finished.with_epochs(4)
    specs = json.dumps([spec.to_dict() for spec in (finished, failing, damaged, unfinished)])
    process = subprocess.Popen(
        [sys.executable, "-c", APP, tmp_path, specs],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()[-2000:]
        facts = json.loads(line)
        children = [psutil.Process(pid) for pid in facts["children"]]
        process.send_signal(signal.SIGKILL)
        process.wait()
        psutil.wait_procs(children, timeout=5)
        assert alive(children) == []
    assert len(children) > worker_count()
    assert facts["statuses"] == ["done", "failed", "done"]
    assert facts["heavy"] == []  # pages must not pay for torch, even after an error of torch's has come back

    assert Store(tmp_path).notice == ""
    done = Store(tmp_path).run(damaged.id)
    with app(tmp_path, scheduler.address) as engine:
        assert get(engine, unfinished).active
        ended(engine, unfinished)
        for spec in (damaged, unfinished):
            assert_ended_as_here(engine.store, spec)
        assert get(engine, damaged) == done
        assert get(engine, failing).status == "failed"


def test_an_app_that_closes_leaves_the_workers_free(scheduler: RealScheduler, tmp_path: Path) -> None:
    """What it had them do is of use to nobody any more. (The last test here: should it fail, the worker is busy.)"""
    endless, short = small(seed=43, epochs=10_000), small(seed=43)
    with app(tmp_path / "one", scheduler.address) as engine:
        engine.submit(endless)
        under_way(engine, endless)
    with app(tmp_path / "two", scheduler.address) as engine:
        engine.submit(short)
        ended(engine, short)
        assert_ended_as_here(engine.store, short)


@pytest.mark.parametrize("kind", ["a web server", "silence"])
def test_something_else_than_a_scheduler_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Dask's dashboard, say, whose port is one further."""
    monkeypatch.setattr(engine_module, "CONNECT_SECONDS", 0.2)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        if kind == "a web server":
            threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with app(tmp_path, f"127.0.0.1:{server.server_port}") as engine:
                wait_until(lambda: engine.state == "unreachable", 20)
                assert f"127.0.0.1:{server.server_port}" in engine.problem
                assert is_sentence(engine.problem)
        finally:
            if kind == "a web server":
                server.shutdown()
