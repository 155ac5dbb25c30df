"""The noise around one output that a loss assumes, as a curve over the grey levels: what the page draws first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vae_core.lessons.assumed import LossCode, meaning

MIDDLE = 0.5  # mu, of the Gaussian and of the Laplace
COIN = 0.8  # lambda, of the Bernoulli


@dataclass(frozen=True)
class Noise:
    """p(x_d|z,w) of one pixel; x in units of black to white."""

    x: np.ndarray  # (n,)
    p: np.ndarray  # (n,) a density, a mass at 0 and 1, or e^-loss, which is neither
    inside: float  # the share of p between black and white; the area under e^-loss


def noise(code: LossCode) -> Noise:
    found = meaning(code)
    if found.parameter == "beta":
        x = np.linspace(0, 1, 101) if not found.normalised else np.array([0.0, 1.0])
        area = (2 * COIN - 1) / math.log(COIN / (1 - COIN))  # the integral of lambda^x (1-lambda)^(1-x) over [0,1]
        return Noise(x, COIN**x * (1 - COIN) ** (1 - x), 1.0 if found.normalised else area)
    reach = max(3.5 * found.deviation, 0.6)
    x = np.linspace(MIDDLE - reach, MIDDLE + reach, 401)
    if found.parameter == "b":
        p = np.exp(-np.abs(x - MIDDLE) / found.value) / (2 * found.value)
        return Noise(x, p, -math.expm1(-MIDDLE / found.value))
    p = np.exp(-((x - MIDDLE) ** 2) / (2 * found.value)) / math.sqrt(2 * math.pi * found.value)
    return Noise(x, p, math.erf(MIDDLE / math.sqrt(2 * found.value)))
