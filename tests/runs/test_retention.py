"""A store that stays small: what goes first, in which order, and what never does."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from tests.runs.conftest import assert_ended_as_here, small
from tests.runs.engines import app, ended, is_sentence
from tests.runs.stores import SPEC, found, progress, sql
from tests.waiting import wait_until
from vae_core import RunSpec
from vae_core.errors import StoreError
from vae_core.lighten import digest, lighten
from vae_core.runs import kept, retention
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store

KB = 1000
NOW = 1_500_000_000.0  # seconds since 1970: long past, for who leads too
LONG_AGO = NOW - 1e6
MODEL, MOMENTS = 100 * KB, 200 * KB
HISTORY = 100 * KB


@pytest.fixture(scope="module")
def whole() -> bytes:
    tensors = {"model.w": np.ones(MODEL // 4, np.float32), "adam.0.exp_avg": np.ones(MOMENTS // 4, np.float32)}
    return safetensors.numpy.save(tensors, {"sha256": digest(tensors)})


def keep(store: Store, whole: bytes, seed: int, used: float = LONG_AGO, status: Any = "done") -> RunSpec:
    """A run of 400 kB: its history is a quarter of that."""
    spec = replace(SPEC, seed=seed)
    store.queue(spec)
    store.begin(spec.id, -1)
    store.add_snapshot(spec, progress(240, pictures={"mean": os.urandom(HISTORY)}))
    store.save_weights(spec.id, whole)
    os.utime(store.weights_path(spec.id), (used, used))
    if status not in ("queued", "running"):
        store.finish(spec.id, status, "")
    sql(store, "UPDATE runs SET created = ?, status = ? WHERE id = ?", used - 5, status, spec.id)
    return spec


def state(store: Store, spec: RunSpec) -> str:
    if store.run(spec.id) is None:
        return "gone"
    return "whole" if store.goes_on(spec.id) else "light" if store.has_weights(spec.id) else "without weights"


def states(store: Store, specs: list[RunSpec]) -> list[str]:
    return [state(store, spec) for spec in specs]


# ---- without need


def test_the_newest_and_those_of_the_last_hour_stay_whole(store: Store, whole: bytes, monkeypatch) -> None:
    monkeypatch.setattr(retention, "WHOLE_RUNS", 2)
    ages = [9000, 8000, 3000, 2000, 1000]  # seconds
    specs = [keep(store, whole, seed, NOW - age) for seed, age in enumerate(ages)]
    pinned = keep(store, whole, 10)
    kept.pin(store, pinned.id, True)
    assert retention.keep_small(store, 10**9, NOW) == ""
    assert states(store, specs) == ["light", "light", "whole", "whole", "whole"]
    assert state(store, pinned) == "whole"
    assert store.load_weights(specs[0].id) == lighten(whole)
    assert store.load_checkpoint(specs[0].id) is None
    assert found(store, specs[0]).id in {run.id for run in store.trained()}
    assert [store.prefix(one.with_epochs(30)) is None for one in specs] == [True, True, False, False, False]
    again = store.queue(specs[0].with_epochs(30))
    assert (again.resume_from, again.step) == (None, 0)  # from the start: the same numbers


def test_a_light_run_was_last_used_when_it_was(store: Store, whole: bytes) -> None:
    spec = keep(store, whole, 1, NOW - 5000)
    store.save_model(spec.id, lighten(whole))
    assert retention._over(store)[0].used == NOW - 5000
    store.watch([spec.id, "0" * 16])
    assert retention._over(store)[0].used == pytest.approx(time.time(), abs=60)
    os.utime(store.model_path(spec.id), (1, 1))
    store.watch([spec.id])  # noted a moment ago
    assert store.model_path(spec.id).stat().st_mtime == 1


def test_what_a_run_in_line_goes_on_from_stays_whole(store: Store, whole: bytes, monkeypatch) -> None:
    monkeypatch.setattr(retention, "WHOLE_RUNS", 1)
    short, _ = keep(store, whole, 1), keep(store, whole, 2)
    assert store.queue(short.with_epochs(30)).resume_from == short.id
    assert retention.keep_small(store, 1, NOW) != ""
    assert state(store, short) == "whole"


def test_damaged_weights_are_set_aside(store: Store, whole: bytes, monkeypatch) -> None:
    monkeypatch.setattr(retention, "WHOLE_RUNS", 1)
    spec, _ = keep(store, whole[:-1] + b"\x00", 1), keep(store, whole, 2, NOW)
    retention.keep_small(store, 10**9, NOW)
    assert state(store, spec) == "without weights"
    assert len(list(store.folder.glob("weights/*.damaged-*"))) == 1


# ---- at the limit


def test_what_goes_first_and_what_never_goes(store: Store, whole: bytes) -> None:
    """Ten runs, oldest first, that would go one by one; and five that may not."""
    specs = [keep(store, whole, seed, LONG_AGO + seed) for seed in range(10)]
    oldest = [keep(store, whole, 20 + n, LONG_AGO - 9 + n, how) for n, how in enumerate(["queued", "running", "done"])]
    pinned, watched = oldest[2], keep(store, whole, 30, NOW - 10)
    kept.pin(store, pinned.id, True)
    waiting = keep(store, whole, 31, LONG_AGO - 50)
    longer = store.queue(waiting.with_epochs(30))
    assert longer.resume_from == waiting.id
    protected = [*oldest, waiting]
    (store.folder / "weights" / f"{'a' * 16}.safetensors").write_bytes(bytes(50 * KB))  # of no run
    (store.folder / "runs.damaged-1.sqlite3").write_bytes(bytes(50 * KB))
    store.set_weights_aside("nobody's")
    full = retention.size(store)
    assert full > 15 * 400 * KB
    seen: list[tuple[int, list[str]]] = []
    for limit in range(full, 0, -50 * KB):
        told = retention.keep_small(store, limit, NOW)
        size = retention.size(store)
        litter = len(list(store.folder.glob("**/*damaged*"))) + len(list(store.folder.glob("weights/aaaa*")))
        now = (litter, states(store, specs))
        assert states(store, protected) == ["whole"] * 4
        assert store.run(longer.id) is not None
        assert state(store, watched) != "gone"
        assert size <= limit or now[1] == ["gone"] * 10
        assert (told == "") == (size <= limit)
        if not seen or seen[-1] != now:
            seen.append(now)
    assert is_sentence(told)
    assert "Unpin or delete some runs, or set VAE_STORE_LIMIT higher." in told
    litters = [litter for litter, _ in seen]
    assert litters == sorted(litters, reverse=True)
    ranks = {"whole": 0, "light": 1, "gone": 2}
    for litter, of_runs in seen:
        order = [ranks[one] for one in of_runs]
        assert order == sorted(order, reverse=True)  # the oldest first
        assert len({*order}) <= 2 and {*order} != {0, 2}  # none goes while another could be lightened
        assert litter == 0 or not any(order)  # nor is one while there is litter
    assert seen[-1] == (0, ["gone"] * 10)
    assert kept.removed(store, specs[0].id) == specs[0]


def test_a_pin_of_this_very_moment_holds(store: Store, whole: bytes) -> None:
    spec = keep(store, whole, 1)
    (over,) = retention._over(store)
    kept.pin(store, spec.id, True)
    retention._remove(store, over)
    assert state(store, spec) == "whole"
    kept.pin(store, spec.id, False)
    store.queue(spec.with_epochs(30))
    retention._remove(store, over)
    assert state(store, spec) == "whole"


def test_pages_are_given_back_to_the_disk(store: Store, whole: bytes) -> None:
    for seed in range(20):
        keep(store, whole, seed)
    before = store.path.stat().st_size
    retention.keep_small(store, 1, NOW)
    assert before > 2_000 * KB > 10 * store.path.stat().st_size
    assert [name for (name,) in sql(store, "PRAGMA integrity_check")] == ["ok"]


@pytest.fixture
def older(store: Store, whole: bytes) -> Iterator[Store]:
    """A store whose file SQLite began without auto_vacuum, half of it free."""
    for seed in range(20):
        keep(store, whole, seed)
    with closing(sqlite3.connect(store.path)) as db:
        db.execute("PRAGMA auto_vacuum = NONE")
        db.execute("VACUUM")
    yield store


def test_an_older_file_is_written_anew_when_half_of_it_is_free(older: Store) -> None:
    full = older.path.stat().st_size
    retention.keep_small(older, 1, NOW)
    assert older.path.stat().st_size > 0.9 * full  # free pages do not count, and the next runs have them
    assert older.used_bytes() < full / 10
    again = Store(older.folder)
    assert again.path.stat().st_size < full / 10
    assert sql(again, "PRAGMA auto_vacuum") == [(2,)]
    assert again.notice == ""


# ---- the setting, and who looks


def test_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, expected in {"": 2e9, "500 MB": 5e8, "1.5gb": 1.5e9, " 1 TB ": 1e12}.items():
        monkeypatch.setenv("VAE_STORE_LIMIT", text)
        assert retention.limit() == expected
    for text in ("2", "2 GiB", "-1 GB", "nan GB", "99 MB", "1e9 GB", "lots", "٣ GB", "9" * 400 + " GB"):
        monkeypatch.setenv("VAE_STORE_LIMIT", text)
        with pytest.raises(StoreError, match="VAE_STORE_LIMIT is") as raised:
            retention.limit()
        assert len(str(raised.value)) < 250
        assert "allowed: a number of MB, GB or TB that is at least 100 MB" in str(raised.value)


def test_who_leads_makes_room_at_the_start(store: Store, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [keep(store, whole, seed, LONG_AGO + seed) for seed in range(3)]
    kept.pin(store, specs[0].id, True)
    monkeypatch.setattr(retention, "limit", lambda: 1)
    with app(store.folder) as engine:
        wait_until(lambda: states(store, specs) == ["whole", "gone", "gone"])
        wait_until(lambda: "VAE_STORE_LIMIT" in engine.problem)
        engine._limit = 10**10
        goes_on_from_what_is_no_longer_whole(engine)


def goes_on_from_what_is_no_longer_whole(engine: Engine) -> None:
    """From the longest shorter run that is, and to the same numbers."""
    five, ten, twenty = (small(seed=5, epochs=epochs) for epochs in (5, 10, 20))
    for spec in (five, ten):
        engine.submit(spec)
        ended(engine, spec)
    lightened(engine, ten)
    assert engine.submit(twenty).resume_from == five.id
    ended(engine, twenty)
    assert_ended_as_here(engine.store, twenty)
    assert engine.submit(ten).status == "done"  # to look at it is enough
    for spec in (five, twenty):
        lightened(engine, spec)
    thirty = twenty.with_epochs(30)
    assert engine.submit(thirty).resume_from is None
    ended(engine, thirty)
    assert_ended_as_here(engine.store, thirty)


def lightened(engine: Engine, spec: RunSpec) -> None:
    engine.store.save_model(spec.id, lighten(engine.store.weights_path(spec.id).read_bytes()))
