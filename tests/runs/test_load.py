"""A busy machine is told as such: runs in line, and other programs beside those that train."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from tests.runs.conftest import small
from tests.runs.engines import NOBODY, all_workers, app, ended, is_sentence, under_way
from tests.waiting import wait_until
from vae_core.runs import connection, load
from vae_core.runs.engine import Engine
from vae_core.runs.load import OtherPrograms, busy_sentence


@pytest.mark.parametrize(
    ("in_line", "training", "others", "told"),
    [
        (0, 0, 0.0, []),
        (0, 3, 0.2, []),  # three lanes on two cores are what is usual
        (0, 0, 1.9, []),  # nothing trains: nobody is slowed
        (0, 1, 0.9, []),  # there is a core for each
        (0, 2, 0.9, ["Other programs take 0.9 of this machine's 2 cores"]),
        (1, 3, 0.0, ["; 1 more waits in line"]),
        (29, 3, 1.24, ["; 29 more wait in line", "Other programs take 1.2 of this machine's 2 cores"]),
    ],
)
def test_it_is_told_when_runs_wait_or_are_slowed(in_line: int, training: int, others: float, told: list[str]) -> None:
    sentence = busy_sentence(in_line, training, others, cores=2)
    assert [part in sentence for part in told] == [True] * len(told)
    assert bool(sentence) == bool(told)
    assert not sentence or is_sentence(sentence)


class Machine:
    """Processors whose time a test sets: of everybody, and of our processes."""

    def __init__(self, patch: pytest.MonkeyPatch):
        self.now, self.all, self.ours = 100.0, 1000.0, {"app": 10.0, "worker": 20.0}
        patch.setattr(load.time, "monotonic", lambda: self.now)
        patch.setattr(load, "_seconds_of_all", lambda: self.all)
        patch.setattr(load, "_seconds_of_ours", lambda: dict(self.ours))


@pytest.fixture
def machine() -> Iterator[Machine]:
    with pytest.MonkeyPatch.context() as patch:
        yield Machine(patch)


def test_other_programs_are_all_that_is_not_ours(machine: Machine) -> None:
    others = OtherPrograms()
    machine.now, machine.all, machine.ours = 110.0, 1018.0, {"app": 11.0, "worker": 29.0}
    others.look()
    assert others.cores == pytest.approx(0.8)
    machine.now, machine.all = 111.0, 1500.0
    others.look()  # too soon to say
    assert others.cores == pytest.approx(0.8)


def test_one_of_ours_that_ends_or_begins_is_no_other_program(machine: Machine) -> None:
    others = OtherPrograms()
    machine.now, machine.all, machine.ours = 110.0, 1009.0, {"app": 19.0, "new": 500.0}
    others.look()
    assert others.cores == pytest.approx(0.0)


def test_our_processes_are_this_one_and_its_children() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        wait_until(lambda: psutil.Process(child.pid) in load._seconds_of_ours())
        assert psutil.Process() in load._seconds_of_ours()
        assert psutil.Process(psutil.Process().ppid()) not in load._seconds_of_ours()
    finally:
        child.kill()
        child.wait()
    assert 0 < sum(load._seconds_of_ours().values()) < load._seconds_of_all() + 1


def test_the_engine_says_who_waits_in_line(engine: Engine) -> None:
    all_workers(engine)
    specs = [small(seed=50, epochs=3000, latent_dim=dim) for dim in range(1, len(all_workers(engine)) + 3)]
    for spec in specs:
        engine.submit(spec)
    for spec in specs[:-2]:
        under_way(engine, spec)
    wait_until(lambda: "2 more wait in line" in engine.busy, how=lambda: engine.busy)
    assert engine.problem == ""
    engine.stop(specs[-1].id)
    wait_until(lambda: "1 more waits in line" in engine.busy, how=lambda: engine.busy)
    for spec in specs:
        engine.stop(spec.id)
    for spec in specs:
        ended(engine, spec, "stopped")
    wait_until(lambda: engine.busy == "", how=lambda: engine.busy)


def test_without_workers_it_is_no_matter_of_being_busy(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.2)
    with app(tmp_path, NOBODY) as engine:
        engine.submit(small())
        wait_until(lambda: engine.problem)
        assert engine.busy == ""


def test_of_another_machine_only_the_line_is_told(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.2)
    with app(tmp_path, NOBODY) as engine:
        engine._others = SimpleNamespace(cores=9.0)  # type: ignore[assignment]
        engine.state, engine._training = "ready", 99
        assert engine.busy == ""
