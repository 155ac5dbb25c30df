"""p(x|z,w): what the decoder's numbers mean.

A decoder is a deterministic network. Its raw outputs f(z,w) are the *parameters* of a distribution over
images, and each class here says of which one. Pixels are independent given z, so the log-likelihood of an
image is a sum over its pixels.

To add a decoder: write one class with these verbs and add it to LIKELIHOODS; its words, in
`assets/explanations/<key>.md`; its entry in `pages/shared/likelihoods.js`, for every page that computes in the browser;
and its row in the tests' SCIPY. A test says what of these is missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from vae_core.lazy_torch import F, torch

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.distributions import Distribution

LN_2PI = math.log(2 * math.pi)


class Support(IntEnum):
    """Where the value of a pixel lies, as `support` says it in torch.distributions. Each lies within the next, so
    `a <= b` says that a lies within b."""

    BOOLEAN = 0  # 0 and 1
    LEVELS = 1  # the n grey levels k/(n-1)
    UNIT_INTERVAL = 2  # [0,1]
    REAL = 3

    @property
    def kind(self) -> Literal["mass", "density"]:
        """What p gives to a value: a probability, or a probability per unit of grey."""
        return "mass" if self <= Support.LEVELS else "density"


class Likelihood(Protocol):
    """The verbs every decoder has. `outputs` is (..., n_outputs), `x` is (..., n_pixels), and they broadcast."""

    name: ClassVar[str]  # as the page calls it
    symbol: ClassVar[str]  # p(x|z,w) of a whole image, LaTeX
    link: ClassVar[str]  # how its parameters come from the decoder's raw output f, LaTeX
    mean_symbol: ClassVar[str]  # what a pixel's mean is called; "" where it has no letter of its own
    loss_line: ClassVar[str]  # of PyTorch, as people write -ln p(x|z,w)
    support: ClassVar[Support]  # where the values lie to which p gives a probability, or a density
    kind: ClassVar[Literal["mass", "density"]] = "density"  # follows from the support, below
    settings: ClassVar[tuple[str, ...]]  # the RunSpec fields that are part of this distribution
    learns_sigma: ClassVar[bool]

    n_pixels: int

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.kind = cls.support.kind

    def __init__(self, n_pixels: int, **settings: float): ...
    @property
    def title(self) -> str:
        return self.name  # with settings that are not the usual ones

    @property
    def n_outputs(self) -> int: ...  # width of the decoder's last layer
    def distribution(self, outputs: Tensor) -> Distribution: ...  # one independent distribution a pixel
    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor: ...  # (...,) nats, summed over pixels
    def mean(self, outputs: Tensor) -> Tensor: ...  # (..., n_pixels)
    def stddev(self, outputs: Tensor) -> Tensor: ...  # (..., n_pixels) standard deviation of each pixel
    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor: ...  # (..., n_pixels)


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
    settings: ClassVar[tuple[str, ...]] = ()
    learns_sigma: ClassVar[bool] = False

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

    def mean(self, outputs: Tensor) -> Tensor:
        return torch.sigmoid(outputs)

    def stddev(self, outputs: Tensor) -> Tensor:
        mean = self.mean(outputs)
        return (mean * (1 - mean)).sqrt()

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        return torch.bernoulli(self.mean(outputs), generator=generator)


@dataclass(frozen=True)
class GaussianIdentity(Likelihood):
    """Every pixel is mu_d plus noise of one fixed sigma; sigma = 1 is N(mu, I), the meaning of 1/2 SSE."""

    name: ClassVar[str] = "Gaussian, fixed variance"
    symbol: ClassVar[str] = r"p(x\mid z,w)=\mathcal N(x;\,\mu,\,\sigma^2 I)\vphantom{\prod_d}"
    link: ClassVar[str] = r"\mu=f(z,w)"
    mean_symbol: ClassVar[str] = "μ"
    loss_line: ClassVar[str] = (
        "0.5 * ((x - mu) / sigma).square().sum(-1) + D * math.log(sigma * math.sqrt(2 * math.pi))"
    )
    support: ClassVar[Support] = Support.REAL
    settings: ClassVar[tuple[str, ...]] = ("sigma",)
    learns_sigma: ClassVar[bool] = False

    n_pixels: int
    sigma: float = 1.0

    @property
    def title(self) -> str:  # another sigma is no identity covariance any more
        return "Gaussian, " + ("identity covariance" if self.sigma == 1 else f"covariance σ²I, σ = {self.sigma:.4g}")

    @property
    def n_outputs(self) -> int:
        return self.n_pixels  # one mean a pixel

    def distribution(self, outputs: Tensor) -> Distribution:
        return torch.distributions.Normal(outputs, self.sigma, validate_args=False)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        squared_error = (outputs - x).square().sum(-1)  # (...,)
        constant = self.n_pixels * (0.5 * LN_2PI + math.log(self.sigma))
        return -0.5 / self.sigma**2 * squared_error - constant

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs

    def stddev(self, outputs: Tensor) -> Tensor:
        return torch.full_like(outputs, self.sigma)

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        return outputs + self.sigma * _noise_like(outputs, generator)


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

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs[..., : self.n_pixels]

    def stddev(self, outputs: Tensor) -> Tensor:
        return torch.exp(0.5 * self._parameters(outputs)[1])

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        mean = self.mean(outputs)
        return mean + self.stddev(outputs) * _noise_like(mean, generator)

    def on_floor(self, outputs: Tensor) -> Tensor:
        """Where sigma^2 is the floor rather than what the network asked for. bool, (..., n_pixels)."""
        return outputs[..., self.n_pixels :] <= math.log(self.variance_floor)

    def _parameters(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """mu and ln sigma^2, (..., n_pixels) each, cut by one op: its gradient is one concatenation."""
        mean, log_var = outputs.chunk(2, dim=-1)
        return mean, log_var.clamp(min=math.log(self.variance_floor))


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
    learns_sigma: ClassVar[bool] = False

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

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs

    def stddev(self, outputs: Tensor) -> Tensor:
        return torch.full_like(outputs, math.sqrt(2) * self.scale)

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        waits = torch.empty((2, *outputs.shape), device=outputs.device, dtype=outputs.dtype)
        first, second = waits.exponential_(generator=generator)  # their difference is a Laplace of scale 1
        return outputs + self.scale * (first - second)


def _noise_like(mean: Tensor, generator: Generator | None) -> Tensor:
    return torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "gaussian_identity": GaussianIdentity,
    "gaussian_learned": GaussianLearned,
    "laplace": Laplace,
}
