"""Probabilistic PCA against SciPy, scikit-learn, quadrature-free torch optimisation; the KL's ceiling on small VAEs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy, multivariate_normal
from sklearn.decomposition import PCA

from vae_core.data import load_dataset
from vae_core.lessons import exact

LATENTS = 3


def linear_decoder(of: exact.Components, latent_dim: int, variance: float) -> np.ndarray:
    """W (D, latent_dim) of the best linear decoder at this sigma^2; z may be rotated. Tipping & Bishop 1999, eq. 7."""
    lengths = np.sqrt(np.maximum(of.eigenvalues[:latent_dim] - variance, 0.0))  # 0 for a collapsed latent
    return of.vectors[:, :latent_dim] * lengths


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Correlated data of unequal variances, (400, 6)."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6)) * np.array([2.0, 1.0, 0.7, 0.3, 0.2, 0.1]) + 0.5


@pytest.mark.parametrize("variance", [0.03, 0.3, 3.0, 300.0])
def test_the_log_likelihood_is_that_of_the_gaussian_it_names(images: np.ndarray, variance: float) -> None:
    of = exact.components(images)
    weights = linear_decoder(of, LATENTS, variance)
    covariance = weights @ weights.T + variance * np.eye(6)
    expected = multivariate_normal(images.mean(0), covariance).logpdf(images).mean()
    found = exact.linear_vae(of.eigenvalues, LATENTS, variance)
    assert found.log_likelihood == pytest.approx(expected, rel=1e-10)
    assert found.active == np.linalg.matrix_rank(weights)


@pytest.mark.parametrize("variance", [0.03, 0.3, 3.0])
def test_kl_and_reconstruction_are_those_of_the_exact_posterior(images: np.ndarray, variance: float) -> None:
    """q(z|x) = p(z|x): Bishop 2006, eqs. 12.41 and 12.42; its KL to N(0, I) and E[ln p(x|z)] in closed form."""
    of = exact.components(images)
    weights = linear_decoder(of, LATENTS, variance)
    inverse = np.linalg.inv(weights.T @ weights + variance * np.eye(LATENTS))
    means = (images - images.mean(0)) @ weights @ inverse  # (n, LATENTS)
    spread = variance * inverse
    kl = 0.5 * ((means**2).sum(1) + np.trace(spread) - LATENTS - np.linalg.slogdet(spread)[1])
    residual = images - images.mean(0) - means @ weights.T
    error = (residual**2).sum(1) + np.trace(weights @ spread @ weights.T)
    reconstruction = -0.5 * error / variance - 3 * math.log(2 * math.pi * variance)
    found = exact.linear_vae(of.eigenvalues, LATENTS, variance)
    assert found.kl == pytest.approx(kl.mean(), rel=1e-10)
    assert found.reconstruction == pytest.approx(reconstruction.mean(), rel=1e-10)


def test_against_scikit_learn(images: np.ndarray) -> None:
    pca = PCA(LATENTS).fit(images)
    correction = (len(images) - 1) / len(images)  # scikit-learn divides by n - 1
    values = exact.eigenvalues(images)
    np.testing.assert_allclose(values[:LATENTS], pca.explained_variance_ * correction, rtol=1e-10)
    assert exact.best_variance(values, LATENTS) == pytest.approx(pca.noise_variance_ * correction, rel=1e-10)
    left = np.abs(images - pca.inverse_transform(pca.transform(images))).mean()
    assert exact.mean_absolute_residual(images, LATENTS) == pytest.approx(left, rel=1e-10)
    np.testing.assert_allclose(exact.components(images).eigenvalues, values, atol=1e-12)


def test_no_other_variance_is_better(images: np.ndarray) -> None:
    values = exact.eigenvalues(images)
    best = exact.best_variance(values, LATENTS)
    at = lambda variance: exact.linear_vae(values, LATENTS, variance).log_likelihood
    assert all(at(best) > at(best * factor) for factor in (0.5, 0.9, 1.1, 2.0))


@pytest.mark.parametrize("variance", [0.1, 1.5, 40.0])
def test_gradient_descent_on_a_linear_vae_ends_there(images: np.ndarray, variance: float) -> None:
    """The ELBO of a linear decoder and a linear encoder with free variances, its expectation over q exact."""
    x = torch.tensor(images)
    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: (0.3 * torch.randn(*shape, generator=generator, dtype=torch.float64)).requires_grad_()
    weights, encoder, log_var = draw(6, LATENTS), draw(6, LATENTS), draw(LATENTS)
    centred = x - x.mean(0)
    optimiser = torch.optim.LBFGS([weights, encoder, log_var], max_iter=600, line_search_fn="strong_wolfe")

    def terms() -> tuple[torch.Tensor, torch.Tensor]:
        m, spread = centred @ encoder, log_var.exp()
        error = (centred - m @ weights.T).square().sum(1) + (weights.square() * spread).sum()
        reconstruction = -0.5 * error / variance - 3 * math.log(2 * math.pi * variance)
        return reconstruction.mean(), 0.5 * (m.square() + spread - 1 - log_var).mean(0)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        reconstruction, kl = terms()
        loss = kl.sum() - reconstruction
        loss.backward()
        return loss

    optimiser.step(closure)
    reconstruction, kl = terms()
    found = exact.linear_vae(exact.eigenvalues(images), LATENTS, variance)
    assert (reconstruction - kl.sum()).item() == pytest.approx(found.log_likelihood, abs=1e-4)
    assert kl.sum().item() == pytest.approx(found.kl, abs=1e-3)
    assert (kl > 1e-3).sum() == found.active


def test_identity_covariance_collapses_a_linear_vae_on_small_digits() -> None:
    """Every eigenvalue of these images in [0,1] is below 1."""
    data = load_dataset("digits")
    values = exact.eigenvalues(data.scaled(np.arange(len(data.images))))
    assert values[0] < 1
    assert exact.linear_vae(values, 10, 1.0).active == 0
    assert exact.linear_vae(values, 10, 1.0).kl == 0


def test_what_has_no_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="4 latents leave none of 4"):
        exact.best_variance(np.ones(4), 4)
    with pytest.raises(ValueError, match="above 0"):
        exact.linear_vae(np.ones(4), 2, 0.0)
    with pytest.raises(ValueError, match="no loss"):
        exact.excess_error(np.ones((2, 2)), "hinge")


def test_excess_error_is_what_the_best_constant_image_leaves(images: np.ndarray) -> None:
    grey = 1 / (1 + np.exp(-images))
    best = lambda error: min(error(guess) for guess in np.linspace(0.001, 0.999, 999))
    for d in range(2):
        pixel = grey[:, d : d + 1]
        squared = best(lambda guess: ((pixel - guess) ** 2).mean())  # noqa: B023
        absolute = best(lambda guess: np.abs(pixel - guess).mean())  # noqa: B023
        own = np.mean([entropy([x, 1 - x]) for x in pixel[:, 0]])
        crossed = best(lambda guess: -(pixel * np.log(guess) + (1 - pixel) * np.log(1 - guess)).mean())  # noqa: B023
        assert exact.excess_error(pixel, "squared") == pytest.approx(squared, abs=1e-5)
        assert exact.excess_error(pixel, "absolute") == pytest.approx(absolute, abs=1e-3)
        assert exact.excess_error(pixel, "bce") == pytest.approx(crossed - own, abs=1e-5)
    assert exact.excess_error(np.array([[0.0], [1.0]]), "bce") == pytest.approx(math.log(2))  # black and white: floor 0


@pytest.mark.parametrize("variance", [0.05, 0.5, 5.0, 50.0])
def test_no_linear_vae_has_more_kl_than_the_ceiling(images: np.ndarray, variance: float) -> None:
    values = exact.eigenvalues(images)
    for latent_dim in (1, 3, 6):
        assert exact.linear_vae(values, latent_dim, variance).kl <= exact.excess_error(images, "squared") / (
            2 * variance
        )
