"""Training that stops and goes on is training that never stopped; what does not belong together is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training import (
    DIGITS,
    assert_same_end,
    assert_same_look,
    assert_same_tensors,
    curve,
    run,
    saved,
    small,
    stop_after,
)
from vae_core import LIKELIHOODS, RunSpec, train
from vae_core.catalogue import BINARIZE
from vae_core.checkpoint import Checkpoint
from vae_core.errors import CheckpointError, SpecError

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
@pytest.mark.parametrize("steps", [1, 5, 12, 15, 16, 17])
def test_stopped_and_resumed_is_uninterrupted(binarize: str, steps: int) -> None:
    """In mid-epoch, in mid-window, at an epoch's end and at a snapshot: 12 steps an epoch, a snapshot every 16."""
    spec = small(likelihood="gaussian_learned", binarize=binarize, epochs=3, mc_samples=2)
    before = run(spec, should_stop=stop_after(steps))
    assert (before[-1].status, before[-1].step) == ("stopped", steps)
    after = run(spec, resume=Checkpoint.from_bytes(saved(before[-1]).to_bytes()))
    once = run(spec)
    assert curve(before) + curve(after) == curve(once)
    assert_same_end(after[-1], once[-1])


def test_a_linear_run_goes_on_as_if_never_stopped() -> None:
    spec = small(likelihood="gaussian_shared", decoder="linear", epochs=3)
    before = run(spec, should_stop=stop_after(17))
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
