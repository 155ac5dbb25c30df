"""The store where it cannot write, and where the disk is full: it says so, and nothing that was kept is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.runs.stores import NAMES, ROOT, SPEC, begin_again, feed, found, progress, sql, steps_of, trained
from vae_core.errors import DamagedStoreError, StoreError
from vae_core.runs.store import Store


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
    big = progress(96, since=64, pictures={name: bytes(100_000) for name in NAMES})
    with monkeypatch.context() as patch:
        limit_pages(patch, sql(store, "PRAGMA page_count")[0][0] + 2)
        with pytest.raises(StoreError, match="full") as raised:
            store.add_snapshot(SPEC, big)
        assert refused(raised.value, store.folder)
        assert "Free some disk space" in str(raised.value)
        assert not isinstance(raised.value, DamagedStoreError)
        assert (store.history(SPEC.id), store.curve(SPEC.id), found(store, SPEC)) == before  # all of it or nothing
    store.add_snapshot(SPEC, big)
    assert steps_of(store, SPEC) == [0, 32, 64, 96]
    assert store.pictures(SPEC.id, 96) == big.pictures
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
from vae_core.runs.messages import Progress
from vae_core.runs.store import Store

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
store = Store(Path(sys.argv[1]))
spec = RunSpec(dataset="digits", seed=5)
store.queue(spec)
numbers = {"step": 0, "images_seen": 0, "seconds": 0.0}
pictures = {"mean": bytes(1 << 21)}
big = Progress(run="", token="", numbers=numbers, pictures=pictures, curve=[], images_per_second=0.0)
for write in (
    lambda: store.save_weights(spec.id, bytes(1 << 21)),
    lambda: store.add_snapshot(spec, big),
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
store.add_snapshot(spec, big)
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
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout, **how: connect(path, timeout=0.05, **how))
    with closing(connect(store.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked") as raised:
            store.queue(SPEC)
        assert refused(raised.value, store.folder)
        assert store.run(SPEC.id) is None  # reading goes on all the same
    assert store.queue(SPEC).status == "queued"
