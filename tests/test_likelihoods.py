"""Each p(x|z,w) against torch.distributions, SciPy, quadrature, enumeration and sampling."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import integrate, special, stats
from torch import Tensor
from torch.distributions import constraints

from vae_core import LIKELIHOODS
from vae_core.likelihoods import Likelihood, Support
from vae_core.likelihoods.base import bin_around, level_of
from vae_core.likelihoods.on_levels import Levels

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "gaussian_identity": [{}, {"sigma": 0.1}, {"sigma": 3.0}],
    "gaussian_learned": [{}, {"variance_floor": 0.5}],
    "gaussian_shared": [{}, {"variance_floor": 0.5}],
    "laplace": [{}, {"scale": 0.1}],
    "discretized_logistic": [{}, {"levels": 2}, {"levels": 17}],
    "categorical": [{}, {"levels": 2}],
}
SUPPORTS = {
    type(constraints.boolean): Support.BOOLEAN,
    Levels: Support.LEVELS,
    type(constraints.unit_interval): Support.UNIT_INTERVAL,
    type(constraints.real): Support.REAL,
}
CASES = [
    pytest.param(key, settings, id="-".join([key, *(f"{k}={v}" for k, v in settings.items())]))
    for key in LIKELIHOODS
    for settings in SETTINGS.get(key, [{}])
]
every_case = pytest.mark.parametrize(("key", "settings"), CASES)
every_key = pytest.mark.parametrize("key", LIKELIHOODS)


def logistic_levels(f: np.ndarray, x: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    n = settings.get("levels", 256)
    d, k = x.shape[-1], np.round(x * (n - 1))
    mean, scale = f[..., :d], np.exp(np.maximum(f[..., d:], -9))
    upper = np.where(k == n - 1, np.inf, (k + 0.5) / (n - 1))
    lower = np.where(k == 0, -np.inf, (k - 0.5) / (n - 1))
    a, b = (lower - mean) / scale, (upper - mean) / scale
    a, b = np.where(a + b > 0, -b, a), np.where(a + b > 0, -a, b)  # in the tail where both are small
    return special.logsumexp(
        [special.log_expit(b), special.log_expit(a)], axis=0, b=[np.ones_like(a), -np.ones_like(a)]
    )


def softmax_levels(f: np.ndarray, x: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    n, d = settings.get("levels", 17), x.shape[-1]
    log_probs = special.log_softmax(f.reshape(*f.shape[:-1], n, d), axis=-2)
    return np.take_along_axis(log_probs, np.round(x * (n - 1)).astype(int)[..., None, :], -2)[..., 0, :]


# ln p of every pixel from raw numpy outputs f (..., n_outputs), written without any code of vae_core.
SCIPY = {
    "bernoulli": lambda f, x, _: stats.bernoulli.logpmf(x, special.expit(f)),
    "gaussian_identity": lambda f, x, s: stats.norm.logpdf(x, f, s.get("sigma", 1.0)),
    "gaussian_learned": lambda f, x, s: stats.norm.logpdf(
        x, f[..., : x.shape[-1]], np.sqrt(np.maximum(np.exp(f[..., x.shape[-1] :]), s.get("variance_floor", 1e-3)))
    ),
    "gaussian_shared": lambda f, x, s: stats.norm.logpdf(
        x, f[..., :-1], np.sqrt(np.maximum(np.exp(f[..., -1:]), s.get("variance_floor", 1e-3)))
    ),
    "laplace": lambda f, x, s: stats.laplace.logpdf(x, f, s.get("scale", 1.0)),
    # On [0,1] an exponential, cut off and turned round where it rises.
    "continuous_bernoulli": lambda f, x, _: np.where(
        f < 0, stats.truncexpon.logpdf(x, -f, 0, -1 / f), stats.truncexpon.logpdf(1 - x, f, 0, 1 / f)
    ),
    "discretized_logistic": logistic_levels,
    "categorical": softmax_levels,
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(lik: Likelihood, *batch: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Outputs (*batch, n_outputs) of a decoder, and images (*batch, n_pixels) in the support and in [0,1]."""
    g = generator(seed)
    outputs = torch.randn(*batch, lik.n_outputs, generator=g, dtype=dtype)
    x = torch.rand(*batch, lik.n_pixels, generator=g, dtype=dtype)
    levels = {Support.BOOLEAN: 2, Support.LEVELS: getattr(lik, "levels", 0)}.get(lik.support)
    return outputs, x if levels is None else level_of(x, levels) / (levels - 1)


