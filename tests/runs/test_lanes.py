"""Lanes of one press: who is limited, who waits for whom, and that nobody waits for ever."""

from __future__ import annotations

import asyncio
import itertools
import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.runs.conftest import small, trained_here
from tests.waiting import wait_until
from vae_core import RunSpec
from vae_core.runs import worker
from vae_core.runs.lanes import FREE, Launched, newly_limited
from vae_core.runs.messages import Ended, numbers
from vae_core.runs.store import Run

DECODERS = ("bernoulli", "gaussian_identity", "gaussian_learned")
SPEC = small(epochs=20)  # 240 steps, a snapshot every 16


def lane(spec: RunSpec, created: float = 0.0, step: int = 0, worker: str = "tls://one") -> Launched:
    run = Run(spec.id, spec, "running", "", created, 1, 0, spec.total_steps, 0, 0.0, 0.0, None, None)
    return Launched(run, f"run-{spec.id}", None, worker, step=step)


# ---- who is limited


def limits(*lanes: Launched, cores: int = 2) -> list[int]:
    newly_limited(lanes, cores)
    return [one.limit for one in lanes]


def test_nobody_is_more_than_two_snapshots_ahead_of_the_slowest() -> None:
    lanes = [lane(replace(SPEC, likelihood=key)) for key in DECODERS]
    assert newly_limited(lanes) == lanes  # when all have begun, all hear it
    assert {one.limit for one in lanes} == {32}
    lanes[0].step, lanes[1].step = 32, 16
    assert newly_limited(lanes) == [lanes[2]]  # who is last waits for those before it alone
    assert [one.limit for one in lanes] == [32, 32, 48]
    lanes[2].step = 16
    assert newly_limited(lanes) == lanes[:2]
    assert [one.limit for one in lanes] == [48, 48, 48]


def test_who_is_alone_is_free() -> None:
    one, other = (lane(replace(SPEC, likelihood=key)) for key in DECODERS[:2])
    assert newly_limited([one]) == []
    assert limits(one, other) == [32, 32]
    assert newly_limited([one]) == [one]  # the other has ended
    assert one.limit == FREE


def test_who_has_no_worker_holds_nobody_up() -> None:
    one, waiting = lane(SPEC, step=64), lane(replace(SPEC, seed=1), worker="")
    assert limits(one, waiting) == [FREE, FREE]
    waiting.worker = "tls://two"  # it begins late: the one that is ahead lets it catch up
    assert limits(one, waiting) == [32, 96]
    waiting.worker = ""  # and is lost
    assert newly_limited([one, waiting]) == [one]
    assert one.limit == FREE


def test_who_begins_long_after_holds_nobody_up_whose_core_would_idle() -> None:
    """A class of thirty on three workers: one run ends, the next in line begins, and two are near their ends."""
    near_end = [lane(replace(SPEC, seed=seed), step=208 + 16 * seed) for seed in range(2)]
    newcomer = lane(replace(SPEC, seed=2))
    assert limits(*near_end, newcomer) == [224 + 32, 208 + 32, 208 + 32]


@pytest.mark.parametrize(("cores", "held"), [(2, True), (3, False)])
def test_the_first_worker_waits_for_the_others_where_they_need_its_core(cores: int, held: bool) -> None:
    """Its run began while they still warmed up."""
    first, *late = [lane(replace(SPEC, likelihood=key)) for key in DECODERS]
    first.step = 208
    assert limits(first, *late, cores=cores)[0] == (32 if held else FREE)


@pytest.mark.parametrize(
    ("other", "created"),
    [
        ({"seed": 1}, 60.0),  # of another press
        ({"epochs": 21}, 0.1),  # longer
        ({"dataset": "mnist"}, 0.1),
        ({"hidden": (2048, 2048)}, 0.1),  # with more snapshots, for it is slow
    ],
)
def test_runs_that_are_not_lanes_of_one_press_do_not_wait_for_each_other(other: dict[str, Any], created: float) -> None:
    assert limits(lane(SPEC), lane(replace(SPEC, **other), created)) == [FREE, FREE]


def test_presses_do_not_wait_for_each_other() -> None:
    first, second = ([lane(replace(SPEC, likelihood=key), at) for key in DECODERS] for at in (100.0, 110.0))
    for one in first:
        one.step = 64
    assert limits(*second, *first) == [32] * 3 + [96] * 3


# ---- who waits


class Training:
    """A run in a thread, as a worker trains it; `waits` counts how often it began to wait."""

    def __init__(self, spec: RunSpec, token: str, abandoned: Any = lambda: False):
        self.sent: list[Any] = []
        self.ended: list[Ended] = []
        self.token = token

        def train() -> None:
            self.ended.append(worker.run_spec(spec.to_dict(), None, token, self.send, abandoned))

        self.thread = threading.Thread(target=train)

    def send(self, message: Any) -> None:
        self.sent.append(message)
        if len(self.sent) == 1:  # it has begun, and the engine sets the limit
            asyncio.run(worker.pace({self.token: 32}))

    @property
    def steps(self) -> list[int]:
        return [message.numbers["step"] for message in self.sent[1:]]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> itertools.count[int]:
    """Counts how often somebody has looked and waits on."""
    counter = itertools.count()
    wait = worker.TOLD.wait

    def counted(seconds: float) -> bool:
        next(counter)
        return wait(0.01)

    monkeypatch.setattr(worker.TOLD, "wait", counted)
    return counter


def waited(waits: itertools.count[int]) -> None:
    """Until it has looked ten times more, and gone on at none of them."""
    start = next(waits)
    wait_until(lambda: next(waits) > start + 500)


def test_a_lane_waits_at_its_limit_and_ends_as_if_alone(waits: itertools.count[int]) -> None:
    one = Training(SPEC, "waits-1")
    one.thread.start()
    wait_until(lambda: one.steps[-1:] == [32])
    waited(waits)
    assert one.steps == [0, 16, 32]
    asyncio.run(worker.pace({"waits-1": 64, "unknown": 1}))
    wait_until(lambda: one.steps[-1:] == [64])
    asyncio.run(worker.pace({"waits-1": FREE}))
    one.thread.join(60)
    (end,) = one.ended
    last = trained_here(SPEC)[-1]
    assert {**end.numbers, "seconds": 0} == {**numbers(last), "seconds": 0}
    assert worker.LIMITS == {}  # nothing is kept of a run that has ended, or that was never here


def test_a_lane_that_waits_can_be_stopped() -> None:
    one = Training(SPEC, "waits-2")
    one.thread.start()
    wait_until(lambda: one.steps[-1:] == [32])
    asyncio.run(worker.stop("waits-2"))
    one.thread.join(60)
    assert one.ended[0].message == "Stopped at step 32 of 240."
    assert "waits-2" not in worker.STOPPED


def test_a_lane_that_waits_notices_that_nobody_wants_it(waits: itertools.count[int]) -> None:
    dropped = threading.Event()
    one = Training(SPEC, "waits-3", dropped.is_set)
    one.thread.start()
    wait_until(lambda: one.steps[-1:] == [32])
    dropped.set()
    one.thread.join(60)
    assert one.ended[0].status == "stopped"


def test_a_word_that_is_lost_holds_nobody_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LONGEST_HOLD", 0.01)
    one = Training(SPEC, "waits-4")
    one.thread.start()
    one.thread.join(60)
    assert one.ended[0].status == "done"
