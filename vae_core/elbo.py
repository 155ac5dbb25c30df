"""ELBO(x) = E_q(z|x)[ln p(x|z,w)] - KL(q(z|x) || p(z)), term by term and image by image, in nats."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from vae_core.likelihoods import LN_2PI
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


def importance_weighted_bound(vae: VAE, x: Tensor, k: int, generator: Generator | None = None) -> Tensor:
    """ln 1/k sum_i p(x|z_i) p(z_i) / q(z_i|x), z_i ~ q(z|x), in nats: (batch,).

    At k = 1 its mean is the ELBO; it rises with k towards ln p(x). Burda, Grosse & Salakhutdinov 2016, eq. 8.
    """
    m, log_var = vae.encode(x)
    z = draw_z(m, log_var, k, generator)  # (k, batch, latent_dim)
    log_likelihood = vae.likelihood.log_prob(vae.decode(z), x)  # (k, batch)
    log_prior = -0.5 * (z.square() + LN_2PI).sum(-1)
    log_q = -0.5 * ((z - m).square() / log_var.exp() + log_var + LN_2PI).sum(-1)
    return torch.logsumexp(log_likelihood + log_prior - log_q, dim=0) - math.log(k)