@every_case
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_log_prob_is_the_sum_of_the_distributions(
    key: str, settings: dict[str, float], dtype: torch.dtype, tolerance: float
) -> None:
    lik = LIKELIHOODS[key](49, **settings)
    outputs, x = draw(lik, 32, dtype=dtype)
    exactly = lik.distribution(
        3 * outputs.double()
    )  # in float32 torch's continuous Bernoulli is a thousand times coarser
    expected = exactly.log_prob(x.double()).sum(-1).to(dtype)
    actual = lik.log_prob(3 * outputs, x)
    assert actual.shape == (32,)
    assert actual.dtype == dtype
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@every_case
def test_log_prob_is_scipys(key: str, settings: dict[str, float]) -> None:
    lik = LIKELIHOODS[key](49, **settings)
    outputs, x = draw(lik, 32, seed=1)
    expected = SCIPY[key](3 * outputs.numpy(), x.numpy(), settings).sum(-1)
    np.testing.assert_allclose(lik.log_prob(3 * outputs, x).numpy(), expected, rtol=1e-11)


@every_case
def test_total_probability_is_one(key: str, settings: dict[str, float]) -> None:
    """A mass is summed over every image of two pixels; a density is integrated, pixel alone and pixels together."""
    n_pixels = 2
    lik = LIKELIHOODS[key](n_pixels, **settings)
    outputs = torch.randn(1, lik.n_outputs, generator=generator(2), dtype=torch.float64)
    if lik.kind == "mass":
        levels = lik.distribution(outputs).enumerate_support(expand=False).flatten().tolist()
        images = torch.tensor(list(itertools.product(levels, repeat=n_pixels)), dtype=torch.float64)
        assert len(images) == len(levels) ** n_pixels
        assert lik.log_prob(outputs.expand(len(images), -1), images).exp().sum().item() == pytest.approx(1, abs=1e-12)
        return
    support = lik.distribution(outputs).support
    if support is constraints.real:
        spread = 12 * lik.stddev(outputs)[0]
        low, high = lik.mean(outputs)[0] - spread, lik.mean(outputs)[0] + spread
    else:
        assert support is constraints.unit_interval
        low, high = torch.zeros(2), torch.ones(2)

    one = LIKELIHOODS[key](1, **settings)
    f = torch.randn(1, one.n_outputs, generator=generator(2), dtype=torch.float64)
    centre = one.mean(f).item()
    reach = 20 * one.stddev(f).item()
    whole, _ = integrate.quad(
        lambda v: one.log_prob(f, torch.tensor([[v]], dtype=torch.float64)).exp().item(),
        centre - reach if support is constraints.real else 0.0,
        centre + reach if support is constraints.real else 1.0,
        points=[centre],
    )
    assert whole == pytest.approx(1, abs=1e-8)

    axes = [torch.linspace(a.item(), b.item(), 1601, dtype=torch.float64) for a, b in zip(low, high)]
    grid = torch.cartesian_prod(*axes)
    density = lik.log_prob(outputs.expand(len(grid), -1), grid).exp().reshape(1601, 1601)
    assert torch.trapezoid(torch.trapezoid(density, axes[1]), axes[0]).item() == pytest.approx(1, abs=1e-4)


@every_case
def test_samples_have_the_mean_the_spread_and_the_shape(key: str, settings: dict[str, float]) -> None:
    lik = LIKELIHOODS[key](6, **settings)
    outputs = torch.randn(lik.n_outputs, generator=generator(3), dtype=torch.float64)
    n = 40_000
    samples = lik.sample(outputs.expand(n, -1), generator(4))
    assert samples.shape == (n, 6)
    mean, stddev = lik.mean(outputs), lik.stddev(outputs)
    assert mean.shape == stddev.shape == (6,)
    assert ((samples.mean(0) - mean).abs() < 5 * stddev / math.sqrt(n)).all()
    torch.testing.assert_close(samples.std(0), stddev, rtol=0.02, atol=1e-3)
    distribution = lik.distribution(outputs)
    torch.testing.assert_close(mean, distribution.mean)
    torch.testing.assert_close(stddev, distribution.stddev)
    if lik.kind == "mass":
        assert set(samples.unique().tolist()) <= set(distribution.enumerate_support(expand=False).flatten().tolist())
    else:  # Kolmogorov and Smirnov: the whole shape, not two moments alone
        for pixel, u in enumerate(distribution.cdf(samples).T):
            assert stats.kstest(u.numpy(), "uniform").pvalue > 1e-3, pixel


