"""The continuous Bernoulli as a torch Distribution that is exact at any logit."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from vae_core.likelihoods.tilted import log_sinhc, tilted_cdf, tilted_icdf, tilted_mean, tilted_variance


class OnUnitInterval(Distribution):
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}
    support = constraints.unit_interval

    def __init__(self, logits: Tensor):
        self.logits = logits
        super().__init__(logits.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        return (value - 0.5) * self.logits - log_sinhc(0.5 * self.logits)

    @property
    def mean(self) -> Tensor:
        return tilted_mean(self.logits)

    @property
    def variance(self) -> Tensor:
        return tilted_variance(self.logits)

    def cdf(self, value: Tensor) -> Tensor:
        return tilted_cdf(self.logits, value.clamp(0, 1))

    def entropy(self) -> Tensor:
        return log_sinhc(0.5 * self.logits) - (self.mean - 0.5) * self.logits

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        return tilted_icdf(self.logits, torch.rand(shape, dtype=self.logits.dtype, device=self.logits.device))
