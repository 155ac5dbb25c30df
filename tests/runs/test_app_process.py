"""The app's own process: a second one on its folder, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.runs.conftest import assert_ended_as_here, small
from tests.runs.engines import NOBODY, ROOT, app, ended, get, long, under_way
from tests.runs.schedulers import RealScheduler
from tests.waiting import alive, wait_until
from vae_core import RunSpec
from vae_core.runs import connection
from vae_core.runs.cluster import worker_count
from vae_core.runs.store import Store

SPEC = long(seed=20)


def test_of_two_apps_on_one_folder_one_leads_and_another_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.2)
    with app(tmp_path, NOBODY) as first:
        with app(tmp_path, NOBODY) as second:
            assert (first.leads, second.leads) == (True, False)
            assert second.submit(small(), "ann").status == "queued"
            wait_until(lambda: first.store.news.last(small().id))
            second.stop(small().id, "ann")  # told by one, done by the other
            ended(first, small(), "stopped")
        with app(tmp_path, NOBODY) as third:
            assert not third.leads
            first.close()
            wait_until(lambda: third.leads)
    with app(tmp_path, NOBODY) as fourth:
        assert fourth.leads  # who took over has left it free


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
