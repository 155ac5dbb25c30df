"""A run whose numbers overflow goes back to its last finite weights."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

import vae_core.training
from tests.training import DIGITS, assert_same_tensors, run, saved, small, stop_after
from vae_core import LIKELIHOODS, VAE, RunSpec, Snapshot, train
from vae_core.runs.messages import numbers

# ---- divergence


def assert_finite_end(last: Snapshot, kept_step: int) -> None:
    assert last.status == "diverged"
    assert last.step == saved(last).step == kept_step
    assert all(tensor.double().isfinite().all() for tensor in saved(last).tensors.values())
    assert last.result is not None
    for means in (last.held_out.means, last.result.train, last.result.held_out):
        assert all(math.isfinite(value) for value in vars(means).values() if value is not None)
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
        if snapshot.step == 32:
            break_weights(models[0], value)
    assert [s.step for s in snapshots] == [0, 16, 32, 32]
    assert_finite_end(snapshots[-1], 32)
    assert_same_tensors(saved(snapshots[-1]), saved(run(spec, should_stop=stop_after(32))[-1]))
    assert snapshots[-1].pictures.exact.tolist() == snapshots[-2].pictures.exact.tolist()


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
@pytest.mark.parametrize(("step", "kept"), [(15, 0), (16, 0), (32, 16), (38, 32), (96, 80)])
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
    assert [s.step for s in snapshots] == [*range(0, kept + 1, 16), kept]
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
