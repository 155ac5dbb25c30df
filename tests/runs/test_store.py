"""The store: what goes in comes out, it stays small, and a run can go on from what is there."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runs.conftest import small
from tests.runs.stores import MAX_CURVE, MAX_SNAPSHOTS, NAMES, SPEC, feed, found, message, sql, steps_of, trained
from vae_core.errors import StoreError
from vae_core.runs.store import Store, keep_stride

# ---- what goes in comes out


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

    store.say(SPEC.id, "Downloading: 40%")
    assert found(store, SPEC).message == "Downloading: 40%"
    store.begin(SPEC.id, -1)
    assert found(store, SPEC).status == "running"

    store.add_snapshot(SPEC.id, message(0, images_per_second=0.0))
    assert found(store, SPEC).seconds_left is None
    for step in (32, 64):
        store.add_snapshot(SPEC.id, message(step, since=step - 32))
    run = found(store, SPEC)
    assert (run.status, run.step, run.images_seen, run.seconds) == ("running", 64, 6400, 8.0)
    assert run.images_per_second == 800.0
    assert run.seconds_left == pytest.approx((240 - 64) * 100 / 800)
    assert store.history(SPEC.id) == [message(step)["numbers"] for step in (0, 32, 64)]
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
    store.add_snapshot(other.id, message(0))
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
    store.queue(specs[0])  # again, so at the end of the line
    assert [run.spec.seed for run in store.unfinished()] == [2, 3, 0]
    assert found(store, specs[0]).attempt == 2


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


# ---- thinning


@given(st.integers(0, 10**9), st.integers(1, 4096), st.integers(2, 1000))
def test_keep_stride_is_the_smallest_that_is_few_enough(step: int, stride: int, most: int) -> None:
    keep = keep_stride(step, stride, most)
    doublings = math.log2(keep / stride)
    assert doublings == int(doublings) >= 0
    assert len({*range(0, step, keep), step} if step // keep < 2000 else "too many" * 1000) <= most
    if keep > stride:
        assert step // (keep // 2) + 2 > most  # one doubling fewer would not do


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=30), st.sampled_from([1, 2, 8, 32]))
def test_what_is_thinned_away_is_never_wanted_later(steps: list[int], stride: int) -> None:
    """Each grid is a part of the one before, so that a run's history is the same however it got there."""
    grids = [keep_stride(step, stride, MAX_SNAPSHOTS) for step in sorted(steps)]
    assert all(later % earlier == 0 for earlier, later in zip(grids, grids[1:]))


@pytest.fixture
def held_open(store: Store) -> Iterator[Store]:
    """With one more connection SQLite need not fold its log back at every close: ten times quicker."""
    with closing(sqlite3.connect(store.path)) as db:
        db.execute("SELECT * FROM runs").fetchall()
        yield store


