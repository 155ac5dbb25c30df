"""Where runs are kept: SQLite (WAL) for what was measured and seen, safetensors files for weights.

Any process of the app and any thread may read and write: writing opens a connection of its own (0.2 ms), reading takes
one that nobody else reads by.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from filelock import FileLock

from vae_core.errors import DamagedStoreError
from vae_core.folders import home
from vae_core.runs import asked, schema, space
from vae_core.runs.asked import ACTIVE
from vae_core.runs.files import Files
from vae_core.runs.messages import Progress
from vae_core.runs.news import News
from vae_core.runs.run import Run as Run, RunStatus, run_of
from vae_core.runs.thinning import keep_strides
from vae_core.spec import RunSpec

OTHER_COLUMNS = {"family", "changed"}  # of runs, for the store itself
HISTORY = ("snapshots", "pictures", "curve")  # the tables of what came step by step
# The next change to any run: beyond those to runs that are gone too, or other processes would not hear of it.
NEXT = "(SELECT 1 + max(changed) FROM (SELECT changed FROM runs UNION ALL SELECT changed FROM removed))"


class Store(Files):
    """`notice` is a sentence for the page when opening found damage; nothing damaged is ever deleted. `news` tells of
    every change to a run, once it can be read."""

    def __init__(self, folder: Path | None = None):
        super().__init__(folder or home())
        self.notice, self.news = "", News()
        with self._as_store_errors():
            self.make_folders()
            with FileLock(self.folder / "opening.lock", timeout=20):  # SQLite makes a file WAL for one at a time only
                self._open_or_begin_anew()
            # Were nobody else to have the file open, SQLite would fold its log back at every close: 13 ms, not 1.
            self._held = sqlite3.connect(self.path, check_same_thread=False)
            self._readers = deque[tuple[int, sqlite3.Connection]]()  # that nobody reads by now, and of which file
            self._heard = 0  # up to which change `hear` has told
            self._seen = -1  # SQLite's own count, which tells whether anybody has written
            self.hear()

    def _open_or_begin_anew(self) -> None:
        try:
            self._open()
        except DamagedStoreError:
            aside = self._set_aside()
            self.notice = (
                f"The store of runs was damaged. It was set aside as {aside.name} and a new one begun; weights are "
                "untouched, and training a run again gives the same result."
            )
            self._open()

    def _open(self) -> None:
        with self._connect() as db:
            schema.check_version(db)
            space.prepare(db)
            db.execute("PRAGMA journal_mode = WAL")
            verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if verdict != "ok":
                raise DamagedStoreError(verdict)
            schema.migrate(db)
            columns = {column[0] for column in db.execute("SELECT * FROM runs LIMIT 0").description}
            if columns != {field.name for field in fields(Run)} | OTHER_COLUMNS:
                raise DamagedStoreError(f"unknown columns in {self.path}")
            space.write_anew(db)

    def _set_aside(self) -> Path:
        aside = self.path.with_name(f"runs.damaged-{time.time_ns()}.sqlite3")
        for suffix in ("", "-wal", "-shm"):
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                os.replace(part, aside.with_name(aside.name + suffix))
        return aside

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self._as_store_errors(), closing(sqlite3.connect(self.path, timeout=10)) as db:
            db.execute("PRAGMA synchronous = NORMAL")
            with db:
                yield db

    @contextmanager
    def change(self, run_id: str) -> Iterator[sqlite3.Connection]:
        """One transaction on this run; `news` tells of it once it can be read."""
        with self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            told = db.execute(f"UPDATE runs SET changed = {NEXT} WHERE id = ? RETURNING changed", (run_id,)).fetchall()
        for (version,) in told:
            self.news.tell(run_id, version)

    def hear(self) -> bool:
        """Tell `news` of what other processes have changed; whether there was any. For one thread, several times a
        second: 10 µs where nothing was."""
        with self._as_store_errors():
            (seen,) = self._held.execute("PRAGMA data_version").fetchone()
            if seen == self._seen:
                return False
            query = "SELECT id, changed FROM runs WHERE changed > ?1 UNION ALL SELECT * FROM gone ORDER BY changed"
            gone = "WITH gone AS (SELECT run, changed FROM removed WHERE changed > ?1)"
            changes = self._held.execute(f"{gone} {query}", (self._heard,)).fetchall()
            self._seen = seen
        news = [self.news.tell(run_id, version) for run_id, version in changes]
        self._heard = changes[-1][1] if changes else self._heard
        return any(news)

    def read(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """By a connection that is kept: to open one takes ten times as long as to read a run, and a page reads many."""
        with self._as_store_errors():
            file = self.path.stat().st_ino
            try:
                of, db = self._readers.pop()
            except IndexError:
                of, db = file, self._reader()
            if of != file:  # somebody has put another in its place
                db.close()
                db = self._reader()
            try:
                return db.execute(query, values).fetchall()
            finally:
                self._readers.append((file, db))

    def _reader(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=10, check_same_thread=False)
        db.execute("PRAGMA cache_size = -256")  # kB; it would keep 2 MB each of pictures that were sent
        db.row_factory = sqlite3.Row
        db.text_factory = lambda text: text.decode(errors="replace")  # damage in a cell is for its reader to find
        return db

    def used_bytes(self) -> int:
        """Of the database: pages that are free for the next run do not count."""
        with self._connect() as db:
            return space.used_bytes(db)

    def give_back_pages(self) -> None:
        """To the disk, of what was removed; for a thread that nobody waits for."""
        with self._connect() as db:
            space.give_back(db)

    # Reading -------------------------------------------------------------------------------------------------

    def run(self, run_id: str) -> Run | None:
        found = self._runs("id = ?", run_id)
        return found[0] if found else None

    def unfinished(self) -> list[Run]:
        """Queued and running runs, oldest first."""
        return self._runs(ACTIVE)

    def trained(self) -> list[Run]:
        """Ended runs whose weights are here, newest first."""
        ended = reversed(self._runs("status IN ('done', 'stopped', 'diverged') AND step > 0"))
        return [run for run in ended if self.has_weights(run.id)]

    def prefix(self, spec: RunSpec) -> Run | None:
        """The run of the same settings, epochs apart, from whose whole checkpoint this one is soonest done."""
        family = self._runs("family = ? AND status IN ('done', 'stopped') AND step > 0", _family(spec))
        usable = [run for run in family if run.step <= spec.total_steps and self.goes_on(run.id)]
        return max(usable, key=lambda run: run.step, default=None)

    def _runs(self, where: str, *values: Any) -> list[Run]:
        found = [run_of(row) for row in self.read(f"SELECT * FROM runs WHERE {where} ORDER BY created", values)]
        return [run for run in found if run is not None]

    def history(self, run_id: str) -> list[dict[str, Any]]:
        """The numbers of every kept snapshot, first to last: see `messages.numbers`."""
        found = []
        for row in self.read("SELECT numbers FROM snapshots WHERE run = ? ORDER BY step", (run_id,)):
            with suppress(ValueError):  # a damaged snapshot is one fewer
                found.append(json.loads(row["numbers"]))
        return found

    def curve(self, run_id: str) -> list[tuple[int, float, float]]:
        """(step, reconstruction, kl) of training, nats per image."""
        query = "SELECT step, reconstruction, kl FROM curve WHERE run = ? ORDER BY step"
        return [tuple(row) for row in self.read(query, (run_id,))]

    def pictures(self, run_id: str, step: int) -> dict[str, bytes]:
        """What one snapshot shows, by name: see `messages.pictures`."""
        return self._pictures("step = ?", run_id, step).get(step, {})

    def pictures_after(self, run_id: str, step: int) -> dict[int, dict[str, bytes]]:
        """What each later snapshot shows, by its step, but for what is `exact`."""
        return self._pictures("step > ? AND name != 'exact'", run_id, step)

    def exact(self, run_id: str) -> dict[int, bytes]:
        """`pictures.Pictures.exact` of every kept snapshot, first to last, by its step."""
        return {step: parts["exact"] for step, parts in self._pictures("name = 'exact'", run_id).items()}

    def _pictures(self, where: str, run_id: str, *values: int) -> dict[int, dict[str, bytes]]:
        found: dict[int, dict[str, bytes]] = {}
        for row in self.read(f"SELECT * FROM pictures WHERE run = ? AND {where} ORDER BY step", (run_id, *values)):
            found.setdefault(row["step"], {})[row["name"]] = row["png"]
        return found

    # Writing -------------------------------------------------------------------------------------------------

    def queue(self, spec: RunSpec, learner: str = "") -> Run:
        """Put the run in line for this learner, with the history and step of the prefix it will go on from; one that is
        there already is joined. Raises LineError where there is no room."""
        prefix = self.prefix(spec)
        step, images_seen, seconds = (prefix.step, prefix.images_seen, prefix.seconds) if prefix else (0, 0, 0.0)
        began = (step, spec.total_steps, images_seen, seconds, prefix.id if prefix else None)
        with self.change(spec.id) as db:
            if not db.execute(f"SELECT 1 FROM runs WHERE id = ? AND {ACTIVE}", (spec.id,)).fetchall():
                asked.check_room(db, learner)
                if prefix is not None and prefix.id != spec.id:
                    self._copy_history(db, prefix.id, spec.id)
                db.execute(
                    "INSERT OR REPLACE INTO runs VALUES (?1, ?, ?, 'queued', '', ?, "
                    "1 + coalesce((SELECT attempt FROM runs WHERE id = ?1), 0), ?, ?, ?, ?, 0, NULL, ?, 0, "
                    "coalesce((SELECT name FROM runs WHERE id = ?1), ''), "
                    "coalesce((SELECT pinned FROM runs WHERE id = ?1), 0))",
                    (spec.id, _family(spec), spec.canonical_json, time.time(), *began),
                )
                asked.forget(db, spec.id)
            asked.ask(db, spec.id, learner)
        run = self.run(spec.id)
        assert run is not None
        return run

    def _copy_history(self, db: sqlite3.Connection, source: str, target: str) -> None:
        for table, columns in zip(HISTORY, ("step, numbers", "step, name, png", "step, reconstruction, kl")):
            db.execute(f"DELETE FROM {table} WHERE run = ?", (target,))
            db.execute(f"INSERT INTO {table} SELECT ?, {columns} FROM {table} WHERE run = ?", (target, source))

    def begin(self, run_id: str, step: int) -> None:
        """Training (re)starts after `step`: what an earlier try left beyond it is dropped."""
        with self.change(run_id) as db:
            db.execute("UPDATE runs SET status = 'running' WHERE id = ?", (run_id,))
            for table in HISTORY:
                db.execute(f"DELETE FROM {table} WHERE run = ? AND step > ?", (run_id, step))

    def put_back_in_line(self, run_id: str, message: str) -> None:
        """With what it has so far, until it begins again."""
        with self.change(run_id) as db:
            db.execute("UPDATE runs SET status = 'queued', message = ? WHERE id = ?", (message, run_id))

    def begin_anew(self, run_id: str, message: str) -> None:
        """Put it back in line without what it was to go on from."""
        with self.change(run_id) as db:
            start = "resume_from = NULL, step = 0, images_seen = 0, seconds = 0"
            db.execute(f"UPDATE runs SET status = 'queued', message = ?, {start} WHERE id = ?", (message, run_id))

    def set_message(self, run_id: str, message: str) -> None:
        with self.change(run_id) as db:
            db.execute("UPDATE runs SET message = ? WHERE id = ?", (message, run_id))

    def add_snapshot(self, spec: RunSpec, progress: Progress) -> None:
        """Keep what a worker sent, thinning so that the counts stay bounded."""
        run_id, numbers = spec.id, progress.numbers
        step = numbers["step"]
        with self.change(run_id) as db:
            db.execute(
                "UPDATE runs SET step = ?, images_seen = ?, seconds = ?, images_per_second = ? WHERE id = ?",
                (step, numbers["images_seen"], numbers["seconds"], progress.images_per_second, run_id),
            )
            db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", (run_id, step, json.dumps(numbers)))
            pictures = [(run_id, step, name, png) for name, png in progress.pictures.items()]
            db.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?)", pictures)
            points = [(run_id, *point) for point in progress.curve]
            db.executemany("INSERT OR REPLACE INTO curve VALUES (?, ?, ?, ?)", points)
            keep, keep_of_curve = keep_strides(spec, step)
            for table, stride in zip(HISTORY, (keep, keep, keep_of_curve)):
                db.execute(f"DELETE FROM {table} WHERE run = ? AND step < ? AND step % ?", (run_id, step, stride))

    def finish(self, run_id: str, status: RunStatus, message: str, result: Mapping[str, Any] | None = None) -> None:
        with self.change(run_id) as db:
            found = json.dumps(result) if result is not None else None
            db.execute(
                "UPDATE runs SET status = ?, message = ?, result = ? WHERE id = ?", (status, message, found, run_id)
            )
        self.drop_slice(run_id)


def _family(spec: RunSpec) -> str:
    """What runs have in common that differ in their epochs alone."""
    return spec.with_epochs(1).id
