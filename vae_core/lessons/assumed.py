"""Which p(x|z,w) a VAE's loss assumes: from the sums and means in the code to sigma^2, b or beta.

A loss a * error + c * KL has the minimiser of error + (c/a) * KL, and the ratio c/a is all that it says about the
noise. With the error and the KL both summed within an image: squared error / (2 sigma^2) + KL is the Gaussian's
-ELBO less a constant, so sigma^2 = ratio/2; absolute error / b + KL the Laplace's, so b = ratio; and cross-entropy +
beta * KL has beta = ratio. Lucas et al. 2019 (arXiv 1911.02469); Rybkin et al. 2021 (2006.13202).

Whatever range the code's pixels have, sigma and b are told in units of black to white: from -1 to 1 an error is twice
as large as from 0 to 1, its square four times.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vae_core.data import load_dataset
from vae_core.errors import SpecError
from vae_core.lessons.exact import LinearVae, best_variance, linear_vae, mean_absolute_residual
from vae_core.spec import BETA, SCALE, SIGMA, RunSpec

LOSSES = ("squared", "absolute", "bce_grey", "bce_binary")
REDUCTIONS = ("sum", "mean")
RANGES = {"0..1": (0, 1), "-1..1": (-1, 1), "0..255": (0, 255)}  # black and white, in the code's units
_FUNCTIONS = {"squared": "F.mse_loss", "absolute": "F.l1_loss"}
_POWERS = {"squared": 2, "absolute": 1, "bce_grey": 0, "bce_binary": 0}  # of the pixels' unit that an error has
_CALLS = {  # by the reduction over pixels and over the batch
    ("mean", "mean"): "{}({}, x)",
    ("sum", "sum"): '{}({}, x, reduction="sum")',
    ("sum", "mean"): '{}({}, x, reduction="sum") / len(x)',
    ("mean", "sum"): '{}({}, x, reduction="none").mean(1).sum()',
}
_REDUCED = {  # the KL's, over latents and over the batch
    ("mean", "mean"): ".mean()",
    ("sum", "sum"): ".sum()",
    ("sum", "mean"): ".sum(1).mean()",
    ("mean", "sum"): ".mean(1).sum()",
}
_KL = "kl = 0.5 * (m.square() + log_s2.exp() - 1 - log_s2)  # (batch, latents); log_s2 is the encoder's ln s²"
_AGAIN = " at drawn z, and again, until it stops moving"
_BLACK_AND_WHITE = "x = (x > 0.5).float()  # black and white"


@dataclass(frozen=True)
class LossCode:
    """What somebody's training code does with a batch: error + weight * KL, each reduced in its own way."""

    loss: str = "squared"
    half: bool = False  # 1/2 before the squared error
    pixels: str = "mean"  # how the error is reduced
    batch: str = "mean"
    latents: str = "sum"  # how the KL is reduced
    kl_batch: str = "mean"
    weight: float = 1.0  # of the KL
    n_pixels: int = 784
    latent_dim: int = 10
    batch_size: int = 128
    pixel_range: str = "0..1"  # a key of RANGES; cross-entropy has no choice

    @property
    def span(self) -> int:
        """White less black, in the units of the code's pixels."""
        black, white = RANGES[self.pixel_range if self.loss in _FUNCTIONS else "0..1"]
        return white - black

    @property
    def error_weight(self) -> float:
        """What the error of pixels from 0 to 1, summed over pixels and averaged over images, is multiplied by."""
        half = 0.5 if self.half and self.loss == "squared" else 1.0
        pixels = self.n_pixels if self.pixels == "mean" else 1
        return half / pixels * (self.batch_size if self.batch == "sum" else 1) * self.span ** _POWERS[self.loss]

    @property
    def kl_weight(self) -> float:
        """What the KL, summed over latents and averaged over images, is multiplied by."""
        latents = self.latent_dim if self.latents == "mean" else 1
        return self.weight / latents * (self.batch_size if self.kl_batch == "sum" else 1)

    @property
    def ratio(self) -> float:
        """How many units of error, summed over pixels from 0 to 1, weigh as much as one nat of KL."""
        return self.kl_weight / self.error_weight


@dataclass(frozen=True)
class Meaning:
    """loss = scale * (mean over the batch of -ELBO) + offset, with beta * KL in the ELBO of a Bernoulli.

    All in units of black to white: the ELBO is that of pixels from 0 to 1.
    """

    likelihood: str  # a key of LIKELIHOODS
    parameter: str  # sigma2, b or beta
    value: float  # of that parameter; also the beta that gives the same minimiser at sigma^2 = 1 or b = 1
    normalised: bool  # False: no distribution has this log-probability
    scale: float
    offset: float  # nats

    @property
    def deviation(self) -> float:
        """The noise's standard deviation; not for a Bernoulli."""
        return math.sqrt(self.value) if self.parameter == "sigma2" else math.sqrt(2) * self.value


