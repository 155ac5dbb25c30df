"""One decoder output, one pixel: every number of the page One pixel, in float64.

The tiny network z -> a stands for any decoder. Its hidden activation bends the curve and nothing else: what a means
is the likelihood's business.
"""

from __future__ import annotations

import math
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

    mean: float  # lambda of a Bernoulli, mu of a Gaussian or Laplace; of most others a number without a letter
    stddev: float
    log_prob: float  # ln of a mass or a density, as LIKELIHOODS[key].kind says; on grey x a Bernoulli's is minus a loss
    slopes: tuple[float, ...]  # d(-ln p)/da, then in the second output where there is one
    outside: float  # the exact probability that a draw from p(x|z,w) is below 0 or above 1
    on_floor: bool  # whether sigma^2 is the floor instead of what the network asks for


def likelihood_of(key: str, **settings: float) -> Likelihood:
    """The likelihood of one pixel, with those of the settings that are its own; the others are at their defaults."""
    kind = LIKELIHOODS[key]
    return kind(1, **{name: settings[name] for name in kind(1).given if name in settings})


def second_of(likelihood: Likelihood) -> str:
    """What is set beside a: the second output by its name in code, "v" of `last_layer`, or "" where there is none."""
    return likelihood.second or ("v" if likelihood.n_outputs > 1 else "")


def last_layer(raw: Tensor, n: int) -> Tensor:
    """A fixed layer from (a, v) to the logits of n levels x_k = k/(n-1), f_k = a x_k - v cos(4 pi x_k): (n,).

    It stands for the last layer of a decoder with a logit a level. a tilts them, v > 0 raises those around 1/4 and 3/4.
    """
    import torch

    x = torch.arange(n, dtype=raw.dtype) / (n - 1)  # (n,)
    return raw[0] * x - raw[1] * torch.cos(4 * math.pi * x)


def one_pixel(key: str, a: float, x: float, second: float = 0.0, **settings: float) -> Pixel:
    """The likelihood `key` with one pixel, at the raw output a (and `second_of` it), observed at x.

    Of the settings (sigma, scale, ...) those count that the likelihood was given. The slopes are torch's derivatives.
    """
    import torch

    likelihood = likelihood_of(key, **settings)
    named = second_of(likelihood)
    values = [a, second] if named else [a]
    raw = torch.tensor(values, dtype=torch.float64, requires_grad=True)  # (1,) or (2,)
    outputs = last_layer(raw, likelihood.n_outputs) if named == "v" else raw  # (n_outputs,)
    log_prob = likelihood.log_prob(outputs, torch.tensor([x], dtype=torch.float64))  # ()
    (slopes,) = torch.autograd.grad(-log_prob, raw, retain_graph=True)  # (1,) or (2,)
    outputs = outputs.detach()
    on_floor = getattr(likelihood, "on_floor", None)  # where there is a floor
    return Pixel(
        mean=likelihood.mean(outputs).item(),
        stddev=likelihood.stddev(outputs).item(),
        log_prob=log_prob.item(),
        slopes=tuple(slopes.tolist()),
        outside=_outside(likelihood, outputs),
        on_floor=bool(on_floor and on_floor(outputs)),
    )


def _outside(likelihood: Likelihood, outputs: Tensor) -> float:
    if likelihood.support is not Support.REAL:
        return 0.0
    distribution = likelihood.distribution(outputs)
    below, within = distribution.cdf(outputs.new_tensor(0.0)), distribution.cdf(outputs.new_tensor(1.0))
    return (below + 1 - within).item()
