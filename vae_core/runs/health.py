"""How it is with the workers: what the page is told of them, and when the embedded cluster must be begun anew."""

from __future__ import annotations

import sys
import threading
import time
from typing import Literal

from vae_core.runs.load import CORES, OtherPrograms, busy_sentence

State = Literal["starting", "ready", "unreachable", "closed"]
MISSING_SECONDS = 60.0  # for workers to warm up, or to come back, before the page is told
NONE_SECONDS = 120.0  # with no worker at all, before the embedded cluster is begun anew; doubled each time


class Health:
    """`state` "ready" is with all workers there, and "starting" while some still warm up or are being replaced."""

    def __init__(self, address: str | None):
        self.address = address  # of a scheduler; None: of an embedded cluster
        self.state: State = "starting"
        self.workers, self.workers_expected = 0, 1
        self._in_line = self._training = 0  # runs that no worker has, and that one has
        self._others = OtherPrograms()
        self._cores = CORES if address is None else sys.maxsize  # that the workers share; elsewhere each has its own
        self._problems: dict[str, str] = {}  # what is wrong now, by part: a sentence each
        self._all_came = threading.Event()  # once, at least
        self._complete_at, self._patience = 0.0, NONE_SECONDS  # when all workers were last there

    @property
    def problem(self) -> str:
        """What is wrong now and what to do, for the page; empty when all is well."""
        return " ".join(filter(None, list(self._problems.values())))

    @property
    def busy(self) -> str:
        """What makes runs wait or take long though nothing is wrong; empty while workers still warm up, and when
        nothing does. Other programs are told of where the workers are on this machine."""
        if self.state != "ready":
            return ""
        return busy_sentence(self._in_line, self._training, 0.0 if self.address else self._others.cores)

    @property
    def warming(self) -> str:
        """How many workers are there while others still come; empty once all are, or where that is a `problem`."""
        if self.state != "starting" or self.problem:
            return ""
        ready = f"{self.workers} of {self.workers_expected} ready" if self.workers_expected > 1 else "starting"
        return (
            f"The training processes are warming up ({ready}). The page works meanwhile, and a run you start begins as "
            "soon as one is warm."
        )

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether all expected workers are warm, within that time."""
        return self._all_came.wait(seconds)

    def _expect(self, workers: int) -> None:
        """Begin to wait for so many."""
        self.workers_expected, self._complete_at = workers, time.monotonic()

    def _judge(self, workers: int) -> None:
        """Ready or not, with so many there now; and what to say when others stay away.

        Raises ConnectionError where none of the embedded cluster's has come for long, so that it is begun anew."""
        self.workers = workers
        if workers >= self.workers_expected:
            self.state = "ready"
            self._complete_at, self._patience = time.monotonic(), NONE_SECONDS
            self._problems.pop("workers", None)
            self._all_came.set()
            return
        self.state = "starting"
        if self.address is not None:
            self._problems["workers"] = (
                f"No worker is connected to the Dask scheduler at {self.address}, so runs wait in line and begin when "
                "one comes. Start one there with --preload vae_core.runs.worker."
            )
            return
        missing = time.monotonic() - self._complete_at
        if not workers and missing > self._patience:
            self._patience *= 2  # a slow machine must not be begun anew for ever
            raise ConnectionError(f"none has come up within {missing:.0f} s")
        if missing > MISSING_SECONDS:
            self._problems["workers"] = (
                f"Only {workers} of {self.workers_expected} training processes have come up within "
                f"{MISSING_SECONDS:.0f} s. The others are started again and again; meanwhile runs train with those "
                "there are. The server's log says why."
            )
