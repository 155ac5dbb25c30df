"""Lanes of one press advance together, so that they can be compared while they train: a lane that is ahead waits for
the slowest, which has its part of the machine meanwhile."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from vae_core.runs.load import CORES
from vae_core.runs.store import Run
from vae_core.spec import snapshot_stride

AHEAD = 2  # snapshots that a lane may be ahead of the slowest
FAR = 8  # snapshots: who is so far behind began later
PRESS_SECONDS = 2.0  # runs that came into line within so long of one another are of one press
FREE = sys.maxsize  # a limit for who waits for nobody


@dataclass
class Launched:
    """A run that Dask has."""

    run: Run  # as it was launched
    token: str
    future: Any  # Dask drops the run when we drop this
    worker: str = ""  # address of the one that began it last; none before it has begun, or when that worker is lost
    lost: bool = False
    fetching: bool = False  # it takes no worker's time, but waits for its data set
    step: int = 0  # of its last snapshot
    limit: int = FREE  # it waits at the first snapshot at this step or beyond
    seen_at: float = math.inf  # when its first snapshot came, of time.monotonic()
    gives_way: bool = False  # told to let others have their turn


def newly_limited(launched: Collection[Launched], cores: int = CORES) -> list[Launched]:
    """Give each run that trains its limit; those whose limit this changes. `cores` are what the workers share."""
    changed = []
    for lanes in _presses([one for one in launched if one.worker]):
        for one in lanes:
            limit = _limit(one, [other for other in lanes if other is not one], cores)
            if limit != one.limit:
                one.limit = limit
                changed.append(one)
    return changed


def _limit(one: Launched, others: list[Launched], cores: int) -> int:
    """Those far behind, which began late, count where they alone keep the cores busy: for fewer, one that is near its
    end would leave a core idle."""
    stride = snapshot_stride(one.run.spec)
    near = [other for other in others if one.step - other.step <= FAR * stride]
    waited_for = others if len(others) - len(near) >= cores else near
    if not waited_for:
        return FREE
    return min(other.step for other in waited_for) + AHEAD * stride


def _presses(launched: Iterable[Launched]) -> list[list[Launched]]:
    """Runs of the same data, as long, with as many snapshots, that came into line together."""
    alike: dict[tuple[str, int, int], list[Launched]] = defaultdict(list)
    for one in launched:
        spec = one.run.spec
        alike[spec.dataset, spec.total_steps, snapshot_stride(spec)].append(one)
    presses: list[list[Launched]] = []
    for some in alike.values():
        before = -math.inf
        for one in sorted(some, key=lambda one: one.run.created):
            if one.run.created - before > PRESS_SECONDS:
                presses.append([])
            presses[-1].append(one)
            before = one.run.created
    return presses
