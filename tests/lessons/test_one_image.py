"""Pixel by pixel against SciPy, the sum against log_prob, the estimate against its expectation and its spread."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from vae_core import LIKELIHOODS, VAE, RunSpec, load_dataset
from vae_core.checkpoint import load_vae
from vae_core.data import split
from vae_core.elbo import elbo_terms
from vae_core.feed import Feed
from vae_core.lessons.one_image import MOST_DRAWS, draws, estimate, held_out_image, latent_of, pixels_at, running
from vae_core.shipped import SPECS, shipped_weights


def cut_exponential(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Of the continuous Bernoulli: falling from 0, mirrored where a > 0."""
    rate = np.abs(a)
    return np.log(rate) - rate * np.where(a > 0, 1 - x, x) - np.log(-np.expm1(-rate))


# ln p(x_d|z,w) of black-and-white pixels, from each pixel's raw outputs.
SCIPY = {
    "bernoulli": lambda f, x: stats.bernoulli.logpmf(x, special.expit(f[0])),
    "gaussian_identity": lambda f, x: stats.norm.logpdf(x, f[0]),
    "gaussian_learned": lambda f, x: stats.norm.logpdf(x, f[0], np.exp(0.5 * f[1])),
    "laplace": lambda f, x: stats.laplace.logpdf(x, f[0]),
    "gaussian_shared": lambda f, x: stats.norm.logpdf(x, f[0], np.exp(0.5 * f[1])),
    "continuous_bernoulli": lambda f, x: cut_exponential(f[0], x),
    "discretized_logistic": lambda f, x: stats.logistic.logcdf((2 * x - 1) * (f[0] - 0.5), scale=np.exp(f[1])),
    "categorical": lambda f, x: np.where(x > 0.5, f[1], f[0]) - np.logaddexp(f[0], f[1]),
}


@pytest.fixture(scope="module")
def trained() -> dict[str, VAE]:
    return {key: load_vae(shipped_weights(spec) or b"") for key, spec in SPECS.items()}


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return held_out_image(SPECS["bernoulli"], load_dataset("mnist"), 1)


@pytest.mark.parametrize("key", LIKELIHOODS)
def test_the_map_is_scipys_and_its_sum_is_log_prob(key: str) -> None:
    vae = VAE(RunSpec(dataset="digits", likelihood=key, hidden=(16,), latent_dim=3, binarize="threshold"))
    x = held_out_image(vae.spec, load_dataset("digits"), 5)
    z = torch.tensor([0.3, -2.0, 1.1])
    seen = pixels_at(vae, x, z)
    with torch.inference_mode():
        expected = float(vae.likelihood.log_prob(vae.decode(z), x))
    raw = [values.astype(float) for values in seen.outputs]
    np.testing.assert_allclose(seen.log_prob, SCIPY[key](raw, x.numpy()), rtol=2e-5, atol=2e-6)
    assert seen.total == pytest.approx(expected, rel=1e-5)
    assert seen.log_prob[seen.costliest] == seen.log_prob.min()
    arrays = [*seen.outputs, seen.mean, seen.stddev, seen.log_prob]
    assert all(array.shape == (64,) and array.dtype == np.float32 for array in arrays)


def test_a_pixel_far_from_the_middle_is_exact() -> None:
    """torch's own continuous Bernoulli clips its parameter in float32."""
    vae = VAE(RunSpec(dataset="digits", likelihood="continuous_bernoulli", hidden=(16,), latent_dim=3))
    with torch.no_grad():
        list(vae.decoder.parameters())[-1].fill_(-50.0)  # the last layer's bias
    seen = pixels_at(vae, torch.zeros(64), torch.zeros(3))
    np.testing.assert_allclose(seen.log_prob, cut_exponential(seen.outputs[0].astype(float), np.zeros(64)), rtol=1e-5)


@pytest.mark.parametrize("key", SPECS)
def test_the_shipped_sums(trained: dict[str, VAE], x: torch.Tensor, key: str) -> None:
    vae = trained[key]
    for seed in (None, 4):
        z = latent_of(vae, x, seed)
        with torch.inference_mode():
            expected = float(vae.likelihood.log_prob(vae.decode(z), x))
        assert pixels_at(vae, x, z).total == pytest.approx(expected, rel=1e-5, abs=1e-3)


