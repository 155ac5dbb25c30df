"""Two pixels, one latent: the core's integrals against SciPy's quadrature and closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from vae_core.lessons.two_pixels import (
    CHANGE,
    CORNERS,
    CURVES,
    LOGIT_SCALE,
    PLANE,
    SIGMA,
    Bernoulli,
    Decoder,
    Gaussian,
    M,
    Q,
    S,
    best_q,
    corners,
    elbo,
    gap,
    humps,
    log_evidence,
    midpoints,
    posterior,
)
from vae_core.lessons.two_pixels_draws import SELDOM, effective_draws, importance_weighted_bound, log_weights, reach

DICE = np.random.default_rng(12)
EDGES = [
    (Gaussian(curve, sigma, change), np.array(x))
    for curve in CURVES
    for sigma, change in itertools.product(SIGMA, (CHANGE[0], 0.0, CHANGE[1]))
    for x in ((PLANE[0], PLANE[1]), (PLANE[1], PLANE[0]), (0.4, -0.3))
]
INSIDE = [
    (Gaussian(curve, math.exp(DICE.uniform(*np.log(SIGMA))), DICE.uniform(*CHANGE)), DICE.uniform(*PLANE, 2))
    for curve in CURVES
    for _ in range(8)
]
COINS = [(Bernoulli(curve), np.array(x)) for curve in CURVES for x in CORNERS]
CASES = [*EDGES, *INSIDE, *COINS]
every_case = pytest.mark.parametrize(
    ("decoder", "x"), CASES, ids=lambda one: type(one).__name__[0] if isinstance(one, Decoder) else None
)


def log_likelihood(decoder: Decoder, x: np.ndarray, z: float) -> float:
    """ln p(x|z,w) by SciPy's distributions, from the coefficients alone."""
    at = np.array([sum(c * z**k for k, c in enumerate(one)) for one in CURVES[decoder.curve]])
    if isinstance(decoder, Gaussian):
        sigma = decoder.sigma * math.exp(decoder.change * math.tanh(z))
        return float(stats.norm.logpdf(x, at, sigma).sum())
    return float(special.log_expit(LOGIT_SCALE * at * (2 * x - 1)).sum())


def integral(decoder: Decoder, x: np.ndarray, f=lambda z: 1.0) -> tuple[float, float]:
    """Of f(z) p(x|z,w) p(z), as (value, ln of what it was divided by): QUADPACK, told where the humps are."""
    grid = np.linspace(-8, 8, 4001)
    joint = np.array(decoder.log_likelihood(x, grid)) + stats.norm.logpdf(grid)
    top = float(joint.max())
    high = grid[joint > top - 45]
    edges = [high[0] - 0.004, *high[1:][np.diff(high) > 0.0041], high[-1] + 0.004]
    parts = np.unique(np.concatenate([np.linspace(a, b, 13) for a, b in itertools.pairwise(sorted({*edges}))]))
    integrand = lambda z: f(z) * math.exp(log_likelihood(decoder, x, z) + stats.norm.logpdf(z) - top)
    found = [integrate.quad(integrand, a, b, epsabs=1e-13, epsrel=1e-12)[0] for a, b in itertools.pairwise(parts)]
    return math.fsum(found), top


@pytest.mark.parametrize(("decoder", "x"), [*EDGES[::5], *INSIDE[::3], *COINS[::3]])
def test_the_evidence_is_scipys(decoder: Decoder, x: np.ndarray) -> None:
    value, top = integral(decoder, x)
    assert log_evidence(decoder, x) == pytest.approx(math.log(value) + top, abs=1e-8)
    exact = posterior(decoder, x)
    moment, _ = integral(decoder, x, lambda z: z * z)
    assert math.fsum(np.exp(exact.log_density)) * exact.step == pytest.approx(1, abs=1e-8)
    assert exact.step * float(np.exp(exact.log_density) @ exact.z**2) == pytest.approx(moment / value, abs=1e-8)


