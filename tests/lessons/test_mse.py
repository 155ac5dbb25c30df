"""The squared error is a Gaussian, against torch.distributions, SciPy and finite differences; and the shipped runs."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from pages.shared.words import Parts
from vae_core import load_dataset
from vae_core.checkpoint import load_vae
from vae_core.data import split
from vae_core.elbo import elbo_terms
from vae_core.folders import ASSETS
from vae_core.lessons.mse import (
    HeldOut,
    Summary,
    fit,
    held_out,
    histogram,
    identity,
    reconstruct,
    saved_by_two_sigmas,
    share_outside,
    summarise,
)
from vae_core.measures import trend
from vae_core.model import VAE
from vae_core.shipped import SIGMA_SPECS, SPECS, shipped_weights

SPEC = SPECS["gaussian_identity"]
RUNS = [*SIGMA_SPECS.values(), SPECS["gaussian_learned"]]


def vae_of(spec) -> VAE:
    weights = shipped_weights(spec)
    assert weights is not None
    return load_vae(weights)


@pytest.fixture(scope="module")
def images() -> HeldOut:
    return held_out(SPEC)


@pytest.fixture(scope="module")
def mu(images: HeldOut) -> torch.Tensor:
    return reconstruct(vae_of(SPEC), images.x)  # (1000, 784)


@pytest.fixture(scope="module")
def summaries() -> list[Summary]:
    return [summarise(vae_of(spec)) for spec in RUNS]


# The images ----------------------------------------------------------------------------------------------------------


def test_the_images_are_those_held_out(images: HeldOut) -> None:
    data, (train, held) = load_dataset("mnist"), split(SPEC)
    assert torch.equal(images.x, torch.from_numpy(data.images[held] > 127).float())
    assert (images.labels == data.labels[held]).all()
    assert (images.never_lit.numpy() == (data.images[train] <= 127).all(0)).all()


# One image: the identity ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 7, 500])
def test_half_sse_and_the_constant_are_the_nll(images: HeldOut, mu: torch.Tensor, number: int) -> None:
    x, mean = images.x[number], mu[number]
    both = identity(x.double(), mean.double())
    by_scipy = -stats.norm(mean.double(), 1.0).logpdf(x.double()).sum()
    assert both.nll == pytest.approx(by_scipy, rel=1e-12)
    assert both.loss == pytest.approx(by_scipy, rel=1e-12)
    assert both.nll_core == pytest.approx(by_scipy, rel=1e-12)
    assert both.half_sse == pytest.approx(0.5 * float(np.square(x.numpy().astype(float) - mean.numpy()).sum()))
    assert both.constant == pytest.approx(720.45, abs=5e-3)  # D = 784
    assert abs(both.difference) < 1e-11
    single = identity(x, mean)
    assert single.nll == pytest.approx(by_scipy, rel=1e-6)
    assert abs(single.difference) <= 8 * single.spacing  # as near as float32 can come
    assert single.spacing == 2**-14  # of a float32 between 512 and 1024


def test_both_gradients_are_mu_minus_x(images: HeldOut, mu: torch.Tensor) -> None:
    for x, mean in ((images.x[3], mu[3]), (images.x[3].double(), mu[3].double())):
        both = identity(x, mean)
        torch.testing.assert_close(both.loss_gradient, mean - x)
        torch.testing.assert_close(both.nll_gradient, mean - x)
        assert both.gradient_difference == float((both.loss_gradient - both.nll_gradient).abs().max())
        assert both.gradient_difference <= torch.finfo(x.dtype).eps


def test_the_gradient_is_the_slope() -> None:
    generator = torch.Generator().manual_seed(0)
    x, mu = torch.rand(2, 5, generator=generator, dtype=torch.float64)
    slope = optimize.approx_fprime(mu.numpy(), lambda at: identity(x, torch.from_numpy(at)).nll, 1e-6)
    np.testing.assert_allclose(identity(x, mu).nll_gradient, slope, atol=1e-5)


# One image: sigma ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.01, 0.1, 0.5, 1.0, 3.0])
def test_nll_of_sigma_is_that_of_scipy(images: HeldOut, mu: torch.Tensor, sigma: float) -> None:
    x, mean = images.x[4].double(), mu[4].double()
    expected = -stats.norm(mean, sigma).logpdf(x).sum()
    assert fit(x - mean).nll(sigma) == pytest.approx(expected, rel=1e-12)


def test_the_best_sigma_is_the_root_of_the_mse(images: HeldOut, mu: torch.Tensor) -> None:
    for number in (0, 10, 999):
        found = fit((images.x - mu)[number])
        searched = optimize.minimize_scalar(found.nll, bounds=(0.01, 3), method="bounded", options={"xatol": 1e-9})
        assert found.best_sigma == pytest.approx(searched.x, rel=1e-5)
        assert found.least_nll == pytest.approx(found.nll(found.best_sigma), rel=1e-12)
        assert found.excess(1.0) == pytest.approx(found.nll(1.0) - searched.fun, rel=1e-9)
        assert found.excess(found.best_sigma) == pytest.approx(0, abs=1e-9)


def test_an_mse_of_a_hundredth() -> None:
    """The example that the page's words use: 724.4 nats under sigma = 1, -692.8 under sigma = 0.1."""
    found = fit(torch.full((784,), 0.1, dtype=torch.float64))
    assert found.nll(1.0) == pytest.approx(724.4, abs=0.05)
    assert found.nll(0.1) == pytest.approx(-692.8, abs=0.05)


