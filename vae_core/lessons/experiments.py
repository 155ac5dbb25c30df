"""Three experiments with p(x|z,w), from what was measured on runs that ship: no torch, so that the page opens at once.

Sources: Mattei & Frellsen 2018 (arXiv 1802.04826) for the floor; Theis, van den Oord & Bethge 2016 (arXiv 1511.01844)
for bits of stored pixels; Loaiza-Ganem & Cunningham 2019 (arXiv 1907.06845) for grey pixels; Rybkin, Daniilidis &
Levine 2021 (arXiv 2006.13202) for sigma.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from vae_core.data import load_dataset, split
from vae_core.likelihoods.base import LN_2PI, bits_per_pixel
from vae_core.shipped import FLOOR_SPECS, GREY_SPECS, ROUND_SPECS, SHARED, SIGMA_SPECS, Measured, measured
from vae_core.spec import RunSpec

STANDS = 0.01  # a sigma stands still when the next differs by less than this share


@dataclass(frozen=True)
class Row:
    """A run and what was measured on it."""

    spec: RunSpec
    result: Measured

    @property
    def elbo_mass(self) -> float | None:
        """The ELBO with ln P, of the pixels' levels, in place of ln p: nats per image; None where there is no P."""
        means = self.result.means
        return None if means.log_mass is None else means.log_mass - means.kl

    @property
    def bits(self) -> float | None:
        """What the levels of a pixel cost at most: bits, the KL included. Of levels as the run sees them: 2 or 256."""
        means = self.result.means
        return None if means.log_mass is None else bits_per_pixel(means.log_mass, self.spec.n_pixels, means.kl)

    @property
    def bits_of_tosses(self) -> float | None:
        """What a grey pixel tossed black or white costs at most, in bits; None but for a Bernoulli on grey data.

        On grey x, -BCE is linear in x: the mean of ln p over all tosses with chance x. So -BCE - KL is a bound too, on
        the mean of ln p(toss).
        """
        grey_coins = self.spec.likelihood == "bernoulli" and self.spec.binarize != "threshold"
        return bits_per_pixel(self.result.means.elbo, self.spec.n_pixels) if grey_coins else None

    @property
    def root_mse(self) -> float:
        """The sigma that the held-out residuals ask for, at drawn z."""
        return math.sqrt(self.result.means.mse)

    @property
    def root_mse_train(self) -> float:
        """The sigma that the residuals of the training images ask for, at drawn z."""
        return math.sqrt(self.result.train.mse)

    @property
    def sigma(self) -> float:
        """The one sigma of all pixels, fixed or learned."""
        learned = self.result.sigma
        return learned.median if learned else self.spec.sigma


def row(spec: RunSpec) -> Row:
    found = measured(spec)
    assert found is not None, f"{spec.id} is not among the shipped runs"
    return Row(spec, found)


def floor_rows() -> dict[int, Row]:
    """By the power of e that the floor is, from the highest."""
    return {power: row(spec) for power, spec in FLOOR_SPECS.items()}


def gain_at_floor(pixels: float, powers: int) -> float:
    """Nats per image that so many pixels gain when a floor that they keep to, and are exact at, falls by so many powers
    of e: ln p has -1/2 ln sigma^2 a pixel."""
    return 0.5 * pixels * powers


def gain_as_probability(pixels: float, floor: float, lower: float) -> float:
    """The same pixels' nats of ln P, black or white, P = Phi(1/2 / sigma): from one floor on sigma^2 to a lower one."""
    ln_p = lambda variance: math.log1p(-0.5 * math.erfc(0.5 / math.sqrt(2 * variance)))
    return pixels * (ln_p(lower) - ln_p(floor))


def cost_of_a_miss(floor: float, miss: float = 1.0) -> float:
    """Nats that one pixel costs whose mean is off by `miss` where sigma^2 is the floor: miss^2 / (2 sigma^2)."""
    return 0.5 * miss**2 / floor


def price_of_a_miss(floor: float) -> float:
    """Nats of probability that a pixel costs which is promised black there and is white: -ln Phi(-1/2 / sigma)."""
    t = 0.5 / math.sqrt(floor)
    if t < 30:
        return -math.log(0.5 * math.erfc(t / math.sqrt(2)))
    return 0.5 * t**2 + 0.5 * LN_2PI + math.log(t) - math.log1p(-(t**-2))  # erfc is no float any more


def grey_rows() -> dict[str, Row]:
    return {name: row(spec) for name, spec in GREY_SPECS.items()}


def priced(rows: dict[str, Row]) -> dict[str, Row]:
    """Those that give the stored grey levels, all 256, a probability."""
    return {name: one for name, one in rows.items() if one.spec.n_levels > 2 and one.bits is not None}


def late_rise(one: Row) -> float:
    """Nats by which the held-out ELBO rose over the last quarter of training."""
    trail = one.result.trail
    start = next(point for point in trail if point.step >= 0.75 * trail[-1].step)
    return trail[-1].elbo - start.elbo


@lru_cache
def share_of_levels(spec: RunSpec) -> tuple[float, float]:
    """The shares of exactly black and of exactly white among the stored pixels of the held-out images."""
    data = load_dataset(spec.dataset)
    pixels = data.images[split(spec)[1]]
    return float((pixels == 0).mean()), float((pixels == data.levels).mean())


def rounds(part: str) -> list[Row]:
    """By hand, from sigma = 1: each with the root-MSE of the one before, on images "held_out" or of "train"."""
    return [row(spec) for spec in ROUND_SPECS[part]]


def asked(one: Row, part: str) -> float:
    return one.root_mse if part == "held_out" else one.root_mse_train


def stands(one: Row, part: str) -> bool:
    """Whether the sigma that the residuals ask for is the one that was assumed."""
    return abs(asked(one, part) / one.sigma - 1) < STANDS


def one_sigma_rows() -> list[Row]:
    """All runs with one fixed sigma for all pixels, from the smallest."""
    specs = {spec.sigma: spec for spec in [*SIGMA_SPECS.values(), *ROUND_SPECS["held_out"], *ROUND_SPECS["train"]]}
    return [row(specs[sigma]) for sigma in sorted(specs)]


def shared_row() -> Row:
    """The run that learns one sigma for all pixels."""
    return row(SHARED)