@every_case
def test_two_quadratures_agree_and_the_bar_adds_up(decoder: Decoder, x: np.ndarray) -> None:
    """At every edge of what the page allows: the evidence at the nodes and at the midpoints between them."""
    evidence = log_evidence(decoder, x)
    assert posterior(decoder, x).log_normaliser == pytest.approx(evidence, abs=1e-8)
    best = best_q(decoder, x)
    for q in (best, Q(0.5, 0.6), Q(M[0], S[1]), Q(M[1], S[0])):
        bound, left = elbo(decoder, x, q), gap(decoder, x, q)
        assert bound.elbo + left == pytest.approx(evidence, abs=1e-8, rel=1e-12)
        assert left > -1e-9
        assert bound.elbo <= elbo(decoder, x, best).elbo + 1e-8


@pytest.mark.parametrize(("decoder", "x"), [EDGES[4], EDGES[33], INSIDE[3], INSIDE[17], COINS[6], COINS[14]])
@pytest.mark.parametrize("q", [Q(0.3, 0.2), Q(-1.5, 0.9), Q(1.0, 2.5)])
def test_both_kls_and_the_reconstruction_are_scipys(decoder: Decoder, x: np.ndarray, q: Q) -> None:
    of_q = stats.norm(q.m, q.s)
    over_q = lambda f: integrate.quad(
        lambda z: of_q.pdf(z) * f(z), q.m - 9 * q.s, q.m + 9 * q.s, epsabs=1e-11, epsrel=1e-12, limit=400
    )[0]
    value, top = integral(decoder, x)
    log_posterior = lambda z: log_likelihood(decoder, x, z) + stats.norm.logpdf(z) - math.log(value) - top
    bound = elbo(decoder, x, q)
    assert bound.kl == pytest.approx(over_q(lambda z: of_q.logpdf(z) - stats.norm.logpdf(z)), abs=1e-8)
    assert bound.reconstruction == pytest.approx(over_q(lambda z: log_likelihood(decoder, x, z)), abs=1e-8)
    assert gap(decoder, x, q) == pytest.approx(over_q(lambda z: of_q.logpdf(z) - log_posterior(z)), abs=1e-8)


@pytest.mark.parametrize("sigma", [*SIGMA, 0.4])
@pytest.mark.parametrize("x", [(0.0, 0.0), (1.2, -0.7), (3.0, 3.0), (-3.0, 3.0)])
def test_a_straight_line_is_probabilistic_pca(sigma: float, x: tuple[float, float]) -> None:
    """x ~ N(c, w w' + sigma^2 I), the posterior is N(w'(x - c)/(w'w + sigma^2), sigma^2/(w'w + sigma^2)), gap 0."""
    c, w = np.array(CURVES["line"]).T
    decoder = Gaussian("line", sigma)
    exact = stats.multivariate_normal(c, np.outer(w, w) + sigma**2 * np.eye(2)).logpdf(x)
    assert log_evidence(decoder, np.array(x)) == pytest.approx(exact, abs=1e-8)
    precision = w @ w + sigma**2
    mean, spread = w @ (np.array(x) - c) / precision, sigma / math.sqrt(precision)
    found = posterior(decoder, np.array(x))
    near = np.abs(found.z - mean) < 8 * spread
    np.testing.assert_allclose(found.log_density[near], stats.norm.logpdf(found.z[near], mean, spread), atol=1e-8)
    q = best_q(decoder, np.array(x))
    assert (q.m, q.s) == pytest.approx((mean, spread), abs=1e-6)
    assert gap(decoder, np.array(x), Q(float(mean), float(spread))) == pytest.approx(0, abs=1e-8)
    assert gap(decoder, np.array(x), q) == pytest.approx(0, abs=1e-8)
    share, missed = reach(decoder, np.array(x), q)
    assert share == pytest.approx(1, abs=1e-3)  # all weights are p(x|w)
    assert missed == pytest.approx(2 * stats.norm.sf(SELDOM), abs=1e-6)


