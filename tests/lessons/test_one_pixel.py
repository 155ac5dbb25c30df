"""One pixel, against torch.distributions, SciPy and finite differences."""

from __future__ import annotations

import math

import pytest
from scipy import integrate, stats

from vae_core.lessons.one_pixel import one_pixel
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
        (one_pixel("laplace", a, x, scale=0.3), stats.laplace(a, 0.3)),
    ]:
        assert (seen.mean, seen.stddev) == pytest.approx((named.mean(), named.std()))
        assert seen.log_prob == pytest.approx(named.logpdf(x))
        assert seen.outside == pytest.approx(named.cdf(0) + named.sf(1))


@pytest.mark.parametrize("key", LIKELIHOODS)
@pytest.mark.parametrize(("a", "x", "log_var"), STATES)
def test_slopes_are_those_of_finite_differences(key: str, a: float, x: float, log_var: float) -> None:
    loss = lambda a, log_var: -one_pixel(key, a, x, log_var, sigma=0.7, scale=0.3).log_prob
    h = 1e-6
    slopes = [(loss(a + h, log_var) - loss(a - h, log_var)) / (2 * h)]
    if LIKELIHOODS[key].learns_sigma:
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
