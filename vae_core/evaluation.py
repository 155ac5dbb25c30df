"""What a trained VAE says about images: the ELBO's terms, also as probability, squared error, active latents, sigma."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Generator, Tensor

from vae_core.elbo import elbo_terms
from vae_core.likelihoods import GaussianLearned
from vae_core.likelihoods.base import bits_per_pixel as bits_per_pixel, scores as scores
from vae_core.measures import ACTIVE_KL as ACTIVE_KL, Means as Means, SigmaStats as SigmaStats
from vae_core.model import VAE


@dataclass(frozen=True)
class Evaluation:
    means: Means
    kl_per_latent: np.ndarray  # (latent_dim,) nats per image
    sigma: SigmaStats | None

    @property
    def active_latents(self) -> int:
        return int((self.kl_per_latent > ACTIVE_KL).sum())

    @property
    def is_finite(self) -> bool:
        """Whether the weights still give numbers."""
        return math.isfinite(self.means.elbo)


@torch.inference_mode()
def evaluate(vae: VAE, batches: Iterable[Tensor], generator: Generator) -> Evaluation:
    """The terms of all images in `batches`, each (batch, n_pixels) in [0,1] on the model's device.

    The median of sigma is of the first batch alone: it would need all of them at once.
    """
    sums = torch.zeros(3, dtype=torch.float64)
    levels = vae.spec.n_levels
    scored = scores(vae.likelihood, levels)
    kl = torch.zeros(vae.spec.latent_dim, dtype=torch.float64)
    count = 0
    sigma: SigmaStats | None = None
    for x in batches:
        terms = elbo_terms(vae, x, 1, generator)  # one draw of z: the mean is over many images already
        mse = (x - vae.likelihood.mean(terms.outputs)).square().mean((0, 2))  # (batch,)
        mass = terms.reconstruction.sum()  # of a mass, on the levels of its pixels, ln P is ln p
        if scored and vae.likelihood.kind == "density":
            mass = vae.likelihood.log_mass(terms.outputs, x, levels).sum()
        sums += torch.stack([terms.reconstruction.sum(), mse.sum(), mass]).cpu().double()
        kl += terms.kl.sum(0).cpu().double()
        count += len(x)
        sigma = sigma_stats(vae, terms.outputs, sigma, len(x) / count)
    reconstruction, mse_mean, log_mass = (sums / count).tolist()
    kl_per_latent = (kl / count).numpy()
    total_kl = float(kl_per_latent.sum())
    means = Means(reconstruction, total_kl, reconstruction - total_kl, mse_mean, log_mass if scored else None)
    return Evaluation(means, kl_per_latent, sigma)


def sigma_stats(vae: VAE, outputs: Tensor, before: SigmaStats | None = None, share: float = 1.0) -> SigmaStats | None:
    """None for a decoder that learns no sigma. With those of the images `before`, of all images so far, of which these
    are that share."""
    likelihood = vae.likelihood
    if not isinstance(likelihood, GaussianLearned):
        return None
    sigma = likelihood.stddev(outputs)
    smallest, largest = float(sigma.min()), float(sigma.max())
    on_floor = float(likelihood.on_floor(outputs).sum(-1).float().mean())
    if before is None:
        return SigmaStats(smallest, float(sigma.median()), largest, likelihood.variance_floor**0.5, on_floor)
    return replace(
        before,
        smallest=min(before.smallest, smallest),
        largest=max(before.largest, largest),
        pixels_on_floor=(1 - share) * before.pixels_on_floor + share * on_floor,
    )
