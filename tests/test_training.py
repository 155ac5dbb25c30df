"""The training loop: repeatable, resumable, honest about divergence, and the same for all lanes but the likelihood."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.optim.optimizer import register_optimizer_step_post_hook

import vae_core.training
from vae_core import LIKELIHOODS, VAE, RunSpec, Snapshot, load_dataset, train
from vae_core.checkpoint import Checkpoint
from vae_core.data import BINARIZE, DATASETS, Dataset, split
from vae_core.errors import CheckpointError, SpecError
from vae_core.pictures import Pictures
from vae_core.training import CurvePoint, Feed, numbers, snapshot_stride

DIGITS = load_dataset("digits")
N_TRAIN = 1438  # of 1,797 digits, a fifth held out


def small(**changes: Any) -> RunSpec:
    return RunSpec(**{"dataset": "digits", "hidden": (32,), "latent_dim": 3, "epochs": 2, **changes})


def run(spec: RunSpec, **options: Any) -> list[Snapshot]:
    return list(train(spec, DIGITS, device="cpu", **options))


def saved(snapshot: Snapshot) -> Checkpoint:
    assert snapshot.checkpoint is not None
    return snapshot.checkpoint


def stop_after(steps: int) -> Callable[[], bool]:
    asked = itertools.count()
    return lambda: next(asked) >= steps


def curve(snapshots: list[Snapshot]) -> list[CurvePoint]:
    return [point for snapshot in snapshots for point in snapshot.curve]


def assert_same_tensors(a: Checkpoint, b: Checkpoint) -> None:
    assert a.tensors.keys() == b.tensors.keys()
    different = [name for name in a.tensors if not torch.equal(a.tensors[name], b.tensors[name])]
    assert different == []
    assert (a.step, a.window_steps) == (b.step, b.window_steps)


def assert_same_look(a: Snapshot, b: Snapshot) -> None:
    """Everything but the clock, exactly."""
    assert (a.step, a.images_seen, a.status, a.message) == (b.step, b.images_seen, b.status, b.message)
    assert a.held_out.means == b.held_out.means
    np.testing.assert_array_equal(a.held_out.kl_per_latent, b.held_out.kl_per_latent)
    assert a.held_out.sigma == b.held_out.sigma
    for name in Pictures.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(a.pictures, name), getattr(b.pictures, name), err_msg=name)


def assert_same_end(a: Snapshot, b: Snapshot) -> None:
    assert_same_look(a, b)
    assert_same_tensors(saved(a), saved(b))
    assert a.result is not None
    assert b.result is not None
    assert replace(a.result, images_per_second=0) == replace(b.result, images_per_second=0)


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
    assert [point.step for point in curve(snapshots)] == list(range(max(1, stride // 8), 97, max(1, stride // 8)))
    for snapshot in snapshots:
        assert all(point.step <= snapshot.step for point in snapshot.curve)
        means = snapshot.held_out.means
        assert means.elbo == means.reconstruction - means.kl
        assert means.kl == pytest.approx(snapshot.held_out.kl_per_latent.sum())
    assert snapshots[-1].images_seen == 8 * N_TRAIN

    first, last = snapshots[0].held_out.means, snapshots[-1].held_out.means
    assert last.elbo > first.elbo + 5  # it learns, on images it has not seen
    points = curve(snapshots)
    assert points[-1].reconstruction - points[-1].kl > points[0].reconstruction - points[0].kl + 5
    assert (snapshots[0].held_out.sigma is None) == (likelihood != "gaussian_learned")


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
    [RunSpec(), RunSpec(hidden=(2048, 2048), epochs=1), small(), small(batch_size=4096), RunSpec(mc_samples=64)],
    ids=["default", "wide", "digits", "large-batch", "many-draws"],
)
def test_snapshot_stride_is_a_power_of_two_for_all_lanes_and_lengths(spec: RunSpec) -> None:
    stride = snapshot_stride(spec)
    assert stride in (1, 2, 4, 8, 16, 32)
    for likelihood in LIKELIHOODS:
        assert snapshot_stride(replace(spec, likelihood=likelihood)) == stride
    assert snapshot_stride(replace(spec, epochs=1)) == stride


@pytest.mark.parametrize("mc_samples", [1, 8])
def test_snapshot_stride_ignores_a_wider_output_layer(mc_samples: int) -> None:
    """Over many sizes, so that some lie where a little more work would halve the stride."""
    for width in range(100, 1500, 50):
        spec = RunSpec(hidden=(width,), mc_samples=mc_samples, epochs=1)
        assert len({snapshot_stride(replace(spec, likelihood=key)) for key in LIKELIHOODS}) == 1


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


def test_live_numbers_are_of_some_held_out_images_and_the_result_of_all() -> None:
    """1,000 of MNIST's 2,500 here: blackening the others must move the result alone."""
    data = load_dataset("mnist")
    spec = RunSpec(
        dataset="mnist", hidden=(4,), latent_dim=2, epochs=1, held_out=0.5, batch_size=100, learning_rate=0.01
    )
    _, held_out = split(spec)
    images = data.images.copy()
    images[held_out[1000:]] = 0
    (*_, one), (*_, other) = (train(spec, some, device="cpu") for some in (data, replace(data, images=images)))
    assert one.result is not None
    assert other.result is not None
    assert one.held_out.means == other.held_out.means
    assert one.result.train == other.result.train
    assert abs(one.result.held_out.elbo - other.result.held_out.elbo) > 0.5
    assert_same_tensors(saved(one), saved(other))


