"""One row of the store: a spec and how far it got."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Literal

from vae_core.spec import RunSpec

RunStatus = Literal["queued", "running", "done", "stopped", "diverged", "failed"]


@dataclass(frozen=True)
class Run:
    id: str
    spec: RunSpec
    status: RunStatus
    message: str
    created: float
    attempt: int
    step: int
    total_steps: int
    images_seen: int
    seconds: float
    images_per_second: float
    result: dict[str, Any] | None
    resume_from: str | None  # the run whose weights this one goes on from
    name: str = ""  # that a person gave it
    pinned: bool = False  # never removed to make room

    @property
    def active(self) -> bool:
        return self.status in ("queued", "running")

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before there is one."""
        if not self.step or not self.images_per_second:
            return None
        return (self.total_steps - self.step) * self.images_seen / self.step / self.images_per_second


def run_of(row: sqlite3.Row) -> Run | None:
    """None of one kept by an app with other settings, or damaged: of no use to this one."""
    try:
        facts = {field.name: row[field.name] for field in fields(Run)}
        facts["spec"] = _spec(row["spec"])
        facts["result"] = json.loads(row["result"]) if row["result"] else None
    except (TypeError, ValueError):
        return None
    return Run(**facts | {"pinned": bool(row["pinned"])})


def spec_of(text: str) -> RunSpec | None:
    """From its canonical JSON; None where `run_of` would say None."""
    try:
        return _spec(text)
    except (TypeError, ValueError):
        return None


@lru_cache(maxsize=4096)  # a page reads all runs there are at each rerun, and checking a spec takes longer than SQLite
def _spec(text: str) -> RunSpec:
    return RunSpec.from_dict(json.loads(text))
