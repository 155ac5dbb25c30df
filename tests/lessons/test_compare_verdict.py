"""Who gives the most probability, and the model that knows nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from vae_core.lessons.compare_verdict import Score, know_nothing, overall_sigma, score, verdict
from vae_core.measures import Means
from vae_core.shipped import SHIPPED, measured


def test_a_score_is_of_the_means() -> None:
    means = Means(reconstruction=900.0, kl=20.0, elbo=880.0, mse=0.1, log_mass=-80.0)
    found = score(means, 784)
    assert found == score(vars(means), 784)
    assert found is not None
    assert (found.elbo, found.own) == (-100.0, 880.0)
    assert found.bits == pytest.approx(100 / 784 / math.log(2))
    assert score(Means(900.0, 20.0, 880.0, 0.1), 784) is None


def test_the_order_and_the_pairs_that_turn() -> None:
    made = lambda bits, own: Score(bits, -bits, own)
    agree = {"a": made(0.1, 3.0), "b": made(0.2, 2.0), "c": made(0.3, 1.0)}
    found = verdict(agree, 0.25)
    assert (found.order, found.own_order, found.turned, found.pairs) == ([*"abc"], [*"abc"], 0, 3)
    assert found.below_histogram == ["c"]
    other = verdict({"a": made(0.1, 1.0), "b": made(0.2, 2.0), "c": made(0.3, 3.0)}, 1.0)
    assert (other.order, other.own_order, other.turned) == ([*"abc"], [*"cba"], 3)
    one = verdict({"b": made(0.1, 1.0)}, 1.0)
    assert (one.pairs, one.order) == (0, ["b"])


def test_the_shipped_runs_turn_round() -> None:
    """The lesson of the page: the highest density is not the most probability."""
    scores = {}
    for name, spec in SHIPPED.items():
        known = measured(spec)
        assert known is not None
        found = score(known.means, spec.n_pixels)
        assert found is not None
        scores[name] = found
    said = verdict(scores, 0.38)
    assert said.order[0] == "bernoulli"
    assert said.own_order[0] == "gaussian_learned"
    assert said.order[-1] == "gaussian_identity"
    assert said.turned > 0


@pytest.mark.parametrize(("n_pixels", "levels"), [(784, 2), (784, 256), (64, 17)])
def test_the_model_that_knows_nothing(n_pixels: int, levels: int) -> None:
    found = know_nothing(n_pixels, levels)
    centres = np.arange(levels) / (levels - 1)
    deviation = math.sqrt(found.variance)
    density = lambda x: stats.norm(centres, deviation).pdf(x).mean()
    for level in (0, levels // 2, levels - 1):  # every image of these levels has the same
        assert found.log_density == pytest.approx(n_pixels * math.log(density(centres[level])), rel=1e-12)
    upper = 0.5 / (levels - 1)
    mass = integrate.quad(density, -20 * deviation, upper, points=[0.0], epsabs=1e-13)[0]
    assert found.bits == pytest.approx(-math.log2(mass), abs=1e-9)
    assert found.bits == pytest.approx(math.log2(levels), abs=1e-9)


def test_the_number_that_the_page_shows() -> None:
    assert round(know_nothing(784, 2).log_density, 1) == 1444.0
    assert know_nothing(784, 2).variance == pytest.approx(0.001)


def test_sigma_over_all_pixels() -> None:
    assert overall_sigma([3.0, 4.0], [0.0, 2.0]) == pytest.approx((math.sqrt(12.5), math.sqrt(2)))
