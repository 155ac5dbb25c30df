"""Does the noise that a decoder assumes fit? What held-out pixels do, against what p(x|z,w) says that they do.

At z ~ q(z|x), one draw an image: what is seen is the noise around the decoder's output there. Where q(z|x) is not the
model's own posterior, even true noise would not look quite right; and q has seen the image, if the weights have not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from vae_core.elbo import draw_z
from vae_core.likelihoods import ContinuousBernoulli, DiscretizedLogistic, Likelihood, Support
from vae_core.likelihoods.base import as_stored, bin_around, level_of
from vae_core.likelihoods.levels import LEAST_LOG_SCALE
from vae_core.model import VAE

PIT_BINS = 20
CENTRAL = (0.5, 0.9, 0.99)  # the central intervals whose coverage is asked for
RESIDUAL_EDGES = np.linspace(-4, 4, 33)  # the outermost bins are open
AT_ONCE = 2**21  # numbers: 16 MB of float64
SUREST = 1e-9  # a standard deviation of 0 (a coin of probability 1, to rounding) counts as this


@dataclass(frozen=True)
class Pit:
    """The probability integral transform u = F(x) of every pixel of every image: uniform on [0,1] where p is right."""

    shares: np.ndarray  # (PIT_BINS,) of u in bins of equal width; 1/PIT_BINS each where p is right
    coverage: tuple[float, ...]  # share of pixels within the central intervals of CENTRAL


@dataclass(frozen=True)
class Neighbours:
    """Correlation of the standardised residuals of neighbouring pixels over images, a mean over pairs of pixels.

    0 where pixels are independent given z, as every decoder here assumes. Only pairs count in which both pixels vary
    among these images; NaN where there are none.
    """

    horizontal: float
    vertical: float
    horizontal_pairs: int
    vertical_pairs: int


@dataclass(frozen=True)
class Calibration:
    """Of images x at one draw of z each."""

    images: int
    mass: Pit  # of the probability of the grey levels, u uniform between F(k-1) and F(k): fit to compare all decoders
    density: Pit | None  # u = F(x) of a density, as it is; on discrete pixels it is lumpy even at its best
    residual_shares: np.ndarray  # of (x - mean)/stddev, in the bins of RESIDUAL_EDGES
    residual_mean: float  # 0 and 1 where p is right
    residual_deviation: float
    sigma_asked: np.ndarray  # (n_pixels,) root of the mean variance that p says
    sigma_found: np.ndarray  # (n_pixels,) root of the mean squared residual
    neighbours: Neighbours


def normal_shares() -> np.ndarray:
    """What N(0,1) has in the bins of RESIDUAL_EDGES, the outermost open."""
    below = torch.special.ndtr(torch.from_numpy(RESIDUAL_EDGES)).numpy()
    below[0], below[-1] = 0, 1
    return np.diff(below)


@torch.inference_mode()
def calibration(vae: VAE, x: Tensor, levels: int, generator: Generator) -> Calibration:
    """Of images x (batch, n_pixels) as the model sees them. Raises LevelsError where it cannot score the levels.

    On discrete pixels the PIT of a density cannot be uniform: few values of x give few of u. So all decoders are judged
    by the randomised PIT of their mass on the levels (Czado, Gneiting & Held 2009, Biometrics 65; Smith 1985), and the
    plain one is given besides. Residuals and sigma are those of x itself, with any noise that was added to it.
    """
    vae.likelihood.check_levels(levels)
    width = vae.likelihood.n_pixels * getattr(vae.likelihood, "levels", 2)  # as many as a sum over its levels holds
    totals: dict[str, np.ndarray] = {}
    for some in x.split(max(1, min(len(x), AT_ONCE // width))):
        for name, value in _sums(vae, some, levels, generator).items():
            totals[name] = totals.get(name, 0) + value
    return _of(totals, len(x), vae.likelihood.n_pixels)


def _sums(vae: VAE, x: Tensor, levels: int, generator: Generator) -> dict[str, np.ndarray]:
    """What is added up over images: each is a count a bin, or a sum over images a pixel, (n_pixels,)."""
    likelihood, stored = vae.likelihood, as_stored(x, vae.spec.n_levels)
    m, log_var = vae.encode(x)
    outputs = vae.decode(draw_z(m, log_var, 1, generator)[0])
    if likelihood.support != Support.LEVELS:
        outputs = outputs.double()  # in float32 a sure coin would be a certain one; a sum over levels loses nothing
    x = x.to(outputs)
    below, at = cdf_around(likelihood, outputs, stored.to(outputs), levels)
    v = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    error, stddev = x - likelihood.mean(outputs), likelihood.stddev(outputs)
    residual = error / stddev.clamp(min=SUREST)  # (batch, n_pixels)
    side = math.isqrt(x.shape[1])
    grid, level = residual.unflatten(-1, (side, side)), level_of(stored, vae.spec.n_levels)
    sums = {
        "variance": stddev.square(),
        "squared_error": error.square(),
        "level": level,
        "level_squared": level.square(),
        "residual": residual,
        "residual_squared": residual.square(),
        "horizontal": grid[:, :, 1:] * grid[:, :, :-1],
        "vertical": grid[:, 1:] * grid[:, :-1],
    }
    found = {name: value.double().sum(0).cpu().numpy() for name, value in sums.items()}
    found |= _pit_counts("mass", (below + v * (at - below)).cpu().numpy())
    if likelihood.kind == "density":
        found |= _pit_counts("density", cdf(likelihood, outputs, x).cpu().numpy())
    inner = np.digitize(residual.cpu().numpy().ravel(), RESIDUAL_EDGES[1:-1])
    found["residuals"] = np.bincount(inner, minlength=len(RESIDUAL_EDGES) - 1)
    return found


def _pit_counts(name: str, u: np.ndarray) -> dict[str, np.ndarray]:
    bins = np.minimum(u * PIT_BINS, PIT_BINS - 1).astype(int)
    within = [np.count_nonzero(np.abs(u - 0.5) <= share / 2) for share in CENTRAL]
    return {name: np.bincount(bins.ravel(), minlength=PIT_BINS), f"{name} within": np.array(within)}


def _of(totals: dict[str, np.ndarray], images: int, n_pixels: int) -> Calibration:
    pixels = images * n_pixels
    mean = totals["residual"].sum() / pixels
    return Calibration(
        images=images,
        mass=_pit(totals, "mass", pixels),
        density=_pit(totals, "density", pixels) if "density" in totals else None,
        residual_shares=totals["residuals"] / pixels,
        residual_mean=float(mean),
        residual_deviation=math.sqrt(totals["residual_squared"].sum() / pixels - mean**2),
        sigma_asked=np.sqrt(totals["variance"] / images),
        sigma_found=np.sqrt(totals["squared_error"] / images),
        neighbours=_neighbours(totals, images),
    )


def _pit(totals: dict[str, np.ndarray], name: str, pixels: int) -> Pit:
    return Pit(totals[name] / pixels, tuple((totals[f"{name} within"] / pixels).tolist()))


def _neighbours(totals: dict[str, np.ndarray], images: int) -> Neighbours:
    side = math.isqrt(len(totals["residual"]))
    mean, square, level, level_squared = (
        totals[name].reshape(side, side) / images for name in ("residual", "residual_squared", "level", "level_squared")
    )
    varies = (level_squared > level**2) & (square > mean**2)
    deviation = np.sqrt(np.where(varies, square - mean**2, 1))

    def over_pairs(product: np.ndarray, one: tuple[slice, slice], other: tuple[slice, slice]) -> tuple[float, int]:
        both = varies[one] & varies[other]
        covariance = product / images - mean[one] * mean[other]
        pairs = (covariance / (deviation[one] * deviation[other]))[both]
        return float(pairs.mean()) if len(pairs) else math.nan, len(pairs)

    every, first, rest = slice(None), slice(None, -1), slice(1, None)
    horizontal, horizontal_pairs = over_pairs(totals["horizontal"], (every, first), (every, rest))
    vertical, vertical_pairs = over_pairs(totals["vertical"], (first, every), (rest, every))
    return Neighbours(horizontal, vertical, horizontal_pairs, vertical_pairs)


# The distribution functions -------------------------------------------------------------------------------------------


def cdf_around(likelihood: Likelihood, outputs: Tensor, x: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """P(level < k) and P(level <= k) of each pixel's level k: two of (..., n_pixels)."""
    if likelihood.support <= Support.LEVELS and not isinstance(likelihood, DiscretizedLogistic):
        return summed_around(likelihood, outputs, x, levels)
    lower, upper = bin_around(x, levels)
    return cdf(likelihood, outputs, lower), cdf(likelihood, outputs, upper)