def test_five_thousand_snapshots_stay_few_and_regular(held_open: Store) -> None:
    store, stride, curve_stride = held_open, 32, 4
    spec = small(epochs=10_000, batch_size=64)
    store.queue(spec)
    store.begin(spec.id, -1)
    last = 5000 * stride + 7
    for i, step in enumerate([*range(0, last, stride), last]):
        store.add_snapshot(spec.id, message(step, since=max(0, step - 1) // stride * stride))
        if i % 97 and i not in (198, 199, 200, 5000, 5001):
            continue
        steps = steps_of(store, spec)
        assert len(steps) <= MAX_SNAPSHOTS
        assert steps[0] == 0
        assert steps[-1] == step
        grid = steps[1] if len(steps) > 2 else stride
        assert steps == sorted({*range(0, step, grid), step})
        assert i < 190 or len(steps) > MAX_SNAPSHOTS / 2 - 1  # thinned no more than must be
        assert {row[0] for row in sql(store, "SELECT DISTINCT step FROM pictures")} == set(steps)
        curve = store.curve(spec.id)
        assert len(curve) <= MAX_CURVE
        grid = curve[0][0] if curve else curve_stride
        newest = {step} if i and step % curve_stride == 0 else set()
        assert [point[0] for point in curve] == sorted({*range(grid, step + 1, grid)} | newest)
        assert i < 130 or len(curve) > MAX_CURVE / 2 - 2
        assert all(point == (point[0], -point[0] / 3, point[0] / 7) for point in curve)
    assert i == 5001
    assert sql(store, "SELECT count(*) FROM pictures")[0][0] == len(NAMES) * len(steps)
    assert store.pictures(spec.id, last)["mean"] == f"mean at {last}".encode()
    assert store.path.stat().st_size < 2e6  # what was deleted is used again


# ---- going on from what is there


def test_the_furthest_usable_run_of_the_same_settings_is_the_prefix(store: Store) -> None:
    five, ten, fifteen, thirty = (SPEC.with_epochs(n) for n in (5, 10, 15, 30))
    trained(store, five)
    assert (found := store.prefix(SPEC)) is not None
    assert found.id == five.id
    trained(store, ten, end=70, status="stopped")
    trained(store, fifteen, end=65, status="stopped")
    trained(store, replace(ten, seed=5))  # other settings
    trained(store, replace(fifteen, likelihood="gaussian_learned"))
    trained(store, thirty, end=241, status="stopped")  # a step too far
    assert (found := store.prefix(SPEC)) is not None
    assert (found.id, found.step) == (ten.id, 70)
    assert (found := store.prefix(thirty)) is not None
    assert found.id == thirty.id
    assert (found := store.prefix(five)) is not None
    assert found.id == five.id  # 70 steps are ten too many for it


@pytest.mark.parametrize("status", ["queued", "running", "diverged", "failed"])
def test_only_done_and_stopped_runs_are_gone_on_from(store: Store, status: Any) -> None:
    ten = SPEC.with_epochs(10)
    trained(store, ten, status=status)
    assert store.prefix(SPEC) is None
    store.finish(ten.id, "stopped", "")
    assert store.prefix(SPEC) is not None


def test_a_run_without_weights_or_steps_is_not_gone_on_from(store: Store) -> None:
    ten = SPEC.with_epochs(10)
    trained(store, ten, end=0, status="stopped")
    assert store.prefix(SPEC) is None
    trained(store, ten, end=60, status="stopped")
    assert store.prefix(SPEC) is not None
    store.weights_path(ten.id).unlink()
    assert store.prefix(SPEC) is None


def test_a_setting_that_the_likelihood_does_not_use_makes_no_other_family(store: Store) -> None:
    trained(store, SPEC.with_epochs(10))
    assert store.prefix(replace(SPEC, sigma=3.0)) is not None
    assert store.prefix(replace(SPEC, beta=3.0)) is None


def test_a_longer_run_begins_with_the_history_of_the_shorter(store: Store) -> None:
    ten = SPEC.with_epochs(10)  # 120 steps
    trained(store, ten)
    run = store.queue(SPEC)
    assert (run.status, run.step, run.total_steps, run.images_seen) == ("queued", 120, 240, 12_000)
    assert run.seconds == 15.0
    store.begin(SPEC.id, 120)
    assert steps_of(store, SPEC) == steps_of(store, ten) == [0, 32, 64, 96, 120]
    assert store.curve(SPEC.id) == store.curve(ten.id)
    assert store.pictures(SPEC.id, 96) == store.pictures(ten.id, 96) != {}
    feed(store, SPEC, 120, 240)
    once = Store(store.folder / "once")
    trained(once, SPEC)
    assert store.history(SPEC.id) == once.history(SPEC.id)  # the shorter run's last snapshot was off the grid
    assert store.curve(SPEC.id) == once.curve(SPEC.id)
    assert steps_of(store, ten) == [0, 32, 64, 96, 120]


@pytest.mark.parametrize("at", [1, 31, 32, 50, 239])
def test_a_stopped_run_goes_on_from_its_own_history(store: Store, at: int) -> None:
    trained(store, SPEC, end=at, status="stopped")
    run = store.queue(SPEC)
    assert (run.step, run.images_seen, run.attempt) == (at, 100 * at, 2)
    store.begin(SPEC.id, at)
    feed(store, SPEC, at, 240)
    once = Store(store.folder / "once")
    trained(once, SPEC)
    assert store.history(SPEC.id) == once.history(SPEC.id)
    assert store.curve(SPEC.id) == once.curve(SPEC.id)
    assert sql(store, "SELECT step, name FROM pictures") == sql(once, "SELECT step, name FROM pictures")


def test_a_stopped_run_in_line_again_says_how_far_it_will_go_on_from(store: Store) -> None:
    """Stopped at 50; meanwhile a shorter run of the same settings got to 120, and that is where it goes on."""
    trained(store, SPEC, end=50, status="stopped")
    trained(store, SPEC.with_epochs(10))
    run = store.queue(SPEC)
    assert steps_of(store, SPEC) == [0, 32, 64, 96, 120]
    assert (run.step, run.images_seen, run.seconds) == (120, 12_000, 15.0)


def test_begin_drops_what_an_earlier_try_left_beyond(store: Store) -> None:
    store.queue(SPEC)
    store.begin(SPEC.id, -1)
    feed(store, SPEC, 0, 100)
    store.begin(SPEC.id, 64)
    assert steps_of(store, SPEC) == [0, 32, 64]
    assert [point[0] for point in store.curve(SPEC.id)] == list(range(4, 65, 4))
    assert store.pictures(SPEC.id, 64) != {}
    assert store.pictures(SPEC.id, 96) == {}
    store.begin(SPEC.id, -1)
    assert store.history(SPEC.id) == []
    assert store.curve(SPEC.id) == []
    assert sql(store, "SELECT * FROM pictures") == []


def test_an_earlier_end_is_forgotten_when_a_run_starts_again(store: Store) -> None:
    """A spectator of the second try must not be shown the first one's end as its result."""
    trained(store, SPEC, end=50, status="stopped")
    assert found(store, SPEC).result is not None
    assert store.queue(SPEC).result is None
