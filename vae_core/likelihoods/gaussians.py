"""Gaussian pixels: noise of one fixed sigma, of one learned sigma, or of a sigma that each pixel learns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vae_core.lazy_torch import torch
from vae_core.likelihoods.base import LN_2PI, Likelihood, Support, bin_around, log1mexp, noise_like, side_of

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.distributions import Distribution


@dataclass(frozen=True)
class GaussianIdentity(Likelihood):
    """Every pixel is mu_d plus noise of one fixed sigma; sigma = 1 is N(mu, I), the meaning of 1/2 SSE."""

    name: ClassVar[str] = "Gaussian, fixed σ"
    symbol: ClassVar[str] = r"p(x\mid z,w)=\mathcal N(x;\,\mu,\,\sigma^2 I)\vphantom{\prod_d}"
    link: ClassVar[str] = r"\mu=f(z,w)"
    mean_symbol: ClassVar[str] = "μ"
    loss_line: ClassVar[str] = (
        "0.5 * ((x - mu) / sigma).square().sum(-1) + D * math.log(sigma * math.sqrt(2 * math.pi))"
    )
    support: ClassVar[Support] = Support.REAL
    settings: ClassVar[tuple[str, ...]] = ("sigma",)

    n_pixels: int
    sigma: float = 1.0

    @property
    def title(self) -> str:  # another sigma is no identity covariance any more
        return "Gaussian, identity covariance" if self.sigma == 1 else f"{self.name} = {self.sigma:.4g}"

    @property
    def n_outputs(self) -> int:
        return self.n_pixels  # one mean a pixel

    def distribution(self, outputs: Tensor) -> Distribution:
        return torch.distributions.Normal(outputs, self.sigma, validate_args=False)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        squared_error = (outputs - x).square().sum(-1)  # (...,)
        constant = self.n_pixels * (0.5 * LN_2PI + math.log(self.sigma))
        return -0.5 / self.sigma**2 * squared_error - constant

    def log_mass(self, outputs: Tensor, x: Tensor, levels: int) -> Tensor:
        return normal_log_mass(outputs, 1 / self.sigma, x, levels)

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs

    def stddev(self, outputs: Tensor) -> Tensor:
        return torch.full_like(outputs, self.sigma)

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        return outputs + self.sigma * noise_like(outputs, generator)


@dataclass(frozen=True)
class GaussianLearned(Likelihood):
    """Every pixel has its own mu_d(z) and sigma_d(z): the "Gaussian MLP" of Kingma & Welling 2013, App. C.2.

    The outputs are D means, then D log-variances. Where the means can be exact, at pixels that never change first, the
    density has no upper bound as sigma goes to 0 (Mattei & Frellsen 2018), so sigma^2 = max(exp(log-variance),
    variance_floor): the floor is part of the model.
    """

    name: ClassVar[str] = "Gaussian, learned variance"
    symbol: ClassVar[str] = r"p(x\mid z,w)=\prod_d \mathcal N(x_d;\,\mu_d,\,\sigma_d^2)"
    link: ClassVar[str] = r"(\mu,\ln\sigma^2)=f(z,w)"
    mean_symbol: ClassVar[str] = "μ"
    loss_line: ClassVar[str] = "0.5 * ((x - mu).square() / log_var.exp() + log_var + math.log(2 * math.pi)).sum(-1)"
    support: ClassVar[Support] = Support.REAL
    settings: ClassVar[tuple[str, ...]] = ("variance_floor",)
    learns_sigma: ClassVar[bool] = True
    second: ClassVar[str] = "log_var"

    n_pixels: int
    variance_floor: float = 1e-3

    @property
    def n_outputs(self) -> int:
        return 2 * self.n_pixels  # a mean and a log-variance a pixel

    def distribution(self, outputs: Tensor) -> Distribution:
        return torch.distributions.Normal(self.mean(outputs), self.stddev(outputs), validate_args=False)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        mean, log_var = self._parameters(outputs)
        squared = (mean - x).square()
        return -0.5 * (torch.addcmul(log_var, squared, torch.exp(-log_var)).sum(-1) + self.n_pixels * LN_2PI)

    def log_mass(self, outputs: Tensor, x: Tensor, levels: int) -> Tensor:
        mean, log_var = self._parameters(outputs)
        return normal_log_mass(mean, torch.exp(-0.5 * log_var), x, levels)

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs[..., : self.n_pixels]

    def stddev(self, outputs: Tensor) -> Tensor:
        return torch.exp(0.5 * self._parameters(outputs)[1])

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        mean = self.mean(outputs)
        return mean + self.stddev(outputs) * noise_like(mean, generator)

    def on_floor(self, outputs: Tensor) -> Tensor:
        """Where sigma^2 is the floor rather than what the network asked for. bool, (..., n_pixels)."""
        return outputs[..., self.n_pixels :] <= math.log(self.variance_floor)

    def _parameters(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """mu and ln sigma^2, (..., n_pixels) each or as many as there are, cut by one op: its gradient is one
        concatenation."""
        mean, log_var = outputs.split([self.n_pixels, self.n_outputs - self.n_pixels], dim=-1)
        return mean, log_var.clamp(min=math.log(self.variance_floor))


@dataclass(frozen=True)
class GaussianShared(GaussianLearned):
    """Every pixel is mu_d(z) plus noise of one learned sigma: the sigma-VAE (Rybkin, Daniilidis & Levine 2021).

    The outputs are D means and, last, one ln sigma^2, a weight of the model that hangs on no z. Its best value is the
    mean squared error at drawn z.
    """

    name: ClassVar[str] = "Gaussian, one learned variance"
    symbol: ClassVar[str] = r"p(x\mid z,w)=\mathcal N(x;\,\mu,\,\sigma(w)^2 I)\vphantom{\prod_d}"
    link: ClassVar[str] = r"(\mu,\ln\sigma^2)=(f(z,w),w_\sigma)"
    loss_line: ClassVar[str] = (
        "0.5 * ((x - mu).square().sum(-1) / log_var.exp() + D * (log_var + math.log(2 * math.pi)))"
    )
    learns_sigma: ClassVar[bool] = False
    n_shared: ClassVar[int] = 1

    @property
    def n_outputs(self) -> int:
        return self.n_pixels + 1  # a mean a pixel, and one log-variance

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        mean, log_var = self._parameters(outputs)
        log_var = log_var.squeeze(-1)
        squared_error = (mean - x).square().sum(-1)  # (...,)
        return -0.5 * (squared_error * torch.exp(-log_var) + self.n_pixels * (log_var + LN_2PI))

    def stddev(self, outputs: Tensor) -> Tensor:
        return super().stddev(outputs).expand_as(self.mean(outputs))

    def on_floor(self, outputs: Tensor) -> Tensor:
        return super().on_floor(outputs).expand_as(self.mean(outputs))


SQRT_HALF = math.sqrt(0.5)
DEEP = -9.0  # standard deviations: erfc is still a float32 there, with all its digits
NOTHING = 12.6  # beyond, Phi is less than 1e-17 of what it is at DEEP, and no float32, which makes erfc slow
THIN = 1e-3  # standard deviations: of a bin so thin, a difference of two Phi loses too many


def normal_log_mass(mean: Tensor, inverse_sigma: Tensor | float, x: Tensor, levels: int) -> Tensor:
    """ln(Phi(upper) - Phi(lower)) of the bin around each x, measured from the nearer tail, where both are small."""
    if levels == 2:
        return log_ndtr(side_of(x) * ((mean - 0.5) * inverse_sigma))
    lower, upper = bin_around(x, levels)
    above, below = (upper - mean) * inverse_sigma, (mean - lower) * inverse_sigma
    near, far = torch.minimum(above, below), torch.maximum(above, below)
    easy = torch.log(_ndtr(near.clamp(min=DEEP)) - _ndtr(-far.clamp(max=NOTHING)))
    if near.min() > DEEP and (near + far).min() > THIN:
        return easy
    hard = (near < DEEP) | (near + far < THIN)  # there the slow way, in float64
    near, far = near[hard].double(), far[hard].double()
    log_near = torch.special.log_ndtr(near)
    return easy.masked_scatter(hard, (log_near + log1mexp(log_near - torch.special.log_ndtr(-far))).to(easy))


def log_ndtr(t: Tensor) -> Tensor:
    """ln Phi(t): torch's own, several times faster."""
    easy = torch.log(_ndtr(t.clamp(min=DEEP)))
    if t.min() > DEEP:
        return easy
    return easy.masked_scatter(t < DEEP, torch.special.log_ndtr(t[t < DEEP]))


def _ndtr(t: Tensor) -> Tensor:
    return 0.5 * torch.erfc(-SQRT_HALF * t)