def test_result_is_the_last_snapshots_where_all_held_out_images_are_live() -> None:
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
    assert (values["sigma"] is None) == (likelihood != "gaussian_learned")


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


# ---- going on as if never stopped


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("binarize", BINARIZE)
@pytest.mark.parametrize("batch_size", [100, 719], ids=["last-batch-is-short", "batches-divide"])
def test_two_halves_are_one_run(likelihood: str, binarize: str, batch_size: int) -> None:
    whole = small(likelihood=likelihood, binarize=binarize, batch_size=batch_size, epochs=4)
    half = whole.with_epochs(2)
    first = run(half)
    second = run(whole, resume=saved(first[-1]))
    once = run(whole)
    assert second[0].step == half.total_steps
    assert_same_end(second[-1], once[-1])
    assert curve(first) + curve(second) == curve(once)
    by_step = {s.step: s for s in once}
    common = [s for s in (*first[:-1], *second[1:]) if s.step in by_step]
    assert len(common) >= 2
    for snapshot in common:
        assert_same_look(snapshot, by_step[snapshot.step])


@pytest.mark.parametrize("binarize", BINARIZE)
@pytest.mark.parametrize("steps", [1, 5, 12, 17, 31, 32])
def test_stopped_and_resumed_is_uninterrupted(binarize: str, steps: int) -> None:
    """In mid-epoch, in mid-window, at an epoch's end and at a snapshot: 12 steps an epoch, a snapshot every 32."""
    spec = small(likelihood="gaussian_learned", binarize=binarize, epochs=3, mc_samples=2)
    before = run(spec, should_stop=stop_after(steps))
    assert (before[-1].status, before[-1].step) == ("stopped", steps)
    after = run(spec, resume=Checkpoint.from_bytes(saved(before[-1]).to_bytes()))
    once = run(spec)
    assert curve(before) + curve(after) == curve(once)
    assert_same_end(after[-1], once[-1])


def test_stopped_again_and_again_is_uninterrupted() -> None:
    spec = small(batch_size=300, epochs=2)
    checkpoint, snapshots = None, []
    for _ in range(spec.total_steps):
        snapshots += run(spec, resume=checkpoint, should_stop=stop_after(1))
        checkpoint = saved(snapshots[-1])
    once = run(spec)
    assert_same_tensors(checkpoint or saved(once[0]), saved(once[-1]))
    assert curve(snapshots) == curve(once)