def test_what_the_page_says_of_each_map(trained: dict[str, VAE], x: torch.Tensor) -> None:
    """Identity covariance: from -0.92, and half a nat less a whole grey range away; the floor: a peak of 12.6."""
    perfect = stats.norm.logpdf(0)
    assert perfect == pytest.approx(-0.919, abs=5e-4)
    assert perfect - stats.norm.logpdf(1) == pytest.approx(0.5)
    assert (
        pixels_at(trained["gaussian_identity"], x, latent_of(trained["gaussian_identity"], x, None)).log_prob.max()
        <= -0.9189
    )
    learned = pixels_at(trained["gaussian_learned"], x, latent_of(trained["gaussian_learned"], x, None))
    assert learned.stddev.min() == pytest.approx(math.sqrt(1e-3), rel=1e-5)
    assert stats.norm.pdf(0, 0, math.sqrt(1e-3)) == pytest.approx(12.6, abs=0.05)
    assert learned.log_prob.max() == pytest.approx(2.53, abs=0.01)
    assert pixels_at(trained["bernoulli"], x, latent_of(trained["bernoulli"], x, None)).log_prob.max() <= 0


@pytest.mark.parametrize("binarize", ["none", "threshold", "stochastic"])
def test_the_image_is_the_one_that_the_run_is_evaluated_on(binarize: str) -> None:
    spec = RunSpec(dataset="digits", binarize=binarize)
    data = load_dataset("digits")
    feed = Feed(spec, data, torch.device("cpu"))
    every = torch.cat(list(feed.part(feed.held_out_part)))
    assert len(every) == spec.n_held_out
    for number in (0, 130, spec.n_held_out - 1):
        image = held_out_image(spec, data, number)
        assert torch.equal(image, every[number])
        assert image.untyped_storage().nbytes() == 4 * spec.n_pixels  # pages keep many, not the batches they are of
    if binarize == "none":
        assert held_out_image(spec, data, 7).tolist() == data.scaled(split(spec)[1])[7].tolist()
    with pytest.raises(IndexError):
        held_out_image(spec, data, spec.n_held_out)


def test_fewer_draws_are_the_first_of_more(trained: dict[str, VAE], x: torch.Tensor) -> None:
    vae = trained["bernoulli"]
    most = estimate(vae, x, MOST_DRAWS, seed=2)
    for count in (1, 15, 16, 17, 400):
        few = estimate(vae, x, count, seed=2)
        np.testing.assert_allclose(few.log_probs, most.log_probs[:count], rtol=1e-5)
        np.testing.assert_allclose(few.mean, most.running_mean[count - 1], rtol=1e-6)
    first = pixels_at(vae, x, latent_of(vae, x, seed=2))
    assert first.total == pytest.approx(most.log_probs[0], rel=1e-5)
    assert not np.allclose(estimate(vae, x, 5, seed=3).log_probs, most.log_probs[:5])


def test_draws_share_their_noise(trained: dict[str, VAE], x: torch.Tensor) -> None:
    noise = []
    for vae in trained.values():
        with torch.inference_mode():
            m, log_var = vae.encode(x)
            noise.append((draws(m, log_var, seed=9) - m) / torch.exp(0.5 * log_var))
    torch.testing.assert_close(noise[0], noise[1], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(noise[0], noise[2], rtol=1e-3, atol=1e-4)
    assert stats.kstest(noise[0].numpy().ravel(), "norm").pvalue > 0.01


@pytest.mark.parametrize("key", SPECS)
def test_the_estimate_is_the_elbo(trained: dict[str, VAE], x: torch.Tensor, key: str) -> None:
    """Against elbo_terms with other draws, within four of the two standard errors together."""
    vae = trained[key]
    found = estimate(vae, x, MOST_DRAWS, seed=0)
    with torch.inference_mode():
        terms = elbo_terms(vae, x[None], MOST_DRAWS, torch.Generator().manual_seed(1))
        m, log_var = vae.encode(x)
        q, prior = torch.distributions.Normal(m, (0.5 * log_var).exp()), torch.distributions.Normal(0.0, 1.0)
        kl = float(torch.distributions.kl_divergence(q, prior).sum())
    assert found.kl == pytest.approx(kl, rel=1e-5)
    assert found.elbo == pytest.approx(found.log_probs.mean() - kl)
    assert abs(found.elbo - float(terms.elbo[0])) < 4 * math.sqrt(2) * found.error


def test_the_standard_error_is_the_spread_of_such_means(trained: dict[str, VAE], x: torch.Tensor) -> None:
    """Sixty estimates with 25 draws each: their means scatter as each of them says, and four times less than one."""
    found = [estimate(trained["gaussian_identity"], x, 25, seed) for seed in range(60)]
    spread = np.std([one.mean for one in found], ddof=1)
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.3)
    assert np.std([one.log_probs[0] for one in found], ddof=1) / spread == pytest.approx(5, rel=0.35)


def test_running_means_and_errors_are_scipys() -> None:
    values = np.random.default_rng(0).normal(-1e5, 3, 50)
    mean, error = running(values)
    for count in range(2, 51):
        assert mean[count - 1] == pytest.approx(values[:count].mean())
        assert error[count - 1] == pytest.approx(stats.sem(values[:count]), rel=1e-6)
    assert mean[0] == values[0]
    assert math.isnan(error[0])
    assert running(np.full(4, 7.25))[1][1:].tolist() == [0, 0, 0]
