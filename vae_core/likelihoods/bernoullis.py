"""Pixels that are coins, or lie between 0 and 1 as if they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vae_core.errors import LevelsError
from vae_core.lazy_torch import F, torch
from vae_core.likelihoods.base import Likelihood, Support, bin_around, level_of, side_of
from vae_core.likelihoods.tilted import log_sinhc, tilted_icdf, tilted_mean, tilted_variance

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
    symbol: ClassVar[str] = r"p(x\mid z,w)=\prod_d C_d\,\lambda_d^{x_d}(1-\lambda_d)^{1-x_d}"
    link: ClassVar[str] = r"\lambda=\mathrm{sigmoid}(f(z,w)),\ C_d=C(\lambda_d)"
    mean_symbol: ClassVar[str] = ""
    loss_line: ClassVar[str] = "-torch.distributions.ContinuousBernoulli(logits=f).log_prob(x).sum(-1)"
    support: ClassVar[Support] = Support.UNIT_INTERVAL

    n_pixels: int

    @property
    def n_outputs(self) -> int:
        return self.n_pixels  # one logit a pixel

    def distribution(self, outputs: Tensor) -> Distribution:
        from vae_core.likelihoods.on_unit_interval import OnUnitInterval  # a subclass of torch's Distribution

        return OnUnitInterval(outputs)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        return ((x - 0.5) * outputs - log_sinhc(0.5 * outputs)).sum(-1)

    def log_mass(self, outputs: Tensor, x: Tensor, levels: int) -> Tensor:
        if levels == 2:
            return F.logsigmoid(side_of(x) * (0.5 * outputs))
        lower, upper = (edge.clamp(0, 1) for edge in bin_around(x, levels))  # the support ends there
        centre, width = 0.5 * (lower + upper), upper - lower
        return (centre - 0.5) * outputs + width.log() + log_sinhc(0.5 * width * outputs) - log_sinhc(0.5 * outputs)

    def mean(self, outputs: Tensor) -> Tensor:
        return tilted_mean(outputs)

    def stddev(self, outputs: Tensor) -> Tensor:
        return tilted_variance(outputs).sqrt()

    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor:
        u = torch.rand(outputs.shape, generator=generator, device=outputs.device, dtype=outputs.dtype)
        return tilted_icdf(outputs, u)
