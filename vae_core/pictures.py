"""What a snapshot shows: the same held-out images and the same prior z every time, as small grey images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vae_core.likelihoods import GaussianLearned
from vae_core.model import VAE, stream

N_TRIPLES, N_NEW = 6, 12
N_DRAWN = 36  # z, of which the first N_NEW are shown: torch draws other numbers where it draws fewer


@dataclass(frozen=True)
class Pictures:
    """uint8 images (n, side, side), 0 black to 255 white; samples are clipped to [0,1] for display. `exact` is what the
    first ones were made from, so that p(x_d|z,w) of any of their pixels can be worked out."""

    input: np.ndarray
    mean: np.ndarray  # of p(x|z) at z = m, the mean of q(z|x)
    sample: np.ndarray  # one draw from that p(x|z)
    prior_mean: np.ndarray  # at fixed z from the prior, the same for all likelihoods
    prior_sample: np.ndarray
    sigma: np.ndarray | None  # of a learned-variance decoder, on a log scale from the floor (0) to 1 (255)
    exact: np.ndarray  # (n, n_pixels + n_outputs) float32: x, then f(m, w), unrounded


@torch.inference_mode()
def take_pictures(vae: VAE, held_out: Tensor) -> Pictures:
    """`held_out` (batch, n_pixels): its first N_TRIPLES images are encoded, decoded and sampled."""
    likelihood, device = vae.likelihood, held_out.device
    # The noise of the samples is the same at every snapshot too, so that what moves is the distribution.
    noise = stream(vae.spec.seed, "picture noise", device)
    x = held_out[:N_TRIPLES]
    m, _ = vae.encode(x)
    outputs = vae.decode(m)
    z = torch.randn(N_DRAWN, vae.spec.latent_dim, generator=stream(vae.spec.seed, "prior z"))[:N_NEW].to(device)
    prior = vae.decode(z)
    sigma = None
    if isinstance(likelihood, GaussianLearned) and likelihood.learns_sigma:
        sigma = grey(log_scale(likelihood.stddev(outputs), vae.spec.variance_floor**0.5))
    return Pictures(
        input=grey(x),
        mean=grey(likelihood.mean(outputs)),
        sample=grey(likelihood.sample(outputs, noise)),
        prior_mean=grey(likelihood.mean(prior)),
        prior_sample=grey(likelihood.sample(prior, noise)),
        sigma=sigma,
        exact=torch.cat([x, outputs], 1).float().cpu().numpy(),
    )


def log_scale(sigma: Tensor, floor: float) -> Tensor:
    """0 where sigma is the floor, 1 where it is 1, in ln sigma."""
    return 1 - sigma.log() / min(math.log(floor), -1e-6)


def stretched(pixels: Tensor, low: float, high: float) -> np.ndarray:
    """Pixels as grey images with `low` shown black and `high` white."""
    return grey((pixels - low) / (high - low))


def grey(pixels: Tensor) -> np.ndarray:
    """(n, n_pixels) in [0,1], clipped, to (n, side, side) uint8."""
    side = math.isqrt(pixels.shape[-1])
    whole = pixels.nan_to_num(0.0).clamp(0, 1).mul(255).round().to(torch.uint8)
    return whole.reshape(-1, side, side).cpu().numpy()