def meaning(code: LossCode) -> Meaning:
    D, ratio, scale = code.n_pixels, code.ratio, code.kl_weight
    if code.loss == "squared":
        variance = ratio / 2
        offset = -scale * D / 2 * math.log(2 * math.pi * variance)
        return Meaning("gaussian_identity", "sigma2", variance, True, scale, offset)
    if code.loss == "absolute":
        return Meaning("laplace", "b", ratio, True, scale, -scale * D * math.log(2 * ratio))
    return Meaning("bernoulli", "beta", ratio, code.loss == "bce_binary", code.error_weight, 0.0)


def units_cost(code: LossCode) -> float:
    """Nats by which ln p(x|z,w) is lower in the code's units than for pixels from 0 to 1: a density is per unit."""
    return code.n_pixels * math.log(code.span)


def images(dataset: str, loss: str) -> np.ndarray:
    """All images of a data set as this loss sees them, (n, D) in [0,1]."""
    data = load_dataset(dataset)
    grey = data.scaled(np.arange(len(data.images)))
    if loss != "bce_binary":
        return grey
    import torch  # for this loss alone: the others' forecasts need numpy only

    from vae_core.feed import binarized

    return binarized(torch.from_numpy(grey), "threshold").numpy()


@dataclass(frozen=True)
class Forecast:
    """What the data say of the optimum of a loss, before any training; nats per image."""

    most_kl: float  # no decoder and no encoder has a larger KL at the optimum, on these images
    linear: LinearVae | None  # exactly, where the decoder is linear and its noise Gaussian


def forecast(code: LossCode, eigenvalues: np.ndarray, excess_error: float) -> Forecast:
    """From the eigenvalues of the images' covariance, and `exact.excess_error` of this loss on them."""
    found = meaning(code)
    gaussian = found.parameter == "sigma2"
    linear = linear_vae(eigenvalues, code.latent_dim, found.value) if gaussian else None
    return Forecast(excess_error / code.ratio, linear)


def outlook(code: LossCode, expected: Forecast, best: float) -> str:
    """What will happen, in a word or two; `best` is sigma^2_ML with as many latents."""
    if expected.linear is None:
        return "ceiling collapse" if expected.most_kl < 1 else "no forecast"
    if expected.linear.active == 0:
        return "collapse"
    if expected.linear.active < code.latent_dim:
        return "some"
    share = meaning(code).value / best
    return "too sure" if share < 0.25 else "fair" if share < 4 else "noisy"


def right_already(code: LossCode) -> bool:
    """Whether nothing is left to correct: a likelihood without a width, and the KL weighted as in the ELBO."""
    found = meaning(code)
    return code.loss == "bce_binary" and math.isclose(found.value, 1.0)


def derivation(code: LossCode) -> str:
    """How the parameter follows from the code, in LaTeX: sigma^2 = D w / 2 = 784 * 0.01 / 2 = 3.92."""
    found = meaning(code)
    above = [("c", f"{code.weight:g}")] * (code.weight != 1) + [("D", f"{code.n_pixels}")] * (code.pixels == "mean")
    below = [("2", "2")] * (code.loss == "squared" and not code.half) + [("J", f"{code.latent_dim}")] * (
        code.latents == "mean"
    )
    if code.span != 1:
        power = "^2" if code.loss == "squared" else ""
        below.append((f"R{power}", f"{code.span}{power}"))
    if code.batch != code.kl_batch:
        (above if code.batch == "mean" else below).append(("B", f"{code.batch_size}"))
    symbol = {"sigma2": r"\sigma^2", "b": "b", "beta": r"\beta"}[found.parameter]
    letters, numbers = (_fraction([one[i] for one in above], [one[i] for one in below]) for i in (0, 1))
    value = f"{found.value:.4g}"
    return " = ".join(dict.fromkeys([symbol, letters, numbers, _power(value)]))


def _fraction(above: list[str], below: list[str]) -> str:
    top, bottom = (r"\cdot ".join(map(_power, part)) for part in (above, below))
    return rf"\frac{{{top or 1}}}{{{bottom}}}" if below else top or "1"


