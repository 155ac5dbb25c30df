"""Pixels with the noise that the absolute error means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vae_core.lazy_torch import torch
from vae_core.likelihoods.base import Likelihood, Support, bin_around, side_of

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.distributions import Distribution


@dataclass(frozen=True)
class Laplace(Likelihood):
    """Every pixel is mu_d plus two-sided exponential noise of one fixed scale b: the meaning of absolute error."""

    name: ClassVar[str] = "Laplace"
    symbol: ClassVar[str] = r"p(x\mid z,w)=\prod_d \tfrac{1}{2b}\,e^{-|x_d-\mu_d|/b}"
    link: ClassVar[str] = r"\mu=f(z,w)"
    mean_symbol: ClassVar[str] = "μ"
    loss_line: ClassVar[str] = "(x - mu).abs().sum(-1) / b + D * math.log(2 * b)"
    support: ClassVar[Support] = Support.REAL
    settings: ClassVar[tuple[str, ...]] = ("scale",)

    n_pixels: int
    scale: float = 1.0

    @property
    def title(self) -> str:
        return self.name if self.scale == 1 else f"{self.name}, b = {self.scale:.4g}"

    @property
    def n_outputs(self) -> int:
        return self.n_pixels  # one mean a pixel, which is its median too

    def distribution(self, outputs: Tensor) -> Distribution:
        return torch.distributions.Laplace(outputs, self.scale, validate_args=False)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        return -(outputs - x).abs().sum(-1) / self.scale - self.n_pixels * math.log(2 * self.scale)

    def log_mass(self, outputs: Tensor, x: Tensor, levels: int) -> Tensor:
        if levels == 2:
            t = side_of(x) * ((outputs - 0.5) / self.scale)
            return t.clamp(max=0) + torch.log1p(-0.5 * torch.exp(-t.clamp(min=0)))
        lower, upper = bin_around(x, levels)
        above, below = (upper - outputs) / self.scale, (outputs - lower) / self.scale
        near, far = torch.minimum(above, below), torch.maximum(above, below)
        # Two pieces that are positive, on both sides of mu; where mu lies outside the bin the first is empty.
        pieces = torch.expm1(-near.clamp(min=0)) + torch.expm1(-far - near.clamp(max=0))
        return near.clamp(max=0) + torch.log(-0.5 * pieces)

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs

    def stddev(self, outputs: Tensor) -> Tensor:
        return torch.full_like(outputs, math.sqrt(2) * self.scale)

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        waits = torch.empty((2, *outputs.shape), device=outputs.device, dtype=outputs.dtype)
        first, second = waits.exponential_(generator=generator)  # their difference is a Laplace of scale 1
        return outputs + self.scale * (first - second)
