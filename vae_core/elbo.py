"""ELBO(x) = E_q(z|x)[ln p(x|z,w)] - KL(q(z|x) || p(z)), term by term and image by image, in nats."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from vae_core.likelihoods import LN_2PI
from vae_core.likelihoods.base import as_stored
from vae_core.model import VAE


@dataclass(frozen=True)
class ElboTerms:
    reconstruction: Tensor  # (batch,) E_q[ln p(x|z,w)], constants included
    kl: Tensor  # (batch, latent_dim) KL(q(z_j|x) || N(0,1))
    outputs: Tensor  # (mc_samples, batch, n_outputs) the decoder's parameters at each draw of z

    @property
    def elbo(self) -> Tensor:
        return self.reconstruction - self.kl.sum(-1)  # (batch,)


def kl_to_prior(m: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(m, s^2) || N(0,1)) = 1/2 (m^2 + s^2 - 1 - ln s^2), a term a latent. Kingma & Welling 2013, App. B."""
    return 0.5 * (m.square() + log_var.exp() - 1 - log_var)


def draw_z(m: Tensor, log_var: Tensor, mc_samples: int, generator: Generator | None = None) -> Tensor:
    """z = m + s * eps, eps ~ N(0,I): (mc_samples, batch, latent_dim). The reparameterisation trick, eq. 4."""
    eps = torch.randn((mc_samples, *m.shape), generator=generator, device=m.device, dtype=m.dtype)
    return m + torch.exp(0.5 * log_var) * eps


def elbo_terms(vae: VAE, x: Tensor, mc_samples: int = 1, generator: Generator | None = None) -> ElboTerms:
    """The two terms for each image of x (batch, n_pixels); the expectation over q is a mean of mc_samples draws.

    Kingma & Welling 2013, eq. 7. Nothing is averaged over images here: that is the caller's, and visible there.
    """
    m, log_var = vae.encode(x)  # (batch, latent_dim) each
    z = draw_z(m, log_var, mc_samples, generator)  # (mc_samples, batch, latent_dim)
    outputs = vae.decode(z)  # (mc_samples, batch, n_outputs)
    reconstruction = vae.likelihood.log_prob(outputs, x).mean(0)  # (batch,)
    return ElboTerms(reconstruction, kl_to_prior(m, log_var), outputs)


def log_weights(
    vae: VAE, x: Tensor, draws: int, generator: Generator | None = None, levels: int | None = None
) -> Tensor:
    """ln w_i = ln p(x|z_i,w) p(z_i) / q(z_i|x), z_i ~ q(z|x): (draws, batch) nats. The mean of w is p(x|w), of ln w the
    ELBO.

    With `levels`, P of the image's grey levels takes the place of p: raises LevelsError where there is none.
    """
    m, log_var = vae.encode(x)
    z = draw_z(m, log_var, draws, generator)  # (draws, batch, latent_dim)
    log_prior = -0.5 * (z.square() + LN_2PI).sum(-1)
    log_q = -0.5 * ((z - m).square() / log_var.exp() + log_var + LN_2PI).sum(-1)
    return log_likelihood(vae, vae.decode(z), x, levels) + log_prior - log_q


def log_likelihood(vae: VAE, outputs: Tensor, x: Tensor, levels: int | None = None) -> Tensor:
    """ln p(x|z,w) as it is trained, or ln P(x|z,w) of one of so many grey levels a pixel: (...,) nats.

    P is of the image as it is stored: any noise on x goes away before it is put on fewer levels than it has.
    """
    if levels is None:
        return vae.likelihood.log_prob(outputs, x)
    return vae.likelihood.log_mass(outputs, as_stored(x, vae.spec.n_levels), levels).sum(-1)


def importance_weighted_bound(
    vae: VAE, x: Tensor, k: int, generator: Generator | None = None, levels: int | None = None
) -> Tensor:
    """ln 1/k sum_i p(x|z_i) p(z_i) / q(z_i|x), z_i ~ q(z|x), in nats: (batch,). With `levels`, of P: see log_weights.

    At k = 1 its mean is the ELBO; it rises with k towards ln p(x). Burda, Grosse & Salakhutdinov 2016, eq. 8.
    """
    return torch.logsumexp(log_weights(vae, x, k, generator, levels), dim=0) - math.log(k)
