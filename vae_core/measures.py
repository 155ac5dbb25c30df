"""The numbers by which a trained VAE is judged, as values: no torch, so that pages may hold them."""

from __future__ import annotations

from dataclasses import dataclass

ACTIVE_KL = 0.01  # nats a latent must carry on average to count as active; Burda et al. 2016 use 0.01 on variances


@dataclass(frozen=True)
class Means:
    """Means over images: nats per image, and mse per pixel."""

    reconstruction: float
    kl: float
    elbo: float
    mse: float
    log_mass: float | None = None  # E_q[ln P(x|z,w)], P the probability of the grey levels; None where there is none


@dataclass(frozen=True)
class SigmaStats:
    """How sure a learned-variance decoder is, over all pixels of all images looked at."""

    smallest: float
    median: float  # of the first batch
    largest: float
    floor: float
    pixels_on_floor: float  # a mean over images: of the n_pixels, how many have sigma at the floor