def test_two_sigmas_save_what_the_likelihood_ratio_says() -> None:
    generator = torch.Generator().manual_seed(1)
    residual = torch.randn(100, generator=generator, dtype=torch.float64)
    group = torch.arange(100) < 30
    residual[group] *= 0.01
    a, b, both = (residual[part].square().mean().sqrt() for part in (group, ~group, torch.ones(100, dtype=torch.bool)))
    one = stats.norm(0, float(both)).logpdf(residual).sum()
    two = stats.norm(0, float(a)).logpdf(residual[group]).sum() + stats.norm(0, float(b)).logpdf(residual[~group]).sum()
    assert saved_by_two_sigmas(residual, group) == pytest.approx(two - one, rel=1e-10)
    assert two > one


def test_the_histogram_is_a_density() -> None:
    generator = torch.Generator().manual_seed(2)
    residual = 0.3 * torch.randn(200_000, generator=generator, dtype=torch.float64)
    found = histogram(residual)
    assert sum(found.counts) == 200_000
    assert found.beyond == 0
    edges = np.array(found.edges)
    assert edges[0] == pytest.approx(-2.025)
    assert 0.5 * (edges[40] + edges[41]) == pytest.approx(0)
    assert float((np.array(found.density) * np.diff(edges)).sum()) == pytest.approx(1)
    expected = np.diff(stats.norm(0, 0.3).cdf(edges)) / np.diff(edges)
    assert np.abs(np.array(found.density) - expected).max() < 0.03


def test_residuals_beyond_the_bins_are_counted() -> None:
    found = histogram(torch.tensor([-3.0, 0.0, 0.0, 5.0]))
    assert (found.counts[40], found.beyond) == (2, 2)
    assert max(found.density) == pytest.approx(0.5 / 0.05)


def test_the_share_outside() -> None:
    assert share_outside(torch.tensor([0.5]), 1.0) == pytest.approx(0.617, abs=5e-4)  # a true draw from N(0.5, 1)
    mu = torch.linspace(-0.3, 1.2, 50)
    for sigma in (0.05, 0.4, 2.0):
        normal = stats.norm(mu.double(), sigma)
        assert share_outside(mu, sigma) == pytest.approx(float((normal.cdf(0) + normal.sf(1)).mean()), rel=1e-9)
    assert share_outside(torch.tensor([-0.1, 0.0, 0.4, 1.0, 1.1]), 0) == pytest.approx(0.4)


