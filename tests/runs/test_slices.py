"""Training in slices, and several app processes on one folder: not a bit of any run may change by it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runs.conftest import assert_ended_as_here, pngs, small, trained_here, wait_until_whole
from tests.runs.engines import ROOT, all_workers, app, counted, ended, get, long, under_way
from tests.waiting import wait_until
from vae_core import Snapshot, load_dataset, train
from vae_core.checkpoint import Checkpoint
from vae_core.runs import line, turns
from vae_core.runs.cluster import worker_count
from vae_core.runs.dispatch import OTHERS
from vae_core.runs.engine import Engine


def at(pause: int, step: int) -> Callable[[], bool]:
    """Asked before each step from `step` on, it is time at `pause`."""
    steps = itertools.count(step)
    return lambda: next(steps) >= pause


@pytest.mark.parametrize("changes", [{}, {"likelihood": "gaussian_learned", "binarize": "stochastic", "mc_samples": 2}])
def test_a_run_set_aside_again_and_again_is_the_same_run(changes: dict[str, object]) -> None:
    """At steps that are no snapshot's, across the ends of epochs, and twice at one step."""
    spec = small(epochs=4, **changes)
    pauses, resume = iter([1, 7, 7, 13, 40]), None
    snapshots: list[Snapshot] = []
    for pause in [*pauses, 10_000]:
        give_way = at(pause, resume.step if resume else 0)
        snapshots += train(spec, load_dataset("digits"), resume=resume, give_way=give_way, device="cpu")
        resume = snapshots[-1].checkpoint
        assert resume is not None
        if snapshots[-1].status == "aside":
            assert (resume.step, snapshots[-1].result) == (pause, None)
            resume = Checkpoint.from_bytes(resume.to_bytes())
    whole, last = trained_here(spec), snapshots[-1]
    assert last.status == "done"
    assert last.result is not None and whole[-1].result is not None and last.checkpoint and whole[-1].checkpoint
    assert last.result.held_out == whole[-1].result.held_out
    assert [n for n, t in last.checkpoint.tensors.items() if not t.equal(whole[-1].checkpoint.tensors[n])] == []
    assert [point for one in snapshots for point in one.curve] == [point for one in whole for point in one.curve]
    by_step = {one.step: pngs(one) for one in snapshots}
    assert all(by_step[one.step] == pngs(one) for one in whole)


def test_runs_take_turns_and_end_as_if_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0.2)
    all_workers(engine)
    aside, added = counted(monkeypatch, engine.store, "save_slice"), counted(monkeypatch, engine.store, "add_snapshot")
    specs = [long(seed=200 + n, epochs=90) for n in range(worker_count() + 2)]
    for n, spec in enumerate(specs):
        engine.submit(spec, f"learner {n}")
    wait_until(lambda: {spec.id for spec, _ in added} == {spec.id for spec in specs})
    assert not any(get(engine, spec).status == "done" for spec in specs)  # all are seen before one has ended
    for spec in specs:
        run = ended(engine, spec)
        assert run.attempt == 1
        assert_ended_as_here(engine.store, spec)
    assert len(aside) >= 2
    assert list((engine.store.folder / "slices").iterdir()) == []
    assert engine.problem == ""


def test_stop_ends_a_run_when_nobody_wants_it(engine: Engine) -> None:
    spec = small(seed=210, epochs=3000)
    for learner in ("ann", "bob"):
        engine.submit(spec, learner)
    under_way(engine, spec)
    engine.stop(spec.id, "ann")
    assert line.wanted_by(engine.store, "bob", [spec.id]) == {spec.id}
    step = get(engine, spec).step
    wait_until(lambda: get(engine, spec).step > step)  # it goes on
    engine.stop(spec.id, "bob")
    run = ended(engine, spec, "stopped")
    assert engine.store.weights_path(spec.id).exists() and run.result is not None


def test_a_run_set_aside_can_be_stopped_and_keeps_what_it_has(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0.2)
    wait_until_whole(engine)
    specs = [small(seed=220 + n, epochs=9000) for n in range(worker_count() + 1)]
    for n, spec in enumerate(specs):
        engine.submit(spec, f"learner {n}")
    (aside, *_) = wait_until(lambda: [spec for spec in specs if get(engine, spec).message == OTHERS])
    monkeypatch.setattr(turns, "SLICE_SECONDS", 1000.0)
    for spec in specs:
        engine.stop(spec.id)
    for spec in specs:
        run = ended(engine, spec, "stopped")
    run = get(engine, aside)
    assert run.step > 0 and run.result is not None and engine.store.weights_path(aside.id).exists()


LEADER = """
import sys, threading
from pathlib import Path
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store

engine = Engine(Store(Path(sys.argv[1])))
assert engine.leads
engine.wait_until_ready(100)
print("ready", flush=True)
threading.Event().wait()
"""


def test_another_process_takes_over_when_the_one_that_leads_is_killed(offline: Path, tmp_path: Path) -> None:
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert leader.stdout is not None and leader.stdout.readline() == b"ready\n"
        with app(tmp_path) as engine:
            assert not engine.leads
            spec, short = long(seed=230, epochs=240), small(seed=230)
            engine.submit(short, "ann")
            ended(engine, short)  # written by the other process, and heard of here
            assert engine.store.news.last(short.id) > 0
            assert_ended_as_here(engine.store, short)
            engine.submit(spec, "ann")
            under_way(engine, spec)
            wait_until(lambda: engine.state == "ready")  # by the cluster of the one that leads
            assert (tmp_path / "cluster.json").stat().st_mode & 0o777 == 0o600
            os.kill(leader.pid, signal.SIGKILL)
            wait_until(lambda: engine.leads)
            ended(engine, spec)
            assert get(engine, spec).attempt == 1
            assert_ended_as_here(engine.store, spec)
    finally:
        leader.kill()
        leader.wait()
