"""The linear VAE's exact answer: evidence, posterior and gap against SciPy; a trained one comes near it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from vae_core.data import load_dataset
from vae_core.elbo import elbo_terms
from vae_core.lessons import exact, linear
from vae_core.lessons.linear import LinearDecoder, Q
from vae_core.model import VAE
from vae_core.spec import RunSpec
from vae_core.training import train

LATENTS = 3
SPEC = RunSpec(dataset="digits", likelihood="gaussian_identity", sigma=0.5, latent_dim=5, decoder="linear")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Correlated data of unequal variances, (200, 6)."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) * np.array([2.0, 1.0, 0.7, 0.3, 0.2, 0.1]) + 0.5


def any_decoder(latent_dim: int, variance: float) -> LinearDecoder:
    rng = np.random.default_rng(latent_dim)
    return LinearDecoder(rng.normal(size=(6, latent_dim)), rng.normal(size=6), variance)


def any_q(latent_dim: int, n: int) -> Q:
    rng = np.random.default_rng(5)
    return Q(rng.normal(size=(n, latent_dim)), rng.normal(size=(n, latent_dim)))


@pytest.mark.parametrize("latent_dim", [1, 3, 6, 9])  # fewer than pixels, as many, and more
@pytest.mark.parametrize("variance", [1e-4, 0.3, 40.0])
def test_evidence_posterior_and_gap_are_scipys(images: np.ndarray, latent_dim: int, variance: float) -> None:
    decoder = any_decoder(latent_dim, variance)
    of_x = multivariate_normal(decoder.offset, decoder.weights @ decoder.weights.T + variance * np.eye(6))
    np.testing.assert_allclose(decoder.log_evidence(images), of_x.logpdf(images), rtol=1e-8)
    means, covariance = decoder.posterior(images)
    prior, q = multivariate_normal(np.zeros(latent_dim), np.eye(latent_dim)), any_q(latent_dim, len(images))
    found = linear.bound(decoder, images, q)
    for i in range(3):  # Bayes' rule at some z: ln p(x|z) + ln p(z) = ln p(z|x) + ln p(x)
        z = multivariate_normal(means[i], covariance).rvs(random_state=i).reshape(latent_dim)
        given = multivariate_normal(decoder.weights @ z + decoder.offset, variance * np.eye(6)).logpdf(images[i])
        posterior = multivariate_normal(means[i], covariance).logpdf(z)
        assert given + prior.logpdf(z) == pytest.approx(posterior + of_x.logpdf(images[i]), rel=1e-8)
    np.testing.assert_allclose(found.elbo + found.gap, found.log_evidence, rtol=1e-8)
    assert (found.gap > 0).all()


def test_the_terms_are_those_of_many_draws(images: np.ndarray) -> None:
    """E_q of the log-density, and the two KLs, against SciPy's densities at draws from q."""
    decoder, q = any_decoder(LATENTS, 0.5), any_q(LATENTS, 2)
    found = linear.bound(decoder, images[:2], q)
    means, covariance = decoder.posterior(images)
    for i in range(2):
        of_q = multivariate_normal(q.m[i], np.diag(np.exp(q.log_var[i])))
        z = of_q.rvs(100_000, random_state=i)
        noise = multivariate_normal(np.zeros(6), 0.5 * np.eye(6))
        given = noise.logpdf(images[i] - decoder.offset - z @ decoder.weights.T)
        assert found.reconstruction[i] == pytest.approx(given.mean(), rel=0.02)
        to_prior = of_q.logpdf(z) - multivariate_normal(np.zeros(LATENTS), np.eye(LATENTS)).logpdf(z)
        assert found.kl[i].sum() == pytest.approx(to_prior.mean(), rel=0.02)
        to_posterior = of_q.logpdf(z) - multivariate_normal(means[i], covariance).logpdf(z)
        assert found.gap[i] == pytest.approx(to_posterior.mean(), rel=0.02)


@pytest.mark.parametrize("variance", [0.03, 0.3, 3.0, 300.0])
def test_the_best_decoder_leaves_no_gap(images: np.ndarray, variance: float) -> None:
    of = exact.components(images)
    decoder = linear.best_decoder(of, LATENTS, variance)
    found = linear.bound(decoder, images, linear.best_q(decoder, images))
    forecast = exact.linear_vae(of.eigenvalues, LATENTS, variance)
    np.testing.assert_allclose(found.gap, 0, atol=1e-10)
    assert found.log_evidence.mean() == pytest.approx(forecast.log_likelihood, rel=1e-10)
    assert found.reconstruction.mean() == pytest.approx(forecast.reconstruction, rel=1e-10)
    each = exact.kl_of_each(of.eigenvalues, LATENTS, variance)
    np.testing.assert_allclose(found.kl.mean(0), each, atol=1e-10)
    assert (each > 0).sum() == forecast.active
    assert each.sum() == pytest.approx(forecast.kl)


def test_rotating_z_keeps_the_evidence_and_opens_a_gap(images: np.ndarray) -> None:
    decoder = linear.best_decoder(exact.components(images), 2, 0.1)
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    turned = replace(decoder, weights=decoder.weights @ turn)
    np.testing.assert_allclose(turned.log_evidence(images), decoder.log_evidence(images), rtol=1e-10)
    best = linear.best_q(turned, images)
    left = linear.gap(turned, images, best)
    np.testing.assert_allclose(left, 0.5 * (np.log(np.diag(turned.m)).sum() - np.linalg.slogdet(turned.m)[1]))
    assert left.mean() > 0.1
    for more in (-0.1, 0.1):  # no other diagonal q has less
        assert (linear.gap(turned, images, Q(best.m + more, best.log_var)) > left).all()
        assert (linear.gap(turned, images, Q(best.m, best.log_var + more)) > left).all()


