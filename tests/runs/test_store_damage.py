"""A store that was damaged: nothing is deleted, and what can be read is."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs.stores import SPEC, begin_again, found, sql, steps_of, trained
from vae_core.errors import DamagedStoreError
from vae_core.runs.store import Store


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
    damaged[60:64] = database[60:64]  # so has "written by a newer app"
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
