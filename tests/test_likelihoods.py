"""Each p(x|z,w) against torch.distributions, SciPy, quadrature, enumeration and sampling."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats
from torch import Tensor
from torch.distributions import constraints

from vae_core import LIKELIHOODS, load_dataset
from vae_core.likelihoods import GaussianIdentity, GaussianLearned, Likelihood
from vae_core.support import Support

SETTINGS: dict[str, list[dict[str, float]]] = {
    "gaussian_identity": [{}, {"sigma": 0.1}, {"sigma": 3.0}],
    "gaussian_learned": [{}, {"variance_floor": 0.5}],
    "laplace": [{}, {"scale": 0.1}],
}
SUPPORTS = {
    constraints.boolean: Support.BOOLEAN,
    constraints.unit_interval: Support.UNIT_INTERVAL,
    constraints.real: Support.REAL,
}
CASES = [
    pytest.param(key, settings, id="-".join([key, *(f"{k}={v}" for k, v in settings.items())]))
    for key in LIKELIHOODS
    for settings in SETTINGS.get(key, [{}])
]
every_case = pytest.mark.parametrize(("key", "settings"), CASES)
every_key = pytest.mark.parametrize("key", LIKELIHOODS)

# ln p of every pixel from raw numpy outputs f (..., n_outputs), written without any code of vae_core.
SCIPY = {
    "bernoulli": lambda f, x, _: stats.bernoulli.logpmf(x, special.expit(f)),
    "gaussian_identity": lambda f, x, s: stats.norm.logpdf(x, f, s.get("sigma", 1.0)),
    "gaussian_learned": lambda f, x, s: stats.norm.logpdf(
        x,
        f[..., : x.shape[-1]],
        np.sqrt(np.maximum(np.exp(f[..., x.shape[-1] :]), s.get("variance_floor", 1e-3))),
    ),
    "laplace": lambda f, x, s: stats.laplace.logpdf(x, f, s.get("scale", 1.0)),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(lik: Likelihood, *batch: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Outputs (*batch, n_outputs) of a decoder, and images (*batch, n_pixels) in the support and in [0,1]."""
    g = generator(seed)
    outputs = torch.randn(*batch, lik.n_outputs, generator=g, dtype=dtype)
    x = torch.rand(*batch, lik.n_pixels, generator=g, dtype=dtype)
    return outputs, x.round() if lik.kind == "mass" else x


@every_case
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_log_prob_is_the_sum_of_the_distributions(
    key: str, settings: dict[str, float], dtype: torch.dtype, tolerance: float
) -> None:
    lik = LIKELIHOODS[key](49, **settings)
    outputs, x = draw(lik, 32, dtype=dtype)
    expected = lik.distribution(3 * outputs).log_prob(x).sum(-1)
    actual = lik.log_prob(3 * outputs, x)
    assert actual.shape == (32,)
    assert actual.dtype == dtype
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@every_case
def test_log_prob_is_scipys(key: str, settings: dict[str, float]) -> None:
    lik = LIKELIHOODS[key](49, **settings)
    outputs, x = draw(lik, 32, seed=1)
    expected = SCIPY[key](3 * outputs.numpy(), x.numpy(), settings).sum(-1)
    np.testing.assert_allclose(lik.log_prob(3 * outputs, x).numpy(), expected, rtol=1e-12)


@every_case
def test_total_probability_is_one(key: str, settings: dict[str, float]) -> None:
    """A mass is summed over every image of four pixels; a density is integrated, pixel alone and pixels together."""
    n_pixels = 4 if LIKELIHOODS[key].kind == "mass" else 2
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
    torch.testing.assert_close(samples.std(0), stddev, rtol=0.02, atol=0)
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
    if key == "gaussian_learned":
        outputs[..., 49:] += 5  # the line has no floor: stay above it
    names: dict[str, Any] = {
        "torch": torch,
        "F": F,
        "math": math,
        "D": 49,
        "f": outputs,
        "x": x,
        "mu": outputs[..., :49],
        "log_var": outputs[..., 49:],
        "sigma": settings.get("sigma", 1.0),
        "b": settings.get("scale", 1.0),
    }
    torch.testing.assert_close(eval(lik.loss_line, names), -lik.log_prob(outputs, x))


@every_key
def test_every_decoder_says_what_it_is(key: str) -> None:
    kind = LIKELIHOODS[key]
    lik = kind(784)
    assert kind.name and kind.name == kind.name.strip()
    assert kind.symbol.startswith(r"p(x\mid z,w)=")
    assert kind.link.endswith("(f(z,w))") or kind.link.endswith("=f(z,w)")
    assert kind.loss_line
    support = lik.distribution(torch.zeros(lik.n_outputs)).support
    assert support is not None
    assert kind.support is SUPPORTS[support]
    assert kind.kind == lik.kind == ("mass" if kind.support in (Support.BOOLEAN, Support.LEVELS) else "density")
    assert all(isinstance(getattr(lik, setting), float) for setting in kind.settings)
    assert lik.n_pixels == 784


def test_names_are_different() -> None:
    for attribute in ("name", "symbol", "loss_line"):
        values = [getattr(kind, attribute) for kind in LIKELIHOODS.values()]
        assert len(set(values)) == len(values)


# ---- Bernoulli


@given(
    st.lists(
        st.tuples(st.floats(-(2.0**100), 2.0**100, width=32), st.sampled_from([0.0, 0.25, 1.0])),
        min_size=1,
        max_size=20,
    )
)
def test_bernoulli_stays_finite_on_extreme_logits(pixels: list[tuple[float, float]]) -> None:
    f = torch.tensor([logit for logit, _ in pixels], requires_grad=True)
    x = torch.tensor([value for _, value in pixels])
    log_prob = LIKELIHOODS["bernoulli"](len(pixels)).log_prob(f, x)
    log_prob.backward()
    assert f.grad is not None
    assert f.grad.isfinite().all()
    exact = sum(v * float(stats.logistic.logcdf(a)) + (1 - v) * float(stats.logistic.logsf(a)) for a, v in pixels)
    assert log_prob.item() == pytest.approx(exact, rel=1e-5, abs=1e-5)
    assert log_prob.item() <= 0


def test_bernoulli_on_grey_is_the_cross_entropy_with_its_minimum_at_x() -> None:
    lik = LIKELIHOODS["bernoulli"](3)
    x = torch.tensor([0.1, 0.5, 0.8], dtype=torch.float64)
    f = torch.logit(x).requires_grad_()
    log_prob = lik.log_prob(f, x)
    (gradient,) = torch.autograd.grad(log_prob, f)
    assert gradient.abs().max() < 1e-12
    entropy = stats.bernoulli(x.numpy()).entropy().sum()
    assert -log_prob.item() == pytest.approx(entropy)  # the floor is the pixels' own entropy, not 0


# ---- Gaussian, identity covariance


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


# ---- Gaussian, learned variance


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
