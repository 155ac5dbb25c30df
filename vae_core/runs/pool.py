"""A number of worker processes, kept: one that has ended, or shows no sign of life, gets a successor.

Dask's own Nanny does this too, but is itself lost with a worker that dies while it starts; then nobody looks.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil

log = logging.getLogger(__name__)
SILENT_SECONDS = 8.0  # a process that shows no sign of life for so long hangs
LONGEST_PAUSE = 5.0  # between tries to start one that ends again and again before it is warm


@dataclass
class Place:
    """What one worker after the other takes. Each has a new name, for the scheduler may still know the last one's."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    failed_starts: int = 0  # starts in a row that did not come as far as the scheduler
    not_before: float = 0.0  # when to start the next one
    registered: bool = False
    pulse: float = 0.0  # any number that changes while the process lives
    pulse_at: float = 0.0

    @property
    def name(self) -> str:
        return f"worker-{self.number}-{self.starts}"


class Pool:
    """`start` makes a process of that name; `last_seen` says when the scheduler last heard of whom, by name.

    Only `at_first` of them start until one is known there: warming up takes a core for seconds, and the first run need
    not wait until all are warm.
    """

    def __init__(
        self,
        count: int,
        start: Callable[[str], subprocess.Popen[bytes]],
        last_seen: Callable[[], Mapping[str, float]],
        most_bytes: int,
        at_first: int,
    ):
        self.start, self.last_seen, self.most_bytes = start, last_seen, most_bytes
        self.places = [Place(number) for number in range(count)]
        self.at_once = at_first

    def check(self) -> None:
        """Start or end what must be; to be called several times a second."""
        seen = self.last_seen()
        if seen:
            self.at_once = len(self.places)
        for place in self.places[: self.at_once]:
            if place.process is None:
                if time.monotonic() >= place.not_before:
                    self._fill(place)
            elif place.process.poll() is not None:
                log.warning("%s ended with code %s", place.name, place.process.returncode)
                self._empty(place)
            elif why := self._reason_to_end(place, place.process, seen.get(place.name)):
                log.warning("%s %s, and is ended", place.name, why)
                place.process.kill()

    def _fill(self, place: Place) -> None:
        place.starts += 1
        place.registered, place.pulse_at = False, time.monotonic()
        try:
            place.process = self.start(place.name)
        except OSError as error:  # no process or memory to be had just now
            log.warning("%s could not be started: %s", place.name, error)
            self._empty(place)

    def _empty(self, place: Place) -> None:
        place.failed_starts = 0 if place.registered else place.failed_starts + 1
        place.not_before = time.monotonic() + min(LONGEST_PAUSE, 0.05 * 2**place.failed_starts)
        place.process = None

    def _reason_to_end(self, place: Place, process: subprocess.Popen[bytes], seen: float | None) -> str:
        """Why this process must end, if it must."""
        try:
            facts = psutil.Process(process.pid)
            memory, times = facts.memory_info().rss, facts.cpu_times()
        except psutil.NoSuchProcess:
            return ""  # it ended this very moment: the next check finds it so
        if memory > self.most_bytes:
            return "took too much memory"
        if place.registered and seen is None:
            return "is no longer known to the scheduler"
        place.registered = seen is not None
        pulse = times.user + times.system if seen is None else seen
        if pulse != place.pulse:
            place.pulse, place.pulse_at = pulse, time.monotonic()
        elif time.monotonic() - place.pulse_at > SILENT_SECONDS:
            return f"showed no sign of life for {SILENT_SECONDS:.0f} s"
        return ""
