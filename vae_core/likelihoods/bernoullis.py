"""Pixels that are coins, or lie between 0 and 1 as if they were."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vae_core.errors import LevelsError
from vae_core.lazy_torch import F, torch
from vae_core.likelihoods.base import Likelihood, Support, bin_around, level_of

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.distributions import Distribution


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """Every pixel is a coin: p(x_d=1|z) = lambda_d = sigmoid(f_d). Kingma & Welling 2013, App. C.1.

    On grey x in [0,1] `log_prob` is still minus the binary cross-entropy, a fine loss, but no log-probability.
    """

    name: ClassVar[str] = "Bernoulli"
    symbol: ClassVar[str] = r"p(x\mid z,w)=\prod_d \lambda_d^{x_d}(1-\lambda_d)^{1-x_d}"
    link: ClassVar[str] = r"\lambda=\mathrm{sigmoid}(f(z,w))"
    mean_symbol: ClassVar[str] = "λ"
    loss_line: ClassVar[str] = 'F.binary_cross_entropy_with_logits(f, x, reduction="none").sum(-1)'
    support: ClassVar[Support] = Support.BOOLEAN

    n_pixels: int

    @property
    def n_outputs(self) -> int:
        return self.n_pixels  # one logit a pixel

    def distribution(self, outputs: Tensor) -> Distribution:
        return torch.distributions.Bernoulli(logits=outputs, validate_args=False)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        # On logits: stays finite where sigmoid would round to 0 or 1, and is 5 times faster than on probabilities.
        outputs, x = torch.broadcast_tensors(outputs, x)
        return -F.binary_cross_entropy_with_logits(outputs, x, reduction="none").sum(-1)

    def check_levels(self, levels: int) -> None:
        if levels != 2:
            raise LevelsError(
                f"{self.name}: asked for the probability of one of {levels} grey levels; allowed: 2, black and white. "
                f"It gives the other {levels - 2} probability 0; make the pixels black and white, or choose another."
            )

    def log_mass(self, outputs: Tensor, x: Tensor, levels: int) -> Tensor:
        self.check_levels(levels)
        outputs, x = torch.broadcast_tensors(outputs, level_of(x, 2))
        return -F.binary_cross_entropy_with_logits(outputs, x, reduction="none")

    def mean(self, outputs: Tensor) -> Tensor:
        return torch.sigmoid(outputs)

    def stddev(self, outputs: Tensor) -> Tensor:
        mean = self.mean(outputs)
        return (mean * (1 - mean)).sqrt()

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        return torch.bernoulli(self.mean(outputs), generator=generator)


@dataclass(frozen=True)
class ContinuousBernoulli(Likelihood):
    """Every pixel has a density on [0,1] that rises or falls: p(x_d|z) = C(lambda_d) lambda_d^x (1-lambda_d)^(1-x).

    With a = f_d = ln lambda/(1-lambda) it is a e^(ax)/(e^a - 1): Bernoulli's formula, divided by its integral, which is
    1/C(lambda). Loaiza-Ganem & Cunningham 2019 (arXiv 1907.06845), eqs. 6-9. The mean is not lambda.
    """

    name: ClassVar[str] = "Continuous Bernoulli"
    symbol: ClassVar[str] = r"p(x\mid z,w)=\prod_d C(\lambda_d)\,\lambda_d^{x_d}(1-\lambda_d)^{1-x_d}"
    link: ClassVar[str] = r"\lambda=\mathrm{sigmoid}(f(z,w))"
    mean_symbol: ClassVar[str] = ""
    loss_line: ClassVar[str] = "-torch.distributions.ContinuousBernoulli(logits=f).log_prob(x).sum(-1)"
    support: ClassVar[Support] = Support.UNIT_INTERVAL

    n_pixels: int

    @property
    def n_outputs(self) -> int:
        return self.n_pixels  # one logit a pixel

    def distribution(self, outputs: Tensor) -> Distribution:
        return torch.distributions.ContinuousBernoulli(logits=outputs, validate_args=False)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        # On logits and with a Taylor middle: torch's own takes several times as long.
        return ((x - 0.5) * outputs - log_sinhc(0.5 * outputs)).sum(-1)

    def log_mass(self, outputs: Tensor, x: Tensor, levels: int) -> Tensor:
        lower, upper = (edge.clamp(0, 1) for edge in bin_around(x, levels))  # the support ends there
        centre, width = 0.5 * (lower + upper), upper - lower
        return (centre - 0.5) * outputs + width.log() + log_sinhc(0.5 * width * outputs) - log_sinhc(0.5 * outputs)

    def mean(self, outputs: Tensor) -> Tensor:  # 1/2 + (coth y - 1/y)/2, y = a/2
        y = 0.5 * outputs
        far = _away_from_0(y)
        return 0.5 + 0.5 * torch.where(y.abs() < NEAR, y * _series(y, LANGEVIN), 1 / far.tanh() - 1 / far)

    def stddev(self, outputs: Tensor) -> Tensor:  # variance (1/y^2 - 1/sinh^2 y)/4
        y = 0.5 * outputs
        far = _away_from_0(y)
        decay = torch.exp(-2 * far.abs())
        variance = torch.where(
            y.abs() < NEAR, _series(y, LANGEVIN_SLOPE), far.pow(-2) - 4 * decay / torch.expm1(-2 * far.abs()).square()
        )
        return 0.5 * variance.sqrt()

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        """By the inverse of the cdf, of the side on which the density falls."""
        u = torch.rand(outputs.shape, generator=generator, device=outputs.device, dtype=outputs.dtype)
        a = outputs.abs()
        steep = a.clamp(min=2 * NEAR_UNIFORM)
        falling = torch.where(
            a < 2 * NEAR_UNIFORM, u - 0.5 * a * u * (1 - u), -torch.log1p(u * torch.expm1(-steep)) / steep
        )
        return torch.where(outputs > 0, 1 - falling, falling)


# ln(sinh y / y) = y^2/6 - y^4/180 + ..., its slope coth y - 1/y = y/3 - y^3/45 + ..., and the slope of that:
# coefficients of y^0, y^2, y^4, ... (of the first slope: over y). Below NEAR they are exact to rounding.
NEAR, NEAR_UNIFORM = 0.25, 1e-4
LOG_SINHC = (0.0, 1 / 6, -1 / 180, 1 / 2835, -1 / 37800, 1 / 467775, -691 / 3831077250)
AT_NEAR = math.log(math.sinh(NEAR) / NEAR)
LANGEVIN = tuple(2 * k * c for k, c in enumerate(LOG_SINHC))[1:]
LANGEVIN_SLOPE = tuple((2 * k + 1) * c for k, c in enumerate(LANGEVIN))


def log_sinhc(y: Tensor) -> Tensor:
    """ln(sinh y / y): even, 0 at 0. The continuous Bernoulli's normaliser is ln((e^a-1)/a) = a/2 + log_sinhc(a/2)."""
    far = F.threshold(y.abs(), NEAR, NEAR)  # each part stands still where the other moves; at NEAR itself this one does
    return _series(y, LOG_SINHC) - AT_NEAR + far + torch.log(torch.expm1(-2 * far) / (-2 * far))


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
