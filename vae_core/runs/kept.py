"""The runs that were tried: found again, named, pinned, removed.

A run that is gone leaves its settings behind, so that a link to it can still say what it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from vae_core.catalogue import DATASETS
from vae_core.errors import KeptError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.runs.line import ACTIVE
from vae_core.runs.run import Run, run_of
from vae_core.runs.store import HISTORY, NEXT, Store
from vae_core.spec import RunSpec

ON_A_PAGE = 50
LONGEST_NAME = 60
LONGEST_SEARCH, MOST_WORDS = 200, 8
MOST_PINNED = 50  # of everybody together: what is pinned is never removed to make room
MOST_REMOVED = 5_000  # of which the settings are remembered, 0.4 kB each


@dataclass(frozen=True)
class Kept:
    """A run of the list. Who asked for it may name and pin it; who alone asked for it may remove it."""

    run: Run
    own: bool  # this learner asked for it
    others: int  # other learners who did, those without a name aside

    @property
    def may_change(self) -> bool:
        return self.own or not self.others

    @property
    def may_remove(self) -> bool:
        return not self.others and not self.run.active


def search(store: Store, words: str, learner: str, first: int = 0) -> tuple[list[Kept], int]:
    """Runs with all of these words in their name, data set or decoder: at most ON_A_PAGE from number `first` on, this
    learner's own before others', then the newest; and how many there are in all. Raises StoreError."""
    return _kept(store, learner, *_matching(words), first)


def those(store: Store, run_ids: Sequence[str], learner: str) -> list[Kept]:
    """Those of these runs that are kept, in this order. Raises StoreError."""
    found = {one.run.id: one for one in _kept(store, learner, f"id IN ({_marks(run_ids)})", [*run_ids], 0)[0]}
    return [found[run_id] for run_id in run_ids if run_id in found]


def _kept(store: Store, learner: str, where: str, values: Sequence[str], first: int) -> tuple[list[Kept], int]:
    rows = store.read(
        "WITH found AS (SELECT id, created, EXISTS (SELECT 1 FROM asked WHERE run = id AND learner = ?) AS own, "
        f"count(*) OVER () AS many FROM runs WHERE {where} ORDER BY own DESC, created DESC LIMIT {ON_A_PAGE} OFFSET ?) "
        "SELECT runs.*, own, many, (SELECT count(*) FROM asked WHERE run = id AND learner NOT IN (?, '')) AS others "
        "FROM found JOIN runs USING (id) ORDER BY own DESC, runs.created DESC",
        (learner, *values, first, learner),
    )
    found = [(run_of(row), row) for row in rows]
    kept = [Kept(run, bool(row["own"]), row["others"]) for run, row in found if run is not None]
    return kept, rows[0]["many"] if rows else 0


def _matching(words: str) -> tuple[str, list[str]]:
    """A condition on runs, and its values."""
    parts, values = ["json_valid(spec)"], []
    for word in words[:LONGEST_SEARCH].lower().split()[:MOST_WORDS]:
        likelihoods = [
            key for key, kind in LIKELIHOODS.items() if word in f"{key.replace('_', ' ')} {kind.name}".lower()
        ]
        datasets = [key for key, about in DATASETS.items() if word in f"{key} {about.title.partition(',')[0]}".lower()]
        in_name = word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        parts.append(
            f"(json_extract(spec, '$.likelihood') IN ({_marks(likelihoods)}) "
            f"OR json_extract(spec, '$.dataset') IN ({_marks(datasets)}) OR name LIKE ? ESCAPE '\\')"
        )
        values += [*likelihoods, *datasets, f"%{in_name}%"]
    return " AND ".join(parts), values


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def removed(store: Store, run_id: str) -> RunSpec | None:
    """The settings of a run that was removed; None of one that never was, or whose settings are forgotten. Raises
    StoreError."""
    for row in store.read("SELECT spec FROM removed WHERE run = ?", (run_id,)):
        with suppress(TypeError, ValueError):  # of an app with other settings
            return RunSpec.from_dict(json.loads(row["spec"]))
    return None


def rename(store: Store, run_id: str, name: str) -> None:
    """An empty name takes the last away. Raises KeptError for one that is too long or cannot be shown."""
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME:
        raise KeptError(f"The name has {len(name)} characters; allowed: at most {LONGEST_NAME}.")
    if not name.isprintable():
        raise KeptError("The name holds a character that cannot be shown; leave it out.")
    with store.change(run_id) as db:
        db.execute("UPDATE runs SET name = ? WHERE id = ?", (name, run_id))


def pin(store: Store, run_id: str, pinned: bool) -> None:
    """A pinned run is not removed to make room. Raises KeptError where as many are as may be."""
    with store.change(run_id) as db:
        (others,) = db.execute("SELECT count(*) FROM runs WHERE pinned AND id != ?", (run_id,)).fetchone()
        if pinned and others >= MOST_PINNED:
            raise KeptError(f"As many runs are pinned as may be, {MOST_PINNED}; unpin one first.")
        db.execute("UPDATE runs SET pinned = ? WHERE id = ?", (pinned, run_id))


def remove(store: Store, run_id: str, but_pinned: bool = False) -> bool:
    """A run, its history and its weights; whether it was there. Its settings stay, for links to it. `but_pinned`: not
    if it has been pinned by now. Raises KeptError for a run that is not over."""
    with store.change(run_id) as db:
        found = db.execute(f"SELECT {ACTIVE}, pinned FROM runs WHERE id = ?", (run_id,)).fetchone()
        if found is None or (but_pinned and found[1]):
            return False
        if found[0]:
            raise KeptError("This run waits in line or trains; stop it first, then it can be deleted.")
        insert = f"INSERT OR REPLACE INTO removed SELECT id, spec, {NEXT} FROM runs WHERE id = ? RETURNING changed"
        (version,) = db.execute(insert, (run_id,)).fetchone()
        oldest = "(SELECT changed FROM removed ORDER BY changed DESC LIMIT 1 OFFSET ?)"
        db.execute(f"DELETE FROM removed WHERE changed <= {oldest}", (MOST_REMOVED,))
        for table in (*HISTORY, "asked"):
            db.execute(f"DELETE FROM {table} WHERE run = ?", (run_id,))
        db.execute("DELETE FROM runs WHERE id = ?", (run_id,))
        store.drop_weights(run_id)  # before anybody can put it in line again
        store.drop_slice(run_id)
    store.news.tell(run_id, version)
    return True
