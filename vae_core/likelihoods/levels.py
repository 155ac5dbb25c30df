"""Masses on the grey levels themselves: a logistic cut into bins, and a softmax over the levels of each pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vae_core.errors import LevelsError
from vae_core.lazy_torch import F, torch
from vae_core.likelihoods.base import Likelihood, Support, bin_around, greys, level_of, log1mexp

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.distributions import Distribution

LEAST_LOG_SCALE = -9.0  # s = 0.0001, a thirtieth of one of 256 levels: sharper makes no difference any more
FEW = 32  # levels, over which summing is cheaper than thinking


@dataclass(frozen=True)
class DiscretizedLogistic(Likelihood):
    """Every pixel is one of n levels: the mass on its bin of a logistic around mu_d(z) with a scale s_d(z).

    Kingma et al. 2016 (arXiv 1606.04934), Salimans et al. 2017 (arXiv 1701.05517, there a mixture). The outputs are D
    means, then D log-scales.
    """

    name: ClassVar[str] = "Discretised logistic"
    symbol: ClassVar[str] = r"p(x\mid z,w)=\prod_d S\Bigl(\frac{x-\mu_d}{s_d}\Bigr)\Big|_{x=x_d^-}^{x_d^+}"
    link: ClassVar[str] = r"(\mu,\ln s)=f(z,w)"
    mean_symbol: ClassVar[str] = ""
    loss_line: ClassVar[str] = "-torch.log(torch.sigmoid((upper - mu) / s) - torch.sigmoid((lower - mu) / s)).sum(-1)"
    support: ClassVar[Support] = Support.LEVELS
    learns_sigma: ClassVar[bool] = True
    second: ClassVar[str] = "log_scale"

    n_pixels: int
    levels: int = 256

    @property
    def n_outputs(self) -> int:
        return 2 * self.n_pixels  # a mean and a log-scale a pixel

    def distribution(self, outputs: Tensor) -> Distribution:
        mean, log_scale = (one.unsqueeze(-1) for one in self._parameters(outputs))
        return on_levels(logistic_log_mass(mean, log_scale, greys(self.levels, outputs), self.levels))

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        return self.log_mass(outputs, x, self.levels).sum(-1)

    def log_mass(self, outputs: Tensor, x: Tensor, levels: int) -> Tensor:
        return logistic_log_mass(*self._parameters(outputs), x, levels)

    def mean(self, outputs: Tensor) -> Tensor:
        """sum_k P(K >= k) / (n-1). With many levels by Euler and Maclaurin, but where a few levels make the sum."""
        mean, log_scale = self._parameters(outputs)
        if self.levels <= FEW:
            return self._reached(mean, log_scale).sum(-1) / (self.levels - 1)
        scale = log_scale.exp()
        step = 1 / (self.levels - 1)
        whole = scale * (F.softplus(mean / scale) - F.softplus((mean - 1) / scale))  # the integral that the sum is near
        at_0, at_1 = (_slope(torch.sigmoid((mean - edge) / scale)) for edge in (0, 1))
        r = step / scale
        whole = whole + step * (
            r / 24 * (at_1 - at_0) - 7 * r**3 / 5760 * (at_1 * (1 - 6 * at_1) - at_0 * (1 - 6 * at_0))
        )
        sharp = r > 1  # no smooth sum any more
        if not sharp.any():
            return whole
        exact = self._reached(mean[sharp], log_scale[sharp]).sum(-1) * step
        return whole.masked_scatter(sharp, exact)

    def stddev(self, outputs: Tensor) -> Tensor:
        """From tails as they are, P(K >= k) above a level c near the mean and P(K < k) below: one sigmoid a level.

        E(K-c) = sum_k sign * tail and E(K-c)^2 = sum_k |2(k-c)-1| * tail, so that nothing large cancels.
        """
        mean, log_scale = (one.unsqueeze(-1) for one in self._parameters(outputs))
        k = torch.arange(1, self.levels, device=outputs.device, dtype=outputs.dtype)
        odd = 2 * (k - level_of(mean, self.levels)) - 1  # (..., levels - 1)
        tail = torch.sigmoid(odd.sign() * (mean - (k - 0.5) / (self.levels - 1)) / log_scale.exp())
        variance = (odd.abs() * tail).sum(-1) - (odd.sign() * tail).sum(-1).square()
        return variance.clamp(min=0).sqrt() / (self.levels - 1)

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        mean, log_scale = self._parameters(outputs)
        u = torch.rand(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        logistic = mean + log_scale.exp() * torch.logit(u, eps=torch.finfo(u.dtype).tiny)
        return level_of(logistic, self.levels) / (self.levels - 1)

    def _parameters(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_scale = outputs.chunk(2, dim=-1)
        return mean, log_scale.clamp(min=LEAST_LOG_SCALE)

    def _reached(self, mean: Tensor, log_scale: Tensor) -> Tensor:
        """P(K >= k) for each level k but the first: (..., levels - 1)."""
        k = torch.arange(1, self.levels, device=mean.device, dtype=mean.dtype)
        return torch.sigmoid((mean.unsqueeze(-1) - (k - 0.5) / (self.levels - 1)) / log_scale.exp().unsqueeze(-1))


def _slope(s: Tensor) -> Tensor:
    return s * (1 - s)  # of a sigmoid, by its value


def logistic_log_mass(mean: Tensor, log_scale: Tensor, x: Tensor, levels: int) -> Tensor:
    """ln(S(b) - S(a)) = ln S(b) + ln S(-a) + ln(1 - e^(a-b)) for the bin's edges a < b in scales: no digit is lost."""
    lower, upper = bin_around(x, levels)
    inverse = torch.exp(-log_scale)
    above, below = (upper - mean) * inverse, (mean - lower) * inverse
    return F.logsigmoid(above) + F.logsigmoid(below) + log1mexp((upper - lower) * inverse)


