"""The latent space of a trained VAE: where images lie in it, how probable a place is, and what is decoded there."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor

from vae_core.data import Dataset, split
from vae_core.elbo import kl_to_prior
from vae_core.evaluation import ACTIVE_KL
from vae_core.feed import Feed
from vae_core.likelihoods import LN_2PI
from vae_core.model import VAE
from vae_core.pictures import grey
from vae_core.tiles import png

MOST_IMAGES = 5000  # that are encoded for a picture of the latent space


@dataclass(frozen=True)
class Codes:
    """q(z|x) = N(m, diag s^2) of n held-out images, as the model sees them."""

    labels: np.ndarray  # (n,) uint8
    m: Tensor  # (n, latent_dim)
    log_var: Tensor  # (n, latent_dim), ln s^2

    def __len__(self) -> int:
        return len(self.m)

    @cached_property
    def kl(self) -> np.ndarray:
        """KL(q(z_j|x) || N(0,1)) of each latent, nats per image: (latent_dim,)."""
        return kl_to_prior(self.m, self.log_var).mean(0).double().numpy()

    @property
    def total_kl(self) -> float:
        """Over all latents, nats per image."""
        return float(self.kl.sum())

    @property
    def order(self) -> list[int]:
        """The latents, most KL first."""
        return np.argsort(-self.kl, kind="stable").tolist()

    @property
    def collapsed(self) -> list[int]:
        """The latents that carry too little to count as active."""
        return [latent for latent in self.order if self.kl[latent] <= ACTIVE_KL]

    @property
    def reach(self) -> float:
        """A whole number of prior standard deviations within which all m lie: at least 4, at most 20."""
        return float(np.clip(math.ceil(float(self.m.abs().max())), 4, 20))


@torch.inference_mode()
def held_out_codes(vae: VAE, data: Dataset) -> Codes:
    """Of up to MOST_IMAGES held-out images."""
    m, log_var = vae.encode(Feed(vae.spec, data).held_out(MOST_IMAGES))
    return Codes(data.labels[split(vae.spec)[1][:MOST_IMAGES]], m, log_var)


# Places and paths ----------------------------------------------------------------------------------------------------


def line(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """The straight path from one code (latent_dim,) to another: (steps, latent_dim)."""
    t = torch.linspace(0, 1, steps, dtype=start.dtype)[:, None]  # (steps, 1)
    return torch.lerp(start, end, t)


def arc(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """The spherical path: (steps, latent_dim). The direction turns at an even pace, the length changes evenly.

    After Shoemake 1985 (slerp, on unit vectors) and White 2016, arXiv 1609.04468. Where there is no one arc (a code
    of length 0, or two that point the same way or opposite ways) this is the straight path.
    """
    lengths = torch.stack([start.norm(), end.norm()]).double()
    cosine = torch.dot(start.double(), end.double()) / lengths.prod().clamp(min=1e-12)
    if abs(cosine) > 1 - 1e-6 or lengths.min() < 1e-6:
        return line(start, end, steps)
    angle = torch.acos(cosine)
    t = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]  # (steps, 1)
    a, b = start.double() / lengths[0], end.double() / lengths[1]
    direction = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return (direction * torch.lerp(lengths[0], lengths[1], t)).to(start.dtype)


def along(base: Tensor, latents: list[int], values: Tensor) -> Tensor:
    """`base` (latent_dim,) with one latent at a time set to each value: (len(latents), len(values), latent_dim)."""
    z = base.repeat(len(latents), len(values), 1)
    for row, latent in enumerate(latents):
        z[row, :, latent] = values
    return z


def held_code(codes: Codes, image: int | None) -> Tensor:
    """Where latents that do not move are held: at the code m of an image, or at 0. (latent_dim,)"""
    return torch.zeros(codes.m.shape[1]) if image is None else codes.m[image]


def steps_along(reach: float, steps: int) -> Tensor:
    """From -reach to reach, (steps,)."""
    return torch.linspace(-reach, reach, steps)


def there_and_back(values: Tensor) -> Tensor:
    """For a film that repeats: (2n - 2,)."""
    return torch.cat([values, values[1:-1].flip(0)])


# How probable a place is ---------------------------------------------------------------------------------------------


def log_prior(z: Tensor) -> np.ndarray:
    """ln N(z; 0, I), a density over z in nats: z (..., latent_dim) to (...,)."""
    return (-0.5 * (z.double().square() + LN_2PI).sum(-1)).numpy()


def draw_prior(n: int, latent_dim: int, generator: Generator) -> Tensor:
    return torch.randn((n, latent_dim), generator=generator)


def draw_aggregate(n: int, codes: Codes, generator: Generator) -> Tensor:
    """A held-out image at random, then z from its q(z|x), n times: (n, latent_dim).

    A draw is easy, the density at it is not where there are many latents: see `own_share`. None is computed here.
    """
    picked = torch.randint(len(codes), (n,), generator=generator)
    eps = torch.randn((n, codes.m.shape[1]), generator=generator)
    return codes.m[picked] + torch.exp(0.5 * codes.log_var[picked]) * eps


def own_share(codes: Codes, seed: int = 0) -> float:
    """How far n images can be trusted for the aggregate posterior: at a draw from each image's q(z|x), by how many
    nats ln of the average of all n q(z|x) exceeds that of the n - 1 others; averaged over the n images."""
    m, s = codes.m.double(), torch.exp(0.5 * codes.log_var.double())
    z = m + s * torch.randn(m.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    log_q = -0.5 * (((z[:, None] - m) / s).square() + LN_2PI).sum(-1) - s.log().sum(-1)  # (n places, n images)
    without = log_q.clone().fill_diagonal_(-torch.inf)
    n = len(codes)
    share = (torch.logsumexp(log_q, 1) - math.log(n)) - (torch.logsumexp(without, 1) - math.log(n - 1))
    return float(share.mean())


# What is decoded there -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decoded:
    """p(x|z,w) at n places. Pixels are (n, n_pixels)."""

    mean: Tensor
    sigma: Tensor  # the standard deviation of each pixel
    sample: Tensor  # one draw from p(x|z,w), not clipped

    @property
    def outside(self) -> float:
        """The share of the sample's pixels below 0 or above 1."""
        return float(((self.sample < 0) | (self.sample > 1)).double().mean())

    @property
    def sample_range(self) -> tuple[float, float]:
        return float(self.sample.min()), float(self.sample.max())

    @property
    def sigma_range(self) -> tuple[float, float]:
        return float(self.sigma.min()), float(self.sigma.max())

    def mse(self, x: Tensor) -> float:
        """Of the mean, a pixel."""
        return float((self.mean - x).square().mean())


