"""One currency for every decoder: what probability it gives to the image as it is stored, in bits per pixel.

No torch at import: the page says at once whether runs may be compared, and where each stood while it trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vae_core.catalogue import BINARIZE, DATASETS
from vae_core.data import Dataset, load_dataset, split
from vae_core.errors import LevelsError
from vae_core.likelihoods.base import bits_per_pixel, scores
from vae_core.spec import RunSpec, make_likelihood

if TYPE_CHECKING:
    from vae_core.measures import Means
    from vae_core.model import VAE

COUNT = 0.5  # added to every level before counting: Jeffreys' prior
AT_ONCE = 4000  # images: 12 MB as float32
_SAME_IMAGES: dict[str, Callable[[RunSpec], str]] = {  # what decides which images are held out, and what is stored
    "data sets": lambda spec: DATASETS[spec.dataset].title,
    "pixels": lambda spec: BINARIZE[spec.binarize],
    "seeds, and the seed decides which images are held out": lambda spec: str(spec.seed),
    "numbers of images held out": lambda spec: f"{spec.n_held_out:,}",
}


# May they be compared? ----------------------------------------------------------------------------------------------


def comparable(specs: Sequence[RunSpec], levels: int | None = None) -> str:
    """ "" where all runs give a probability to the same stored images, or the one sentence that says why not.

    `levels` is what the user chose, the runs' own number where it is None. Noise on pixels may differ: it is no part of
    the stored image.
    """
    if not specs:
        return "Nothing is chosen: choose at least one run."
    for what, value in _SAME_IMAGES.items():
        found = list(dict.fromkeys(value(spec) for spec in specs))
        if len(found) > 1:
            return f"These runs cannot be compared: they have different {what} ({' / '.join(found)})."
    if specs[0].binarize == "stochastic" and len({spec.dequantize for spec in specs}) > 1:
        return "These runs cannot be compared: noise on the pixels of some makes their coins fall differently."
    levels = specs[0].n_levels if levels is None else levels
    if not 2 <= levels <= specs[0].n_levels:
        return f"{levels} grey levels: these pixels have {specs[0].n_levels}; choose 2 to {specs[0].n_levels}."
    likelihoods = [make_likelihood(spec) for spec in specs]
    unable = list(dict.fromkeys(one.title for one in likelihoods if not scores(one, levels)))
    if not unable:
        return ""
    allowed = levels_allowed(specs)
    leave = f"leave {'it' if len(unable) == 1 else 'them'} out"
    cure = f"choose {allowed[-1]} levels, or {leave}" if allowed else leave
    return f"{' and '.join(unable)} cannot give a probability to each of {levels} grey levels: {cure}."


def levels_allowed(specs: Sequence[RunSpec]) -> list[int]:
    """Every number of grey levels that all of these runs can be scored on, from 2 up; [] where there are no runs."""
    most = min((spec.n_levels for spec in specs), default=0)
    likelihoods = [make_likelihood(spec) for spec in specs]
    return [n for n in range(2, most + 1) if all(scores(one, n) for one in likelihoods)]


def chosen_levels(spec: RunSpec, levels: int | None) -> int:
    """`levels`, or all that the pixels have where it is None. Raises LevelsError where they have fewer."""
    if levels is None:
        return spec.n_levels
    if not 2 <= levels <= spec.n_levels:
        raise LevelsError(f"{levels} grey levels; allowed: 2 to {spec.n_levels}, as many as the pixels have.")
    return levels


# Baselines ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Baselines:
    """Bits per pixel of two models that know no z; what loses to the second predicts the stored pixels worse
    than no z does, though its means may be good."""

    uniform_bits: float  # every level alike: log2 n
    histogram_bits: float  # each pixel's own histogram of the training images, on the held-out images


def baselines(spec: RunSpec, levels: int | None = None) -> Baselines:
    """For the images of this run, as it sees them, on `levels` grey levels or all that the pixels have.

    Each pixel's histogram has COUNT added to every level, so that no level has probability 0. Without torch, but for
    tossed pixels. Raises LevelsError and DataError.
    """
    levels, data = chosen_levels(spec, levels), load_dataset(spec.dataset)
    train, held_out = (_counts(spec, _stored(spec, data, part), levels) for part in split(spec))
    p = (train + COUNT) / (train.sum(-1, keepdims=True) + COUNT * levels)  # (n_pixels, levels)
    return Baselines(math.log2(levels), float(-(held_out * np.log2(p)).sum() / held_out.sum()))


def _counts(spec: RunSpec, images: Iterator[np.ndarray], levels: int) -> np.ndarray:
    """How often each pixel has each level in these images: (n_pixels, levels)."""
    first = np.arange(spec.n_pixels) * levels  # where each pixel's counts begin
    counts = np.zeros(spec.n_pixels * levels, dtype=np.int64)
    for x in images:
        k = np.round(x * np.float32(levels - 1)).astype(np.int64)  # (batch, n_pixels)
        counts += np.bincount((first + k).ravel(), minlength=len(counts))
    return counts.reshape(spec.n_pixels, levels)


def _stored(spec: RunSpec, data: Dataset, part: np.ndarray) -> Iterator[np.ndarray]:
    """Those images as the run sees them, any noise gone: float32 in [0,1], (batch, n_pixels) each."""
    if spec.binarize == "stochastic":
        from vae_core.feed import Feed
        from vae_core.lazy_torch import torch
        from vae_core.likelihoods.base import as_stored

        for x in Feed(spec, data).part(torch.from_numpy(part)):
            yield as_stored(x, spec.n_levels).numpy()
    else:
        for start in range(0, len(part), AT_ONCE):
            grey = data.scaled(part[start : start + AT_ONCE])
            yield (grey > 0.5).astype(np.float32) if spec.binarize == "threshold" else grey


# Rate and distortion ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RateDistortion:
    """Bits per pixel. Their sum is what the ELBO promises: at most so many bits per pixel, on average."""

    rate_bits: float  # KL(q(z|x) || p(z)): what z tells of the image
    distortion_bits: float  # -E_q[ln P(x|z,w)]: what is left to tell when z is known

    @property
    def total_bits(self) -> float:
        return self.rate_bits + self.distortion_bits


def rate_distortion(means: Means | Mapping[str, Any], n_pixels: int) -> RateDistortion | None:
    """From an evaluation's means, or the numbers that a snapshot keeps; None where no probability was scored.

    Alemi et al. 2018 (arXiv 1711.00464). Runs older than log_mass have none in their snapshots.
    """
    numbers = means if isinstance(means, Mapping) else vars(means)
    kl, log_mass = numbers.get("kl"), numbers.get("log_mass")
    if kl is None or log_mass is None:
        return None
    return RateDistortion(bits_per_pixel(0.0, n_pixels, kl), bits_per_pixel(log_mass, n_pixels))


# What a finished run says of its held-out images --------------------------------------------------------------------


@dataclass(frozen=True)
class Evaluated:
    """Means over a run's held-out images: nats per image, and bits per pixel with their standard error over images."""

    images: int
    levels: int
    log_mass: float  # E_q[ln P(x|z,w)], P the probability of the grey levels
    kl: float
    bits: float  # per pixel: an upper bound on -log2 P(x|w) / D
    bits_error: float
    objective: float  # the ELBO as its own log_prob says it, nats: of a density where the decoder is one
    objective_error: float

    @property
    def elbo(self) -> float:
        """As probability: a lower bound on the mean of ln P(x|w), nats."""
        return self.log_mass - self.kl


def evaluated(vae: VAE, levels: int | None = None) -> Evaluated:
    """Of all its held-out images, with the one draw of z each that the run's own evaluation makes; on `levels` grey
    levels or all that the pixels have. Raises LevelsError and DataError."""
    from vae_core.lessons.compare_bounds import per_image  # torch is imported with it

    spec = vae.spec
    levels = chosen_levels(spec, levels)
    vae.likelihood.check_levels(levels)
    terms = per_image(vae, load_dataset(spec.dataset), levels)
    n = len(terms.kl)
    elbo, objective = terms.log_mass - terms.kl, terms.log_prob - terms.kl  # (n,) each
    per_bit = spec.n_pixels * math.log(2)
    return Evaluated(
        n,
        levels,
        float(terms.log_mass.mean()),
        float(terms.kl.mean()),
        float(-elbo.mean() / per_bit),
        float(elbo.std(ddof=1) / math.sqrt(n) / per_bit),
        float(objective.mean()),
        float(objective.std(ddof=1) / math.sqrt(n)),
    )
