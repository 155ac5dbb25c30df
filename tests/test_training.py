"""The training loop: what comes out and when, and the same again from the same spec."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import vae_core.training
from tests.training import (
    DIGITS,
    N_TRAIN,
    assert_same_end,
    assert_same_look,
    assert_same_tensors,
    curve,
    run,
    saved,
    small,
    stop_after,
)
from vae_core import LIKELIHOODS, VAE, RunSpec, load_dataset, train
from vae_core.catalogue import BINARIZE, DATASETS
from vae_core.data import split
from vae_core.feed import Feed
from vae_core.runs.messages import numbers
from vae_core.spec import LIVE_IMAGES, curve_stride, snapshot_stride

# ---- what comes out, and when


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_run_from_first_snapshot_to_result(likelihood: str) -> None:
    spec = small(likelihood=likelihood, epochs=8, learning_rate=3e-3)
    snapshots = run(spec)
    stride = snapshot_stride(spec)
    assert spec.total_steps == 8 * 12
    assert [s.step for s in snapshots] == [*range(0, 96, stride), 96]
    assert [s.status for s in snapshots] == ["running"] * (len(snapshots) - 1) + ["done"]
    assert all(s.total_steps == 96 and s.message == "" for s in snapshots)
    assert all(s.checkpoint is None and s.result is None for s in snapshots[:-1])
    assert snapshots[-1].checkpoint is not None
    assert snapshots[-1].result is not None
    assert saved(snapshots[-1]).step == 96
    assert [point.step for point in curve(snapshots)] == list(range(curve_stride(spec), 97, curve_stride(spec)))
    for snapshot in snapshots:
        assert all(point.step <= snapshot.step for point in snapshot.curve)
        means = snapshot.held_out.means
        assert means.elbo == means.reconstruction - means.kl
        assert means.kl == pytest.approx(snapshot.held_out.kl_per_latent.sum())
    assert snapshots[-1].images_seen == 8 * N_TRAIN

    first, last = snapshots[0].held_out.means, snapshots[-1].held_out.means
    assert last.elbo > first.elbo + 3  # it learns, on images it has not seen
    points = curve(snapshots)
    assert points[-1].reconstruction - points[-1].kl > points[0].reconstruction - points[0].kl + 3
    assert (snapshots[0].held_out.sigma is not None) == (likelihood in ("gaussian_learned", "gaussian_shared"))


def test_first_snapshot_is_the_initial_model() -> None:
    spec = small()
    first = next(iter(train(spec, DIGITS, device="cpu")))
    assert (first.step, first.images_seen, first.curve, first.status) == (0, 0, [], "running")
    stopped = run(spec, should_stop=lambda: True)[-1]
    assert stopped.step == 0
    initial = VAE(spec).state_dict()
    assert all(torch.equal(saved(stopped).model_state()[name], initial[name]) for name in initial)


@pytest.mark.parametrize("batch_size", [100, 719, 1438, 4096])
def test_images_seen_counts_images(batch_size: int) -> None:
    spec = small(batch_size=batch_size, epochs=3)
    steps = math.ceil(N_TRAIN / batch_size)
    seen = [run(spec, should_stop=stop_after(n))[-1].images_seen for n in range(3 * steps + 1)]
    sizes = [min(batch_size, N_TRAIN - start) for start in range(0, N_TRAIN, batch_size)] * 3
    assert seen == [0, *itertools.accumulate(sizes)]


@pytest.mark.parametrize(
    "spec",
    [RunSpec(), RunSpec(hidden=(2048, 2048), epochs=1), small(), small(batch_size=4096), RunSpec(mc_samples=16)],
    ids=["default", "wide", "digits", "large-batch", "many-draws"],
)
def test_snapshot_stride_is_a_power_of_two_for_all_lanes_and_lengths(spec: RunSpec) -> None:
    stride = snapshot_stride(spec)
    assert stride in (1, 2, 4, 8, 16)
    for likelihood in LIKELIHOODS:
        assert snapshot_stride(replace(spec, likelihood=likelihood)) == stride
    assert snapshot_stride(replace(spec, epochs=1)) == stride


@pytest.mark.parametrize("mc_samples", [1, 8])
def test_snapshot_stride_ignores_a_wider_output_layer(mc_samples: int) -> None:
    """Over many sizes, so that some lie where a little more work would halve the stride."""
    for width in range(100, 1500, 50):
        spec = RunSpec(hidden=(width,), mc_samples=mc_samples, epochs=1)
        assert len({snapshot_stride(replace(spec, likelihood=key)) for key in LIKELIHOODS}) == 1


def test_a_default_run_is_seen_forty_times() -> None:
    assert 40 <= RunSpec().total_steps / snapshot_stride(RunSpec()) <= 60


def test_slow_steps_are_shown_more_often() -> None:
    strides = [snapshot_stride(RunSpec(hidden=(w,) * 3, epochs=1)) for w in (32, 512, 1024, 2048)]
    assert strides == sorted(strides, reverse=True)
    assert strides[0] > strides[-1]


def test_slow_steps_each_have_a_curve_point() -> None:
    """An eighth of a short stride would be less than a step."""
    spec = small(hidden=(128,), mc_samples=64, batch_size=1438, epochs=3)
    snapshots = run(spec)
    assert snapshot_stride(spec) < 8
    assert [point.step for point in curve(snapshots)] == [1, 2, 3]


def test_live_numbers_are_of_some_held_out_images_and_the_last_of_all() -> None:
    """Turning those that are not live must move the last snapshot and the result alone."""
    data = load_dataset("mnist")
    spec = RunSpec(
        dataset="mnist", hidden=(4,), latent_dim=2, epochs=1, held_out=0.5, batch_size=100, learning_rate=0.01
    )
    live = {image.numpy().tobytes() for image in Feed(spec, data).live()}
    others = [i for i in split(spec)[1] if data.scaled(i).tobytes() not in live]
    assert len(others) == 2500 - LIVE_IMAGES
    images = data.images.copy()
    others = [i for i in others if i not in split(spec)[1][:6]]  # which are in the pictures
    images[others] = images[others][:, ::-1]  # upside down, with as much ink
    one, other = (list(train(spec, some, device="cpu")) for some in (data, replace(data, images=images)))
    assert len(one) > 2
    for a, b in zip(one[:-1], other[:-1]):
        assert_same_look(a, b)
    assert one[-1].result is not None
    assert other[-1].result is not None
    assert one[-1].result.train == other[-1].result.train
    assert one[-1].held_out.means == one[-1].result.held_out != other[-1].result.held_out == other[-1].held_out.means
    assert_same_tensors(saved(one[-1]), saved(other[-1]))


def test_the_result_is_the_last_snapshots() -> None:
    last = run(small())[-1]
    assert last.result is not None
    assert last.result.held_out == last.held_out.means
    assert last.result.active_latents == last.held_out.active_latents


def test_training_never_sees_held_out_images() -> None:
    spec = small(likelihood="gaussian_learned", binarize="stochastic")
    images = DIGITS.images.copy()
    images[split(spec)[1]] = 16
    *_, other = train(spec, replace(DIGITS, images=images), device="cpu")
    assert_same_tensors(saved(run(spec)[-1]), saved(other))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_numbers_are_strict_json(likelihood: str) -> None:
    last = run(small(likelihood=likelihood))[-1]
    values = json.loads(json.dumps(numbers(last), allow_nan=False))
    assert values["step"] == last.step
    assert values["elbo"] == last.held_out.means.elbo
    assert values["kl_per_latent"] == last.held_out.kl_per_latent.tolist()
    assert values["active_latents"] == last.held_out.active_latents
    assert (values["sigma"] is not None) == (likelihood in ("gaussian_learned", "gaussian_shared"))


# ---- same spec, same result


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("binarize", BINARIZE)
def test_same_spec_same_run(likelihood: str, binarize: str) -> None:
    spec = small(likelihood=likelihood, binarize=binarize, epochs=4, mc_samples=2)
    torch.manual_seed(1)
    one = run(spec)
    torch.manual_seed(2)  # no chance may come from the global generators
    np.random.seed(2)
    other = run(spec)
    assert len(one) == len(other) > 2
    assert curve(one) == curve(other)
    for a, b in zip(one, other):
        assert_same_look(a, b)
    assert_same_end(one[-1], other[-1])


def test_seeds_give_other_runs() -> None:
    ends = [run(small(seed=seed))[-1].held_out.means.elbo for seed in range(3)]
    assert len(set(ends)) == 3


def test_training_leaves_the_global_generators_alone() -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"]
    run(small(binarize="stochastic", likelihood="gaussian_learned"))
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], numpy_before)


# ---- the clock, faked


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A clock that is a second later whenever it is read, so that a step takes one second."""
    clock = itertools.count(100)
    monkeypatch.setattr(vae_core.training, "time", SimpleNamespace(perf_counter=lambda: float(next(clock))))
    return clock


