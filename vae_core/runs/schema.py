"""The tables of the store, and how a store of an earlier app becomes one of this app.

A store knows its version: SQLite's `user_version`, 0 in a new file and in those from before versions were counted.
"""

from __future__ import annotations

import sqlite3

from vae_core.errors import DamagedStoreError, StoreError

# MIGRATIONS[i] brings version i to i + 1. One that has been released is never edited: a change is a new one at the end.
MIGRATIONS = [
    # "IF NOT EXISTS", for stores with all of this were written before versions were counted.
    """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, family TEXT NOT NULL, spec TEXT NOT NULL, status TEXT NOT NULL, message TEXT NOT NULL,
    created REAL NOT NULL, attempt INTEGER NOT NULL, step INTEGER NOT NULL, total_steps INTEGER NOT NULL,
    images_seen INTEGER NOT NULL, seconds REAL NOT NULL, images_per_second REAL NOT NULL, result TEXT,
    resume_from TEXT);
CREATE INDEX IF NOT EXISTS runs_family ON runs (family);
CREATE TABLE IF NOT EXISTS snapshots (
    run TEXT NOT NULL, step INTEGER NOT NULL, numbers TEXT NOT NULL, PRIMARY KEY (run, step)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pictures (
    run TEXT NOT NULL, step INTEGER NOT NULL, name TEXT NOT NULL, png BLOB NOT NULL, PRIMARY KEY (run, step, name));
CREATE TABLE IF NOT EXISTS curve (
    run TEXT NOT NULL, step INTEGER NOT NULL, reconstruction REAL NOT NULL, kl REAL NOT NULL,
    PRIMARY KEY (run, step)) WITHOUT ROWID;
""",
    # Several processes on one store: the count of changes by which each hears of the others', and who asked for a run.
    """
ALTER TABLE runs ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_changed ON runs (changed);
CREATE INDEX runs_status ON runs (status, created);
CREATE TABLE asked (
    run TEXT NOT NULL, learner TEXT NOT NULL, at REAL NOT NULL, wants INTEGER NOT NULL, PRIMARY KEY (run, learner));
INSERT INTO asked SELECT id, '', created, 1 FROM runs
""",
    # A store that stays small: what a person calls a run and wants kept, and what the runs were that are gone.
    """
ALTER TABLE runs ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
CREATE TABLE removed (run TEXT PRIMARY KEY, spec TEXT NOT NULL, changed INTEGER NOT NULL);
CREATE INDEX removed_changed ON removed (changed)
""",
    # How many windows each process of the app has open, and when it said so.
    """
CREATE TABLE present (process TEXT PRIMARY KEY, windows INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID
""",
]


def check_version(db: sqlite3.Connection) -> None:
    """Raises StoreError for the store of a newer app, before anything is written to it."""
    version = _version(db)
    if version > len(MIGRATIONS):
        raise StoreError(
            f"The store of runs was written by a newer app (its version is {version}, this app knows up to "
            f"{len(MIGRATIONS)}), so nothing in it was changed: start the newer app, or set VAE_HOME to another folder."
        )
    if version < 0:
        raise DamagedStoreError(f"its version is {version}")


def migrate(db: sqlite3.Connection) -> None:
    """Take the migrations still to come, each whole or not at all. Raises StoreError for one that fails."""
    while (version := _version(db)) < len(MIGRATIONS):
        with db:
            db.execute("BEGIN IMMEDIATE")
            if _version(db) != version:
                continue  # another process has taken this one while we waited for our turn
            try:
                for statement in MIGRATIONS[version].split(";"):  # executescript would end the transaction
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {version + 1}")
            except sqlite3.Error as error:
                raise StoreError(
                    f"The store of runs could not be brought from version {version} to {version + 1} and is as it was "
                    f"({error}): free some disk space, start the app that wrote it, or set VAE_HOME to another folder."
                ) from error


def _version(db: sqlite3.Connection) -> int:
    return db.execute("PRAGMA user_version").fetchone()[0]
