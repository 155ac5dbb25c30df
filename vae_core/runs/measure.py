"""Measurements of trained runs: what takes too long for a page's script, made by the workers.

A measurement is a generator function of a run's weights and some plain arguments, anywhere a worker can import it. It
yields (share done, what is known so far), again and again; the last is the result. Both are plain values, and pure:
asked twice with the same weights and arguments it is one task, however many watch.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from vae_core.errors import CheckpointError, DataError, LevelsError, SpecError

log = logging.getLogger(__name__)
TOPIC = "vae-measurements"
MOST_KEPT, MOST_AT_ONCE = 64, 2
SECONDS_BETWEEN_MESSAGES = 0.2
TOLD = (CheckpointError, DataError, LevelsError, SpecError)  # their sentences are for the page
LOST = "The connection to the workers was lost. Ask again: it begins as soon as they answer."
KILLED = "Its worker process died several times, most likely for want of memory. Ask for less."
FORGOTTEN = "This measurement is not kept any more. Ask again."

Measure = Callable[..., Iterator[tuple[float, Any]]]  # (weights, **arguments)


@dataclass(frozen=True)
class Measurement:
    """How far one is. `waiting` while others are before it, or while no worker is there."""

    status: Literal["waiting", "running", "done", "stopped", "failed"] = "waiting"
    share: float = 0.0  # done, of 1
    seconds_left: float | None = None  # at the pace so far
    found: Any = None  # so far; the result where it is done
    message: str = ""  # where it failed, a sentence

    @property
    def active(self) -> bool:
        return self.status in ("waiting", "running")


@dataclass
class _Asked:
    measure: Measure
    weights: bytes
    arguments: Mapping[str, Any]
    wanted_by: set[str] = field(default_factory=set)  # learners, by name
    now: Measurement = field(default_factory=Measurement)
    token: str = ""  # names one try at it: Dask's key
    future: Any = None  # while Dask has it


class Measurements:
    """Those that this process was asked for, in memory: the 64 newest. All methods return at once.

    Each process of the app has its own: the same measurement asked of two is made twice, and Stop in one ends nothing
    in another.

    At most two are with the workers at a time, where they run beside training (a worker has two threads), so that
    neither waits for the other.
    """

    def __init__(self) -> None:
        self._asked: dict[str, _Asked] = {}  # oldest first
        self._client: Any = None
        self._lock = threading.Lock()  # never held over a call that waits for Dask's loop, which may wait for it

    # What pages call -----------------------------------------------------------------------------------------

    def ask(self, measure: Measure, weights: bytes, arguments: Mapping[str, Any], learner: str = "") -> str:
        """Have it measured for this learner, unless it is or will be; the key to ask after it by. One that was stopped
        or failed begins anew."""
        key = key_of(measure, weights, arguments)
        with self._lock:
            asked = self._asked.get(key)
            if asked is None or asked.now.status in ("stopped", "failed"):
                self._asked.pop(key, None)
                asked = self._asked[key] = _Asked(measure, weights, arguments)
                self._forget_oldest()
                self._launch()
            asked.wanted_by.add(learner)
        return key

    def get(self, key: str) -> Measurement:
        asked = self._asked.get(key)
        return asked.now if asked is not None else Measurement("failed", message=FORGOTTEN)

    def stop(self, key: str, learner: str | None = None) -> bool:
        """This learner wants it no more, nor does anybody where none is named; it ends when nobody does, and what is
        known so far stays. Whether it goes on for others."""
        with self._lock:
            asked = self._asked.get(key)
            if asked is None or not asked.now.active:
                return False
            asked.wanted_by -= asked.wanted_by if learner is None else {learner}
            if not asked.wanted_by:
                if asked.future is not None:  # on Dask's own loop, for which this one must not wait
                    self._client.loop.add_callback(asked.future.cancel, asynchronous=True)
                self._end(asked, replace(asked.now, status="stopped", seconds_left=None))
                self._launch()
            return bool(asked.wanted_by)

    # What the engine calls -----------------------------------------------------------------------------------

    def connected(self, client: Any) -> None:
        client.subscribe_topic(TOPIC, self._on_event)
        with self._lock:
            self._client = client
            self._launch()

    def disconnected(self) -> None:
        with self._lock:
            self._client = None
            for asked in self._asked.values():
                if asked.future is not None:
                    self._end(asked, replace(asked.now, status="failed", seconds_left=None, message=LOST))

    # With Dask -----------------------------------------------------------------------------------------------

    def _launch(self) -> None:
        launched = sum(asked.future is not None for asked in self._asked.values())
        waiting = [(key, asked) for key, asked in self._asked.items() if asked.now.active and asked.future is None]
        if self._client is None:
            return
        for key, asked in waiting[: MOST_AT_ONCE - launched]:
            asked.token = f"{key}-{secrets.token_hex(4)}"
            task = (run_measure, asked.measure, asked.weights, dict(asked.arguments), asked.token)
            # Before a run in line: it is done in seconds, and one behind a run would wait for hours.
            asked.future = self._client.submit(*task, key=asked.token, pure=False, priority=1)
            asked.future.add_done_callback(partial(self._on_done, key))

    def _end(self, asked: _Asked, now: Measurement) -> None:
        asked.now, asked.future, asked.token, asked.weights = now, None, "", b""

    def _forget_oldest(self) -> None:
        ended = [key for key, asked in self._asked.items() if not asked.now.active]
        for key in ended[: max(0, len(self._asked) - MOST_KEPT)]:
            del self._asked[key]

    def _on_event(self, event: tuple[float, Any]) -> None:
        """In a thread of Dask's."""
        facts = event[1]
        share, seconds = facts["share"], facts["seconds"]
        with self._lock:
            asked = self._asked.get(facts["token"].partition("-")[0])
            if asked is not None and asked.token == facts["token"]:  # no echo of an earlier try, or of another app's
                left = seconds * (1 - share) / share if share > 0 else None
                asked.now = Measurement("running", share, left, facts["found"])

    def _on_done(self, key: str, future: Any) -> None:
        """In a thread of Dask's, once the task has ended in whatever way."""
        try:
            if future.status == "finished":
                now = Measurement("done", 1.0, 0.0, future.result())
            elif future.status == "error":
                now = Measurement("failed", message=_sentence(future.exception()))
            else:
                return  # it was stopped, or the connection was lost: `disconnected` says so
        except Exception as error:  # noqa: BLE001  the connection went in this very moment: likewise
            log.warning("the end of measurement %s was not heard: %s", key, error)
            return
        with self._lock:
            asked = self._asked.get(key)
            if asked is not None and asked.token == future.key:
                self._end(asked, now)
            self._launch()