@pytest.mark.parametrize("batch_size", [100, 719, 1000, 4096])
def test_images_per_second_counts_images(batch_size: int, ticking: Iterator[int]) -> None:
    spec = small(batch_size=batch_size, epochs=3)
    last = run(spec)[-1]
    assert last.result is not None
    assert last.result.images_per_second == pytest.approx(last.images_seen / spec.total_steps)


def test_images_per_second_of_a_continued_run_is_of_its_own_steps(ticking: Iterator[int]) -> None:
    half = saved(run(small(batch_size=719, epochs=1))[-1])
    for epochs in (1, 4):
        last = run(small(batch_size=719, epochs=epochs), resume=half)[-1]
        assert last.result is not None
        assert last.result.images_per_second == pytest.approx(0 if epochs == 1 else 719)


def test_seconds_add_up_over_several_goes(ticking: Iterator[int]) -> None:
    first = run(small(epochs=2))
    second = run(small(epochs=4), resume=saved(first[-1]))
    seconds = [s.seconds for s in (*first, *second)]
    assert seconds == sorted(seconds)
    assert seconds[0] < seconds[-1]
    assert second[0].seconds >= saved(first[-1]).seconds == first[-1].seconds
    # Two readings a step, one a snapshot: the second go must not count the pause between the two.
    assert second[0].seconds - first[-1].seconds <= 2
    assert seconds[-1] >= 2 * 48


def test_every_data_set_can_be_fed() -> None:
    for name, info in DATASETS.items():
        if info.openml is None:
            spec = RunSpec(dataset=name, hidden=(4,), epochs=1, latent_dim=2, batch_size=4096)
            *_, last = train(spec, load_dataset(name), device="cpu")
            assert last.status == "done"
            assert last.pictures.input.shape == (6, info.side, info.side)