def summed_around(likelihood: Likelihood, outputs: Tensor, x: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """The same of any decoder by adding up its masses, level by level."""
    k = level_of(x, levels)
    below, at = torch.zeros_like(k), torch.zeros_like(k)
    for level in range(levels):
        p = likelihood.log_mass(outputs, torch.full_like(k, level / (levels - 1)), levels).exp()
        below, at = below + p * (level < k), at + p * (level <= k)
    return below, at


def cdf(likelihood: Likelihood, outputs: Tensor, t: Tensor) -> Tensor:
    """F(t) = P(x_d <= t) of a density, or of the logistic behind the discretised one: (..., n_pixels)."""
    if isinstance(likelihood, ContinuousBernoulli):
        return continuous_bernoulli_cdf(outputs, t.clamp(0, 1))
    if isinstance(likelihood, DiscretizedLogistic):
        mean, log_scale = outputs.chunk(2, dim=-1)
        return torch.sigmoid((t - mean) / log_scale.clamp(min=LEAST_LOG_SCALE).exp())
    return likelihood.distribution(outputs).cdf(t)


def continuous_bernoulli_cdf(a: Tensor, t: Tensor) -> Tensor:
    """expm1(a t)/expm1(a) of logit a, t in [0,1]. torch's own lets no logit be beyond 16 (37 in float64)."""
    falling = -a.abs()
    steep = falling.clamp(max=-1e-4)
    s = torch.where(a > 0, 1 - t, t)
    flat = s + 0.5 * falling * s * (s - 1)  # where expm1's quotient would be 0/0
    below = torch.where(falling > -1e-4, flat, torch.expm1(steep * s) / torch.expm1(steep))
    return torch.where(a > 0, 1 - below, below)
