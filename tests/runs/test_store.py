"""The store: what goes in comes out, it stays small, and neither damage nor a full disk loses what was kept."""

from __future__ import annotations

import json
import math
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runs.conftest import small
from vae_core import RunSpec
from vae_core.errors import DamagedStoreError, StoreError
from vae_core.runs.store import Run, Store, keep_stride

ROOT = Path(__file__).resolve().parents[2]
MAX_SNAPSHOTS, MAX_CURVE = 200, 1000  # what is promised
SPEC = small(epochs=20)  # 240 steps, 12 an epoch
NAMES = ("input", "mean", "sample", "prior_mean", "prior_sample")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def message(step: int, *, since: int = 0, stride: int = 32, curve_stride: int = 4, **more: Any) -> dict[str, Any]:
    """What a worker sends at `step`, the one before having been sent at `since`. Numbers and pictures tell the step."""
    first = since // curve_stride + 1
    return {
        "numbers": {"step": step, "images_seen": 100 * step, "seconds": step / 8, "elbo": -step / 3, "sigma": None},
        "pictures": {name: f"{name} at {step}".encode() for name in NAMES},
        "curve": [[s, -s / 3, s / 7] for s in range(first * curve_stride, step + 1, curve_stride)],
        "stride": stride,
        "curve_stride": curve_stride,
        "images_per_second": 800.0,
        **more,
    }