@pytest.mark.parametrize(("decoder", "x"), [*EDGES[1::6], *INSIDE[::2], *COINS[::5]])
def test_the_best_q_is_a_highest_place_and_no_start_finds_a_higher(decoder: Decoder, x: np.ndarray) -> None:
    best = best_q(decoder, x)
    found = elbo(decoder, x, best).elbo
    step = 0.01
    for dm, ds in ((step, 0), (-step, 0), (0, step), (0, -step)):  # no neighbour is higher
        near = Q(min(max(best.m + dm * best.s, M[0]), M[1]), min(max(best.s * math.exp(ds), S[0]), S[1]))
        assert elbo(decoder, x, near).elbo <= found + 1e-9
    centre, width = float(np.log(best.s)), 1e-4
    if M[0] < best.m < M[1] and S[0] < best.s < S[1]:  # and the slopes are 0
        slope = lambda f, at, h: (f(at + h) - f(at - h)) / (2 * h)
        by_m = slope(lambda m: elbo(decoder, x, Q(m, best.s)).elbo, best.m, width * best.s) * best.s
        by_s = slope(lambda log_s: elbo(decoder, x, Q(best.m, math.exp(log_s))).elbo, centre, width)
        assert (by_m, by_s) == pytest.approx((0, 0), abs=1e-5)
    for m, s in itertools.product((-2.0, 0.0, 2.0), (0.1, 0.6)):
        lower = lambda at: -elbo(decoder, x, Q(float(at[0]), float(np.exp(np.clip(at[1], *np.log(S)))))).elbo
        other = optimize.minimize(lower, [m, math.log(s)], method="Nelder-Mead", options={"maxiter": 120})
        assert -other.fun <= found + 1e-6 or abs(other.x[0]) > M[1]


def test_a_curve_that_bends_back_leaves_a_gap() -> None:
    between = np.array([-1.0, 0.1])
    decoder = Gaussian("hairpin", 0.3)
    assert len(humps(posterior(decoder, between))) == 2
    assert gap(decoder, between, best_q(decoder, between)) > 0.3
    low = Gaussian("hairpin", 0.299, 0.8)  # a hump not a hundredth as high as the other, with 4 % of the posterior
    assert len(humps(posterior(low, np.array([-0.62, -0.62])))) == 2
    crossing = np.array([0.5625, 0.3])  # the loop passes it at z = -1.5 and 1.5
    even = Gaussian("loop", 0.05)
    np.testing.assert_allclose(even.mean(np.array([-1.5, 1.5])), [crossing, crossing])
    left = gap(even, crossing, best_q(even, crossing))
    assert 0 < left == pytest.approx(-math.log(_mass_of_the_larger_hump(even, crossing)), abs=0.01)


def _mass_of_the_larger_hump(decoder: Decoder, x: np.ndarray) -> float:
    exact = posterior(decoder, x)
    above = float(np.exp(exact.log_density[exact.z > 0]).sum() * exact.step)
    return max(above, 1 - above)


# Draws from q --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decoder", "x"), [(Gaussian("arc", 0.4), np.array([1.2, 0.6])), (Bernoulli("line"), np.array([1.0, 0.0]))]
)
def test_weights_average_to_the_evidence_and_the_bound_creeps_up(decoder: Decoder, x: np.ndarray) -> None:
    best = best_q(decoder, x)
    q = Q(best.m - 0.5 * best.s, 1.3 * best.s)  # wider than the best, so that weights have a variance
    eps = np.random.default_rng(1).standard_normal((4000, 64))
    logs = log_weights(decoder, x, q, eps)
    evidence, bound = log_evidence(decoder, x), elbo(decoder, x, q).elbo
    weights = np.exp(logs - evidence).ravel()
    error = weights.std() / math.sqrt(weights.size)
    assert error < 0.01
    assert weights.mean() == pytest.approx(1, abs=5 * error)  # unbiased
    assert logs.mean() == pytest.approx(bound, abs=5 * logs.std() / math.sqrt(logs.size))  # E at K = 1 is the ELBO
    means = [importance_weighted_bound(logs[:, :k]).mean() for k in (1, 2, 4, 8, 16, 32, 64)]
    assert all(a < b for a, b in itertools.pairwise(means))
    assert means[-1] == pytest.approx(evidence, abs=0.01)
    share, missed = reach(decoder, x, q)
    assert share == pytest.approx(float(effective_draws(logs.ravel())) / logs.size, rel=0.05)
    assert missed < 1e-5


