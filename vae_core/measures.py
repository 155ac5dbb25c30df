"""The numbers by which a trained VAE is judged, as values: no torch, so that pages may hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

ACTIVE_KL = 0.01  # nats a latent must carry on average to count as active; Burda et al. 2016 use 0.01 on variances
Trend = Literal["grows", "same", "shrinks", "neither"]


@dataclass(frozen=True)
class Means:
    """Means over images: nats per image, and mse per pixel."""

    reconstruction: float
    kl: float
    elbo: float
    mse: float
    log_mass: float | None = None  # E_q[ln P(x|z,w)], P the probability of the grey levels; None where there is none


@dataclass(frozen=True)
class SigmaStats:
    """How sure a learned-variance decoder is, over all pixels of all images looked at."""

    smallest: float
    median: float  # of the first batch
    largest: float
    floor: float
    pixels_on_floor: float  # a mean over images: of the n_pixels, how many have sigma at the floor


def trend(values: Sequence[float]) -> Trend:
    """What a quantity does from each run to the next; `same` allows a hundredth of the largest."""
    steps = np.diff(values)
    if np.ptp(values) <= 0.01 * np.abs(values).max():
        return "same"
    return "grows" if (steps > 0).all() else "shrinks" if (steps < 0).all() else "neither"


def largest_difference(shipped: Means, own: Mapping[str, float | None]) -> float:
    """Over the means, nats or squared grey levels; `own` as the store keeps the result of a run, which may be from
    before a mean was kept."""
    pairs = ((value, own.get(name)) for name, value in vars(shipped).items())
    return max(abs(a - b) for a, b in pairs if a is not None and b is not None)
