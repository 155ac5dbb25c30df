"""What the experiments claim, against torch.distributions and the shipped numbers."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal

from vae_core.data import load_dataset
from vae_core.feed import Feed
from vae_core.lessons.experiments import (
    Row,
    asked,
    cost_of_a_miss,
    floor_rows,
    gain_as_probability,
    gain_at_floor,
    grey_rows,
    late_rise,
    one_sigma_rows,
    price_of_a_miss,
    priced,
    rounds,
    row,
    share_of_levels,
    shared_row,
    stands,
)
from vae_core.measures import largest_difference, trend
from vae_core.shipped import SPECS

ROOT = Path(__file__).resolve().parents[2]


def test_bits_are_nats_over_pixels() -> None:
    one = row(SPECS["bernoulli"])
    assert one.bits is not None
    assert 2 ** (-one.bits * 784) == pytest.approx(math.exp(one.result.means.elbo), rel=1e-3)
    assert one.elbo_mass == pytest.approx(one.result.means.elbo, abs=1e-3)  # a mass already
    assert one.bits_of_tosses is None  # nothing is tossed


# The floor -----------------------------------------------------------------------------------------------------------


def test_a_pixel_at_the_floor_gains_what_is_said() -> None:
    at = lambda power: float(Normal(0.3, math.exp(0.5 * power)).log_prob(torch.tensor(0.3)))
    assert gain_at_floor(100, 2) == pytest.approx(100 * (at(-9) - at(-7)), rel=1e-6)
    sure = lambda variance: float(torch.special.log_ndtr(torch.tensor(0.5 / variance**0.5, dtype=torch.float64)))
    assert gain_as_probability(100, 0.05, 0.01) == pytest.approx(100 * (sure(0.01) - sure(0.05)), rel=1e-9)
    missed = Normal(torch.tensor(0.0).double(), math.sqrt(1e-4))
    lost = missed.log_prob(torch.tensor(0.0)) - missed.log_prob(torch.tensor(1.0))
    assert cost_of_a_miss(1e-4) == pytest.approx(float(lost), rel=1e-6)
    for floor in (0.05, 3e-4, 2.6e-4, 1.67e-5):  # on both sides of where erfc is no float any more
        expected = -torch.special.log_ndtr(torch.tensor(-0.5 / math.sqrt(floor)).double())
        assert price_of_a_miss(floor) == pytest.approx(float(expected), rel=1e-7)


def test_what_the_floor_does() -> None:
    """The page says these; were they to change, its sentences follow, and its questions would need new ones."""
    rows = list(floor_rows().values())
    assert [one.spec.variance_floor for one in rows] == sorted((one.spec.variance_floor for one in rows), reverse=True)
    assert trend([one.result.train.elbo for one in rows]) == "grows"
    assert trend([one.bits or 0 for one in rows]) == "grows"
    assert trend([one.result.means.mse for one in rows]) == "grows"
    held_out = [one.result.means.elbo for one in rows]
    assert trend(held_out[:-1]) == "grows"
    assert held_out[-1] < held_out[-2]  # at the lowest floor the held-out surprises cost more than the rest gains


# Grey pixels ---------------------------------------------------------------------------------------------------------


def test_bce_on_grey_pixels_is_the_mean_over_all_tosses() -> None:
    """Exhaustively, over the 2^6 ways in which six pixels may fall."""
    rng = np.random.default_rng(0)
    x, chance = torch.from_numpy(rng.random(6)), torch.from_numpy(rng.random(6))
    mean = 0.0
    for toss in itertools.product([0.0, 1.0], repeat=6):
        fallen = torch.tensor(toss, dtype=torch.float64)
        probability = Bernoulli(x).log_prob(fallen).sum().exp()
        mean += float(probability * Bernoulli(chance).log_prob(fallen).sum())
    assert -torch.nn.functional.binary_cross_entropy(chance, x, reduction="sum") == pytest.approx(mean, rel=1e-12)


def test_which_numbers_are_of_the_stored_image() -> None:
    rows = grey_rows()
    assert list(priced(rows)) == ["continuous", "continuous_noise", "logistic"]
    assert rows["loss"].bits is None
    assert {name for name, one in rows.items() if one.bits_of_tosses is not None} == {"loss", "tossed"}
    assert rows["tossed"].bits_of_tosses == pytest.approx(rows["tossed"].bits, rel=1e-6)


def test_without_noise_the_density_is_higher_and_the_probability_lower() -> None:
    rows = grey_rows()
    with_noise, without = rows["continuous_noise"], rows["continuous"]
    assert without.result.means.elbo > with_noise.result.means.elbo
    assert (without.bits or 0) > (with_noise.bits or 0)
    assert rows["logistic"].bits == min(one.bits or 9 for one in priced(rows).values())


def test_black_and_white_are_counted() -> None:
    spec = grey_rows()["continuous"].spec
    x = Feed(spec, load_dataset(spec.dataset)).held_out()
    assert share_of_levels(spec) == pytest.approx((float((x == 0).double().mean()), float((x == 1).double().mean())))


def test_the_density_without_noise_still_rises_at_the_end() -> None:
    rows = grey_rows()
    assert late_rise(rows["continuous"]) > late_rise(rows["continuous_noise"]) > 0
    trail = rows["continuous"].result.trail
    (at_three_quarters,) = [point for point in trail if point.step == 960]
    assert late_rise(rows["continuous"]) == trail[-1].elbo - at_three_quarters.elbo


# Which sigma ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["held_out", "train"])
def test_each_round_takes_what_the_last_one_asked_for(part: str) -> None:
    by_hand = rounds(part)
    assert by_hand[0].sigma == 1
    for before, after in zip(by_hand, by_hand[1:]):
        assert after.sigma == float(f"{asked(before, part):.4g}")
    assert [stands(one, part) for one in by_hand] == [False] * (len(by_hand) - 1) + [True]


def test_the_learned_sigma_is_that_of_the_training_images() -> None:
    shared = shared_row()
    assert shared.sigma == pytest.approx(shared.root_mse_train, rel=0.01)
    assert shared.sigma < 0.95 * shared.root_mse


def test_the_best_sigma_is_the_root_mse_of_its_own_run() -> None:
    rows = one_sigma_rows()
    assert [one.sigma for one in rows] == sorted({one.sigma for one in rows})
    best = max(rows, key=lambda one: one.result.means.elbo)
    assert best.sigma == pytest.approx(best.root_mse, rel=0.01)
    assert min(rows, key=lambda one: one.bits or 9) == best


def test_no_other_run() -> None:
    with pytest.raises(AssertionError, match="not among the shipped"):
        row(SPECS["bernoulli"].with_epochs(3))


def test_differences_leave_out_what_is_not_there() -> None:
    loss: Row = grey_rows()["loss"]
    own = vars(loss.result.means) | {"kl": loss.result.means.kl + 0.5}
    assert largest_difference(loss.result.means, own) == pytest.approx(0.5)
    del own["log_mass"]
    assert largest_difference(row(SPECS["bernoulli"]).result.means, own) > 0


def test_it_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from vae_core.lessons.experiments import floor_rows\n"
        "assert floor_rows() and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=100)