@dataclass(frozen=True)
class Categorical(Likelihood):
    """Every pixel is one of n levels, by a softmax over them: no order of greys is assumed, and no shape.

    Van den Oord, Kalchbrenner & Kavukcuoglu 2016 (arXiv 1601.06759), section 3. The outputs are n planes of D logits:
    those of the darkest level first.
    """

    name: ClassVar[str] = "Categorical"
    symbol: ClassVar[str] = r"p(x\mid z,w)=\prod_d \pi_{d,k_d},\quad x_d=\tfrac{k_d}{n-1}"
    link: ClassVar[str] = r"\pi_d=\mathrm{softmax}(f(z,w))"
    mean_symbol: ClassVar[str] = ""
    loss_line: ClassVar[str] = 'F.cross_entropy(f.unflatten(-1, (n, D)), k, reduction="none").sum(-1)'
    support: ClassVar[Support] = Support.LEVELS
    settings: ClassVar[tuple[str, ...]] = ("levels",)

    n_pixels: int
    levels: int = 17

    @property
    def title(self) -> str:
        return f"{self.name}, {self.levels} levels"

    @property
    def n_outputs(self) -> int:
        return self.levels * self.n_pixels  # a logit a level and pixel

    def distribution(self, outputs: Tensor) -> Distribution:
        return on_levels(self._logits(outputs).log_softmax(-2).movedim(-2, -1))

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        return self.log_mass(outputs, x, self.levels).sum(-1)

    def check_levels(self, levels: int) -> None:
        if levels > self.levels:
            raise LevelsError(
                f"{self.title}: asked for the probability of one of {levels} grey levels; allowed: 2 to {self.levels}, "
                "the levels it has. Compare on fewer, or take another decoder."
            )

    def log_mass(self, outputs: Tensor, x: Tensor, levels: int) -> Tensor:
        """Of fewer levels than its own by adding up those that lie in a bin; of more it knows nothing."""
        self.check_levels(levels)
        logits, k = self._logits(outputs), level_of(x, levels).unsqueeze(-2)
        if levels == self.levels:
            k, _ = torch.broadcast_tensors(k.long(), logits[..., :1, :])  # broadcast_shapes would import sympy, 45 MB
            chosen = logits.expand(*k.shape[:-2], -1, -1).gather(-2, k).squeeze(-2)
        else:
            outside = level_of(greys(self.levels, logits), levels).unsqueeze(-1) != k
            chosen = torch.where(outside, -math.inf, logits).logsumexp(-2)
        return chosen - logits.logsumexp(-2)

    def mean(self, outputs: Tensor) -> Tensor:
        return torch.einsum("...kd,k->...d", self._logits(outputs).softmax(-2), greys(self.levels, outputs))

    def stddev(self, outputs: Tensor) -> Tensor:
        return self.distribution(outputs).stddev

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        # The largest of the logits with Gumbel noise falls on each level with its probability.
        logits = self._logits(outputs)
        waits = torch.empty(logits.shape, device=logits.device, dtype=logits.dtype).exponential_(generator=generator)
        return (logits - waits.log()).argmax(-2).to(outputs.dtype) / (self.levels - 1)

    def _logits(self, outputs: Tensor) -> Tensor:
        return outputs.unflatten(-1, (self.levels, self.n_pixels))


def on_levels(log_probs: Tensor) -> Distribution:
    """Over the levels k/(n-1), from ln of their probabilities (..., n)."""
    from vae_core.likelihoods.on_levels import OnLevels  # a subclass of torch's Distribution: torch is imported with it

    return OnLevels(log_probs)