def test_a_q_that_is_too_narrow_is_told() -> None:
    decoder, x = Gaussian("arc", 0.4), np.array([1.2, 0.6])
    best = best_q(decoder, x)
    share, missed = reach(decoder, x, Q(best.m, best.s / 3))
    assert share < 0.05
    assert 0.02 < reach(decoder, x, Q(best.m, best.s / 8))[1] < 1
    eps = np.random.default_rng(2).standard_normal(100_000)
    assert float(effective_draws(log_weights(decoder, x, Q(best.m, best.s / 3), eps))) / eps.size < 0.05
    assert missed < 0.5
    share, missed = reach(decoder, x, Q(0.00125, 1e-5))  # between two nodes of the posterior
    assert 0 < share < 0.01 < 0.999 < missed <= 1


def test_equal_weights_all_count_and_one_weight_counts_once() -> None:
    assert effective_draws(np.zeros(16)) == pytest.approx(16)
    assert effective_draws(np.array([0.0, -800.0, -900.0])) == pytest.approx(1)
    assert importance_weighted_bound(np.array([[-1000.0, -1000.0]])) == pytest.approx([-1000.0])


# Two coins -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("curve", CURVES)
def test_two_coins_depend_on_each_other_once_z_is_not_known(curve: str) -> None:
    decoder, found = Bernoulli(curve), corners(curve)
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-10)
    average = lambda f: integrate.quad(lambda z: stats.norm.pdf(z) * f(z), -9, 9, epsabs=1e-12, limit=400)[0]
    one, two = (lambda z, at=at: decoder.probabilities(z)[at] for at in (0, 1))
    both = average(lambda z: one(z) * two(z))  # independent given z
    assert found.probabilities[1, 1] == pytest.approx(both, abs=1e-8)
    assert found.covariance == pytest.approx(both - average(one) * average(two), abs=1e-8)
    p = found.probabilities
    entropies = [-(q * np.log(q)).sum() for q in (p.sum(1), p.sum(0), p)]
    assert found.mutual_information == pytest.approx(entropies[0] + entropies[1] - entropies[2], abs=1e-10)
    assert found.mutual_information > 1e-3
    z = np.array([-1.0, 0.3])
    for x in CORNERS:
        each = np.where(np.array(x) == 1, decoder.probabilities(z), 1 - decoder.probabilities(z))
        np.testing.assert_allclose(np.exp(decoder.log_likelihood(np.array(x), z)), each.prod(-1), rtol=1e-12)


def test_a_grey_pixel_is_no_coin() -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        Bernoulli("line").log_likelihood(np.array([0.5, 1.0]), midpoints())


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_width_is_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Gaussian("line", sigma)
    with pytest.raises(ValueError, match="above 0"):
        Q(0.0, sigma)


def test_the_density_integrates_to_one_over_the_plane() -> None:
    (first, second), decoder = (np.arange(-5, 5.1, 0.4), np.arange(-4, 8.1, 0.4)), Gaussian("arc", 0.6, 0.4)
    total = sum(math.exp(log_evidence(decoder, np.array([a, b]))) for a in first for b in second)
    assert total * 0.4**2 == pytest.approx(1, abs=1e-3)
