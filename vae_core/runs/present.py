"""Who is here and what trains now, over all processes of the app: what a teacher wants to know of a class.

Each process writes how many windows it has open, when that changes and every few seconds besides: of one that has
ended, nothing is heard any more, and it no longer counts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vae_core.runs.line import ACTIVE
from vae_core.spec import RunSpec

if TYPE_CHECKING:
    from vae_core.runs.store import Store

LOOK_SECONDS, SAY_SECONDS, GONE_SECONDS = 2.0, 10.0, 30.0


@dataclass(frozen=True)
class Training:
    """A run that is not over."""

    spec: RunSpec
    running: bool
    step: int
    total_steps: int
    learners: int  # that want it


class Presence:
    """What one process says of itself; `count` is how many windows it has open."""

    def __init__(self, store: Store, process: str):
        self.store, self.process = store, process
        self.count: Callable[[], int] = lambda: 0
        self._said, self._looked_at, self._said_at = 0, 0.0, 0.0

    def look(self) -> None:
        """To be called often; from one thread. Raises StoreError."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        count = self.count()
        if count != self._said or (count and now - self._said_at >= SAY_SECONDS):
            say(self.store, self.process, count)
            self._said, self._said_at = count, now


def say(store: Store, process: str, windows: int) -> None:
    """This process has so many windows open; those long silent are forgotten. Raises StoreError."""
    now = time.time()
    with store.change("") as db:  # no run is changed: nobody hears of it
        db.execute("DELETE FROM present WHERE at < ? OR process = ?", (now - GONE_SECONDS, process))
        if windows:
            db.execute("INSERT INTO present VALUES (?, ?, ?)", (process, windows, now))


def here(store: Store) -> int:
    """How many windows are open, in all processes together. Raises StoreError."""
    since = time.time() - GONE_SECONDS
    return store.read("SELECT coalesce(sum(windows), 0) FROM present WHERE at >= ?", (since,))[0][0]


def training(store: Store, most: int) -> list[Training]:
    """Of the runs that are not over those that train, then those that wait, oldest first; at most so many. Raises
    StoreError."""
    rows = store.read(
        "SELECT spec, status, step, total_steps, (SELECT count(*) FROM asked WHERE run = id AND wants) AS learners "
        f"FROM runs WHERE {ACTIVE} ORDER BY status != 'running', created LIMIT ?",
        (most,),
    )
    found = []
    for row in rows:
        try:
            spec = RunSpec.from_dict(json.loads(row["spec"]))
        except (TypeError, ValueError):
            continue  # of an app with other settings, or damaged
        found.append(Training(spec, row["status"] == "running", row["step"], row["total_steps"], row["learners"]))
    return found
