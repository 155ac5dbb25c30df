"""Why runs begin late or take long, for the page to say: others are before them, or other programs use the machine."""

from __future__ import annotations

import os
import time

import psutil

LOOK_SECONDS = 3.0  # over which the use of the machine is averaged
LEAST = 0.5  # cores that others must use before it is told
CORES = os.cpu_count() or 1


class OtherPrograms:
    """`cores`: how many of this machine's were in use between the last two looks, this app and its workers aside."""

    def __init__(self) -> None:
        self.cores = 0.0
        self._at, self._all, self._ours = time.monotonic(), _seconds_of_all(), _seconds_of_ours()

    def look(self) -> None:
        """To be called now and then; often does no harm."""
        now = time.monotonic()
        if now - self._at < LOOK_SECONDS:
            return
        everybody, ours = _seconds_of_all(), _seconds_of_ours()
        by_us = sum(seconds - self._ours[one] for one, seconds in ours.items() if one in self._ours)
        self.cores = max(0.0, (everybody - self._all - by_us) / (now - self._at))
        self._at, self._all, self._ours = now, everybody, ours


def _seconds_of_all() -> float:
    """Of all processors, since the machine began."""
    times = psutil.cpu_times()
    return sum(getattr(times, kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq", "steal"))


def _seconds_of_ours() -> dict[psutil.Process, float]:
    app = psutil.Process()
    found = {}
    for one in [app, *app.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.Error:  # it ended this very moment
            continue
        found[one] = times.user + times.system
    return found


def busy_sentence(in_line: int, training: int, others: float, cores: int = CORES) -> str:
    """What keeps so many runs waiting, and what slows those that train, each on a core; "" when nothing does."""
    told = []
    if in_line:
        waiting = "1 more waits" if in_line == 1 else f"{in_line} more wait"
        told.append(f"Every training process has a run; {waiting} in line, and the oldest begins when one is free.")
    if others >= LEAST and training and training + others > cores:
        told.append(
            f"Other programs take {others:.1f} of this machine's {cores} cores, so training takes longer than usual."
        )
    return " ".join(told)
