"""What is known exactly: a linear decoder with Gaussian noise is probabilistic PCA, and any KL has a ceiling.

Tipping & Bishop 1999 (probabilistic PCA); Lucas et al. 2019 (arXiv 1911.02469: the ELBO of a linear VAE has the same
maximum, and its collapsed latents are those whose eigenvalue is not above sigma^2). float64 numpy, no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LN_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Components:
    """The principal components of images: their mean, and the eigenvectors of their covariance."""

    mean: np.ndarray  # (D,)
    eigenvalues: np.ndarray  # (D,) falling, as `eigenvalues` gives them
    vectors: np.ndarray  # (D, D), a component a column


@dataclass(frozen=True)
class LinearVae:
    """The best linear decoder mu = W z + c under N(mu, sigma^2 I) with its best encoder; nats per training image."""

    active: int  # latents that are used; the others have KL 0
    kl: float
    log_likelihood: float  # ln p(x|W,c), which the ELBO reaches

    @property
    def reconstruction(self) -> float:
        return self.log_likelihood + self.kl  # E[ln p(x|z)], since the bound is tight


def eigenvalues(images: np.ndarray) -> np.ndarray:
    """Of the covariance (1/n, not 1/(n-1)) of images (n, D): (D,) falling, never below 0."""
    return np.maximum(np.linalg.eigvalsh(_covariance(images))[::-1], 0.0)


def components(images: np.ndarray) -> Components:
    """The same with the eigenvectors, which cost several times as much."""
    values, vectors = np.linalg.eigh(_covariance(images))  # rising
    return Components(images.mean(0, dtype=np.float64), np.maximum(values[::-1], 0.0), vectors[:, ::-1])


def _covariance(images: np.ndarray) -> np.ndarray:
    centred = images - images.mean(0, dtype=np.float64)
    return centred.T @ centred / len(images)


def best_variance(eigenvalues: np.ndarray, latent_dim: int) -> float:
    """sigma^2_ML of probabilistic PCA: the mean of the discarded eigenvalues. Tipping & Bishop 1999, eq. 8."""
    if not 0 <= latent_dim < len(eigenvalues):
        raise ValueError(f"{latent_dim} latents leave none of {len(eigenvalues)} eigenvalues to be noise")
    return float(eigenvalues[latent_dim:].mean())


def linear_vae(eigenvalues: np.ndarray, latent_dim: int, variance: float) -> LinearVae:
    """At a fixed sigma^2 = variance > 0, on the data with these eigenvalues.

    Latent i is active where eigenvalue i > sigma^2; then q(z_i|x) has variance sigma^2/lambda_i, and its KL averages to
    1/2 ln(lambda_i/sigma^2). Lucas et al. 2019, section 4; Tipping & Bishop 1999, eqs. 3 and 7.
    """
    if not variance > 0:
        raise ValueError(f"the variance is {variance}; it must be above 0")
    kept = eigenvalues[:latent_dim]
    kept = kept[kept > variance]  # never those of 0, of which images that are all in one plane have some
    noise = eigenvalues[len(kept) :]  # these directions are left to sigma^2
    fitted = float(np.log(kept).sum()) + len(kept)
    left = len(noise) * math.log(variance) + float(noise.sum()) / variance
    log_likelihood = -0.5 * (len(eigenvalues) * LN_2PI + fitted + left)
    return LinearVae(len(kept), float(kl_of_each(eigenvalues, latent_dim, variance).sum()), log_likelihood)


def kl_of_each(eigenvalues: np.ndarray, latent_dim: int, variance: float) -> np.ndarray:
    """Of that VAE's latents, from the most used to the collapsed ones: (latent_dim,) nats per training image."""
    kept = np.zeros(latent_dim)  # more latents than eigenvalues have nothing to say
    kept[: len(eigenvalues)] = eigenvalues[:latent_dim]
    return 0.5 * np.log(np.maximum(kept, variance) / variance)


def mean_absolute_residual(images: np.ndarray, latent_dim: int) -> float:
    """The mean over pixels of |x - its projection on the first components|: the best b of Laplace noise about it."""
    of = components(images)
    kept = of.vectors[:, :latent_dim]
    centred = images - of.mean
    return float(np.abs(centred - centred @ kept @ kept.T).mean())


def excess_error(images: np.ndarray, loss: str) -> float:
    """How much summed error decoding can save: that of the best constant image less the least possible. (n, D) -> mean.

    The optimum of error + ratio * KL is no worse than ignoring z, so there KL <= excess_error / ratio, whatever the
    networks. `loss` is squared, absolute or bce (on grey or binary pixels).
    """
    images = np.asarray(images, np.float64)
    if loss == "squared":
        return float(images.var(0).sum())
    if loss == "absolute":
        return float(np.abs(images - np.median(images, axis=0)).mean(0).sum())
    if loss == "bce":
        return float(_entropy(images.mean(0)).sum() - _entropy(images).mean(0).sum())
    raise ValueError(f"{loss!r} is no loss known here")


def _entropy(share: np.ndarray) -> np.ndarray:
    """Of a coin with this chance, nats; 0 for a sure one."""
    inside = np.clip(share, 1e-300, 1.0)
    outside = np.clip(1 - share, 1e-300, 1.0)
    return -(share * np.log(inside) + (1 - share) * np.log(outside))
