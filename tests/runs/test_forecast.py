"""What runs are said to take before they are begun, and what they are said to be to others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.runs.stores import ended
from vae_core.runs.forecast import LONG_SECONDS, MEASURED, forecast, measured_pace
from vae_core.runs.store import Store
from vae_core.runs.turns import SLICE_SECONDS
from vae_core.spec import RunSpec, cost

DEFAULT = RunSpec()
LONG = RunSpec(batch_size=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def seconds_in(text: str) -> float:
    found = re.search(r"about (\d+) (s|minutes) of one core", text)
    assert found, text
    return float(found[1]) * (60 if found[2] == "minutes" else 1)


def test_a_short_wish_is_one_caption_and_says_that_it_is_a_guess(store: Store) -> None:
    needed, long = forecast(store, [DEFAULT], "ann")
    assert long == ""
    assert needed.startswith(f"{DEFAULT.total_steps:,} steps, about ")
    assert "(a guess, for none has been measured here yet)" in needed
    assert seconds_in(needed) == pytest.approx(cost(DEFAULT).seconds, abs=0.5)


def test_several_decoders_are_added_up(store: Store) -> None:
    specs = [DEFAULT, RunSpec(likelihood="gaussian_learned")]
    needed, _ = forecast(store, specs, "ann")
    assert needed.startswith(f"{DEFAULT.total_steps:,} steps each, about ")
    assert "for all 2" in needed and "The largest VAE" in needed
    assert seconds_in(needed) == pytest.approx(sum(cost(spec).seconds for spec in specs), abs=0.5)


def test_what_was_measured_here_counts_and_one_slow_run_does_not(store: Store) -> None:
    assert measured_pace(store) is None
    for seed in range(MEASURED):
        ended(store, seed, 9.0)
    for seed in range(100, 100 + MEASURED):  # the newest alone are asked
        ended(store, seed, 50.0 if seed == 100 else 3.0)
    assert measured_pace(store) == pytest.approx(3.0)
    needed, _ = forecast(store, [DEFAULT], "ann")
    assert "(at the speed measured here)" in needed
    assert seconds_in(needed) == pytest.approx(3.0 * cost(DEFAULT).seconds, abs=0.5)


def test_a_result_without_its_speed_or_a_damaged_one_measures_nothing(store: Store) -> None:
    ended(store, 0, 2.0)
    with store.change(DEFAULT.id) as db:
        db.execute("UPDATE runs SET result = ?", ('{"active_latents": 2}',))
    assert measured_pace(store) is None
    with store.change(DEFAULT.id) as db:
        db.execute("UPDATE runs SET result = ?", ("{",))
    assert measured_pace(store) is None


def test_a_long_wish_says_what_it_is_to_others(store: Store) -> None:
    assert cost(LONG).seconds > LONG_SECONDS
    _, long = forecast(store, [LONG], "ann")
    assert seconds_in(long) == pytest.approx(cost(LONG).seconds, abs=30)
    assert f"while others wait, it is set aside every {SLICE_SECONDS:.0f} s or sooner and goes on later" in long
    assert "Nobody else has a run in line or in training now." in long
    assert "they are set aside" in forecast(store, [LONG, LONG], "ann")[1]


def test_others_are_those_whom_this_learner_does_not_share_a_run_with(store: Store) -> None:
    said = lambda learner: forecast(store, [LONG], learner)[1].partition("Others have ")[2]
    for seed, learners in enumerate([("ann",), ("ann", "bob"), ("bob",), ("bob",)], 1):
        for learner in learners:
            store.queue(RunSpec(seed=seed), learner)
    store.begin(RunSpec(seed=3).id, -1)
    assert said("ann").startswith("2 runs in line or in training")
    assert said("bob").startswith("1 run in line")
    assert said("eve").startswith("4 runs")
    store.finish(RunSpec(seed=3).id, "done", "")
    assert said("ann").startswith("1 run in line")


def test_what_is_fast_here_is_not_long(store: Store) -> None:
    ended(store, 0, 0.1)
    assert forecast(store, [LONG], "ann")[1] == ""


def test_a_run_of_a_few_steps_measures_nothing(store: Store) -> None:
    ended(store, 0, 14.0, dataset="digits", hidden=(8,), epochs=2)
    assert measured_pace(store) is None
