"""One image under one decoder: ln p(x|z,w) as a sum over pixels, and the ELBO as a mean over draws of z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vae_core.data import Dataset
from vae_core.elbo import draw_z, kl_to_prior
from vae_core.feed import Feed
from vae_core.model import VAE, stream
from vae_core.spec import RunSpec

MOST_DRAWS = 1000


@dataclass(frozen=True)
class Pixels:
    """p(x_d|z,w) of each pixel d at one z, and what it gives those of one image. Arrays are (n_pixels,) float32."""

    outputs: list[np.ndarray]  # the decoder's raw outputs: an array for each that a pixel has
    mean: np.ndarray
    stddev: np.ndarray
    log_prob: np.ndarray  # ln p(x_d|z,w), nats

    @property
    def total(self) -> float:
        """ln p(x|z,w) in nats: pixels are independent given z, so that logs add."""
        return float(self.log_prob.sum(dtype=np.float64))

    @property
    def costliest(self) -> int:
        """The pixel with the lowest ln p(x_d|z,w)."""
        return int(self.log_prob.argmin())


@dataclass(frozen=True)
class Estimate:
    """ELBO(x) = E_q(z|x)[ln p(x|z,w)] - KL(q(z|x)||p(z)) with L draws for the expectation, in nats.

    The running arrays are those of the first 1, 2, ... L draws: (L,) float64.
    """

    log_probs: np.ndarray  # (L,) float64: ln p(x|z^l,w)
    kl: float  # closed form: no draw enters
    running_mean: np.ndarray
    running_error: np.ndarray  # standard error of that mean; NaN at the first, for one draw shows no spread

    @property
    def mean(self) -> float:
        return float(self.running_mean[-1])

    @property
    def error(self) -> float:
        return float(self.running_error[-1])

    @property
    def elbo(self) -> float:
        return self.mean - self.kl  # its standard error is that of the mean


def held_out_image(spec: RunSpec, data: Dataset, number: int) -> Tensor:
    """Held-out image `number`, from 0, as the run's own evaluation sees it: (n_pixels,) in [0,1].

    Raises IndexError where the run holds out fewer.
    """
    return Feed(spec, data).held_out(number + 1)[number].clone()  # who keeps a part keeps the whole batch


@torch.inference_mode()
def latent_of(vae: VAE, x: Tensor, seed: int | None) -> Tensor:
    """The z of image x (n_pixels,): m, the mean of q(z|x), or the first of the draws of `seed`. (latent_dim,)"""
    m, log_var = vae.encode(x)
    return m if seed is None else draws(m, log_var, seed)[0]


def draws(m: Tensor, log_var: Tensor, seed: int) -> Tensor:
    """z^l = m + s*eps^l, (MOST_DRAWS, latent_dim): all, so that fewer draws are the first of more, and eps is the same
    under every decoder with as many latents."""
    return draw_z(m, log_var, MOST_DRAWS, stream(seed, "draws of one image"))


@torch.inference_mode()
def pixels_at(vae: VAE, x: Tensor, z: Tensor) -> Pixels:
    """p(x_d|z,w) of every pixel at z (latent_dim,), and ln p(x_d|z,w) of the pixels of x (n_pixels,)."""
    outputs, likelihood = vae.decode(z), vae.likelihood
    raw = [part.expand_as(x) for part in outputs.split(len(x))]  # the second may be one number for all pixels
    of_one = type(likelihood)(1, **likelihood.given)
    log_prob = of_one.log_prob(torch.stack(raw, dim=-1), x[:, None])  # (n_pixels,): each pixel an image of its own
    arrays = [part.numpy() for part in (*raw, likelihood.mean(outputs), likelihood.stddev(outputs), log_prob)]
    return Pixels(arrays[: len(raw)], *arrays[len(raw) :])


@torch.inference_mode()
def estimate(vae: VAE, x: Tensor, n_draws: int, seed: int) -> Estimate:
    """The Monte-Carlo estimate with the first `n_draws` draws of `seed`. Kingma & Welling 2013, eq. 7 and App. B."""
    m, log_var = vae.encode(x)  # (latent_dim,) each
    z = draws(m, log_var, seed)[:n_draws]  # (n_draws, latent_dim)
    log_probs = vae.likelihood.log_prob(vae.decode(z), x).double().numpy()  # (n_draws,)
    return Estimate(log_probs, float(kl_to_prior(m, log_var).sum()), *running(log_probs))


def running(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the first 1, 2, ... values and its standard error sd/sqrt(l), sd with l - 1: two of (n,)."""
    count = np.arange(1, len(values) + 1)
    centred = values - values.mean()  # sums of squares lose no digits to a large mean
    mean = centred.cumsum() / count
    squares = np.maximum((centred**2).cumsum() - count * mean**2, 0.0)
    with np.errstate(invalid="ignore"):
        error = np.sqrt(squares / (count - 1) / count)
    return mean + values.mean(), error
