"""A store of an earlier app is brought up to date and loses nothing; one of a newer app is left alone."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.runs.conftest import small
from tests.runs.engines import is_sentence
from tests.runs.stores import sql, trained
from vae_core import RunSpec, load_dataset, train
from vae_core.checkpoint import Checkpoint, load_vae
from vae_core.errors import DamagedStoreError, StoreError
from vae_core.runs import schema, worker
from vae_core.runs.store import Store

EARLIER = Path(__file__).parent / "earlier"  # written by the app before stores had versions
RUNS: dict[str, Any] = json.loads((EARLIER / "facts.json").read_text(encoding="utf-8"))["runs"]
SECOND = "ALTER TABLE runs ADD COLUMN colour TEXT; UPDATE runs SET message = message || '!'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EARLIER, tmp_path / "earlier"))


def version(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        return db.execute("PRAGMA user_version").fetchone()[0]
    finally:
        db.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def set_version(path: Path, number: int) -> None:
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {number}")
    db.close()


# ---- an earlier app's store


def test_a_store_without_version_becomes_the_first(folder: Path) -> None:
    assert version(folder / "runs.sqlite3") == 0
    for _ in range(2):
        assert Store(folder).notice == ""
        assert version(folder / "runs.sqlite3") == len(schema.MIGRATIONS)


@pytest.mark.parametrize("run_id", RUNS)
def test_every_earlier_run_is_found_whole(folder: Path, run_id: str) -> None:
    canonical, status, step, total_steps, snapshots, pictures, points = RUNS[run_id]
    store = Store(folder)
    spec = RunSpec.from_dict(json.loads(canonical))
    run = store.run(run_id)
    assert run is not None
    assert (spec.id, spec.canonical_json) == (run_id, canonical)
    assert (run.spec, run.status, run.step, run.total_steps) == (spec, status, step, total_steps)
    history = store.history(run_id)
    assert len(history) == snapshots
    pngs = [png for values in history for png in store.pictures(run_id, values["step"]).values()]
    assert len(pngs) == pictures
    assert all(png.startswith(b"\x89PNG\r\n") for png in pngs)
    assert len(store.curve(run_id)) == points
    if status in ("done", "stopped"):
        assert run.result is not None
        weights = store.load_weights(run_id)
        assert weights is not None
        assert load_vae(weights).spec == spec


def test_earlier_runs_are_in_their_places(folder: Path) -> None:
    store = Store(folder)
    ended = {run_id for run_id, (_, status, *_) in RUNS.items() if status != "queued"}
    assert {run.id for run in store.trained()} == ended
    assert [run.id for run in store.unfinished()] == [run_id for run_id in RUNS if run_id not in ended]
    for run_id in ended:
        run = store.run(run_id)
        assert run is not None
        if run.status == "done":
            longer = store.prefix(run.spec.with_epochs(2 * run.spec.epochs))
            assert longer is not None
            assert longer.spec.with_epochs(1) == run.spec.with_epochs(1)
            assert longer.step >= run.step


@pytest.mark.parametrize("run_id", [run_id for run_id, (_, status, step, *_) in RUNS.items() if status == "done"])
def test_an_earlier_run_is_gone_on_from(folder: Path, run_id: str) -> None:
    """To the weights that training at once gives."""
    store = Store(folder)
    run = store.run(run_id)
    assert run is not None
    spec = run.spec.with_epochs(run.spec.epochs + 1)
    queued = store.queue(spec)
    checkpoint = store.load_weights(str(queued.resume_from))
    assert queued.step == run.step
    sent: list[Any] = []
    end = worker.run_spec(spec.to_dict(), checkpoint, "token", sent.append)
    store.begin(spec.id, sent[0].step)
    for message in (*sent[1:], end):
        store.add_snapshot(spec, message)
    once = list(train(spec, load_dataset(spec.dataset), device="cpu"))
    weights, whole = Checkpoint.from_bytes(end.weights), once[-1].checkpoint
    assert whole is not None
    assert all(tensor.equal(whole.tensors[name]) for name, tensor in weights.tensors.items())
    assert store.curve(spec.id) == [(p.step, p.reconstruction, p.kl) for s in once for p in s.curve]
    steps = [snapshot.step for snapshot in once]  # that app took a snapshot half as often
    assert [values["step"] for values in store.history(spec.id)] == [s for s in steps if s % 32 == 0 or s >= run.step]


@pytest.mark.parametrize("start", ["earlier", "new"])
def test_two_open_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, "CREATE TABLE once (a)"])
    folder = tmp_path / "store"
    if start == "earlier":
        shutil.copytree(EARLIER, folder)
    opened: list[Any] = []
    at_once = threading.Barrier(4)

    def open_store() -> None:
        at_once.wait()
        try:
            opened.append(Store(folder).notice)
        except StoreError as error:
            opened.append(error)

    threads = [threading.Thread(target=open_store) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [""] * len(threads)
    assert version(folder / "runs.sqlite3") == len(schema.MIGRATIONS)
    assert list(folder.glob("*damaged*")) == []


# ---- a newer app's store


def test_the_store_of_a_newer_app_is_left_alone(folder: Path) -> None:
    set_version(folder / "runs.sqlite3", 99)
    before = contents(folder)
    for _ in range(2):
        with pytest.raises(StoreError, match="newer app") as raised:
            Store(folder)
        assert not isinstance(raised.value, DamagedStoreError)
        assert is_sentence(str(raised.value))
        assert "start the newer app, or set VAE_HOME to another folder" in str(raised.value)
    assert {path: found for path, found in contents(folder).items() if not path.endswith(".lock")} == before


def test_a_version_that_no_app_writes_is_damage(folder: Path) -> None:
    set_version(folder / "runs.sqlite3", -1)
    assert "damaged" in Store(folder).notice


def test_unknown_columns_at_a_known_version_are_damage(folder: Path) -> None:
    sql(Store(folder), "ALTER TABLE runs ADD COLUMN colour TEXT")
    assert "damaged" in Store(folder).notice


# ---- a migration to come


def test_a_migration_runs_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`runs` has its columns; what is added here is for the eye of SQL alone."""
    trained(Store(folder), small())
    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, SECOND.replace("runs ADD", "curve ADD")])
    for _ in range(2):
        store = Store(folder)
        assert store.notice == ""
        assert version(store.path) == len(schema.MIGRATIONS)
        run = store.run(small().id)
        assert run is not None
        assert run.message == "!"
        assert sql(store, "SELECT DISTINCT colour FROM curve") == [(None,)]


@pytest.mark.parametrize("wrong", ["INSERT INTO nowhere VALUES (1)", "INSERT INTO runs SELECT * FROM runs", "nonsense"])
def test_a_migration_that_fails_leaves_the_store_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    store = Store(folder)
    before = [sql(store, f"SELECT * FROM {table}") for table in ("runs", "snapshots", "pictures", "curve")]
    known = len(schema.MIGRATIONS)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, f"{SECOND}; {wrong}"])
        with pytest.raises(StoreError, match=f"from version {known} to {known + 1}") as raised:
            Store(folder)
        assert not isinstance(raised.value, DamagedStoreError)
        assert is_sentence(str(raised.value))
    assert version(store.path) == known
    assert [sql(store, f"SELECT * FROM {table}") for table in ("runs", "snapshots", "pictures", "curve")] == before
    assert Store(folder).notice == ""
