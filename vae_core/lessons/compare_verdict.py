"""Which decoder gives the images the most probability, and how else its own number would rank it. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from vae_core.likelihoods.base import LN_2PI, bits_per_pixel

if TYPE_CHECKING:
    from vae_core.measures import Means

VARIANCE = 0.001  # of the model that knows nothing, for black and white, one whole range apart


@dataclass(frozen=True)
class Score:
    """Of one run's held-out images."""

    bits: float  # per pixel: -elbo / (D ln 2), what they cost at most
    elbo: float  # as probability, E_q[ln P(x|z,w)] - KL: nats per image
    own: float  # the ELBO of its own p, a mass, a density or a mere loss: nats per image


def score(means: Means | Mapping[str, Any], n_pixels: int) -> Score | None:
    """From what a run measured of itself; None where it did not score the grey levels."""
    numbers = means if isinstance(means, Mapping) else vars(means)
    log_mass, kl = numbers.get("log_mass"), numbers["kl"]
    if log_mass is None:
        return None
    return Score(bits_per_pixel(log_mass, n_pixels, kl), log_mass - kl, numbers["elbo"])


@dataclass(frozen=True)
class Verdict:
    """Runs by name, from the most probability down, and what their own numbers would have said."""

    order: list[str]
    own_order: list[str]  # from the highest own number down
    pairs: int
    turned: int  # of these pairs, how many their own numbers put the other way round
    below_histogram: list[str]  # they cost more bits than each pixel's own histogram


def verdict(scores: Mapping[str, Score], histogram_bits: float) -> Verdict:
    pairs = list(combinations(scores.values(), 2))
    turned = sum((a.bits - b.bits) * (a.own - b.own) > 0 for a, b in pairs)  # fewer bits are more probability
    order = sorted(scores, key=lambda name: scores[name].bits)
    return Verdict(
        order,
        sorted(scores, key=lambda name: -scores[name].own),
        len(pairs),
        turned,
        [name for name in order if scores[name].bits > histogram_bits],
    )


@dataclass(frozen=True)
class KnowNothing:
    """A model that gives every pixel the same mixture of narrow Gaussians, one on each grey level."""

    variance: float
    log_density: float  # of any image of these levels, nats
    bits: float  # per pixel, of the image's probability


def know_nothing(n_pixels: int, levels: int) -> KnowNothing:
    """Its density is as high as the Gaussians are narrow; its probability that of a uniform guess.

    With equal weights on the levels k/(n-1), and for n = 2: 1/2 N(0, .001) + 1/2 N(1, .001). Mass as everywhere: on the
    bin around a level, the outermost open.
    """
    deviation = math.sqrt(VARIANCE) / (levels - 1)
    distance = np.arange(levels) / (levels - 1) / deviation  # of black from each component, in deviations
    log_component = -0.5 * distance**2 - 0.5 * LN_2PI - math.log(deviation) - math.log(levels)
    half_bin = 0.5 / (levels - 1) / deviation
    # Black's bin is open below. What a component keeps in its own bin is 1 to within 1e-55.
    in_bin = np.array([0.5 * math.erfc(-(half_bin - d) / math.sqrt(2)) for d in distance])
    mass = float(in_bin.mean())
    return KnowNothing(
        deviation**2, n_pixels * float(np.logaddexp.reduce(log_component)), bits_per_pixel(math.log(mass), 1)
    )


def overall_sigma(asked: Sequence[float], found: Sequence[float]) -> tuple[float, float]:
    """Of the sigmas of each pixel, (n_pixels,) each, those of all: root mean squares."""
    return math.sqrt(np.mean(np.square(asked))), math.sqrt(np.mean(np.square(found)))