def test_a_finished_run_resumed_is_that_run() -> None:
    end = run(small())[-1]
    again = run(small(), resume=saved(end))
    assert [s.status for s in again] == ["running", "done"]
    assert curve(again) == []
    assert_same_end(again[-1], end)


def test_a_setting_the_likelihood_does_not_use_is_no_obstacle() -> None:
    """A page that leaves sigma at 2 and trains a Bernoulli decoder must be able to go on with what it saved."""
    spec = small(likelihood="bernoulli", sigma=2.0, variance_floor=0.01)
    half = run(spec)[-1]
    longer = spec.with_epochs(3)
    *_, end = train(longer, DIGITS, device="cpu", resume=Checkpoint.from_bytes(saved(half).to_bytes()))
    assert end.status == "done"
    assert_same_end(end, run(longer)[-1])


# ---- stopping


def test_should_stop_is_asked_before_every_step() -> None:
    spec = small()
    asked = [0]

    def count() -> bool:
        asked[0] += 1
        return False

    run(spec, should_stop=count)
    assert asked[0] == spec.total_steps


@pytest.mark.parametrize("steps", [0, 1, 11, 12, 23])
def test_a_stop_keeps_the_steps_done(steps: int) -> None:
    last = run(small(), should_stop=stop_after(steps))[-1]
    assert last.status == "stopped"
    assert last.step == saved(last).step == steps
    assert last.message == f"Stopped at step {steps} of 24."
    assert last.result is not None
    assert math.isfinite(last.result.held_out.elbo)


# ---- divergence


def assert_finite_end(last: Snapshot, kept_step: int) -> None:
    assert last.status == "diverged"
    assert last.step == saved(last).step == kept_step
    assert all(tensor.double().isfinite().all() for tensor in saved(last).tensors.values())
    assert last.result is not None
    for means in (last.held_out.means, last.result.train, last.result.held_out):
        assert all(math.isfinite(value) for value in vars(means).values())
    assert all(math.isfinite(point.reconstruction + point.kl) for point in last.curve)
    json.dumps(numbers(last), allow_nan=False)
    assert "was no number any more by step" in last.message
    assert f"The weights of step {kept_step} are kept." in last.message
    assert "smaller learning rate" in last.message
    assert last.message.endswith(".")


# Four layers at the largest learning rate allowed: every likelihood overflows within a few steps, whatever the seed.
WILD: dict[str, Any] = {"hidden": (64,) * 4, "learning_rate": 1.0}


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_learning_rate_far_too_large_ends_as_diverged(likelihood: str) -> None:
    snapshots = run(small(likelihood=likelihood, epochs=10, **WILD))
    assert_finite_end(snapshots[-1], snapshots[-2].step)
    assert [s.status for s in snapshots[:-1]] == ["running"] * (len(snapshots) - 1)
    assert "(it was 1)" in snapshots[-1].message


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_a_run_that_overflows_in_its_last_step_ends_with_finite_numbers(likelihood: str, epochs: int) -> None:
    """One step an epoch, a curve point every four: the end comes before a curve point could show the overflow."""
    last = run(small(likelihood=likelihood, epochs=epochs, batch_size=1438, **WILD))[-1]
    if last.status == "done":
        assert math.isfinite(last.held_out.means.elbo)
    else:
        assert_finite_end(last, 0)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> list[VAE]:
    """The models that train() builds, so that a test can break one."""
    built: list[VAE] = []

    def build(spec: RunSpec) -> VAE:
        built.append(VAE(spec))
        return built[-1]

    monkeypatch.setattr(vae_core.training, "VAE", build)
    return built


