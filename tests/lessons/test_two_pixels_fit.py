"""The tiny VAE of Two pixels against SciPy's quadrature, torch.distributions, probabilistic PCA, and what it learns."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from scipy import integrate
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_core.lessons.two_pixels import PLANE
from vae_core.lessons.two_pixels_fit import (
    FINE,
    FIRST_SIGMA,
    FLOOR,
    N_EPS,
    PRESETS,
    WIDTHS,
    Fit,
    decode,
    encode,
    exact,
    log_evidence,
    preset,
    terms,
    trained,
)

FEW = np.array([[-1.2, -0.8], [-0.4, 0.8], [0.4, -0.6], [1.2, 0.4], [0.0, -1.6]])


def log_prob(fit: Fit, row: Tensor, x: Tensor, z: float) -> float:
    sigma = (0.5 * row[-1]).exp()
    return Normal(decode(fit, row, torch.tensor(z, dtype=torch.float64)), sigma).log_prob(x).sum().item()


def average(log_p: Callable[[float], float], m: float, s: float) -> float:
    """E[ln p(x|z,w)] over N(m, s^2)."""
    weighed = lambda e: math.exp(-0.5 * e * e) * log_p(m + s * e) / math.sqrt(2 * math.pi)
    return sum(integrate.quad(weighed, *ends, epsabs=0, epsrel=1e-10, limit=200)[0] for ends in ((-9, 0), (0, 9)))


def log_integral(log_p: Callable[[float], float]) -> float:
    """ln of the integral of p(x|z,w) p(z)."""
    joint = lambda z: math.exp(log_p(z) - 0.5 * z * z) / math.sqrt(2 * math.pi)
    return math.log(sum(integrate.quad(joint, at, at + 1, epsabs=1e-30, epsrel=1e-10)[0] for at in range(-10, 10)))


# From the first weights, and from trained ones: on two clusters a decoder turns most sharply.
STATES = [*((Fit(width), "ring", 0) for width in WIDTHS), (Fit(), "clusters", 400), (Fit(sigma=0.15), "ring", 150)]


@pytest.mark.parametrize(("fit", "name", "steps"), STATES)
def test_terms_and_evidence_are_scipys_integrals(fit: Fit, name: str, steps: int) -> None:
    row = trained(preset(name), fit, steps)
    x = torch.from_numpy(preset(name)[[5, 38]])
    found, evidence = terms(fit, row, x), log_evidence(fit, row, x)
    m, log_s = encode(fit, row, x)
    q = Normal(m, log_s.exp())
    assert found.kl.numpy() == pytest.approx(kl_divergence(q, Normal(0.0, 1.0)).numpy(), abs=1e-12)
    for n, one in enumerate(x):
        log_p = partial(log_prob, fit, row, one)
        assert found.reconstruction[n].item() == pytest.approx(
            average(log_p, m[n].item(), q.stddev[n].item()), abs=1e-8
        )
        assert evidence[n].item() == pytest.approx(log_integral(log_p), abs=1e-8)
    assert (evidence - found.elbo).min() > -1e-9


@pytest.mark.parametrize("name", PRESETS)
def test_training_sums_over_places_enough(name: str) -> None:
    fit, x = Fit(), torch.from_numpy(preset(name))
    for steps in (0, 400):
        row = trained(preset(name), fit, steps)
        coarse, fine = (terms(fit, row, x, places).reconstruction for places in (N_EPS, FINE))
        assert (coarse - fine).abs().max() < 1e-4


def test_the_gap_is_the_kl_to_the_posterior() -> None:
    fit, x = Fit(sigma=0.3), torch.tensor([[0.9, -0.8]], dtype=torch.float64)
    row = trained(preset("ring"), fit, 150)
    m, log_s = (value.item() for value in encode(fit, row, x))
    evidence = log_evidence(fit, row, x).item()

    def integrand(z: float) -> float:
        log_q = Normal(m, math.exp(log_s)).log_prob(torch.tensor(z, dtype=torch.float64)).item()
        log_posterior = log_prob(fit, row, x[0], z) - 0.5 * (z * z + math.log(2 * math.pi)) - evidence
        return math.exp(log_q) * (log_q - log_posterior)

    reach = 10 * math.exp(log_s)
    kl = integrate.quad(integrand, m - reach, m + reach, epsabs=1e-11, limit=400)[0]
    assert kl > 0.01  # or the next line says little
    assert evidence - terms(fit, row, x).elbo.item() == pytest.approx(kl, abs=1e-8)


@pytest.mark.parametrize(("sigma", "steps"), [(None, 2600), (0.3, 800), (1.0, 400)])
def test_a_linear_vae_reaches_what_is_known_before_training(sigma: float | None, steps: int) -> None:
    fit, x = Fit(0, sigma), preset("clusters")
    row, data = trained(x, fit, steps), torch.from_numpy(x)
    best, found = exact(x, fit, 1), terms(fit, row, data)
    elbo, kl = found.elbo.mean().item(), found.kl.mean().item()
    assert elbo == pytest.approx(best.log_likelihood, abs=1e-3)
    assert elbo < best.log_likelihood + 1e-9
    assert kl == pytest.approx(best.kl, abs=0.02)
    assert best.active == (0 if sigma == 1.0 else 1)
    assert log_evidence(fit, row, data).mean().item() == pytest.approx(elbo, abs=1e-4)  # the gap closes


def test_one_round_blob_is_scipys_gaussian() -> None:
    x = preset("banana")
    variance = x.var(0).mean()  # the best of a round Gaussian
    expected = Normal(torch.from_numpy(x.mean(0)), math.sqrt(variance)).log_prob(torch.from_numpy(x)).sum(-1).mean()
    assert exact(x, Fit(), 0).log_likelihood == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("name", PRESETS)
def test_sigma_at_1_collapses(name: str) -> None:
    x, fit = preset(name), Fit(sigma=1.0)
    row = trained(x, fit, 300)
    found = terms(fit, row, torch.from_numpy(x))
    assert found.kl.mean() < 1e-3
    blob = exact(x, fit, 0).log_likelihood
    assert found.elbo.mean().item() == pytest.approx(blob, abs=1e-3)
    along = decode(fit, row, torch.linspace(-2, 2, 9, dtype=torch.float64))
    assert (along - torch.from_numpy(x.mean(0))).norm(dim=-1).max() < 0.1


@pytest.mark.parametrize(("name", "noise"), [("ring", 0.15), ("banana", 0.15)])
def test_the_curve_lies_along_the_points(name: str, noise: float) -> None:
    x, fit = preset(name), Fit()
    row = trained(x, fit, 900)
    curve = decode(fit, row, torch.linspace(-3, 3, 601, dtype=torch.float64))
    far = torch.cdist(torch.from_numpy(x), curve).min(1).values
    assert far.square().mean().sqrt() < 1.5 * noise
    data = torch.from_numpy(x)
    elbo, evidence = terms(fit, row, data).elbo.mean().item(), log_evidence(fit, row, data).mean().item()
    assert exact(x, fit, 1).log_likelihood + 0.5 < elbo < evidence
    assert elbo > terms(Fit(1), trained(x, Fit(1), 900), data).elbo.mean().item() + 0.3  # too small a decoder


def test_sigma_learned_on_few_points_sinks_to_its_floor() -> None:
    rows = [trained(FEW, Fit(), steps) for steps in (0, 600, 2500)]
    sigmas = [(0.5 * row[-1]).exp().item() for row in rows]
    assert sigmas[0] == pytest.approx(FIRST_SIGMA)
    assert sigmas[0] > sigmas[1] > sigmas[2] == pytest.approx(FLOOR, rel=1e-12)


def test_points_in_one_place_have_no_covariance_and_a_fit() -> None:
    x = np.tile([[0.4, -0.2]], (3, 1))
    for fit in (Fit(), Fit(0), Fit(sigma=0.3)):
        row = trained(x, fit, 50)
        assert torch.isfinite(row).all()
        assert torch.isfinite(log_evidence(fit, row, torch.from_numpy(x))).all()
        assert all(math.isfinite(exact(x, fit, latents).log_likelihood) for latents in (0, 1))


def test_a_fixed_sigma_stays() -> None:
    assert trained(FEW, Fit(sigma=0.2), 20)[-1].item() == 2 * math.log(0.2)


def test_what_is_no_fit_is_refused() -> None:
    for width, sigma in ((3, None), (12, 0.0), (12, math.nan), (12, 2.0)):
        with pytest.raises(ValueError, match="allowed: "):
            Fit(width, sigma)
    with pytest.raises(ValueError, match="allowed: ring, banana, clusters"):
        preset("square")


def test_presets_are_the_same_every_time_and_in_the_plane() -> None:
    for name in PRESETS:
        assert preset(name).tolist() == preset(name).tolist()
        assert preset(name).shape == (80, 2)
        assert PLANE[0] < preset(name).min() and preset(name).max() < PLANE[1]
    assert len({preset(name)[0].tobytes() for name in PRESETS}) == 3
