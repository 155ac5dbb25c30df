"""What keeps the store small: first a run's optimiser state goes, then, where room is short, the run.

What counts to the limit: weights, slices, what was set aside as damaged, and the pages of the database in use.
Who leads looks now and then. Nothing that trains, waits in line, is gone on from, is pinned or is being looked at goes.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vae_core.errors import CheckpointError, KeptError, StoreError
from vae_core.lighten import lighten
from vae_core.runs.kept import remove
from vae_core.runs.line import ACTIVE
from vae_core.runs.store import Store

log = logging.getLogger(__name__)
VARIABLE, DEFAULT = "VAE_STORE_LIMIT", "2 GB"
UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
LEAST = 100 * 10**6  # bytes
FULL = 0.9  # of the limit: what comes between two looks must have room
WHOLE_RUNS, WHOLE_SECONDS = 30, 3600.0  # a checkpoint stays whole among so many last used, and for so long
WATCHED_SECONDS = 300.0  # a run that was looked at within so long is not removed


@dataclass(frozen=True)
class Over:
    """A run that has ended."""

    id: str
    used: float  # when it ended, or somebody last looked at it; seconds since 1970
    pinned: bool


def limit() -> int:
    """Bytes. Raises StoreError where the setting is none."""
    text = os.environ.get(VARIABLE) or DEFAULT
    found = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([MGT]B)\s*", text, re.IGNORECASE | re.ASCII)
    amount = float(found[1]) * UNITS[found[2].upper()] if found else 0
    if amount < LEAST:
        raise StoreError(
            f"{VARIABLE} is {text[:40]!r}; allowed: a number of MB, GB or TB that is at least {LEAST // 10**6} MB, as "
            f"in {DEFAULT!r}. Set it so and start the app again."
        )
    return int(amount)


def size(store: Store) -> int:
    """Bytes that count to the limit. Raises StoreError."""
    return _bytes(_files(store)) + store.used_bytes()


def keep_small(store: Store, most: int, now: float | None = None) -> str:
    """Lighten what is old; where the store is nearly at its limit of `most` bytes, make room. Returns a sentence where
    that is not enough, else "". Raises StoreError."""
    now = time.time() if now is None else now
    over = _over(store)
    for run in over[:-WHOLE_RUNS]:
        if now - run.used > WHOLE_SECONDS:
            _lighten(store, run)
    _make_room(store, over, now, int(FULL * most))
    store.give_back_pages()
    taken = size(store)
    if taken <= most:
        return ""
    return (
        f"The store of runs takes {taken / 1e9:.2f} GB, and its limit is {most / 1e9:g} GB: all that is left is "
        f"pinned, in use, or was just looked at. Unpin or delete some runs, or set {VARIABLE} higher."
    )


def _make_room(store: Store, over: Sequence[Over], now: float, goal: int) -> None:
    files = _bytes(_files(store))
    for paths, free in _steps(store, over, now):
        if files + store.used_bytes() <= goal:
            return
        before = _bytes(paths)
        free()
        files += _bytes(paths) - before


def _steps(store: Store, over: Sequence[Over], now: float) -> Iterator[tuple[list[Path], Callable[[], object]]]:
    """What makes room, least missed first, with the files that it changes: what is of no run, then the optimiser's
    state, then runs, each time the longest unused first."""
    for path in _litter(store):
        yield [path], partial(path.unlink, missing_ok=True)
    for run in over:
        yield _paths(store, run), partial(_lighten, store, run)
    for run in over:
        if now - run.used >= WATCHED_SECONDS:
            yield _paths(store, run), partial(_remove, store, run)


def _over(store: Store) -> list[Over]:
    """The longest unused first."""
    rows = store.read(f"SELECT id, created, pinned FROM runs WHERE NOT ({ACTIVE})")
    found = []
    for row in rows:
        times = [_time(path) for path in _paths(store, row["id"])]
        found.append(Over(row["id"], max([row["created"], *times]), bool(row["pinned"])))
    return sorted(found, key=lambda run: run.used)


def _lighten(store: Store, run: Over) -> None:
    if run.pinned or not store.goes_on(run.id) or _in_use(store, run):
        return
    data = store.load_checkpoint(run.id)
    if data is not None:
        try:
            store.save_model(run.id, lighten(data))
        except CheckpointError as error:
            log.warning("the weights of run %s are set aside: %s", run.id, error)
            store.set_weights_aside(run.id)


def _remove(store: Store, run: Over) -> None:
    if not run.pinned and not _in_use(store, run):
        with suppress(KeptError):  # somebody has put it in line this very moment
            remove(store, run.id, but_pinned=True)


def _in_use(store: Store, run: Over) -> bool:
    """It is tried again, or a run in line is to go on from it."""
    return bool(store.read(f"SELECT 1 FROM runs WHERE ?1 IN (id, resume_from) AND {ACTIVE}", (run.id,)))


# Files ---------------------------------------------------------------------------------------------------------------


def _paths(store: Store, run: Over | str) -> list[Path]:
    run_id = run if isinstance(run, str) else run.id
    return [store.weights_path(run_id), store.model_path(run_id)]


def _files(store: Store) -> list[Path]:
    """All that count, but for the database itself."""
    beside = [path for path in store.folder.glob("runs.*") if path != store.path]
    return [*store.folder.glob("weights/*"), *store.folder.glob("slices/*"), *beside]


def _litter(store: Store) -> list[Path]:
    """What was set aside, and files of no run: oldest first."""
    files = _files(store)  # before the runs, of which there may be new ones by then
    rows = store.read(f"SELECT id, {ACTIVE} AS active FROM runs")
    runs, active = {row["id"] for row in rows}, {row["id"] for row in rows if row["active"]}

    def is_litter(path: Path) -> bool:
        of = active if path.parent.name == "slices" else runs
        return ".damaged-" in path.name or (path.suffix == ".safetensors" and path.name.partition(".")[0] not in of)

    return sorted(filter(is_litter, files), key=_time)


def _time(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _bytes(paths: Iterable[Path]) -> int:
    found = 0
    for path in paths:
        with suppress(FileNotFoundError):  # it has just been removed, or written under its real name
            found += path.stat().st_size
    return found
