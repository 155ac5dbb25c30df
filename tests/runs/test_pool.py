"""The pool by itself, on processes that do nothing: who is replaced, when, and who is left alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.waiting import wait_until
from vae_core.runs import pool as pool_module
from vae_core.runs.pool import Pool

IDLE, BUSY = "input()", "while True: pass"
ENDS, HOARDS = "", "held = bytearray(300_000_000)\nfor i in range(0, len(held), 4096): held[i] = 1\ninput()"


class Workers:
    """Starts what the test says, and is the scheduler that hears of them."""

    def __init__(self) -> None:
        self.program = IDLE
        self.started: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.heard: dict[str, float] = {}

    def start(self, name: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-S", "-c", self.program], stdin=subprocess.PIPE)
        self.started.append((name, process))
        return process

    def last_seen(self) -> dict[str, float]:
        return dict(self.heard)


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers()
    yield workers
    for _, process in workers.started:
        process.kill()
        process.wait()


def pool_of(workers: Workers, count: int, at_first: int | None = None) -> Pool:
    return Pool(count, workers.start, workers.last_seen, 200_000_000, at_first or count)


def checked_until(pool: Pool, condition: Callable[[], object]) -> None:
    def look() -> object:
        pool.check()
        return condition()

    wait_until(look)


def test_every_place_is_filled_and_left_alone(workers: Workers) -> None:
    pool = pool_of(workers, 3)
    for _ in range(5):
        pool.check()
    assert len({name for name, _ in workers.started}) == len(workers.started) == 3
    assert [place.process for place in pool.places] == [process for _, process in workers.started]


@pytest.mark.parametrize("at_first", [1, 2])
def test_the_others_start_when_one_is_known(workers: Workers, at_first: int) -> None:
    """Warming up takes a core; the first run needs one worker."""
    pool = pool_of(workers, 4, at_first)
    for _ in range(3):
        pool.check()
    assert len(workers.started) == at_first
    _, process = workers.started[0]
    process.kill()  # the one that is replaced is no reason to start the others
    checked_until(pool, lambda: len(workers.started) == at_first + 1)
    name, process = workers.started[-1]
    workers.heard[name] = 1.0
    pool.check()
    assert len(workers.started) == 5
    del workers.heard[name]
    process.kill()  # once begun, all places are kept
    checked_until(pool, lambda: len(workers.started) == 6)


@pytest.mark.parametrize("registered", [False, True])
def test_who_ends_has_a_successor_of_another_name(workers: Workers, registered: bool) -> None:
    pool = pool_of(workers, 2)
    pool.check()
    (name, process), (_, other) = workers.started
    if registered:
        workers.heard[name] = 1.0
        pool.check()
    process.kill()
    checked_until(pool, lambda: len(workers.started) == 3)
    assert name not in [place.name for place in pool.places]
    assert other.poll() is None


def test_all_at_once_again_and_again(workers: Workers) -> None:
    pool = pool_of(workers, 3)
    for round in range(4):
        checked_until(pool, lambda: all(place.process and place.process.poll() is None for place in pool.places))
        assert len(workers.started) == 3 * (round + 1)
        for place in pool.places:
            assert place.process is not None
            place.process.kill()
            place.process.wait()


def test_who_cannot_start_is_tried_at_a_slower_and_slower_pace(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(pool_module.time, "monotonic", lambda: now)
    workers.program = ENDS
    pool = pool_of(workers, 1)
    starts: list[float] = []
    while len(starts) < 12:
        pool.check()
        if len(workers.started) > len(starts):
            starts.append(now)
            workers.started[-1][1].wait()
        now += 0.125
    pauses = [later - earlier for earlier, later in zip(starts, starts[1:])]
    assert pauses[0] < 0.5
    assert pauses == sorted(pauses)
    assert 5.0 <= pauses[-1] < 5.5  # and it is never given up
    workers.program = IDLE
    pool.check()
    now += 10
    pool.check()
    workers.heard[pool.places[0].name] = 1.0
    pool.check()
    workers.started[-1][1].kill()
    workers.started[-1][1].wait()
    pool.check()
    now += 0.5  # one that had come as far as the scheduler is replaced at once
    pool.check()
    assert len(workers.started) == 14


def test_when_no_process_can_be_made_it_is_tried_again(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = iter([OSError("Resource temporarily unavailable")] * 3)
    pool = pool_of(workers, 1)
    start = pool.start

    def refuse(name: str) -> subprocess.Popen[bytes]:
        if error := next(refusals, None):
            raise error
        return start(name)

    monkeypatch.setattr(pool, "start", refuse)
    checked_until(pool, lambda: workers.started)
    assert next(refusals, None) is None


def test_who_hangs_before_it_is_known_is_ended(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sign of life of one that still imports is its processor time."""
    monkeypatch.setattr(pool_module, "SILENT_SECONDS", 1.0)
    workers.program = BUSY
    pool = pool_of(workers, 2)
    pool.check()
    hung, busy = (process for _, process in workers.started)
    psutil.Process(hung.pid).suspend()
    checked_until(pool, lambda: len(workers.started) == 3)
    assert hung.poll() is not None
    assert busy.poll() is None


def test_who_is_no_longer_heard_of_is_ended(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sign of life of one that is known is that the scheduler hears from it: using time is not enough."""
    monkeypatch.setattr(pool_module, "SILENT_SECONDS", 1.0)
    workers.program = BUSY
    pool = pool_of(workers, 2)
    pool.check()
    (silent, process), (speaking, other) = workers.started
    workers.heard[silent] = 1.0

    def look() -> bool:
        workers.heard[speaking] = time.monotonic()
        return len(workers.started) == 3

    checked_until(pool, look)
    assert process.poll() is not None
    assert other.poll() is None


def test_who_the_scheduler_has_dropped_is_ended(workers: Workers) -> None:
    pool = pool_of(workers, 1)
    pool.check()
    ((name, process),) = workers.started
    workers.heard[name] = 1.0
    pool.check()
    del workers.heard[name]
    checked_until(pool, lambda: len(workers.started) == 2)
    assert process.poll() is not None


def test_who_takes_too_much_memory_is_ended(workers: Workers) -> None:
    workers.program = HOARDS
    pool = pool_of(workers, 1)
    pool.check()
    workers.program = IDLE
    checked_until(pool, lambda: len(workers.started) == 2)
    assert workers.started[0][1].poll() is not None
    for _ in range(5):
        pool.check()
    assert len(workers.started) == 2