def break_weights(vae: VAE, value: float) -> None:
    with torch.no_grad():
        next(vae.decoder.parameters()).fill_(value)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_divergence_goes_back_to_the_last_snapshots_weights(likelihood: str, value: float, models: list[VAE]) -> None:
    spec = small(likelihood=likelihood, epochs=8)
    snapshots: list[Snapshot] = []
    for snapshot in train(spec, DIGITS, device="cpu"):
        snapshots.append(snapshot)
        if snapshot.step == 64:
            break_weights(models[0], value)
    assert [s.step for s in snapshots] == [0, 32, 64, 64]
    assert_finite_end(snapshots[-1], 64)
    assert_same_tensors(saved(snapshots[-1]), saved(run(spec, should_stop=stop_after(64))[-1]))
    assert snapshots[-1].held_out.means == snapshots[-2].held_out.means


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("at", [1, 3, 4, 5])
def test_divergence_in_any_step_is_noticed_by_the_end(likelihood: str, at: int, models: list[VAE]) -> None:
    """Five steps, a curve point at the fourth: no later point would show the fifth's NaN."""
    asked = itertools.count(1)

    def breaking() -> bool:
        if next(asked) == at:
            break_weights(models[0], math.nan)
        return False

    assert_finite_end(run(small(likelihood=likelihood, batch_size=300, epochs=1), should_stop=breaking)[-1], 0)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize(("step", "kept"), [(31, 0), (32, 0), (64, 32), (70, 64), (96, 64)])
def test_an_update_that_breaks_the_weights_is_never_shown(
    likelihood: str, step: int, kept: int, models: list[VAE]
) -> None:
    """The loss of that step is still finite: at a snapshot or at the end only the weights tell."""
    steps = itertools.count(1)

    def after_update(*_: Any) -> None:
        if next(steps) == step:
            break_weights(models[0], math.nan)

    hook = register_optimizer_step_post_hook(after_update)
    try:
        snapshots = run(small(likelihood=likelihood, epochs=8))
    finally:
        hook.remove()
    assert [s.step for s in snapshots] == [*range(0, kept + 1, 32), kept]
    assert all(s.status == "running" and math.isfinite(s.held_out.means.elbo) for s in snapshots[:-1])
    assert_finite_end(snapshots[-1], kept)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_stop_after_divergence_is_a_divergence(likelihood: str, models: list[VAE]) -> None:
    asked = itertools.count(1)

    def breaking() -> bool:
        if next(asked) == 3:
            break_weights(models[0], math.nan)
            return True
        return False

    assert_finite_end(run(small(likelihood=likelihood), should_stop=breaking)[-1], 0)


# ---- lanes: only the likelihood differs


class Watched:
    """What goes through a run's encoder and decoder, in training steps and in pictures."""

    def __init__(self, spec: RunSpec, monkeypatch: pytest.MonkeyPatch, data: Dataset = DIGITS):
        self.x: list[Tensor] = []  # (batch, n_pixels) of each step
        self.eps: list[Tensor] = []  # (mc_samples, batch, latent_dim) of each step, from z = m + s eps
        self.prior_z: list[Tensor] = []  # (36, latent_dim) of each snapshot
        self.q = (torch.zeros(0), torch.zeros(0))
        encode, decode = VAE.encode, VAE.decode

        def watch_encode(vae: VAE, x: Tensor) -> tuple[Tensor, Tensor]:
            m, log_var = encode(vae, x)
            if torch.is_grad_enabled():
                self.x.append(x.clone())
                self.q = m.detach(), torch.exp(log_var.detach() / 2)
            return m, log_var

        def watch_decode(vae: VAE, z: Tensor) -> Tensor:
            if torch.is_grad_enabled():
                self.eps.append((z.detach() - self.q[0]) / self.q[1])
            elif z.shape == (36, spec.latent_dim):
                self.prior_z.append(z.clone())
            return decode(vae, z)

        with monkeypatch.context() as patch:
            patch.setattr(VAE, "encode", watch_encode)
            patch.setattr(VAE, "decode", watch_decode)
            self.snapshots = list(train(spec, data, device="cpu"))