def test_images_that_vary_in_few_directions() -> None:
    """Fewer images than pixels, and images all alike: eigenvalues of 0 are never above sigma^2."""
    few = np.random.default_rng(0).random((4, 30))
    of = exact.components(few)
    assert (of.eigenvalues[3:] < 1e-12).all()
    decoder = linear.best_decoder(of, 10, 1e-3)
    assert exact.linear_vae(of.eigenvalues, 10, 1e-3).active == np.linalg.matrix_rank(decoder.weights) == 3
    expected = multivariate_normal(of.mean, decoder.weights @ decoder.weights.T + 1e-3 * np.eye(30)).logpdf(few)
    np.testing.assert_allclose(decoder.log_evidence(few), expected, rtol=1e-8)
    alike = exact.components(np.full((5, 4), 0.3))
    assert exact.linear_vae(alike.eigenvalues, 2, 0.1).active == 0
    assert linear.best_decoder(alike, 2, 0.1).log_evidence(np.full((1, 4), 0.3)) == pytest.approx(
        multivariate_normal(np.zeros(4), 0.1 * np.eye(4)).logpdf(np.zeros(4))
    )
    assert exact.best_variance(alike.eigenvalues, 2) == 0  # there the density has no upper bound,
    assert linear.learned_variance(alike.eigenvalues, 2, 1e-3) == 1e-3  # but for the floor


def test_more_latents_than_pixels(images: np.ndarray) -> None:
    of = exact.components(images)
    as_many, more = (exact.linear_vae(of.eigenvalues, latents, 1e-4) for latents in (6, 9))
    assert (more.active, more.log_likelihood) == (as_many.active, as_many.log_likelihood)
    assert more.kl == pytest.approx(as_many.kl)
    assert list(exact.kl_of_each(of.eigenvalues, 9, 1e-4)[6:]) == [0, 0, 0]
    assert linear.best_decoder(of, 9, 1e-4).log_evidence(images).mean() == pytest.approx(more.log_likelihood)
    with pytest.raises(ValueError, match="9 latents leave none of 6"):
        linear.learned_variance(of.eigenvalues, 9, 1e-3)


@pytest.mark.parametrize("variance", [0.0, -1.0, float("nan"), float("inf")])
def test_a_variance_that_is_none_is_refused(variance: float) -> None:
    with pytest.raises(ValueError, match=f"the variance is {variance}; it must be a number above 0"):
        LinearDecoder(np.ones((3, 1)), np.zeros(3), variance)


def test_only_a_linear_decoder_with_one_sigma_has_an_exact_answer() -> None:
    for spec in (replace(SPEC, decoder="network"), replace(SPEC, likelihood="gaussian_learned")):
        with pytest.raises(ValueError, match="only a linear decoder"):
            linear.decoder_of(VAE(spec))


@pytest.mark.parametrize("likelihood", linear.ONE_SIGMA)
def test_a_runs_elbo_is_what_its_draws_estimate(likelihood: str) -> None:
    vae = VAE(replace(SPEC, likelihood=likelihood))
    images = linear.parts(SPEC)[1][:20]
    found = linear.bound(linear.decoder_of(vae), images, linear.q_of(vae, images))
    with torch.no_grad():
        terms = elbo_terms(vae, torch.from_numpy(images).float(), 4000, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(found.kl, terms.kl.numpy(), atol=1e-5)
    np.testing.assert_allclose(found.reconstruction, terms.reconstruction.numpy(), rtol=0.02)


def test_what_the_exact_answer_is_taken_with() -> None:
    values = np.array([4.0, 2.0, 0.5, 0.1])
    spec = replace(SPEC, latent_dim=2)
    assert linear.exact_variance(spec, values) == 0.25
    learned = replace(spec, likelihood="gaussian_shared")
    assert linear.exact_variance(learned, values) == pytest.approx(0.3)
    assert linear.exact_variance(replace(learned, variance_floor=0.4), values) == 0.4
    floored = [exact.linear_vae(values, 2, one).log_likelihood for one in (0.4, 0.41, 0.5)]
    assert floored == sorted(floored, reverse=True)  # above its best value, the nearer the better


def test_training_ends_at_the_exact_answer() -> None:
    """Within 0.5 nats of the exact evidence, and each latent's KL within 5 %: the whole run that the page begins."""
    spec = linear.run_spec("digits", 10, 0.3)
    assert linear.exact_variance(spec, np.ones(64)) == pytest.approx(0.3)
    *_, last = train(spec, load_dataset("digits"), device="cpu")
    assert last.status == "done" and last.checkpoint is not None
    vae = VAE(spec)
    vae.load_state_dict(last.checkpoint.model_state())
    of = linear.known("digits")
    found, known = linear.trained(vae), linear.answer(spec, of)
    since_q, since_weights = found.short_of(known)
    assert 0 < since_q + since_weights < 0.5
    assert min(since_q, since_weights) > -1e-9
    used = known.vae.active
    assert (used, found.active) == (4, 4)
    np.testing.assert_allclose(found.kl_of_each[:used], known.kl_of_each[:used], rtol=0.05)
    assert found.kl_of_each[used:].max() < 0.01
    assert found.held_out.log_evidence.mean() == pytest.approx(linear.held_out_evidence(spec, of), abs=0.1)


def test_an_exact_answer_is_of_one_sigma_and_the_elbo() -> None:
    for spec in (replace(SPEC, likelihood="bernoulli"), replace(SPEC, beta=2.0)):
        with pytest.raises(ValueError, match="an exact answer needs"):
            linear.answer(spec, linear.known("digits"))