def _power(number: str) -> str:
    """1e-05 as LaTeX."""
    mantissa, _, exponent = number.partition("e")
    return rf"{mantissa}\cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def noise_left(loss: str, latent_dim: int, images: Callable[[], np.ndarray], eigenvalues: np.ndarray) -> float:
    """sigma^2 or b that the best linear decoder leaves of `images()` (n, D), sigma and b to two digits; 0 for BCE. The
    images are asked for only where their eigenvalues do not say it."""
    if loss == "squared":
        return float(f"{math.sqrt(best_variance(eigenvalues, latent_dim)):.2g}") ** 2
    return float(f"{mean_absolute_residual(images(), latent_dim):.2g}") if loss == "absolute" else 0.0


def corrected(code: LossCode, noise: float) -> LossCode:
    """The code with every term summed within an image and a noise one can defend; `noise` is sigma^2 or b.

    Cross-entropy needs no noise, but black-and-white pixels.
    """
    sums = replace(code, pixels="sum", batch="mean", latents="sum", kl_batch="mean")
    if code.loss == "squared":
        return replace(sums, half=True, weight=noise * code.span**2)
    if code.loss == "absolute":
        return replace(sums, weight=noise * code.span)
    return replace(sums, loss="bce_binary", weight=1.0)


# The lines of PyTorch. x and the decoder's mu or f are (batch, pixels), the encoder's m and log_s2 (batch, latents) ---


def lines_written(code: LossCode) -> str:
    """What the code does, as people write it."""
    bce = code.loss not in _FUNCTIONS
    call = _CALLS[code.pixels, code.batch].format(
        _FUNCTIONS.get(code.loss, "F.binary_cross_entropy_with_logits"), "f" if bce else "mu"
    )
    half = "0.5 * " if code.half and code.loss == "squared" else ""
    weight = f"{code.weight:.10g} * " if code.weight != 1 else ""
    lines = [_BLACK_AND_WHITE] * (code.loss == "bce_binary") + [_range(code)] * (code.span != 1)
    lines += [f"error = {half}{call}", _KL, f"loss = error + {weight}kl{_REDUCED[code.latents, code.kl_batch]}"]
    return "\n".join(lines)


def lines_corrected(code: LossCode, noise: float) -> str:
    """-ELBO in nats per image, with every constant; `noise` is sigma^2 or b in units of black to white."""
    first, times = [_range(code)] * (code.span != 1), f" * {code.span}" * (code.span != 1)
    if code.loss == "squared":
        lines = [
            *first,
            f"sigma = {math.sqrt(noise):.6g}{times}  # assumed: train, set sigma**2 to your mean squared error{_AGAIN}",
            "log_p = -0.5 * ((x - mu) / sigma).square().sum(1) - x.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))",
        ]
    elif code.loss == "absolute":
        lines = [
            *first,
            f"b = {noise:.6g}{times}  # assumed: train, set b to your mean absolute error{_AGAIN}",
            "log_p = -(x - mu).abs().sum(1) / b - x.shape[1] * math.log(2 * b)",
        ]
    else:
        lines = [_BLACK_AND_WHITE, 'log_p = -F.binary_cross_entropy_with_logits(f, x, reduction="none").sum(1)']
    return "\n".join([*lines, _KL, "loss = (kl.sum(1) - log_p).mean()  # -ELBO, nats per image"])


def _range(code: LossCode) -> str:
    black, white = RANGES[code.pixel_range]
    return f"# x and mu: black is {black}, white {white}"


# The runs -----------------------------------------------------------------------------------------------------------


def run_spec(code: LossCode, dataset: str, epochs: int, seed: int = 0) -> RunSpec:
    """A run with the same minimiser. Where sigma or b is beyond what a run may have, beta carries the rest.

    Raises SpecError where beta would be beyond its bounds too.
    """
    found = meaning(code)
    settings: dict[str, float] = {}
    beta = found.value
    if found.parameter == "sigma2":
        settings["sigma"] = SIGMA.nearest(found.deviation)
        beta = 1.0 if settings["sigma"] == found.deviation else found.value / settings["sigma"] ** 2
    elif found.parameter == "b":
        settings["scale"] = SCALE.nearest(found.value)
        beta = found.value / settings["scale"]
    if beta > BETA.high:
        raise SpecError("beta", f"β would be {beta:,.0f}; a run may have at most {BETA.high:,.0f}.")
    return RunSpec(
        dataset=dataset,
        likelihood=found.likelihood,
        binarize="threshold" if code.loss == "bce_binary" else "none",
        beta=beta,
        latent_dim=code.latent_dim,
        batch_size=code.batch_size,
        epochs=epochs,
        seed=seed,
        **settings,  # type: ignore[arg-type]
    )
