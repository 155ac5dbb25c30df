"""One decoder output, one pixel: every number of the page One pixel, in float64.

The tiny network z -> a stands for any decoder. Its hidden activation bends the curve and nothing else: what a means
is the likelihood's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vae_core.likelihoods import LIKELIHOODS, Likelihood, Support

if TYPE_CHECKING:
    from torch import Tensor

# a = sum_k OUT_k h(IN_k z + BIAS_k) + w0, with h the hidden activation: fixed, not trained.
IN, BIAS, OUT = (2.0, -1.5, 1.0), (1.0, -1.0, -1.5), (0.7, 0.6, -2.4)


@dataclass(frozen=True)
class Pixel:
    """p(x|z,w) of one pixel: its parameters, and what it says of one observed x. Logs in nats."""

    mean: float  # lambda of a Bernoulli, mu of a Gaussian or Laplace
    stddev: float
    log_prob: float  # ln of a mass or a density, as LIKELIHOODS[key].kind says; on grey x a Bernoulli's is minus a loss
    slopes: tuple[float, ...]  # d(-ln p)/d(raw output), one a raw output: a, then ln sigma^2 where there is one
    outside: float  # the exact probability that a draw from p(x|z,w) is below 0 or above 1
    on_floor: bool  # whether sigma^2 is the floor instead of what the network asks for


def likelihood_of(key: str, **settings: float) -> Likelihood:
    """The likelihood of one pixel, with those of the settings that are its own; the others are at their defaults."""
    kind = LIKELIHOODS[key]
    return kind(1, **{name: settings[name] for name in kind.settings if name in settings})


def one_pixel(key: str, a: float, x: float, log_var: float = 0.0, **settings: float) -> Pixel:
    """The likelihood `key` with one pixel, at the raw outputs a (and log_var, where it is an output), observed at x.

    Of the settings (sigma, scale, ...) those count that the likelihood declares. The slopes are torch's derivatives.
    """
    import torch

    likelihood = likelihood_of(key, **settings)
    values = [a, log_var] if likelihood.learns_sigma else [a]
    outputs = torch.tensor(values, dtype=torch.float64, requires_grad=True)  # (n_outputs,)
    log_prob = likelihood.log_prob(outputs, torch.tensor([x], dtype=torch.float64))  # ()
    (slopes,) = torch.autograd.grad(-log_prob, outputs)  # (n_outputs,)
    on_floor = getattr(likelihood, "on_floor", None)  # where there is a floor
    return Pixel(
        mean=likelihood.mean(outputs).item(),
        stddev=likelihood.stddev(outputs).item(),
        log_prob=log_prob.item(),
        slopes=tuple(slopes.tolist()),
        outside=_outside(likelihood, outputs.detach()),
        on_floor=bool(on_floor and on_floor(outputs)),
    )


def _outside(likelihood: Likelihood, outputs: Tensor) -> float:
    if likelihood.support is not Support.REAL:
        return 0.0
    distribution = likelihood.distribution(outputs)
    below, within = distribution.cdf(outputs.new_tensor(0.0)), distribution.cdf(outputs.new_tensor(1.0))
    return (below + 1 - within).item()
