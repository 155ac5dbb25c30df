"""Who is here and what trains, over several processes on one store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.conftest import small
from tests.runs.engines import NOBODY, ROOT, app
from tests.waiting import wait_until
from vae_core.runs import line, present
from vae_core.runs.present import Presence, Training
from vae_core.runs.store import Store


def test_the_windows_of_all_processes_are_counted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert present.here(store) == 0
    code = (
        "import sys; from pathlib import Path; from vae_core.runs.present import say; "
        "from vae_core.runs.store import Store; say(Store(Path(sys.argv[1])), 'other', 3)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True)
    present.say(store, "this", 4)
    assert present.here(store) == 7
    present.say(store, "this", 2)
    assert present.here(store) == 5
    present.say(store, "this", 0)
    assert present.here(store) == 3


def test_a_process_long_silent_counts_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    present.say(store, "other", 3)
    later = present.time.time() + present.GONE_SECONDS + 1
    monkeypatch.setattr(present.time, "time", lambda: later)
    assert present.here(store) == 0
    present.say(store, "this", 1)
    assert [row["process"] for row in store.read("SELECT process FROM present")] == ["this"]  # nor is it kept


def test_a_process_speaks_when_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, said, now = Store(tmp_path), [], 1000.0
    monkeypatch.setattr(present, "say", lambda _store, _process, windows: said.append(windows))
    monkeypatch.setattr(present.time, "monotonic", lambda: now)
    presence, open_now = Presence(store, "this"), [0]
    presence.count = lambda: open_now[-1]
    for windows, seconds in [(0, 100), (2, 0.1), (2, 3), (2, 3), (2, 4), (2, 3), (3, 3), (0, 3), (0, 100)]:
        open_now.append(windows)
        presence.look()
        now += seconds
    assert said == [2, 2, 3, 0]  # what is new, and now and then what is not


def test_an_engine_tells_how_many_windows_its_process_has(tmp_path: Path) -> None:
    with app(tmp_path, NOBODY) as engine:
        engine.presence.count = lambda: 5
        wait_until(lambda: present.here(engine.store) == 5, how=lambda: str(present.here(engine.store)))


def test_what_trains_first_and_who_wants_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second, third = (small(seed=seed) for seed in (1, 2, 3))
    for spec, learners in {first: ("ann",), second: ("ann", "bob"), third: ("bob",)}.items():
        for learner in learners:
            store.queue(spec, learner)
    store.begin(second.id, 0)
    line.unwant(store, first.id, "ann")
    total = first.total_steps
    found = [
        Training(second, True, 0, total, 2),
        Training(first, False, 0, total, 0),
        Training(third, False, 0, total, 1),
    ]
    assert present.training(store, 9) == found
    assert present.training(store, 2) == found[:2]
    store.finish(second.id, "done", "")
    assert present.training(store, 9) == found[1:]


def test_all_runs_are_stopped_for_everybody(tmp_path: Path) -> None:
    with app(tmp_path, NOBODY) as engine:
        runs = [engine.submit(small(seed=seed), learner) for seed, learner in ((1, "ann"), (2, "ann"), (2, "bob"))]
        engine.stop_all()
        wait_until(lambda: not engine.store.unfinished(), how=lambda: str(engine.store.unfinished()))
        assert {run.status for one in runs if (run := engine.store.run(one.id))} == {"stopped"}


def test_a_process_that_does_not_lead_stops_all_too(tmp_path: Path) -> None:
    with app(tmp_path, NOBODY) as leader, app(tmp_path, NOBODY) as other:
        assert leader.leads and not other.leads
        leader.submit(small(seed=1), "ann")
        other.stop_all()
        wait_until(lambda: not leader.store.unfinished(), how=lambda: str(leader.store.unfinished()))
