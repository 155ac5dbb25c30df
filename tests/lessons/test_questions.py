"""The figures of the answers: against SciPy, quadrature, and sums written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from vae_core.lessons import questions
from vae_core.shipped import SPECS


def test_gaussians_are_scipys() -> None:
    found = questions.gaussians({"wide": 1.0, "narrow": 0.25}, mu=0.5, at=0.9)
    for name, sigma in (("wide", 1.0), ("narrow", 0.25)):
        x, y = found.curves[name]
        np.testing.assert_allclose(y, stats.norm(0.5, sigma).pdf(x))
    assert found.points == {"ln 0.368 = −1.00": (0.9, pytest.approx(stats.norm(0.5, 1).pdf(0.9)))}


@pytest.mark.parametrize(("mu", "sigma"), [(0.5, 1.0), (0.1, 0.3)])
def test_what_lies_outside(mu: float, sigma: float) -> None:
    exact = 1 - (stats.norm(mu, sigma).cdf(1) - stats.norm(mu, sigma).cdf(0))
    assert questions.share_outside(mu, sigma) == pytest.approx(exact)


def test_draws_are_of_this_gaussian() -> None:
    (centres, heights), (x, y) = questions.draws(0.6, 2.0, n=100_000)
    edges = np.append(centres, centres[-1] + 0.7) - 0.35
    np.testing.assert_allclose(heights, np.diff(stats.norm(0.6, 2).cdf(edges)) / 0.7, atol=0.005)
    np.testing.assert_allclose(y, stats.norm(0.6, 2).pdf(x))
    assert heights.sum() * (centres[1] - centres[0]) == pytest.approx(1, abs=1e-3)


def test_three_densities_of_one_output() -> None:
    curves = questions.under_three(0.8).curves
    x, gaussian = curves["gaussian_identity"]
    np.testing.assert_allclose(gaussian, stats.norm(0.8, 1).pdf(x))
    np.testing.assert_allclose(curves["laplace"][1], stats.laplace(0.8).pdf(x))
    assert integrate.simpson(curves["continuous_bernoulli"][1], x=x) == pytest.approx(1)


def test_the_highest_density_has_no_end() -> None:
    ((sigma, height),) = questions.highest_density().curves.values()
    np.testing.assert_allclose(height, stats.norm(0, sigma).logpdf(0))


def test_cross_entropy_is_least_at_the_entropy() -> None:
    found = questions.cross_entropies((0, 0.25, 0.5))
    for x, (label, point) in zip((0.25, 0.5), found.points.items()):
        entropy = stats.bernoulli(x).entropy()
        assert point == (x, pytest.approx(entropy)) and label == f"{entropy:.2f} nats"
        share, loss = found.curves[f"x = {x:g}"]
        assert loss.min() >= entropy - 1e-12 and share[loss.argmin()] == pytest.approx(x, abs=0.006)
        np.testing.assert_allclose(loss, [-x * math.log(q) - (1 - x) * math.log(1 - q) for q in share])


def test_only_a_softmax_takes_from_the_others() -> None:
    found = questions.four_pixels(2.0)
    np.testing.assert_allclose(found["sigmoid"]["first raised"], stats.logistic.cdf([2, 0, 0, 0]))
    np.testing.assert_allclose(found["sigmoid"]["all 0"], 0.5)
    np.testing.assert_allclose(found["softmax"]["first raised"], np.array([math.e**2, 1, 1, 1]) / (math.e**2 + 3))
    np.testing.assert_allclose(found["softmax"]["all 0"], 0.25)


def test_the_kl_of_a_linear_decoder() -> None:
    found = questions.linear_kl(np.array([4.0, 1.0, 0.25]), 2, (0.5, 5.0))
    assert found.points["σ² = 0.5"][1] == pytest.approx(0.5 * (math.log(8) + math.log(2)))
    assert found.points["σ² = 5"][1] == 0
    assert (np.diff(found.curves["KL"][1]) <= 0).all()


def test_units() -> None:
    found = questions.black_to_white()
    assert found["0 to 1"] == pytest.approx(784 * stats.norm(0, 1).logpdf(0))
    assert found["0 to 255"] == pytest.approx(784 * stats.norm(0, 255).logpdf(0))


def test_bounds_of_one_latent() -> None:
    found = questions.bounds(x=2.0, m=0.4, s=0.6)
    q, joint = stats.norm(0.4, 0.6), lambda z: stats.norm(z, 1).logpdf(2.0) + stats.norm(0, 1).logpdf(z)
    exact, _ = integrate.quad(lambda z: q.pdf(z) * (joint(z) - q.logpdf(z)), -8, 8)
    evidence = math.log(integrate.quad(lambda z: math.exp(joint(z)), -12, 12)[0])
    assert found.elbo == pytest.approx(exact) and found.evidence == pytest.approx(evidence)
    np.testing.assert_allclose(found.average_of_logs, exact, atol=0.06)
    assert (np.diff(found.log_of_average) > 0).all()
    assert found.log_of_average[0] == found.average_of_logs[0]
    assert exact < found.log_of_average[-1] < evidence + 0.03


def test_the_shipped_runs() -> None:
    found = questions.terms(SPECS["bernoulli"])
    assert found["reconstruction"] + found["− KL"] == pytest.approx(found["ELBO"], abs=1e-3)
    kl = list(questions.by_sigma()["kl"].values())
    assert kl == sorted(kl)
    two = questions.two_rankings()
    assert two["probability"].keys() - two["density"].keys() == {"Bernoulli"}
    assert max(two["density"], key=two["density"].__getitem__) == "σ learned"
    assert max(two["probability"], key=two["probability"].__getitem__) == "Bernoulli"
    assert max(two["probability"].values()) < 0
