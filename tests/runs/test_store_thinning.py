"""The store stays small: what is thinned away, and when."""

from __future__ import annotations

import math

from hypothesis import given, strategies as st

from tests.runs.conftest import small
from tests.runs.stores import MAX_CURVE, MAX_SNAPSHOTS, NAMES, progress, sql, steps_of
from vae_core.runs.store import Store
from vae_core.runs.thinning import keep_stride


@given(st.integers(0, 10**9), st.integers(1, 4096), st.integers(2, 1000))
def test_keep_stride_is_the_smallest_that_is_few_enough(step: int, stride: int, most: int) -> None:
    keep = keep_stride(step, stride, most)
    doublings = math.log2(keep / stride)
    assert doublings == int(doublings) >= 0
    assert len({*range(0, step, keep), step} if step // keep < 2000 else "too many" * 1000) <= most
    if keep > stride:
        assert step // (keep // 2) + 2 > most  # one doubling fewer would not do


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=30), st.sampled_from([1, 2, 8, 32]))
def test_what_is_thinned_away_is_never_wanted_later(steps: list[int], stride: int) -> None:
    """Each grid is a part of the one before, so that a run's history is the same however it got there."""
    grids = [keep_stride(step, stride, MAX_SNAPSHOTS) for step in sorted(steps)]
    assert all(later % earlier == 0 for earlier, later in zip(grids, grids[1:]))


def test_five_thousand_snapshots_stay_few_and_regular(store: Store) -> None:
    stride, curve_stride = 32, 4
    spec = small(epochs=10_000, batch_size=64)
    store.queue(spec)
    store.begin(spec.id, -1)
    last = 5000 * stride + 7
    for i, step in enumerate([*range(0, last, stride), last]):
        store.add_snapshot(spec, progress(step, since=max(0, step - 1) // stride * stride))
        if i % 97 and i not in (198, 199, 200, 5000, 5001):
            continue
        steps = steps_of(store, spec)
        assert len(steps) <= MAX_SNAPSHOTS
        assert steps[0] == 0
        assert steps[-1] == step
        grid = steps[1] if len(steps) > 2 else stride
        assert steps == sorted({*range(0, step, grid), step})
        assert i < 190 or len(steps) > MAX_SNAPSHOTS / 2 - 1  # thinned no more than must be
        assert {row[0] for row in sql(store, "SELECT DISTINCT step FROM pictures")} == set(steps)
        curve = store.curve(spec.id)
        assert len(curve) <= MAX_CURVE
        grid = curve[0][0] if curve else curve_stride
        newest = {step} if i and step % curve_stride == 0 else set()
        assert [point[0] for point in curve] == sorted({*range(grid, step + 1, grid)} | newest)
        assert i < 130 or len(curve) > MAX_CURVE / 2 - 2
        assert all(point == (point[0], -point[0] / 3, point[0] / 7) for point in curve)
    assert i == 5001
    assert sql(store, "SELECT count(*) FROM pictures")[0][0] == len(NAMES) * len(steps)
    assert store.pictures(spec.id, last)["mean"] == f"mean at {last}".encode()
    assert store.path.stat().st_size < 2e6  # what was deleted is used again
