"""The engine on a real Dask scheduler, and as the app's own process ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.runs.conftest import alive, assert_ended_as_here, small
from tests.runs.engines import NOBODY, ROOT, all_workers, app, ended, get, is_sentence, long, under_way, worker_of
from tests.waiting import wait_until
from vae_core import RunSpec
from vae_core.errors import StoreError
from vae_core.runs import connection
from vae_core.runs.cluster import worker_count
from vae_core.runs.engine import LOST, Engine
from vae_core.runs.store import Store

# ---- a scheduler somewhere else


SPEC = long(seed=20)  # each of these tests has its own store


class RealScheduler:
    """`dask scheduler` and one `dask worker`, started as anybody would; a run may lose its worker so often."""

    def __init__(self, folder: Path, allowed_failures: int = 0):
        self.allowed_failures = allowed_failures
        self.processes: list[psutil.Process] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.folder = folder

    def start(self) -> None:
        port = self.address.rpartition(":")[2]
        self._run("dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-show")
        self.start_worker()

    def start_worker(self) -> None:
        more = ("--nthreads", "1", "--no-dashboard", "--preload", "vae_core.runs.worker")
        self._run("dask_worker", self.address, "--host", "127.0.0.1", *more)

    def _run(self, program: str, *arguments: str) -> None:
        environment = {
            **os.environ,
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(self.allowed_failures),
            "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error",
            "DASK_TEMPORARY_DIRECTORY": str(self.folder),
        }
        with (self.folder / f"{program}.log").open("w") as log:
            command = [sys.executable, "-m", f"distributed.cli.{program}", *arguments]
            self.processes.append(psutil.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))

    def kill(self) -> None:
        self._kill(self.processes)
        self.processes.clear()

    def kill_worker(self) -> None:
        self._kill([self.processes.pop()])

    def _kill(self, processes: list[psutil.Process]) -> None:
        family = [p for process in processes for p in (*process.children(recursive=True), process)]
        for process in family:
            process.kill()
        psutil.wait_procs(processes)
        wait_until(lambda: not alive(family))


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


# ---- the app's process itself


def test_a_second_app_on_the_same_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writers of one store would undo each other's work."""
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.2)
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
from vae_core.runs.engine import LOST, Engine
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
        wait_until(lambda: not alive(children))
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