@every_key
def test_samples_hang_on_their_generator_alone(key: str) -> None:
    lik = LIKELIHOODS[key](16)
    outputs, _ = draw(lik, 8)
    before = torch.get_rng_state()
    first, second, other = (lik.sample(outputs, generator(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@every_case
def test_gradients_are_those_of_finite_differences(key: str, settings: dict[str, float]) -> None:
    lik = LIKELIHOODS[key](5, **settings)
    outputs, x = draw(lik, 3, seed=7)
    outputs.requires_grad_()
    assert torch.autograd.gradcheck(lambda f: lik.log_prob(f, x), (outputs,))


@every_case
def test_many_draws_of_z_meet_one_batch_of_images(key: str, settings: dict[str, float]) -> None:
    lik = LIKELIHOODS[key](9, **settings)
    outputs, _ = draw(lik, 4, 3, seed=8)
    _, x = draw(lik, 3, seed=9)
    together = lik.log_prob(outputs, x)
    assert together.shape == (4, 3)
    for i, j in itertools.product(range(4), range(3)):
        alone = lik.log_prob(outputs[i, j], x[j])
        torch.testing.assert_close(together[i, j], alone)
    for verb in (lik.mean, lik.stddev, lik.sample):
        assert verb(outputs).shape == (4, 3, 9)


@every_key
def test_many_images_meet_one_output(key: str) -> None:
    """The protocol promises that the two broadcast, so either may have the more dimensions."""
    lik = LIKELIHOODS[key](9)
    outputs, _ = draw(lik, 3, seed=10)
    _, x = draw(lik, 5, 3, seed=11)
    expected = torch.stack([lik.log_prob(outputs, some) for some in x])
    torch.testing.assert_close(lik.log_prob(outputs, x), expected)


@every_case
def test_code_shown_to_people_is_minus_log_prob(key: str, settings: dict[str, float]) -> None:
    lik = LIKELIHOODS[key](49, **settings)
    outputs, x = draw(lik, 8, seed=12)
    if key in ("gaussian_learned", "gaussian_shared"):
        outputs[..., 49:] += 5  # the line has no floor: stay above it
    names: dict[str, Any] = {
        "torch": torch,
        "F": F,
        "math": math,
        "D": 49,
        "f": outputs,
        "x": x,
        "mu": outputs[..., :49],
        "log_var": outputs[..., 49:].squeeze(-1),
        "s": outputs[..., 49:].exp(),
        "n": getattr(lik, "levels", 2),
        "k": level_of(x, getattr(lik, "levels", 2)).long(),
        **dict(zip(("lower", "upper"), bin_around(x, getattr(lik, "levels", 2)))),
        "sigma": settings.get("sigma", 1.0),
        "b": settings.get("scale", 1.0),
    }
    # The line of the logistic is a plain difference, which loses digits in the tails.
    rtol = 1e-5 if key == "discretized_logistic" else 1e-7
    torch.testing.assert_close(eval(lik.loss_line, names), -lik.log_prob(outputs, x), rtol=rtol, atol=1e-7)


@every_key
def test_every_decoder_says_what_it_is(key: str) -> None:
    kind = LIKELIHOODS[key]
    lik = kind(784)
    assert kind.name and kind.name == kind.name.strip()
    assert kind.symbol.startswith(r"p(x\mid z,w)=")
    assert re.search(r"(=|=.*\()f\(z,w\)", kind.link)
    assert kind.loss_line
    support = lik.distribution(torch.zeros(lik.n_outputs)).support
    assert support is not None
    assert kind.support is SUPPORTS[type(support)]
    assert kind.kind == lik.kind == ("mass" if kind.support in (Support.BOOLEAN, Support.LEVELS) else "density")
    assert all(isinstance(getattr(lik, setting), float | int) for setting in kind.settings)
    assert lik.n_pixels == 784


def test_names_are_different() -> None:
    for attribute in ("name", "symbol", "loss_line"):
        values = [getattr(kind, attribute) for kind in LIKELIHOODS.values()]
        assert len(set(values)) == len(values)
