"""Squared error as a Gaussian, and a learned variance with its floor, on a real image and in nats."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vae_core import LIKELIHOODS, load_dataset
from vae_core.likelihoods import GaussianIdentity, GaussianLearned


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digit() -> Tensor:
    data = load_dataset("mnist")
    return torch.from_numpy(data.scaled(np.array([17])))  # (1, 784)


def test_half_sse_plus_constant_is_the_unit_normal_on_a_real_image(digit: Tensor) -> None:
    lik = LIKELIHOODS["gaussian_identity"](784)
    mu = torch.rand(1, 784, generator=generator(13))
    constant = 0.5 * 784 * math.log(2 * math.pi)
    assert constant == pytest.approx(720.45, abs=0.005)
    expected = 0.5 * (digit - mu).square().sum(-1) + constant
    torch.testing.assert_close(-lik.log_prob(mu, digit), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(-torch.distributions.Normal(mu, 1).log_prob(digit).sum(-1), expected, rtol=1e-6, atol=0)


def test_gradient_of_minus_log_prob_is_mu_minus_x(digit: Tensor) -> None:
    mu = torch.rand(1, 784, generator=generator(14)).requires_grad_()
    (gradient,) = torch.autograd.grad(-LIKELIHOODS["gaussian_identity"](784).log_prob(mu, digit).sum(), mu)
    torch.testing.assert_close(gradient, (mu - digit).detach(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("sigma", "nats"), [(1.0, 724.4), (0.1, -692.8)])
def test_nats_of_mse_one_hundredth(digit: Tensor, sigma: float, nats: float) -> None:
    signs = torch.where(torch.rand(1, 784, generator=generator(15)) < 0.5, -1.0, 1.0)
    mu = digit + 0.1 * signs  # every pixel off by 0.1: MSE 0.01
    nll = -LIKELIHOODS["gaussian_identity"](784, sigma=sigma).log_prob(mu, digit)
    assert nll.item() == pytest.approx(nats, abs=0.05)


def test_best_single_variance_is_the_mean_squared_error(digit: Tensor) -> None:
    mu = torch.rand(1, 784, generator=generator(16))
    mse = (mu - digit).square().mean().item()

    def nll(variance: float) -> float:
        return -LIKELIHOODS["gaussian_identity"](784, sigma=math.sqrt(variance)).log_prob(mu, digit).item()

    assert nll(mse) < min(nll(0.9 * mse), nll(1.1 * mse))
    assert nll(mse) == pytest.approx(392 * (math.log(2 * math.pi * mse) + 1), rel=1e-5)


def test_a_perfect_mean_under_unit_sigma_is_worse_than_a_uniform_guess(digit: Tensor) -> None:
    nll = -LIKELIHOODS["gaussian_identity"](784).log_prob(digit, digit).item()
    assert nll / (784 * math.log(2)) + 8 == pytest.approx(9.33, abs=0.005)  # bits per dimension; 8 is the guess


def test_unit_sigma_leaves_the_grey_range_for_most_pixels() -> None:
    samples = LIKELIHOODS["gaussian_identity"](784).sample(torch.full((200, 784), 0.5), generator(17))
    assert ((samples < 0) | (samples > 1)).float().mean().item() == pytest.approx(0.617, abs=0.005)


@pytest.mark.parametrize(
    ("loss", "variance"),
    [
        (lambda mu, x: 0.5 * (x - mu).square().sum(), 1.0),
        (lambda mu, x: F.mse_loss(mu, x, reduction="sum") / len(x), 0.5),
        (lambda mu, x: F.mse_loss(mu, x), 392.0),
    ],
    ids=["half-sse", "sum-over-batch", "mean-over-pixels"],
)
def test_which_variance_a_loss_assumed(digit: Tensor, loss: Any, variance: float) -> None:
    mu = torch.rand(1, 784, generator=generator(18)).requires_grad_()
    lik = LIKELIHOODS["gaussian_identity"](784, sigma=math.sqrt(variance))
    (of_loss,) = torch.autograd.grad(loss(mu, digit), mu)
    (of_likelihood,) = torch.autograd.grad(-lik.log_prob(mu, digit).sum(), mu)
    torch.testing.assert_close(of_loss, of_likelihood, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("floor", [1e-8, 1e-3, 0.25, 1.0])
def test_sigma_stops_at_the_floor(floor: float) -> None:
    lik = GaussianLearned(1, variance_floor=floor)
    asked = torch.linspace(-40, 6, 461, dtype=torch.float64)  # log-variances
    outputs = torch.stack([torch.zeros_like(asked), asked], -1)
    sigma = lik.stddev(outputs).squeeze(-1)
    expected = np.sqrt(np.maximum(np.exp(asked.numpy()), floor))
    np.testing.assert_allclose(sigma.numpy(), expected, rtol=1e-12)
    on_floor = lik.on_floor(outputs)
    assert on_floor.shape == (461, 1)
    assert on_floor.dtype == torch.bool
    np.testing.assert_array_equal(on_floor.squeeze(-1).numpy(), np.exp(asked.numpy()) <= floor)
    assert on_floor.any()
    assert not on_floor.all()


@pytest.mark.parametrize("floor", [1e-8, 1e-3, 1.0])
def test_the_floor_bounds_the_density(floor: float) -> None:
    """Without a floor ln p has no upper bound as sigma goes to 0."""
    lik = GaussianLearned(784, variance_floor=floor)
    bound = -392 * math.log(2 * math.pi * floor)
    for log_var in (-1e6, -100.0, -20.0, -1.0, 10.0):
        outputs = torch.cat([torch.zeros(784), torch.full((784,), log_var)])
        assert lik.stddev(outputs).min() >= math.sqrt(floor) * (1 - 1e-5)
        at_the_mean = lik.log_prob(outputs, torch.zeros(784)).item()
        assert at_the_mean <= bound + 1e-5 * abs(bound)
        assert lik.log_prob(outputs, torch.full((784,), 0.5)).item() < at_the_mean
    lowest = torch.cat([torch.zeros(784), torch.full((784,), -1e6)])
    assert lik.log_prob(lowest, torch.zeros(784)).item() == pytest.approx(bound, rel=1e-5)


def test_learned_variance_at_one_is_the_identity_covariance() -> None:
    x = torch.rand(4, 784, generator=generator(19))
    mu = torch.rand(4, 784, generator=generator(20))
    learned = GaussianLearned(784).log_prob(torch.cat([mu, torch.zeros(4, 784)], -1), x)
    torch.testing.assert_close(learned, GaussianIdentity(784).log_prob(mu, x))


def test_best_learned_variance_is_the_squared_residual() -> None:
    residual = torch.tensor([[0.05, 0.2, 0.7]], dtype=torch.float64)
    log_var = residual.square().log().requires_grad_()
    lik = GaussianLearned(3, variance_floor=1e-6)
    log_prob = lik.log_prob(torch.cat([torch.zeros(1, 3, dtype=torch.float64), log_var], -1), residual)
    (gradient,) = torch.autograd.grad(log_prob.sum(), log_var)
    assert gradient.abs().max() < 1e-12
