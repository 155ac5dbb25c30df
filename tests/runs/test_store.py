"""The store: what goes in comes out, it stays small, and a run can go on from what is there."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runs.stores import NAMES, SPEC, found, progress, sql, steps_of, trained
from vae_core.errors import StoreError
from vae_core.runs.store import Store


def test_nothing_is_known_of_a_run_never_asked_for(store: Store) -> None:
    assert store.run(SPEC.id) is None
    assert store.unfinished() == []
    assert store.prefix(SPEC) is None
    assert store.history(SPEC.id) == []
    assert store.curve(SPEC.id) == []
    assert store.pictures(SPEC.id, 0) == {}
    assert not store.weights_path(SPEC.id).exists()
    assert store.notice == ""


def test_a_run_from_queue_to_result(store: Store) -> None:
    run = store.queue(SPEC)
    assert (run.id, run.spec, run.status, run.message, run.attempt) == (SPEC.id, SPEC, "queued", "", 1)
    assert (run.step, run.total_steps, run.images_seen, run.seconds, run.result) == (0, 240, 0, 0.0, None)
    assert run.active
    assert run.seconds_left is None
    assert [r.id for r in store.unfinished()] == [SPEC.id]

    store.set_message(SPEC.id, "Downloading: 40%")
    assert found(store, SPEC).message == "Downloading: 40%"
    store.begin(SPEC.id, -1)
    assert found(store, SPEC).status == "running"

    store.add_snapshot(SPEC, progress(0, images_per_second=0.0))
    assert found(store, SPEC).seconds_left is None
    for step in (32, 64):
        store.add_snapshot(SPEC, progress(step, since=step - 32))
    run = found(store, SPEC)
    assert (run.status, run.step, run.images_seen, run.seconds) == ("running", 64, 6400, 8.0)
    assert run.images_per_second == 800.0
    assert run.seconds_left == pytest.approx((240 - 64) * 100 / 800)
    assert store.history(SPEC.id) == [progress(step).numbers for step in (0, 32, 64)]
    assert store.curve(SPEC.id) == [(step, -step / 3, step / 7) for step in range(4, 65, 4)]
    assert store.pictures(SPEC.id, 32) == {name: f"{name} at 32".encode() for name in NAMES}
    assert store.pictures(SPEC.id, 33) == {}

    store.finish(SPEC.id, "done", "", {"held_out": {"elbo": -1.25}, "active_latents": 2})
    run = found(store, SPEC)
    assert (run.status, run.active, run.result) == ("done", False, {"held_out": {"elbo": -1.25}, "active_latents": 2})
    assert store.unfinished() == []


def test_another_app_on_the_same_folder_finds_the_same(store: Store) -> None:
    run = trained(store, SPEC)
    other = Store(store.folder)
    assert other.notice == ""
    assert other.run(SPEC.id) == run
    assert other.history(SPEC.id) == store.history(SPEC.id) != []
    assert other.curve(SPEC.id) == store.curve(SPEC.id) != []
    assert other.pictures(SPEC.id, 240) == store.pictures(SPEC.id, 240) != {}
    assert other.weights_path(SPEC.id).read_bytes() == f"{SPEC.id} at 240".encode()


def test_runs_are_kept_apart(store: Store) -> None:
    other = replace(SPEC, seed=1)
    trained(store, SPEC)
    store.queue(other)
    store.begin(other.id, -1)
    store.add_snapshot(other, progress(0))
    store.begin(other.id, -1)
    assert steps_of(store, other) == []
    assert steps_of(store, SPEC) == [*range(0, 240, 32), 240]
    assert found(store, SPEC).status == "done"
    assert len(store.curve(SPEC.id)) == 60
    assert len(store.pictures(SPEC.id, 0)) == len(NAMES)


def test_unfinished_runs_come_oldest_first(store: Store) -> None:
    specs = [replace(SPEC, seed=seed) for seed in range(4)]
    for spec in specs:
        store.queue(spec)
    store.begin(specs[2].id, -1)
    store.finish(specs[1].id, "stopped", "Taken out of the queue.")
    assert [run.spec.seed for run in store.unfinished()] == [0, 2, 3]
    store.queue(specs[0])  # one in line is joined where it stands
    store.queue(specs[1])  # and one that left it is at its end
    assert [run.spec.seed for run in store.unfinished()] == [0, 2, 3, 1]
    assert [found(store, spec).attempt for spec in specs[:2]] == [1, 2]


@pytest.mark.parametrize("status", ["done", "stopped", "diverged", "failed"])
def test_a_run_queued_again_is_a_new_attempt_in_line(store: Store, status: Any) -> None:
    trained(store, SPEC, end=50, status=status)
    run = store.queue(SPEC)
    assert (run.status, run.message, run.attempt) == ("queued", "", 2)


def test_a_run_of_settings_this_app_does_not_know_is_passed_over(store: Store) -> None:
    """An older or newer app's rows must not keep this one from its own."""
    trained(store, SPEC)
    other = replace(SPEC, seed=1)
    trained(store, other)
    for spec in ('{"layers":3}', "[]", "3", "null", '"mnist"', "{", '{"epochs":0}'):
        sql(store, "UPDATE runs SET spec = ? WHERE id = ?", spec, SPEC.id)
        assert store.run(SPEC.id) is None, spec
        assert store.run(other.id) is not None, spec
        assert store.prefix(replace(SPEC, epochs=30)) is None, spec


def test_weights_are_whole_or_not_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save_weights(SPEC.id, b"first")

    def half(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        with pytest.raises(StoreError, match="No space left on device"):
            store.save_weights(SPEC.id, b"second")
    assert store.weights_path(SPEC.id).read_bytes() == b"first"
    store.save_weights(SPEC.id, b"second")
    assert store.weights_path(SPEC.id).read_bytes() == b"second"


def test_numbers_are_kept_to_the_last_bit(store: Store) -> None:
    values = {
        "step": 0,
        "images_seen": 0,
        "seconds": 0.1,
        "elbo": -1234.567890123456789,
        "kl_per_latent": [1e-300, 2.5],
    }
    store.queue(SPEC)
    store.add_snapshot(SPEC, progress(0, numbers=values, curve=[[4, 0.1 + 0.2, 1 / 3]]))
    assert store.history(SPEC.id) == [values]
    assert store.curve(SPEC.id) == [(4, 0.1 + 0.2, 1 / 3)]


def test_reading_opens_no_connection_for_each_run_and_sees_what_was_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, opened = sqlite3.connect, []

    def counted(*of: Any, **how: Any) -> sqlite3.Connection:
        opened.append(of)
        return connect(*of, **how)

    store.queue(SPEC)
    other = Store(store.folder)  # as another process has it
    monkeypatch.setattr(sqlite3, "connect", counted)
    for step in range(20):
        other.set_message(SPEC.id, str(step))
        assert found(store, SPEC).message == str(step)
    written = len(opened)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: store.run(SPEC.id), range(200)))
    assert written <= 21 and len(opened) - written <= 3


def test_a_database_put_in_its_place_is_read(store: Store, tmp_path: Path) -> None:
    store.queue(SPEC)
    assert found(store, SPEC).status == "queued"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{store.path}{suffix}").rename(tmp_path / f"away{suffix}")
    with pytest.raises(StoreError, match="No such file"):
        store.run(SPEC.id)
    other = Store(tmp_path / "other")
    other.queue(replace(SPEC, seed=1))
    sql(other, "PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(other.path, store.path)
    assert store.run(SPEC.id) is None and store.run(replace(SPEC, seed=1).id) is not None
