"""Who has asked for a run, as its row is written: within a transaction of the store's."""

from __future__ import annotations

import sqlite3
import time

from vae_core.errors import LineError

MOST_OF_ONE = 12  # runs of one learner in line: four presses of three decoders
MOST = 400
ACTIVE = "status IN ('queued', 'running')"


def check_room(db: sqlite3.Connection, learner: str) -> None:
    """Raises LineError where this learner, or everybody together, has as many runs in line as may be."""
    active = f"SELECT count(*) FROM runs WHERE {ACTIVE}"
    (own,) = db.execute(
        f"{active} AND id IN (SELECT run FROM asked WHERE learner = ? AND wants)", (learner,)
    ).fetchone()
    if own >= MOST_OF_ONE:
        raise LineError(
            f"You have {own} runs in line or training, as many as one person may. Stop one, or wait until one ends."
        )
    (all_of_them,) = db.execute(active).fetchone()
    if all_of_them >= MOST:
        raise LineError(f"{all_of_them} runs are in line, as many as may be. Try again when some have ended.")


def ask(db: sqlite3.Connection, run_id: str, learner: str) -> None:
    db.execute("INSERT OR REPLACE INTO asked VALUES (?, ?, ?, 1)", (run_id, learner, time.time()))


def forget(db: sqlite3.Connection, run_id: str) -> None:
    """What earlier tries at it were wanted by."""
    db.execute("UPDATE asked SET wants = 0 WHERE run = ?", (run_id,))
