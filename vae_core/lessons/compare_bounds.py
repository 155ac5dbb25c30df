"""How far below ln p(x|w) the ELBO lies: importance-weighted bounds that rise with the number of draws.

E ln (1/k) sum_i w_i, w_i = p(x|z_i) p(z_i)/q(z_i|x), is the ELBO at k = 1 and rises to ln p(x|w): the average of logs
is at most the log of the average. Burda, Grosse & Salakhutdinov 2016 (arXiv 1509.00519), eq. 8 and theorem 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from vae_core.data import Dataset
from vae_core.elbo import elbo_terms, log_likelihood, log_weights
from vae_core.feed import Feed
from vae_core.likelihoods.base import bits_per_pixel
from vae_core.model import VAE, stream

MOST_K = 5000
RUNGS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
STEP = 50  # draws between two looks at the ladder
ROWS = 1000  # images times draws decoded at once: 3 MB of pixels stay in the cache


@dataclass(frozen=True)
class Rung:
    """The bound with k draws: means over images in nats, with their standard errors over images (NaN for one image).

    `gap` is the bound less the ELBO of the same draws, image by image: its error is far smaller than the bound's own.
    """

    k: int
    bound: float
    error: float
    gap: float
    gap_error: float
    bits: float | None  # per pixel, of the bound; None for a density, which is no probability of the image
    bits_error: float | None


@dataclass(frozen=True)
class Ladder:
    """The bounds so far. A rung stands as soon as there are draws for it, and steadies with more."""

    rungs: list[Rung]
    drawn: int
    draws: int  # in the end

    @property
    def progress(self) -> float:
        return self.drawn / self.draws


def rungs_up_to(most: int) -> tuple[int, ...]:
    """1, 2, 5, 10, 20, 50, ... and `most` itself. Raises ValueError where `most` is out of range."""
    check_ks((most,))
    return (*(k for k in RUNGS if k < most), most)


def check_ks(ks: Sequence[int]) -> None:
    """Raises ValueError, one sentence, where one is no number of draws."""
    wrong = [k for k in ks if not 1 <= k <= MOST_K]
    if wrong or not ks:
        raise ValueError(f"k = {wrong[0] if wrong else 'none'}; allowed: 1 to {MOST_K:,} draws for each image.")


def ladder(vae: VAE, x: Tensor, ks: Sequence[int], generator: Generator, levels: int | None = None) -> Iterator[Ladder]:
    """The bounds with each of `ks` draws on images x (batch, n_pixels), better and better; the last has all draws.

    On P of the image's grey levels, or on p as it is trained where `levels` is None. The largest k decides how many
    draws are made; smaller ones are means over disjoint groups of the same draws, unbiased and with less noise. Of each
    draw only ln w is kept, 8 bytes an image. Raises ValueError at once for a k out of range, LevelsError for levels
    that the decoder cannot score.
    """
    check_ks(ks)
    if levels is not None:
        vae.likelihood.check_levels(levels)
    return _climb(vae, x, sorted(set(ks)), generator, levels)


def _climb(vae: VAE, x: Tensor, ks: list[int], generator: Generator, levels: int | None) -> Iterator[Ladder]:
    most = ks[-1]
    groups = [_Groups(k, len(x)) for k in [1, *(k for k in ks if k > 1)]]  # the ELBO is wanted in any case
    log_w = np.empty((most, len(x)))
    at_once = max(1, ROWS // len(x))
    for start in range(0, most, STEP):
        end = min(start + STEP, most)
        for first in range(start, end, at_once):
            last = min(first + at_once, end)
            with torch.inference_mode():  # and not around a yield
                log_w[first:last] = log_weights(vae, x, last - first, generator, levels).double().cpu().numpy()
        for one in groups:
            one.add(log_w[:end])
        elbo = groups[0].mean
        n_pixels = None if levels is None else x.shape[1]
        standing = [_rung(one.k, one.mean, elbo, n_pixels) for one in groups if one.count and one.k in ks]
        yield Ladder(standing, end, most)


class _Groups:
    """The mean over groups of k draws of ln (1/k) sum w, image by image."""

    def __init__(self, k: int, images: int):
        self.k, self.count = k, 0
        self.total = np.zeros(images)

    def add(self, log_w: np.ndarray) -> None:
        """Takes the groups that are complete, of all draws so far: (drawn, images)."""
        whole = len(log_w) // self.k
        new = log_w[self.count * self.k : whole * self.k].reshape(-1, self.k, log_w.shape[1])
        self.total += (np.logaddexp.reduce(new, axis=1) - math.log(self.k)).sum(0)
        self.count = whole

    @property
    def mean(self) -> np.ndarray:
        return self.total / self.count  # (images,)


def _rung(k: int, bound: np.ndarray, elbo: np.ndarray, n_pixels: int | None) -> Rung:
    """From the bound and the ELBO of each image, (images,); bits where n_pixels is given."""
    (mean, error), (gap, gap_error) = mean_and_error(bound), mean_and_error(bound - elbo)
    if n_pixels is None:
        return Rung(k, mean, error, gap, gap_error, None, None)
    return Rung(k, mean, error, gap, gap_error, bits_per_pixel(mean, n_pixels), bits_per_pixel(-error, n_pixels))


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """The mean, and its standard error: NaN for a single value, which shows no spread."""
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), float(error)


# The ELBO of each held-out image --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PerImage:
    """Of each held-out image, nats: (n,) float64 each."""

    log_mass: np.ndarray  # E_q[ln P(x|z,w)] of its grey levels
    log_prob: np.ndarray  # E_q[ln p(x|z,w)] as it is trained
    kl: np.ndarray


@torch.inference_mode()
def per_image(vae: VAE, data: Dataset, levels: int) -> PerImage:
    """With the draws of z that the run's own last evaluation made, one an image. Raises LevelsError."""
    feed, generator = Feed(vae.spec, data), stream(vae.spec.seed, "evaluation")
    parts = []
    for x in feed.part(feed.held_out_part):
        terms = elbo_terms(vae, x, 1, generator)
        log_mass = log_likelihood(vae, terms.outputs, x, levels).mean(0)  # (batch,)
        parts.append(torch.stack([log_mass, terms.reconstruction, terms.kl.sum(-1)]).double())
    return PerImage(*torch.cat(parts, -1).numpy())