@pytest.mark.parametrize("binarize", BINARIZE)
def test_lanes_share_batches_noise_and_the_z_of_the_grid(binarize: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lanes = {
        key: Watched(small(likelihood=key, binarize=binarize, batch_size=500, epochs=3), monkeypatch)
        for key in LIKELIHOODS
    }
    reference = lanes["bernoulli"]
    assert len(reference.x) == 9
    assert len(reference.prior_z) == 2
    assert torch.equal(reference.prior_z[0], reference.prior_z[1])  # the same at every snapshot
    for lane in lanes.values():
        assert len(lane.x) == len(reference.x)
        assert all(torch.equal(a, b) for a, b in zip(lane.x, reference.x))
        for one, other in zip(lane.eps, reference.eps, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)  # it was found by dividing
        assert all(torch.equal(a, b) for a, b in zip(lane.prior_z, reference.prior_z))
        ends = [saved(some.snapshots[-1]).tensors["generator"] for some in (lane, reference)]
        assert torch.equal(*ends)  # as many draws from the same stream
        np.testing.assert_array_equal(lane.snapshots[0].pictures.input, reference.snapshots[0].pictures.input)
    # Identity and learned covariance begin with the same means, so with the same grid.
    identity, learned = (lanes[key].snapshots[0].pictures for key in ("gaussian_identity", "gaussian_learned"))
    np.testing.assert_array_equal(identity.prior_mean, learned.prior_mean)
    np.testing.assert_array_equal(identity.mean, learned.mean)


def test_the_grids_z_is_from_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    z = torch.cat([Watched(small(seed=seed, latent_dim=8, epochs=1), monkeypatch).prior_z[0] for seed in range(10)])
    assert z.mean().item() == pytest.approx(0, abs=0.08)
    assert z.std().item() == pytest.approx(1, abs=0.06)
    assert len(z.unique(dim=0)) == 360


def test_every_epoch_visits_every_training_image_once_in_a_new_order(monkeypatch: pytest.MonkeyPatch) -> None:
    # An image's own number in its first three pixels: the batches then say which images they hold.
    number = np.arange(1797)
    images = np.zeros((1797, 64), np.uint8)
    images[:, 0], images[:, 1], images[:, 2] = number // 256, number // 16 % 16, number % 16
    spec = small(batch_size=100, epochs=3)
    batches = Watched(spec, monkeypatch, replace(DIGITS, images=images)).x
    assert [len(x) for x in batches] == ([100] * 14 + [38]) * 3
    seen = (torch.cat(batches)[:, :3] * 16) @ torch.tensor([256.0, 16.0, 1.0])
    epochs = seen.round().int().reshape(3, N_TRAIN).tolist()
    for order in epochs:
        assert sorted(order) == sorted(split(spec)[0].tolist())
    assert len({tuple(order) for order in epochs}) == 3
    assert sum(a == b for a, b in zip(*epochs[:2])) < 10  # shuffled anew: about one stays where it was


def test_noise_in_training_is_standard_normal_and_new_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    eps = Watched(small(mc_samples=2, epochs=3), monkeypatch).eps
    assert eps[0].shape == (2, 128, 3)
    everything = torch.cat([e.flatten() for e in eps])
    assert everything.mean().item() == pytest.approx(0, abs=0.03)
    assert everything.std().item() == pytest.approx(1, abs=0.02)
    draws = torch.stack([e[:, :28].reshape(2 * 28 * 3) for e in eps])  # (steps, what every step has)
    correlation = np.corrcoef(draws.numpy()) - np.eye(len(eps))
    assert np.abs(correlation).max() < 0.4


@pytest.mark.parametrize("binarize", BINARIZE)
def test_pixels_are_binarised_as_asked(binarize: str) -> None:
    feed = Feed(small(binarize=binarize), DIGITS, torch.device("cpu"))
    grey = DIGITS.images / 16
    indices = torch.arange(1797)
    draws = [feed.pixels(indices, torch.Generator().manual_seed(seed)).numpy() for seed in range(200)]
    assert draws[0].dtype == np.float32
    if binarize == "none":
        np.testing.assert_allclose(draws[0], grey, atol=1e-7)
        return
    assert set(np.unique(draws[0])) == {0.0, 1.0}
    if binarize == "threshold":
        np.testing.assert_array_equal(draws[0], grey > 0.5)
        return
    assert not np.array_equal(draws[0], draws[1])
    error = np.sqrt(grey * (1 - grey) / 200)
    assert (np.abs(np.mean(draws, 0) - grey) <= 6 * error).all()  # a pixel's chance of white is its grey value


def test_held_out_images_are_binarised_alike_every_time() -> None:
    feed = Feed(small(binarize="stochastic"), DIGITS, torch.device("cpu"))
    one, other = (torch.cat(list(feed.part(feed.held_out_part))) for _ in range(2))
    assert torch.equal(one, other)
    assert one.unique().tolist() == [0, 1]


# ---- the objective, written a second time


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("changes", [{}, {"beta": 0.3, "mc_samples": 3, "binarize": "stochastic", "batch_size": 400}])
def test_a_plain_loop_gives_the_same_weights_and_curve(
    likelihood: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same batches and noise, but torch.distributions, Adam as everybody writes it, and no windows."""
    spec = small(likelihood=likelihood, **changes)
    watched = Watched(spec, monkeypatch)
    snapshots = watched.snapshots
    vae = VAE(spec)
    optimiser = torch.optim.Adam(vae.parameters(), lr=spec.learning_rate, foreach=False, fused=False)
    terms = []
    for x, eps in zip(watched.x, watched.eps, strict=True):
        m, log_var = vae.encode(x)
        s = torch.exp(log_var / 2)
        kl = kl_divergence(Normal(m, s), Normal(torch.zeros_like(m), torch.ones_like(s))).sum(1)
        decoded = [vae.likelihood.distribution(vae.decode(m + s * some)) for some in eps]
        log_p = torch.stack([p.log_prob(x).sum(1) for p in decoded])
        objective = (log_p.mean(0) - spec.beta * kl).mean()
        optimiser.zero_grad()
        (-objective).backward()
        optimiser.step()
        terms.append((log_p.mean().item(), kl.mean().item()))
    assert len(terms) == spec.total_steps
    trained = saved(snapshots[-1]).model_state()
    for name, expected in vae.state_dict().items():
        torch.testing.assert_close(trained[name], expected, rtol=1e-3, atol=1e-5)
    initial = VAE(spec).state_dict()
    assert all((trained[name] - initial[name]).abs().max() > 1e-3 for name in initial)  # it has moved
    points = curve(snapshots)
    stride = snapshot_stride(spec) // 8
    assert [p.step for p in points] == list(range(stride, len(terms) + 1, stride))
    for point in points:
        window = np.mean(terms[point.step - stride : point.step], axis=0)
        assert (point.reconstruction, point.kl) == pytest.approx(tuple(window), rel=1e-4)


def test_beta_weighs_the_objective_and_nothing_that_is_reported() -> None:
    runs = {beta: run(small(beta=beta, epochs=4, learning_rate=3e-3)) for beta in (0.0, 1.0, 20.0)}
    assert len({snapshots[0].held_out.means for snapshots in runs.values()}) == 1  # before training: the same
    ends = {beta: snapshots[-1].held_out.means for beta, snapshots in runs.items()}
    assert ends[0.0].kl > ends[1.0].kl > ends[20.0].kl
    assert ends[0.0].reconstruction > ends[20.0].reconstruction
    for means in ends.values():
        assert means.elbo == means.reconstruction - means.kl  # with weight one, whatever beta


def test_beta_is_the_variance_of_a_gaussian() -> None:
    """1/2 SSE + beta KL has the gradients of a Gaussian with sigma^2 = beta, times beta; Adam divides by it."""
    weighed = run(small(likelihood="gaussian_identity", sigma=1.0, beta=0.25))[-1]
    fixed = run(small(likelihood="gaussian_identity", sigma=0.5, beta=1.0))[-1]
    for name, tensor in saved(fixed).model_state().items():  # 24 steps of 1e-3 each: they have moved 100 times further
        torch.testing.assert_close(saved(weighed).model_state()[name], tensor, rtol=1e-3, atol=2e-4)
    assert weighed.held_out.means.kl == pytest.approx(fixed.held_out.means.kl, rel=1e-3)
    assert weighed.held_out.means.mse == pytest.approx(fixed.held_out.means.mse, rel=1e-3)
    assert weighed.held_out.means.elbo != pytest.approx(fixed.held_out.means.elbo, rel=0.1)


# ---- what does not belong together


def test_data_of_another_set_are_refused() -> None:
    with pytest.raises(ValueError, match="the data are 'digits', the spec asks for 'mnist'"):
        next(train(RunSpec(dataset="mnist", epochs=1), DIGITS))


def test_a_device_that_is_not_here_is_refused() -> None:
    with pytest.raises(SpecError, match=r"device is 'tpu'; allowed on this machine: .*cpu\.") as caught:
        next(train(small(), DIGITS, device="tpu"))
    assert caught.value.field == "device"


@pytest.mark.parametrize(
    "changes",
    [
        {"likelihood": "gaussian_identity"},
        {"seed": 1},
        {"beta": 2.0},
        {"hidden": (16,)},
        {"latent_dim": 4},
        {"batch_size": 64},
        {"learning_rate": 2e-3},
        {"mc_samples": 2},
        {"binarize": "threshold"},
        {"held_out": 0.3},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_checkpoint_of_another_spec_is_refused(changes: dict[str, Any]) -> None:
    checkpoint = saved(run(small(epochs=1))[-1])
    with pytest.raises(ValueError, match="other settings than the epochs"):
        next(train(small(**changes), DIGITS, device="cpu", resume=checkpoint))


def test_a_checkpoint_beyond_the_epochs_asked_for_is_refused() -> None:
    """One epoch is not what two epochs' weights show: same spec, same result."""
    checkpoint = saved(run(small(epochs=2))[-1])
    with pytest.raises(ValueError, match="epochs"):
        next(train(small(epochs=1), DIGITS, device="cpu", resume=checkpoint))


def damaged(checkpoint: Checkpoint, name: str, value: Tensor | None) -> Checkpoint:
    tensors = {key: tensor for key, tensor in checkpoint.tensors.items() if key != name}
    return replace(checkpoint, tensors=tensors if value is None else {**tensors, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.encoder.0.weight", None),
        ("model.encoder.0.weight", torch.zeros(3)),
        ("model.extra", torch.zeros(3)),
        ("generator", None),
        ("generator", torch.zeros(7, dtype=torch.uint8)),
        ("generator", torch.zeros(5056)),
        ("window", None),
        ("window", torch.zeros(3, dtype=torch.float64)),
        ("adam.0.step", None),
        ("adam.0.exp_avg", None),
        ("adam.0.exp_avg", torch.zeros(3)),  # the fused step would write past its end
        ("adam.0.exp_avg_sq", torch.zeros(3)),
        ("adam.x.step", torch.zeros(())),
        ("adam.99.step", torch.zeros(())),
    ],
    ids=lambda value: value if isinstance(value, str) else str(None if value is None else list(value.shape)),
)
def test_a_checkpoint_that_does_not_fit_is_refused_before_any_step(name: str, value: Tensor | None) -> None:
    checkpoint = damaged(saved(run(small(epochs=1))[-1]), name, value)
    # No step is taken here: with moments of a wrong shape it would corrupt memory.
    with pytest.raises(CheckpointError, match="do not fit") as caught:
        next(train(small(), DIGITS, device="cpu", resume=checkpoint))
    assert str(caught.value).endswith("train it again.")


def test_a_checkpoint_without_its_optimiser_is_refused() -> None:
    """Going on with Adam's moments at zero would quietly be another run."""
    checkpoint = saved(run(small(epochs=1))[-1])
    bare = {name: tensor for name, tensor in checkpoint.tensors.items() if not name.startswith("adam.")}
    with pytest.raises(CheckpointError):
        next(train(small(), DIGITS, device="cpu", resume=replace(checkpoint, tensors=bare)))


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
