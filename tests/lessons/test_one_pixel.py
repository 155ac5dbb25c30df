"""One pixel, against torch.distributions, SciPy and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from vae_core.lessons.one_pixel import likelihood_of, one_pixel, second_of
from vae_core.likelihoods import LIKELIHOODS, GaussianLearned

VARIANCE_FLOOR = GaussianLearned.variance_floor
STATES = [(a, x, log_var) for a in (-5.5, -0.3, 0.5, 4.0) for x in (0.0, 0.4, 1.0) for log_var in (-8.0, -2.0, 1.5)]


@pytest.mark.parametrize(("a", "x", "log_var"), STATES)
def test_heights_are_those_of_the_named_distributions(a: float, x: float, log_var: float) -> None:
    coin = stats.bernoulli(1 / (1 + math.exp(-a)))
    seen = one_pixel("bernoulli", a, x)
    assert seen.mean == pytest.approx(coin.mean())
    assert seen.stddev == pytest.approx(coin.std())
    assert seen.log_prob == pytest.approx(x * coin.logpmf(1) + (1 - x) * coin.logpmf(0))
    assert seen.outside == 0
    for seen, named in [
        (one_pixel("gaussian_identity", a, x, sigma=0.7), stats.norm(a, 0.7)),
        (
            one_pixel("gaussian_learned", a, x, log_var),
            stats.norm(a, math.sqrt(max(math.exp(log_var), VARIANCE_FLOOR))),
        ),
        (one_pixel("gaussian_shared", a, x, log_var), stats.norm(a, math.sqrt(max(math.exp(log_var), VARIANCE_FLOOR)))),
        (one_pixel("laplace", a, x, scale=0.3), stats.laplace(a, 0.3)),
    ]:
        assert (seen.mean, seen.stddev) == pytest.approx((named.mean(), named.std()))
        assert seen.log_prob == pytest.approx(named.logpdf(x))
        assert seen.outside == pytest.approx(named.cdf(0) + named.sf(1))


@pytest.mark.parametrize("a", [-5.5, -0.3, 0.5, 4.0])
def test_the_continuous_bernoulli_is_a_cut_exponential(a: float) -> None:
    named = stats.truncexpon(abs(a), scale=1 / abs(a))  # falling from 0; mirrored where a > 0
    for x in (0.0, 0.4, 1.0):
        seen = one_pixel("continuous_bernoulli", a, x)
        assert seen.log_prob == pytest.approx(named.logpdf(1 - x if a > 0 else x))
        assert (seen.mean, seen.stddev) == pytest.approx((1 - named.mean() if a > 0 else named.mean(), named.std()))
        assert seen.outside == 0


@pytest.mark.parametrize("levels", [2, 5, 17])
@pytest.mark.parametrize(("a", "x", "second"), STATES)
def test_masses_on_levels(a: float, x: float, second: float, levels: int) -> None:
    values = np.arange(levels) / (levels - 1)
    edges = [-np.inf, *((values[1:] + values[:-1]) / 2), np.inf]
    bell = np.diff(stats.logistic(a, math.exp(second)).cdf(edges))
    logits = a * values - second * np.cos(4 * math.pi * values)
    for key, mass in [("discretized_logistic", bell), ("categorical", np.exp(logits) / np.exp(logits).sum())]:
        seen = one_pixel(key, a, x, second, levels=levels)
        k = np.abs(values - x).argmin()
        if mass[k] > 1e-9:  # a difference of two cdfs has no more digits
            assert math.exp(seen.log_prob) == pytest.approx(mass[k], rel=1e-5)
        mean = mass @ values
        assert seen.mean == pytest.approx(mean)
        assert seen.stddev == pytest.approx(math.sqrt(mass @ (values - mean) ** 2), abs=1e-6)
        assert (seen.outside, seen.on_floor) == (0, False)


def test_only_a_softmax_has_two_peaks_between_black_and_white() -> None:
    """As the page says: dark grey or light grey, and less of all three others."""
    masses = lambda key, a, second: [one_pixel(key, a, k / 4, second, levels=5).log_prob for k in range(5)]
    dips = lambda f: f[1] > max(f[0], f[2]) and f[3] > max(f[2], f[4])
    assert dips(masses("categorical", 0.0, 1.5))
    assert not any(dips(masses("discretized_logistic", a / 4, s / 2)) for a in range(-8, 13) for s in range(-14, 3))


@pytest.mark.parametrize("key", LIKELIHOODS)
@pytest.mark.parametrize(("a", "x", "log_var"), STATES)
def test_slopes_are_those_of_finite_differences(key: str, a: float, x: float, log_var: float) -> None:
    loss = lambda a, log_var: -one_pixel(key, a, x, log_var, sigma=0.7, scale=0.3).log_prob
    h = 1e-6
    slopes = [(loss(a + h, log_var) - loss(a - h, log_var)) / (2 * h)]
    if second_of(likelihood_of(key)):
        slopes.append((loss(a, log_var + h) - loss(a, log_var - h)) / (2 * h))
    assert one_pixel(key, a, x, log_var, sigma=0.7, scale=0.3).slopes == pytest.approx(slopes, rel=1e-5, abs=1e-5)


def test_two_out_of_three_draws_of_a_unit_gaussian_are_no_grey_level() -> None:
    assert round(one_pixel("gaussian_identity", 0.5, 0.5).outside, 3) == 0.617


def test_a_grey_pixel_makes_the_bernoulli_formula_no_distribution() -> None:
    formula = lambda x: math.exp(one_pixel("bernoulli", 0.5, x).log_prob)
    assert integrate.quad(formula, 0, 1)[0] < 0.6  # the integral a density would have is 1
    lightest = min((-one_pixel("bernoulli", a / 100, 0.3).log_prob, a / 100) for a in range(-300, 300))[1]
    assert lightest == pytest.approx(math.log(0.3 / 0.7), abs=0.01)  # yet its minimum is at lambda = x


def test_the_floor_is_told_and_flat() -> None:
    below, above = (one_pixel("gaussian_learned", 0.5, 0.9, log_var) for log_var in (-7.0, -6.9))
    assert (below.on_floor, above.on_floor) == (True, False)
    assert below.stddev == pytest.approx(math.sqrt(VARIANCE_FLOOR))
    assert below.slopes[1] == 0 and above.slopes[1] != 0
    assert not one_pixel("gaussian_identity", 0.5, 0.9, -8.0).on_floor


def test_the_laplace_slope_is_flat_between_its_two_values() -> None:
    slopes = [one_pixel("laplace", a, 0.5, scale=0.25).slopes for a in (-6.0, 0.4, 0.5, 0.6)]
    assert slopes == [(-4.0,), (-4.0,), (0.0,), (4.0,)]


def test_two_greys_and_none_else_are_said_by_a_softmax_over_levels_alone() -> None:
    """“Dark grey or light grey, but not the grey between, nor black, nor white”: a bell in bins may rise at both ends,
    for these reach to infinity, and never at 1/4 and 3/4 alone."""
    levels = (0, 0.25, 0.5, 0.75, 1)

    def two_peaks(key: str, a: float, second: float) -> bool:
        black, dark, grey, light, white = (one_pixel(key, a, x, second, levels=5).log_prob for x in levels)
        return min(dark, light) > max(black, grey, white)

    assert two_peaks("categorical", 0.0, 1.5)  # what its button opens
    grid = [(a / 4, log_scale) for a in range(-4, 9) for log_scale in (-7, -5, -3, -2, -1, 0, 1)]
    assert not any(two_peaks("discretized_logistic", a, log_scale) for a, log_scale in grid)
    ends = [one_pixel("discretized_logistic", 0.5, x, -1.0, levels=5).log_prob for x in levels]
    assert ends[0] > ends[1] < ends[2]
