"""Whose turn it is. Turns go round the learners, not the runs, so that who asks for much waits for it himself; and a
run of which nothing is to be seen yet comes before one that is only to go on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from vae_core.runs.line import InLine

TURN_SECONDS = 2.0  # within which all lanes of a press begin one turn
SLICE_SECONDS = 4.0  # of training, before a run gives way to another's next turn
LEAST_SECONDS = 0.4  # before it gives way to one of which nothing is to be seen yet


@dataclass
class Turns:
    """Times are in seconds, of any clock that goes on."""

    began: dict[str, float] = field(default_factory=dict)  # when each learner's last turn did

    def begin(self, run: InLine, now: float) -> None:
        for learner in run.learners:
            if now - self.began.get(learner, -math.inf) > TURN_SECONDS:
                self.began[learner] = now

    def in_order(self, waiting: Iterable[InLine], now: float) -> list[InLine]:
        """First what nobody wants any more, which ends at once; then what cannot be seen yet; then the other lanes of a
        turn that has just begun; then whose last turn began longest ago."""

        def place(run: InLine, learner: str) -> tuple[int, float, float]:
            began = self.began.get(learner, -math.inf)
            kind = 0 if not run.pictured else 1 if now - began <= TURN_SECONDS else 2
            return kind, began, run.created

        return sorted(waiting, key=lambda run: min((place(run, one) for one in run.learners), default=(-1, 0.0, 0.0)))


def give_way(training: dict[str, float], waiting: Collection[InLine], free: int) -> list[str]:
    """Of the runs that train, by id with the seconds since they could be seen in this turn, those to be set aside for
    these, while so many places are free: each for one, longest first."""
    unseen = sum(not run.pictured for run in waiting)
    longest_first = sorted(training, key=lambda run_id: -training[run_id])
    given: list[str] = []
    for run_id in longest_first[: max(0, len(waiting) - free)]:
        if training[run_id] >= (LEAST_SECONDS if len(given) < unseen - free else SLICE_SECONDS):
            given.append(run_id)
    return given
