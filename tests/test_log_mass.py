"""The probability of a grey level under each decoder: against mpmath, SciPy, and itself; exact far out in the tails."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats

from vae_core import LIKELIHOODS
from vae_core.errors import LevelsError
from vae_core.feed import dequantized
from vae_core.likelihoods.gaussians import log_ndtr

LEVELS = [2, 3, 17, 256]
SHAPES: dict[str, dict[str, Any]] = {
    "categorical": {"levels": 256}
}  # so that every number of levels can be asked of it
every_key = pytest.mark.parametrize("key", LIKELIHOODS)


def able(key: str) -> list[int]:
    return [2] if key == "bernoulli" else LEVELS


CASES = [pytest.param(key, levels, id=f"{key}-{levels}") for key in LIKELIHOODS for levels in able(key)]
every_case = pytest.mark.parametrize(("key", "levels"), CASES)


def outputs_of(key: str, spread: float = 3.0, seed: int = 0, n_pixels: int = 6) -> tuple[Any, torch.Tensor]:
    lik = LIKELIHOODS[key](n_pixels, **SHAPES.get(key, {}))
    g = torch.Generator().manual_seed(seed)
    return lik, spread * torch.randn(4, lik.n_outputs, generator=g, dtype=torch.float64)


def all_levels(levels: int, n_pixels: int = 6) -> torch.Tensor:
    """(levels, 1, n_pixels)"""
    x = torch.arange(levels, dtype=torch.float64) / (levels - 1)
    return x[:, None, None].expand(-1, 1, n_pixels)


@every_case
def test_it_sums_to_1_over_the_levels(key: str, levels: int) -> None:
    lik, outputs = outputs_of(key)
    mass = lik.log_mass(outputs, all_levels(levels), levels).exp()
    assert mass.shape == (levels, 4, 6)
    torch.testing.assert_close(mass.sum(0), torch.ones(4, 6, dtype=torch.float64), rtol=0, atol=1e-12)


@every_case
def test_it_is_the_distributions_share_of_the_bin(key: str, levels: int) -> None:
    """By differences of torch's own cdf, or by counting: good enough where nothing is far out."""
    lik, outputs = outputs_of(key, spread=0.5, seed=1)
    x = all_levels(levels)
    found = lik.log_mass(outputs, x, levels).exp()
    distribution = lik.distribution(outputs)
    if lik.kind == "mass" and getattr(lik, "levels", 2) == levels:
        expected = distribution.log_prob(x).exp()
    elif key == "categorical":
        own = torch.arange(lik.levels, dtype=torch.float64) / (lik.levels - 1)
        nearest = np.round(own.numpy() * (levels - 1))
        of_own = distribution.log_probs.exp()  # (4, 6, 256)
        expected = torch.stack([of_own[..., torch.from_numpy(nearest == k)].sum(-1) for k in range(levels)])
    else:
        edges = (np.arange(levels - 1) + 0.5) / (levels - 1)
        if key == "discretized_logistic":
            scale = outputs[..., 6:].exp().numpy()
            below = [torch.from_numpy(stats.logistic.cdf(edge, outputs[..., :6].numpy(), scale)) for edge in edges]
        else:
            below = [distribution.cdf(torch.full((4, 6), edge, dtype=torch.float64)) for edge in edges]
        cdf = torch.stack([torch.zeros(4, 6).double(), *below, torch.ones(4, 6).double()])
        expected = cdf.diff(dim=0)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


