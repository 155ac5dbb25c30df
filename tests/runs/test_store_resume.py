"""A run goes on from what the store has of it, or of a shorter one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.runs.stores import SPEC, feed, found, sql, steps_of, trained
from vae_core.runs.store import Store


def test_the_furthest_usable_run_of_the_same_settings_is_the_prefix(store: Store) -> None:
    five, ten, fifteen, thirty = (SPEC.with_epochs(n) for n in (5, 10, 15, 30))
    trained(store, five)
    assert (found := store.prefix(SPEC)) is not None
    assert found.id == five.id
    trained(store, ten, end=70, status="stopped")
    trained(store, fifteen, end=65, status="stopped")
    trained(store, replace(ten, seed=5))  # other settings
    trained(store, replace(fifteen, likelihood="gaussian_learned"))
    trained(store, thirty, end=241, status="stopped")  # a step too far
    assert (found := store.prefix(SPEC)) is not None
    assert (found.id, found.step) == (ten.id, 70)
    assert (found := store.prefix(thirty)) is not None
    assert found.id == thirty.id
    assert (found := store.prefix(five)) is not None
    assert found.id == five.id  # 70 steps are ten too many for it


@pytest.mark.parametrize("status", ["queued", "running", "diverged", "failed"])
def test_only_done_and_stopped_runs_are_gone_on_from(store: Store, status: Any) -> None:
    ten = SPEC.with_epochs(10)
    trained(store, ten, status=status)
    assert store.prefix(SPEC) is None
    store.finish(ten.id, "stopped", "")
    assert store.prefix(SPEC) is not None


def test_a_run_without_weights_or_steps_is_not_gone_on_from(store: Store) -> None:
    ten = SPEC.with_epochs(10)
    trained(store, ten, end=0, status="stopped")
    assert store.prefix(SPEC) is None
    trained(store, ten, end=60, status="stopped")
    assert store.prefix(SPEC) is not None
    store.weights_path(ten.id).unlink()
    assert store.prefix(SPEC) is None


def test_a_setting_that_the_likelihood_does_not_use_makes_no_other_family(store: Store) -> None:
    trained(store, SPEC.with_epochs(10))
    assert store.prefix(replace(SPEC, sigma=3.0)) is not None
    assert store.prefix(replace(SPEC, beta=3.0)) is None


def test_a_longer_run_begins_with_the_history_of_the_shorter(store: Store) -> None:
    ten = SPEC.with_epochs(10)  # 120 steps
    trained(store, ten)
    run = store.queue(SPEC)
    assert (run.status, run.step, run.total_steps, run.images_seen) == ("queued", 120, 240, 12_000)
    assert run.seconds == 15.0
    store.begin(SPEC.id, 120)
    assert steps_of(store, SPEC) == steps_of(store, ten) == [0, 32, 64, 96, 120]
    assert store.curve(SPEC.id) == store.curve(ten.id)
    assert store.pictures(SPEC.id, 96) == store.pictures(ten.id, 96) != {}
    feed(store, SPEC, 120, 240)
    once = Store(store.folder / "once")
    trained(once, SPEC)
    assert store.history(SPEC.id) == once.history(SPEC.id)  # the shorter run's last snapshot was off the grid
    assert store.curve(SPEC.id) == once.curve(SPEC.id)
    assert steps_of(store, ten) == [0, 32, 64, 96, 120]


@pytest.mark.parametrize("at", [1, 31, 32, 50, 239])
def test_a_stopped_run_goes_on_from_its_own_history(store: Store, at: int) -> None:
    trained(store, SPEC, end=at, status="stopped")
    run = store.queue(SPEC)
    assert (run.step, run.images_seen, run.attempt) == (at, 100 * at, 2)
    store.begin(SPEC.id, at)
    feed(store, SPEC, at, 240)
    once = Store(store.folder / "once")
    trained(once, SPEC)
    assert store.history(SPEC.id) == once.history(SPEC.id)
    assert store.curve(SPEC.id) == once.curve(SPEC.id)
    assert sql(store, "SELECT step, name FROM pictures") == sql(once, "SELECT step, name FROM pictures")


def test_a_stopped_run_in_line_again_says_how_far_it_will_go_on_from(store: Store) -> None:
    """Stopped at 50; meanwhile a shorter run of the same settings got to 120, and that is where it goes on."""
    trained(store, SPEC, end=50, status="stopped")
    trained(store, SPEC.with_epochs(10))
    run = store.queue(SPEC)
    assert steps_of(store, SPEC) == [0, 32, 64, 96, 120]
    assert (run.step, run.images_seen, run.seconds) == (120, 12_000, 15.0)


def test_begin_drops_what_an_earlier_try_left_beyond(store: Store) -> None:
    store.queue(SPEC)
    store.begin(SPEC.id, -1)
    feed(store, SPEC, 0, 100)
    store.begin(SPEC.id, 64)
    assert steps_of(store, SPEC) == [0, 32, 64]
    assert [point[0] for point in store.curve(SPEC.id)] == list(range(4, 65, 4))
    assert store.pictures(SPEC.id, 64) != {}
    assert store.pictures(SPEC.id, 96) == {}
    store.begin(SPEC.id, -1)
    assert store.history(SPEC.id) == []
    assert store.curve(SPEC.id) == []
    assert sql(store, "SELECT * FROM pictures") == []


def test_an_earlier_end_is_forgotten_when_a_run_starts_again(store: Store) -> None:
    """A spectator of the second try must not be shown the first one's end as its result."""
    trained(store, SPEC, end=50, status="stopped")
    assert found(store, SPEC).result is not None
    assert store.queue(SPEC).result is None
