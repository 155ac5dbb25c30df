"""The pages of the database: those in use count, free ones go back to the disk.

A file that SQLite began with `auto_vacuum` gives them back a few at a time; an older one must be written anew once.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress

AT_A_TIME = 500  # pages, 2 MB: others write between
SPARE = 0.125  # of the file: free pages that stay, for the next run
INCREMENTAL = 2


def used_bytes(db: sqlite3.Connection) -> int:
    return _pragma(db, "page_size") * (_pragma(db, "page_count") - _pragma(db, "freelist_count"))


def prepare(db: sqlite3.Connection) -> None:
    """Call before the first table is made; where there are some, it holds once `write_anew` has run."""
    if _pragma(db, "auto_vacuum") != INCREMENTAL:  # else it would be written again, into a damaged file too
        db.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")


def write_anew(db: sqlite3.Connection) -> None:
    """An older file of which half is free, unless somebody is writing."""
    if _pragma(db, "auto_vacuum") != INCREMENTAL and 2 * _pragma(db, "freelist_count") > _pragma(db, "page_count"):
        with suppress(sqlite3.OperationalError):  # somebody is, or the disk is full: another time
            db.execute("VACUUM")
            _fold_log_back(db)


def give_back(db: sqlite3.Connection) -> None:
    """Free pages, but for some. Nothing in an older file."""
    if _pragma(db, "auto_vacuum") != INCREMENTAL:
        return
    free, left = _pragma(db, "freelist_count"), -1
    while free > SPARE * _pragma(db, "page_count") and free != left:
        db.execute(f"PRAGMA incremental_vacuum({AT_A_TIME})").fetchall()
        left, free = free, _pragma(db, "freelist_count")
    if left >= 0:
        _fold_log_back(db)


def _fold_log_back(db: sqlite3.Connection) -> None:
    """Else the file shrinks only when the next does."""
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return db.execute(f"PRAGMA {name}").fetchone()[0]
