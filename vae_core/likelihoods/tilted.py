"""The density a e^(ax)/(e^a - 1) on [0,1], a continuous Bernoulli by its logit a: its numbers, exact at any slope.

torch's own ContinuousBernoulli clamps lambda = sigmoid(a), so that beyond |a| = 16 in float32 it is another
distribution, and its log_prob takes several times as long.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vae_core.lazy_torch import F, torch

if TYPE_CHECKING:
    from torch import Tensor

# ln(sinh y / y) = y^2/6 - y^4/180 + ..., its slope coth y - 1/y = y/3 - y^3/45 + ..., and the slope of that:
# coefficients of y^0, y^2, y^4, ... (of the first slope: over y). Below NEAR they are exact to rounding.
NEAR, NEAR_UNIFORM = 0.25, 1e-4
LOG_SINHC = (0.0, 1 / 6, -1 / 180, 1 / 2835, -1 / 37800, 1 / 467775, -691 / 3831077250)
AT_NEAR = math.log(math.sinh(NEAR) / NEAR)
LANGEVIN = tuple(2 * k * c for k, c in enumerate(LOG_SINHC))[1:]
LANGEVIN_SLOPE = tuple((2 * k + 1) * c for k, c in enumerate(LANGEVIN))


def log_sinhc(y: Tensor) -> Tensor:
    """ln(sinh y / y): even, 0 at 0. The continuous Bernoulli's normaliser is ln((e^a-1)/a) = a/2 + log_sinhc(a/2)."""
    far = F.threshold(y.abs(), NEAR, NEAR)  # each part stands still where the other moves
    return _series(y, LOG_SINHC) - AT_NEAR + far + torch.log(torch.expm1(-2 * far) / (-2 * far))


def tilted_mean(a: Tensor) -> Tensor:
    """1/(1 - e^-a) - 1/a = (1 + coth y - 1/y)/2, y = a/2."""
    y = 0.5 * a
    far = _away_from_0(y)
    return 0.5 + 0.5 * torch.where(y.abs() < NEAR, y * _series(y, LANGEVIN), 1 / far.tanh() - 1 / far)


def tilted_variance(a: Tensor) -> Tensor:
    """1/a^2 - e^a/(e^a - 1)^2 = (1/y^2 - 1/sinh^2 y)/4."""
    y = 0.5 * a
    far = _away_from_0(y).abs()
    beyond = far.pow(-2) - 4 * torch.exp(-2 * far) / torch.expm1(-2 * far).square()
    return 0.25 * torch.where(y.abs() < NEAR, _series(y, LANGEVIN_SLOPE), beyond)


def tilted_cdf(a: Tensor, x: Tensor) -> Tensor:
    """(e^ax - 1)/(e^a - 1), from the side on which the density falls."""
    steep = a.abs().clamp(min=NEAR_UNIFORM)
    t = torch.where(a > 0, 1 - x, x)
    falling = torch.expm1(-steep * t) / torch.expm1(-steep)
    cdf = torch.where(a > 0, 1 - falling, falling)
    return torch.where(a.abs() < NEAR_UNIFORM, x - 0.5 * a * x * (1 - x), cdf)


def tilted_icdf(a: Tensor, u: Tensor) -> Tensor:
    """The x whose cdf is u or, where the density rises, 1 - u: as good a draw, and exact at both ends."""
    steep = a.abs().clamp(min=NEAR_UNIFORM)
    uniform = u - 0.5 * a.abs() * u * (1 - u)
    falling = torch.where(a.abs() < NEAR_UNIFORM, uniform, -torch.log1p(u * torch.expm1(-steep)) / steep)
    return torch.where(a > 0, 1 - falling, falling)


def _series(y: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """sum_k c_k y^2k, of y within NEAR of 0."""
    square = y.square().clamp(max=NEAR**2)
    *rest, last = coefficients
    total = square * last + rest.pop()
    while rest:
        total = total * square + rest.pop()
    return total


def _away_from_0(y: Tensor) -> Tensor:
    return torch.where(y < 0, y.clamp(max=-NEAR), y.clamp(min=NEAR))
