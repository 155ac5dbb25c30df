"""The line of runs that wait to be trained, or train: who asked for each, and who still wants it.

Learners are told apart by a name that their browser keeps; "" is whoever has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from sqlite3 import Row

from vae_core.runs.asked import ACTIVE
from vae_core.runs.store import Store


@dataclass(frozen=True)
class InLine:
    """A run that is not over."""

    id: str
    created: float
    dataset: str
    learners: tuple[str, ...]  # who want it
    pictured: bool  # whether there is something of it to be seen


def in_line(store: Store) -> list[InLine]:
    """Those queued and running, oldest first. Raises StoreError."""
    rows = store.read(
        "SELECT id, created, CASE WHEN json_valid(spec) THEN json_extract(spec, '$.dataset') ELSE '' END AS dataset, "
        "group_concat(learner, ' ') AS learners, count(learner) AS many, "
        "EXISTS (SELECT 1 FROM snapshots WHERE run = id) AS pictured "
        f"FROM runs LEFT JOIN asked ON run = id AND wants WHERE {ACTIVE} GROUP BY id ORDER BY created"
    )
    return [InLine(row["id"], row["created"], row["dataset"], _names(row), bool(row["pictured"])) for row in rows]


def _names(row: Row) -> tuple[str, ...]:
    return tuple(row["learners"].split(" ")) if row["many"] else ()


def counts(store: Store) -> tuple[int, int]:
    """How many runs wait, and how many train. Raises StoreError."""
    rows = store.read(f"SELECT status, count(*) AS many FROM runs WHERE {ACTIVE} GROUP BY status")
    many = {row["status"]: row["many"] for row in rows}
    return many.get("queued", 0), many.get("running", 0)


def of_others(store: Store, learner: str) -> int:
    """How many runs wait or train that this learner does not want. Raises StoreError."""
    wanted = "SELECT run FROM asked WHERE learner = ? AND wants"
    return store.read(f"SELECT count(*) AS many FROM runs WHERE {ACTIVE} AND id NOT IN ({wanted})", (learner,))[0][
        "many"
    ]


def wanted_by(store: Store, learner: str, run_ids: Iterable[str]) -> set[str]:
    """Those of these runs that this learner asked for and has not stopped. Raises StoreError."""
    rows = store.read("SELECT run FROM asked WHERE learner = ? AND wants", (learner,))
    return {row["run"] for row in rows} & {*run_ids}


def is_wanted(store: Store, run_id: str) -> bool:
    """Whether anybody wants this run, which is not over. Raises StoreError."""
    query = f"SELECT 1 FROM asked JOIN runs ON id = run WHERE run = ? AND wants AND {ACTIVE}"
    return bool(store.read(query, (run_id,)))


def unwant(store: Store, run_id: str, learner: str | None = None) -> None:
    """This learner wants the run no more, nor does anybody where none is named. Raises StoreError."""
    with store.change(run_id) as db:
        db.execute("UPDATE asked SET wants = 0 WHERE run = ?1 AND learner = coalesce(?2, learner)", (run_id, learner))