def feed(store: Store, spec: RunSpec, start: int, end: int, stride: int = 32) -> None:
    """Snapshots from `start` to `end` as training sends them: at the start, at each multiple of stride, at the end."""
    steps = sorted({start, end, *range(-(-start // stride) * stride, end, stride)})
    for since, step in zip([start, *steps], steps):
        store.add_snapshot(spec.id, message(step, since=since, stride=stride))


def trained(store: Store, spec: RunSpec, *, start: int = -1, end: int | None = None, status: Any = "done") -> Run:
    """A run as the engine keeps it, its weights being a few bytes that name spec and step."""
    end = spec.total_steps if end is None else end
    store.queue(spec)
    store.begin(spec.id, start)
    feed(store, spec, max(0, start), end)
    store.save_weights(spec.id, f"{spec.id} at {end}".encode())
    store.finish(spec.id, status, "" if status == "done" else f"Stopped at step {end}.", {"active_latents": 2})
    return found(store, spec)


def found(store: Store, spec: RunSpec) -> Run:
    run = store.run(spec.id)
    assert run is not None
    return run


def steps_of(store: Store, spec: RunSpec) -> list[int]:
    return [values["step"] for values in store.history(spec.id)]


def sql(store: Store, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store.path)) as db, db:
        return db.execute(query, values).fetchall()


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


# ---- damage


def begin_again(store: Store) -> None:
    """Everything a store must be able to do, done."""
    spec = replace(SPEC, seed=77)
    run = trained(store, spec)
    assert (run.status, run.step) == ("done", 240)
    assert steps_of(store, spec) == [*range(0, 240, 32), 240]
    assert len(store.curve(spec.id)) == 60
    assert store.prefix(spec.with_epochs(30)) is not None
    assert store.unfinished() == []


def set_aside(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("runs.damaged-*")}


@pytest.mark.parametrize(
    "garbage",
    [b"\x00" * 5000, b"<html>502 Bad Gateway</html>" * 300, random.Random(0).randbytes(20_000), b"SQLite format 3\x00"],
    ids=["zeros", "text", "noise", "only-the-magic"],
)
def test_a_file_that_is_no_database_is_set_aside_whole(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "abc.safetensors").write_bytes(b"kept")
    (tmp_path / "runs.sqlite3").write_bytes(garbage)
    store = Store(tmp_path)
    aside = set_aside(tmp_path)
    assert list(aside.values()) == [garbage]
    (name,) = aside
    assert f"set aside as {name}" in store.notice
    assert "damaged" in store.notice
    assert store.notice.endswith(".")
    assert (tmp_path / "weights" / "abc.safetensors").read_bytes() == b"kept"
    begin_again(store)
    assert Store(tmp_path).notice == ""
    assert set_aside(tmp_path) == aside


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite3").touch()
    store = Store(tmp_path)
    assert store.notice == ""
    begin_again(store)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real store's file: four runs, some 20 pages."""
    store = Store(tmp_path_factory.mktemp("database"))
    for seed in range(4):
        trained(store, replace(SPEC, seed=seed))
    sql(store, "PRAGMA wal_checkpoint(TRUNCATE)")
    return store.path.read_bytes()


def test_bytes_flipped_in_the_middle_of_a_database_are_noticed(tmp_path: Path, database: bytes) -> None:
    damaged = bytearray(database)
    assert len(damaged) > 40_000
    for at in range(4096, len(damaged), 64):
        damaged[at] ^= 0xFF
    (tmp_path / "runs.sqlite3").write_bytes(damaged)
    store = Store(tmp_path)
    assert "damaged" in store.notice
    assert "weights are untouched" in store.notice
    assert list(set_aside(tmp_path).values()) == [damaged]
    assert store.run(SPEC.id) is None
    begin_again(store)


def test_a_database_cut_short_is_noticed(tmp_path: Path, database: bytes) -> None:
    (tmp_path / "runs.sqlite3").write_bytes(database[: len(database) // 2])
    store = Store(tmp_path)
    assert "damaged" in store.notice
    assert list(set_aside(tmp_path).values()) == [database[: len(database) // 2]]
    begin_again(store)


def test_two_damaged_files_are_both_kept(tmp_path: Path) -> None:
    for garbage in (b"first " * 1000, b"second " * 1000):
        (tmp_path / "runs.sqlite3").write_bytes(garbage)
        begin_again(Store(tmp_path))
        for suffix in ("", "-wal", "-shm"):
            (tmp_path / f"runs.sqlite3{suffix}").unlink(missing_ok=True)
    assert sorted(set_aside(tmp_path).values()) == [b"first " * 1000, b"second " * 1000]


def use(store: Store) -> None:
    """Every way of reading, of whatever is there."""
    named = [store.run(replace(SPEC, seed=seed).id) for seed in range(4)]
    for run in (*store.unfinished(), *filter(None, named)):
        assert isinstance(run.seconds_left, float | None)
        for values in store.history(run.id):
            store.pictures(run.id, values["step"])
        store.curve(run.id)
    store.prefix(SPEC.with_epochs(30))


@pytest.mark.parametrize("seed", range(60))
def test_a_few_flipped_bytes_leave_a_store_that_works(tmp_path: Path, database: bytes, seed: int) -> None:
    """Wherever they are: SQLite has no checksums, so some damage is seen at once, some when it is read, some never.

    At worst one start of the app finds damage; the next one has a store that works."""
    chance = random.Random(seed)
    damaged = bytearray(database)
    for _ in range(chance.choice([1, 1, 3, 30])):
        at = chance.randrange(chance.choice([100, len(damaged), len(damaged)]))
        damaged[at] ^= chance.randrange(1, 256)
    damaged[18:20] = database[18:20]  # "written by a newer SQLite, read only" is no damage, and has its own sentence
    (tmp_path / "runs.sqlite3").write_bytes(damaged)
    store = Store(tmp_path)
    assert bool(store.notice) == bool(set_aside(tmp_path))
    try:
        use(store)
        for run_seed in range(4):
            store.queue(replace(SPEC, seed=run_seed, epochs=21))
            store.finish(replace(SPEC, seed=run_seed, epochs=21).id, "failed", "")
            trained(store, replace(SPEC, seed=run_seed))
        begin_again(store)
    except DamagedStoreError:
        store = Store(tmp_path)
        assert "damaged" in store.notice
        assert len(set_aside(tmp_path)) == 1
        use(store)
        begin_again(store)


def test_a_damaged_row_costs_no_other(store: Store) -> None:
    """Bytes within a text that SQLite itself has no way to doubt."""
    other = replace(SPEC, seed=1)
    for spec in (SPEC, other):
        trained(store, spec)
    sql(store, "UPDATE runs SET result = CAST(x'7b22ff' AS TEXT) WHERE id = ?", SPEC.id)
    sql(store, "UPDATE snapshots SET numbers = CAST(x'7b22ff' AS TEXT) WHERE run = ? AND step = 64", other.id)
    store = Store(store.folder)
    assert found(store, other).status == "done"
    assert steps_of(store, other) == [0, 32, 96, 128, 160, 192, 224, 240]
    assert store.prefix(other.with_epochs(30)) is not None
    trained(store, SPEC)
    assert found(store, SPEC).status == "done"
    begin_again(store)


@pytest.mark.parametrize("spec", ['{"epochs":0}', "[]", "{", ""])
def test_a_run_whose_settings_are_damaged_can_be_trained_again(store: Store, spec: str) -> None:
    trained(store, SPEC)
    sql(store, "UPDATE runs SET spec = ?", spec)
    assert store.run(SPEC.id) is None
    assert store.queue(SPEC).status == "queued"
    trained(store, SPEC)
    begin_again(store)


def test_damaged_weights_set_aside_are_all_kept(store: Store) -> None:
    for data in (b"first damage", b"second damage"):
        store.save_weights(SPEC.id, data)
        store.set_weights_aside(SPEC.id)
        assert not store.weights_path(SPEC.id).exists()
    kept = sorted(path.read_bytes() for path in (store.folder / "weights").iterdir())
    assert kept == [b"first damage", b"second damage"]


def test_weights_that_are_not_there_need_no_setting_aside(store: Store) -> None:
    store.set_weights_aside(SPEC.id)
    assert list((store.folder / "weights").iterdir()) == []


# ---- places that cannot be written to, and disks that are full


def refused(error: StoreError, folder: Path) -> bool:
    """One sentence that names the place and says what to do."""
    text = str(error)
    return f"Runs cannot be kept in {folder}" in text and "VAE_HOME" in text and text.endswith(".")


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for folder in (file, file / "below"):
        with pytest.raises(StoreError) as raised:
            Store(folder)
        assert refused(raised.value, folder)
        assert not isinstance(raised.value, DamagedStoreError)
    assert file.read_text() == "mine"


def test_folders_that_no_system_can_make(tmp_path: Path) -> None:
    for folder in (Path("/proc/vae"), tmp_path / ("x" * 300), Path("/dev/null/vae")):
        with pytest.raises(StoreError) as raised:
            Store(folder)
        assert refused(raised.value, folder)


@pytest.mark.parametrize("name", ["weights", "runs.sqlite3"])
def test_something_else_by_the_name_of_a_part(tmp_path: Path, name: str) -> None:
    if name == "weights":
        (tmp_path / name).write_text("mine")
    else:
        (tmp_path / name).mkdir()
    with pytest.raises(StoreError) as raised:
        Store(tmp_path)
    assert refused(raised.value, tmp_path)
    assert (tmp_path / name).exists()


def limit_pages(monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    """SQLite's own full disk: it may use no more pages than that."""
    connect = sqlite3.connect

    def limited(*arguments: Any, **options: Any) -> sqlite3.Connection:
        db = connect(*arguments, **options)
        db.execute(f"PRAGMA max_page_count = {pages}")
        return db

    monkeypatch.setattr(sqlite3, "connect", limited)


def test_a_full_disk_is_said_and_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.queue(SPEC)
    store.begin(SPEC.id, -1)
    feed(store, SPEC, 0, 64)
    before = (store.history(SPEC.id), store.curve(SPEC.id), found(store, SPEC))
    big = message(96, since=64, pictures={name: bytes(100_000) for name in NAMES})
    with monkeypatch.context() as patch:
        limit_pages(patch, sql(store, "PRAGMA page_count")[0][0] + 2)
        with pytest.raises(StoreError, match="full") as raised:
            store.add_snapshot(SPEC.id, big)
        assert refused(raised.value, store.folder)
        assert "Free some disk space" in str(raised.value)
        assert not isinstance(raised.value, DamagedStoreError)
        assert (store.history(SPEC.id), store.curve(SPEC.id), found(store, SPEC)) == before  # all of it or nothing
    store.add_snapshot(SPEC.id, big)
    assert steps_of(store, SPEC) == [0, 32, 64, 96]
    assert store.pictures(SPEC.id, 96) == big["pictures"]
    assert Store(store.folder).notice == ""
    begin_again_from(store)


def begin_again_from(store: Store) -> None:
    feed(store, SPEC, 96, 240)
    store.finish(SPEC.id, "done", "")
    begin_again(store)


def test_weights_on_a_disk_that_is_really_full(store: Store) -> None:
    """In a process that may write no file over a megabyte: SQLite and the weights both meet the system's refusal."""
    trained(store, SPEC)
    program = """
import resource, signal, sys
from pathlib import Path
from vae_core import RunSpec
from vae_core.errors import DamagedStoreError, StoreError
from vae_core.runs.store import Store

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
store = Store(Path(sys.argv[1]))
spec = RunSpec(dataset="digits", seed=5)
store.queue(spec)
numbers = {"step": 0, "images_seen": 0, "seconds": 0.0}
message = {"numbers": numbers, "curve": [], "stride": 32, "curve_stride": 4, "images_per_second": 0.0}
for write in (
    lambda: store.save_weights(spec.id, bytes(1 << 21)),
    lambda: store.add_snapshot(spec.id, {**message, "pictures": {"mean": bytes(1 << 21)}}),
):
    try:
        write()
    except DamagedStoreError:
        print("called damaged")
    except StoreError as error:
        print(error)
print(store.run(spec.id).status, store.history(spec.id), store.weights_path(spec.id).exists())
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.save_weights(spec.id, bytes(1 << 21))
store.add_snapshot(spec.id, {**message, "pictures": {"mean": bytes(1 << 21)}})
print(len(store.pictures(spec.id, 0)["mean"]), store.weights_path(spec.id).stat().st_size)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, store.folder], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.stderr == ""
    weights, snapshot, after, freed = done.stdout.splitlines()
    for sentence in (weights, snapshot):
        assert sentence.startswith(f"Runs cannot be kept in {store.folder} (")
        assert "Free some disk space" in sentence
    assert after == "queued [] False"
    assert freed == f"{1 << 21} {1 << 21}"
    assert Store(store.folder).notice == ""
    assert found(store, SPEC).status == "done"


def test_a_store_locked_by_another_program_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: connect(path, timeout=0.05))
    with closing(connect(store.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked") as raised:
            store.queue(SPEC)
        assert refused(raised.value, store.folder)
        assert store.run(SPEC.id) is None  # reading goes on all the same
    assert store.queue(SPEC).status == "queued"


# ---- many threads


def test_readers_see_whole_snapshots_while_one_writes(store: Store) -> None:
    store.queue(SPEC)
    store.begin(SPEC.id, -1)
    store.add_snapshot(SPEC.id, message(0))
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
        store.add_snapshot(SPEC.id, message(step, since=step - 32))
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


def test_numbers_are_kept_to_the_last_bit(store: Store) -> None:
    values = {
        "step": 0,
        "images_seen": 0,
        "seconds": 0.1,
        "elbo": -1234.567890123456789,
        "kl_per_latent": [1e-300, 2.5],
    }
    store.queue(SPEC)
    store.add_snapshot(SPEC.id, message(0, numbers=values, curve=[[4, 0.1 + 0.2, 1 / 3]]))
    assert store.history(SPEC.id) == [json.loads(json.dumps(values))] == [values]
    assert store.curve(SPEC.id) == [(4, 0.1 + 0.2, 1 / 3)]