def gaussian_bin(mean: float, sigma: float, lower: float | None, upper: float | None) -> float:
    """ln of the share between the edges, None for an open one, with fifty digits and more."""
    with mpmath.workdps(400):
        phi = lambda edge: mpmath.ncdf((mpmath.mpf(edge) - mpmath.mpf(mean)) / mpmath.mpf(sigma))
        high = 1 if upper is None else phi(upper)
        low = 0 if lower is None else phi(lower)
        return float(mpmath.log(high - low))


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("sigma", [0.01, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("far", [-30.0, -12.1, -11.9, -3.0, -0.2, 0.0, 0.2, 3.0, 11.9, 12.1, 30.0])
def test_a_gaussian_is_exact_thirty_standard_deviations_out(far: float, sigma: float, levels: int) -> None:
    for key in ("gaussian_identity", "gaussian_learned"):
        lik = LIKELIHOODS[key](1, **({"sigma": sigma} if key == "gaussian_identity" else {"variance_floor": 1e-8}))
        for k in {0, levels // 2, levels - 1}:
            mean = k / (levels - 1) + far * sigma
            f = [mean] if key == "gaussian_identity" else [mean, 2 * math.log(sigma)]
            outputs = torch.tensor([f], dtype=torch.float64, requires_grad=True)
            found = lik.log_mass(outputs, torch.tensor([[k / (levels - 1)]], dtype=torch.float64), levels)
            lower = None if k == 0 else (k - 0.5) / (levels - 1)
            upper = None if k == levels - 1 else (k + 0.5) / (levels - 1)
            expected = gaussian_bin(mean, sigma, lower, upper)
            assert found.item() == pytest.approx(expected, rel=1e-9, abs=1e-11), (key, k)
            (slope,) = torch.autograd.grad(found.sum(), outputs)
            assert slope.isfinite().all()


@pytest.mark.parametrize("far", [-30.0, -3.0, -0.4, 0.0, 0.4, 3.0, 30.0])
@pytest.mark.parametrize("scale", [0.001, 0.05, 1.0, 30.0])
@pytest.mark.parametrize("key", ["laplace", "discretized_logistic"])
def test_the_other_tails_are_exact_too(key: str, scale: float, far: float) -> None:
    cdf = {
        "laplace": lambda t: mpmath.exp(t) / 2 if t < 0 else 1 - mpmath.exp(-t) / 2,
        "discretized_logistic": lambda t: 1 / (1 + mpmath.exp(-t)),
    }[key]
    for k, levels in ((0, 256), (100, 256), (255, 256), (0, 2), (1, 2)):
        mean = k / (levels - 1) + far * scale
        if key == "laplace":
            lik, f = LIKELIHOODS[key](1, scale=scale), [mean]
        else:
            lik, f = LIKELIHOODS[key](1), [mean, math.log(scale)]
        found = lik.log_mass(
            torch.tensor([f], dtype=torch.float64), torch.tensor([[k / (levels - 1)]], dtype=torch.float64), levels
        )
        with mpmath.workdps(60):
            low, high = ((mpmath.mpf(k + d) / (levels - 1) - mpmath.mpf(mean)) / scale for d in (-0.5, 0.5))
            share = (1 if k == levels - 1 else cdf(high)) - (0 if k == 0 else cdf(low))
            expected = float(mpmath.log(share))
        assert found.item() == pytest.approx(expected, rel=1e-9, abs=1e-11), (k, levels)


@pytest.mark.parametrize("a", [-1000.0, -40.0, -0.6, -0.4, -1e-9, 0.0, 1e-9, 0.4, 0.6, 40.0, 1000.0])
def test_a_continuous_bernoulli_is_exact_at_any_slope(a: float) -> None:
    lik = LIKELIHOODS["continuous_bernoulli"](1)
    f = torch.tensor([[a]], dtype=torch.float64)
    with mpmath.workdps(600):
        steep = mpmath.mpf(a)
        inside = lambda low, high: (
            (mpmath.expm1(steep * high) - mpmath.expm1(steep * low)) / mpmath.expm1(steep) if a else high - low
        )
        for k, levels in ((0, 256), (1, 256), (128, 256), (255, 256), (0, 2), (1, 2)):
            low, high = (max(mpmath.mpf(0), min(mpmath.mpf(1), (k + d) / mpmath.mpf(levels - 1))) for d in (-0.5, 0.5))
            found = lik.log_mass(f, torch.tensor([[k / (levels - 1)]], dtype=torch.float64), levels).item()
            assert found == pytest.approx(float(mpmath.log(inside(low, high))), rel=1e-10, abs=1e-10), (k, levels)
        for x in (0.0, 0.3, 1.0):
            density = steep * mpmath.exp(steep * x) / mpmath.expm1(steep) if a else mpmath.mpf(1)
            found = lik.log_prob(f, torch.tensor([[x]], dtype=torch.float64)).item()
            assert found == pytest.approx(float(mpmath.log(density)), rel=1e-10, abs=1e-10), x
        mean = 1 / (1 - mpmath.exp(-steep)) - 1 / steep if a else mpmath.mpf("0.5")
        variance = 1 / steep**2 - 1 / (2 * mpmath.sinh(steep / 2)) ** 2 if a else mpmath.mpf(1) / 12
    assert lik.mean(f).item() == pytest.approx(float(mean), rel=1e-11)
    assert lik.stddev(f).item() == pytest.approx(float(mpmath.sqrt(variance)), rel=1e-9)


@every_case
def test_gradients_are_those_of_finite_differences(key: str, levels: int) -> None:
    lik, outputs = outputs_of(key, spread=1.0, seed=2, n_pixels=2)
    x = torch.rand(4, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f: lik.log_mass(f, x, levels), (outputs.requires_grad_(),))


@every_case
def test_float32_is_as_good_as_it_can_be(key: str, levels: int) -> None:
    lik, outputs = outputs_of(key, spread=1.0, seed=4)
    x = all_levels(levels)
    exact = lik.log_mass(outputs.float().double(), x, levels)
    found = lik.log_mass(outputs.float(), x.float(), levels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=5e-4)


@every_key
def test_noise_of_less_than_half_a_level_goes_away(key: str) -> None:
    lik, outputs = outputs_of(key)
    levels = able(key)[-1]
    x = all_levels(levels)
    noise = (torch.rand(x.shape, generator=torch.Generator().manual_seed(5)) - 0.5) * 0.98 / (levels - 1)
    assert torch.equal(lik.log_mass(outputs, x + noise, levels), lik.log_mass(outputs, x, levels))


@every_key
def test_many_draws_of_z_meet_one_batch_of_images(key: str) -> None:
    lik, outputs = outputs_of(key)
    levels = able(key)[-1]
    x = torch.rand(4, 6, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    together = lik.log_mass(torch.stack([outputs, outputs.flip(0)]), x, levels)
    assert together.shape == (2, 4, 6)
    torch.testing.assert_close(together[1], lik.log_mass(outputs.flip(0), x, levels))


def test_who_cannot_score_the_levels_says_so() -> None:
    outputs, x = torch.zeros(1, 3), torch.zeros(1, 3)
    with pytest.raises(LevelsError, match=r"one of 256 grey levels; allowed: 2, black and white.*254 probability 0"):
        LIKELIHOODS["bernoulli"](3).log_mass(outputs, x, 256)
    with pytest.raises(LevelsError, match=r"Categorical, 17 levels: .* 256 grey levels; allowed: 2 to 17"):
        LIKELIHOODS["categorical"](3).log_mass(torch.zeros(1, 51), x, 256)


@every_key
def test_masses_on_their_own_levels_are_their_log_prob(key: str) -> None:
    lik, outputs = outputs_of(key, seed=6)
    if lik.kind == "mass":
        levels = getattr(lik, "levels", 2)
        x = all_levels(levels)
        torch.testing.assert_close(lik.log_mass(outputs, x, levels).sum(-1), lik.log_prob(outputs, x))


def test_log_ndtr_is_torchs() -> None:
    t = torch.linspace(-40, 10, 20_001, dtype=torch.float64, requires_grad=True)
    expected = torch.special.log_ndtr(t)
    torch.testing.assert_close(log_ndtr(t), expected, rtol=1e-12, atol=1e-15)
    slopes = [torch.autograd.grad(one.sum(), t)[0] for one in (log_ndtr(t), expected)]
    torch.testing.assert_close(*slopes, rtol=1e-9, atol=1e-12)


def test_a_density_of_noisy_pixels_bounds_the_probability_of_their_levels() -> None:
    """E_u[ln p(x+u)] + ln(width) <= ln P, and without noise a density bounds nothing. Theis et al. 2016."""
    levels = 256
    x = all_levels(levels)[:, 0]
    for key in ("gaussian_learned", "continuous_bernoulli", "laplace"):
        lik = LIKELIHOODS[key](6)
        outputs = torch.zeros(1, lik.n_outputs, dtype=torch.float64)
        outputs[:, 6:] = -8.0
        if key == "continuous_bernoulli":
            outputs[:] = -300.0
        noisy = dequantized(x.expand(1000, *x.shape), levels, torch.Generator().manual_seed(7))
        assert noisy.min() >= 0 and noisy.max() <= 1
        width = torch.full((levels,), 1 / (levels - 1), dtype=torch.float64)
        width[[0, -1]] /= 2
        log_prob = lik.log_prob(outputs, noisy)  # (1000, levels)
        bound, error = log_prob.mean(0) + 6 * width.log(), log_prob.std(0) / math.sqrt(1000)
        mass = lik.log_mass(outputs, x, levels).sum(-1)
        assert (bound <= mass + 5 * error).all(), key
    sure = LIKELIHOODS["gaussian_learned"](1, variance_floor=1e-6)
    f = torch.tensor([[0.5, -20.0]], dtype=torch.float64)
    k = torch.tensor([[0.5]], dtype=torch.float64)
    in_bits = -(sure.log_prob(f, k) - math.log(255)) / math.log(2)
    assert in_bits.item() == pytest.approx(-0.64, abs=0.01)  # "bits" below zero: no probability
    assert sure.log_mass(f, k, 255).item() <= 0


@pytest.mark.parametrize("a", [-300.0, -20.0, -0.6, -1e-5, 0.0, 1e-5, 0.4, 20.0, 300.0])
def test_the_continuous_bernoullis_distribution_is_exact_where_torchs_clamps(a: float) -> None:
    distribution = LIKELIHOODS["continuous_bernoulli"](1).distribution(torch.tensor([a], dtype=torch.float64))
    for x in (0.0, 0.001, 0.3, 0.999, 1.0):
        with mpmath.workdps(300):
            share = mpmath.expm1(mpmath.mpf(a) * x) / mpmath.expm1(a) if a else mpmath.mpf(x)
        assert distribution.cdf(torch.tensor([x], dtype=torch.float64)).item() == pytest.approx(float(share), abs=1e-12)
    with mpmath.workdps(50):
        density = lambda x: (mpmath.mpf(a) * mpmath.exp(mpmath.mpf(a) * x) / mpmath.expm1(a)) if a else mpmath.mpf(1)
        entropy = -mpmath.quad(lambda x: density(x) * mpmath.log(density(x)), mpmath.linspace(0, 1, 40))
    assert distribution.entropy().item() == pytest.approx(float(entropy), abs=1e-9)
