"""A distribution over grey levels, as torch.distributions has none with values other than 0, 1, 2, ..."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from vae_core.likelihoods.base import greys


class Levels(constraints.Constraint):
    is_discrete = True

    def __init__(self, values: Tensor):
        self.values = values

    def check(self, value: Tensor) -> Tensor:
        return (value.unsqueeze(-1) == self.values).any(-1)


class OnLevels(Distribution):
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}

    def __init__(self, log_probs: Tensor):
        """ln of the probabilities of 0, 1/(n-1), ..., 1: (..., n)."""
        self.log_probs, self.values = log_probs, greys(log_probs.shape[-1], log_probs)
        super().__init__(log_probs.shape[:-1], validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        return Levels(self.values)

    def log_prob(self, value: Tensor) -> Tensor:
        k = (value * (len(self.values) - 1)).round().long().unsqueeze(-1)
        k, _ = torch.broadcast_tensors(k, self.log_probs[..., :1])
        return self.log_probs.expand(*k.shape[:-1], -1).gather(-1, k).squeeze(-1)

    @property
    def mean(self) -> Tensor:
        return self.log_probs.exp() @ self.values

    @property
    def variance(self) -> Tensor:
        return (self.log_probs.exp() * (self.values - self.mean.unsqueeze(-1)).square()).sum(-1)

    def cdf(self, value: Tensor) -> Tensor:
        return (self.log_probs.exp() * (self.values <= value.unsqueeze(-1) + 1e-6)).sum(-1)

    def entropy(self) -> Tensor:
        return -torch.xlogy(self.log_probs.exp(), self.log_probs.exp()).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = self.values.reshape(-1, *[1] * len(self.batch_shape))
        return values.expand(-1, *self.batch_shape) if expand else values

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        k = torch.distributions.Categorical(logits=self.log_probs).sample(torch.Size(sample_shape))
        return k.to(self.values.dtype) / (len(self.values) - 1)