def key_of(measure: Measure, weights: bytes, arguments: Mapping[str, Any]) -> str:
    """16 hex digits that name the measurement."""
    name = f"{measure.__module__}.{measure.__qualname__}"
    of = json.dumps([name, hashlib.sha256(weights).hexdigest(), dict(arguments)], sort_keys=True)
    return hashlib.sha256(of.encode()).hexdigest()[:16]


def _sentence(error: BaseException) -> str:
    if isinstance(error, TOLD):
        return str(error)
    if type(error).__name__ == "KilledWorker":
        return KILLED
    log.error("a measurement failed", exc_info=error)
    return f"Measuring failed ({type(error).__name__}). The server's log has the details."


# In a worker ---------------------------------------------------------------------------------------------------------


def run_measure(measure: Measure, weights: bytes, arguments: dict[str, Any], token: str) -> Any:
    """The task: tell how far it is a few times a second, return what is known in the end."""
    import torch
    from distributed import get_worker

    from vae_core.runs.worker import give_back_memory, is_abandoned

    worker, began, told, found = get_worker(), time.monotonic(), 0.0, None
    torch.set_flush_denormal(True)  # as in training, whose thread this may have been
    try:
        for share, found in measure(weights, **arguments):
            if is_abandoned(worker, token):
                return None
            seconds = time.monotonic() - began
            if not told or seconds - told >= SECONDS_BETWEEN_MESSAGES:
                told = seconds
                worker.log_event(TOPIC, {"token": token, "share": share, "seconds": seconds, "found": found})
        return found
    finally:
        give_back_memory()