@torch.inference_mode()
def decoded(vae: VAE, z: Tensor, generator: Generator) -> Decoded:
    outputs, likelihood = vae.decode(z), vae.likelihood
    return Decoded(likelihood.mean(outputs), likelihood.stddev(outputs), likelihood.sample(outputs, generator))


@torch.inference_mode()
def at_own_code(vae: VAE, x: Tensor, seed: int) -> Decoded:
    """At the mean of this VAE's own q(z|x): x (n, n_pixels). `seed` is of the sample."""
    return decoded(vae, vae.encode(x)[0], torch.Generator().manual_seed(seed))


@torch.inference_mode()
def means(vae: VAE, z: Tensor) -> np.ndarray:
    """The mean of p(x|z,w) as grey images: z (..., latent_dim) to (..., side, side) uint8."""
    images = grey(vae.likelihood.mean(vae.decode(z.reshape(-1, z.shape[-1]))))
    return images.reshape(*z.shape[:-1], *images.shape[1:])


# The nearest training image ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nearest:
    """To each image asked about: the training image with the least squared error."""

    x: Tensor  # (n, n_pixels)
    rmse: np.ndarray  # (n,) root of the mean squared difference a pixel


@torch.inference_mode()
def nearest_training(vae: VAE, data: Dataset, images: Tensor) -> Nearest:
    """Of all training images, as the model sees them, the one nearest to each of `images` (n, n_pixels)."""
    feed = Feed(vae.spec, data)
    wide = images.double()  # in which a matrix product finds the nearest one, ten times as fast as differences
    best = torch.full((len(images),), torch.inf, dtype=torch.float64)
    found = torch.zeros_like(images)
    for x in feed.part(feed.train_part):
        distance, row = torch.cdist(wide, x.double(), compute_mode="use_mm_for_euclid_dist").min(dim=1)
        closer = distance < best
        best[closer], found[closer] = distance[closer], x[row[closer]]
    return Nearest(found, (wide - found).square().mean(dim=1).sqrt().numpy())


def usual_distance(vae: VAE, data: Dataset, most: int = 200) -> float:
    """From the mean at a held-out image's code to its nearest training image, a pixel: the median of `most` images."""
    images = at_own_code(vae, Feed(vae.spec, data).held_out(most), seed=0)
    return float(np.median(nearest_training(vae, data, images.mean).rmse))


# New images ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewImages:
    """What is decoded at n new places, and where these lie."""

    images: Decoded
    nearest: Nearest
    log_prior: float  # mean over them, nats


def new_images(vae: VAE, data: Dataset, codes: Codes, n: int, seed: int) -> tuple[NewImages, NewImages]:
    """At z from the prior, and at z from the aggregate posterior."""
    generator = torch.Generator().manual_seed(seed)
    places = [draw_prior(n, codes.m.shape[1], generator), draw_aggregate(n, codes, generator)]
    first, second = (_new(vae, data, z, generator) for z in places)
    return first, second


def _new(vae: VAE, data: Dataset, z: Tensor, generator: Generator) -> NewImages:
    images = decoded(vae, z, generator)
    return NewImages(images, nearest_training(vae, data, images.mean), float(log_prior(z).mean()))


# Exports -------------------------------------------------------------------------------------------------------------


def gif(frames: list[np.ndarray], columns: int, zoom: int = 3, milliseconds: int = 80) -> bytes:
    """An endless GIF; each frame is (n, side, side) uint8, tiled in rows of `columns`. Equal neighbours become one
    longer frame."""
    sheets = [Image.open(io.BytesIO(png(frame, columns))) for frame in frames]
    large = [s.resize((s.width * zoom, s.height * zoom), Image.Resampling.NEAREST) for s in sheets]
    file = io.BytesIO()
    large[0].save(file, "GIF", save_all=True, append_images=large[1:], duration=milliseconds, loop=0)
    return file.getvalue()
