"""The store in many threads: whole snapshots, and nobody waits for a reader."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from tests.runs.stores import NAMES, SPEC, feed, found, progress, steps_of
from vae_core.runs.store import Store


def test_readers_see_whole_snapshots_while_one_writes(store: Store) -> None:
    store.queue(SPEC)
    store.begin(SPEC.id, -1)
    store.add_snapshot(SPEC, progress(0))
    wrong: list[str] = []
    reads = [0, 0]
    finished = threading.Event()

    def read(reader: int) -> None:
        try:
            before = 0
            while not finished.is_set() or reads[reader] < 20:
                run, steps = found(store, SPEC), steps_of(store, SPEC)
                if not before <= run.step <= steps[-1] or steps != [*range(0, steps[-1] + 1, 32)]:
                    wrong.append(f"{before} {run.step} {steps}")
                if len(store.pictures(SPEC.id, run.step)) != len(NAMES):
                    wrong.append(f"pictures of {run.step}")
                before = run.step
                reads[reader] += 1
        except Exception as error:  # noqa: BLE001  (a thread's exception would be lost)
            wrong.append(repr(error))

    threads = [threading.Thread(target=read, args=(reader,)) for reader in range(2)]
    for thread in threads:
        thread.start()
    for step in range(32, 100 * 32, 32):
        store.add_snapshot(SPEC, progress(step, since=step - 32))
    finished.set()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert min(reads) >= 20
    assert len(steps_of(store, SPEC)) == 100


def test_somebody_reading_does_not_hold_up_the_writer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does what is written change what is being read."""
    store.queue(SPEC)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: connect(path, timeout=0.05))
    with closing(connect(store.path)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT status FROM runs").fetchall() == [("queued",)]
        store.begin(SPEC.id, -1)
        feed(store, SPEC, 0, 64)
        assert reader.execute("SELECT status, step FROM runs").fetchall() == [("queued", 0)]
    assert (found(store, SPEC).status, found(store, SPEC).step) == ("running", 64)
