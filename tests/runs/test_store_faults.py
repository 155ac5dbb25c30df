"""The store under damage, without space, and in many threads: nothing that was kept is lost."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runs.stores import NAMES, ROOT, SPEC, feed, found, message, sql, steps_of, trained
from vae_core.errors import DamagedStoreError, StoreError
from vae_core.runs.store import Store

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