# Whole runs ----------------------------------------------------------------------------------------------------------


def test_a_summary_is_of_all_held_out_images(images: HeldOut, summaries: list[Summary]) -> None:
    for spec, found in zip(RUNS, summaries):
        vae, means = vae_of(spec), found.evaluation.means
        with torch.inference_mode():
            m, log_var = vae.encode(images.x)
            kl = torch.distributions.kl_divergence(
                torch.distributions.Normal(m, (0.5 * log_var).exp()), torch.distributions.Normal(0.0, 1.0)
            )
            z = m + (0.5 * log_var).exp() * torch.randn(m.shape, generator=torch.Generator().manual_seed(5))
            distribution = vae.likelihood.distribution(vae.decode(z))
        assert means.kl == pytest.approx(float(kl.sum(-1).mean()), rel=1e-4)
        np.testing.assert_allclose(found.evaluation.kl_per_latent, kl.mean(0).numpy(), rtol=1e-4)
        # Other draws of z: equal within a few standard errors of a thousand images.
        reconstruction = distribution.log_prob(images.x).sum(-1)
        assert means.reconstruction == pytest.approx(
            float(reconstruction.mean()), abs=0.2 * float(reconstruction.std())
        )
        mse = (images.x - distribution.mean).square().mean()
        assert means.mse == pytest.approx(float(mse), rel=0.02)
        assert found.root_mse == math.sqrt(means.mse)
        assert found.pictures.mean.shape == found.pictures.sample.shape == (6, 28, 28)
        assert (found.pictures.input.reshape(6, 784) == 255 * images.x[:6].numpy()).all()


def test_a_smaller_sigma_pays_more_kl(summaries: list[Summary]) -> None:
    """Teaching: 1/(2 sigma^2) weighs the error against the KL."""
    fixed = [found.evaluation.means for found in summaries[:-1]]
    assert trend([means.kl for means in fixed]) == "grows"
    assert trend([means.mse for means in fixed]) == "shrinks"


def test_trends() -> None:
    assert trend([1.0, 2.0, 3.0]) == "grows"
    assert trend([3.0, 2.0, -1.0]) == "shrinks"
    assert trend([1.0, 3.0, 2.0]) == "neither"
    assert trend([100.0, 100.5, 100.2]) == "same"
    assert trend([0.0, 0.0]) == "same"


def test_what_the_page_says_of_probabilities_and_of_m(images: HeldOut) -> None:
    """ELBOs of P(x = 1) = Phi((mu - 1/2)/sigma), a density that knows nothing, and the error at z = m."""
    parts = Parts(ASSETS / "pages" / "mse.md")
    words = parts["No ranking"].replace("−", "-")
    for spec in [*RUNS, SPECS["bernoulli"]]:
        vae = vae_of(spec)
        with torch.inference_mode():
            terms = elbo_terms(vae, images.x, 4, torch.Generator().manual_seed(5))
            mean, sigma = (f(terms.outputs).double().numpy() for f in (vae.likelihood.mean, vae.likelihood.stddev))
        toward = np.where(images.x.numpy() > 0.5, 1, -1) * (mean - 0.5) / sigma
        log_mass = terms.reconstruction.numpy() if spec.likelihood == "bernoulli" else stats.norm.logcdf(toward).sum(-1)
        elbo = float(log_mass.mean()) - float(terms.kl.sum(-1).mean())
        assert any(abs(float(said) - elbo) < 1 for said in re.findall(r"-\d+", words)), (spec.id, elbo)
    knows_nothing = 784 * math.log(0.5 * stats.norm.pdf(0, 0, math.sqrt(0.001)))
    assert f"{knows_nothing:+,.0f}" in words
    at_m = float((images.x - reconstruct(vae_of(SPEC), images.x)).square().mean().sqrt())
    assert f"{at_m:.3f} instead of {summarise(vae_of(SPEC)).root_mse:.3f} at σ = 1" in parts["How to read the table"]
