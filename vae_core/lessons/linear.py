"""A linear VAE beside its exact answer: ln p(x|w), the posterior, and the gap that the ELBO leaves, in closed form.

A linear decoder with Gaussian noise, p(x|z,w) = N(Wz + c, sigma^2 I) and z ~ N(0, I), is probabilistic PCA: p(x|w) is
N(c, WW^T + sigma^2 I), and the posterior N(M^-1 W^T (x - c), sigma^2 M^-1) with M = W^T W + sigma^2 I. Tipping & Bishop
1999, eqs. 4, 6 and 7; Lucas et al. 2019 (arXiv 1911.02469) for the VAE with such a decoder. float64 numpy: nothing of
size (D, D) is made, so that a thousand images of 784 pixels cost milliseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from vae_core.data import load_dataset, split
from vae_core.lessons.exact import LN_2PI, Components, LinearVae, best_variance, components, kl_of_each, linear_vae
from vae_core.measures import ACTIVE_KL
from vae_core.spec import SETTINGS, RunSpec

if TYPE_CHECKING:
    from vae_core.model import VAE

MOST_LATENTS = SETTINGS["latent_dim"].rule.high  # type: ignore[attr-defined]
ONE_SIGMA = ("gaussian_identity", "gaussian_shared")  # the likelihoods with N(mu, sigma^2 I), and so an exact answer


@dataclass(frozen=True)
class LinearDecoder:
    """p(x|z,w) = N(Wz + c, variance * I). Raises ValueError where the variance is not above 0."""

    weights: np.ndarray  # W, (D, J) float64
    offset: np.ndarray  # c, (D,) float64
    variance: float  # sigma^2

    def __post_init__(self) -> None:
        if not 0 < self.variance < math.inf:
            raise ValueError(f"the variance is {self.variance}; it must be a number above 0")

    @cached_property
    def m(self) -> np.ndarray:
        """M = W^T W + sigma^2 I, (J, J): the posterior's precision times sigma^2."""
        return self.weights.T @ self.weights + self.variance * np.eye(self.weights.shape[1])

    def posterior(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of p(z|x,w): the means (n, J), and the covariance (J, J), the same for every image of (n, D)."""
        means = np.linalg.solve(self.m, ((images - self.offset) @ self.weights).T).T
        return means, self.variance * np.linalg.inv(self.m)

    def log_evidence(self, images: np.ndarray) -> np.ndarray:
        """ln p(x|w) of each image (n, D): (n,) nats."""
        means, _ = self.posterior(images)
        left = images - self.offset - means @ self.weights.T
        n_pixels, latent_dim = self.weights.shape
        # |x - c|^2 under the inverse covariance, as two terms above 0: no digits are lost in their difference.
        distance = (left**2).sum(1) / self.variance + (means**2).sum(1)
        log_det = (n_pixels - latent_dim) * math.log(self.variance) + np.linalg.slogdet(self.m)[1]
        return -0.5 * (n_pixels * LN_2PI + log_det + distance)


@dataclass(frozen=True)
class Q:
    """q(z|x) = N(m, diag s^2) of some images."""

    m: np.ndarray  # (n, J)
    log_var: np.ndarray  # (n, J), ln s^2


@dataclass(frozen=True)
class Bound:
    """The ELBO of images under a linear decoder and some q, its expectation over q exact, and what it leaves."""

    reconstruction: np.ndarray  # (n,) E_q[ln p(x|z,w)], nats
    kl: np.ndarray  # (n, J) KL(q(z_j|x) || N(0,1)), nats
    log_evidence: np.ndarray  # (n,) ln p(x|w), nats
    gap: np.ndarray  # (n,) KL(q(z|x) || p(z|x,w)), nats, computed by itself

    @property
    def elbo(self) -> np.ndarray:
        return self.reconstruction - self.kl.sum(1)  # (n,)


def bound(decoder: LinearDecoder, images: np.ndarray, q: Q) -> Bound:
    """For images (n, D). ELBO + gap = ln p(x|w), image by image, whatever q is."""
    spread = np.exp(q.log_var)
    left = images - decoder.offset - q.m @ decoder.weights.T
    error = (left**2).sum(1) + spread @ (decoder.weights**2).sum(0)  # E_q of the squared error
    n_pixels = len(decoder.offset)
    reconstruction = -0.5 * (n_pixels * (LN_2PI + math.log(decoder.variance)) + error / decoder.variance)
    kl = 0.5 * (q.m**2 + spread - 1 - q.log_var)
    return Bound(reconstruction, kl, decoder.log_evidence(images), gap(decoder, images, q))


def gap(decoder: LinearDecoder, images: np.ndarray, q: Q) -> np.ndarray:
    """KL(q(z|x) || p(z|x,w)) between two Gaussians: (n,) nats. It is 0 where the posterior is diagonal and q is it."""
    means, _ = decoder.posterior(images)
    precision = decoder.m / decoder.variance
    off = q.m - means
    log_det = np.linalg.slogdet(precision)[1]
    within = np.exp(q.log_var) @ np.diag(precision) + np.einsum("ni,ij,nj->n", off, precision, off)
    return 0.5 * (within - len(precision) - log_det - q.log_var.sum(1))


def best_decoder(of: Components, latent_dim: int, variance: float) -> LinearDecoder:
    """The best at this sigma^2 on the images with these components; a collapsed latent has a column of zeros. Of all
    rotations of z it is the one with a diagonal posterior. Tipping & Bishop 1999, eq. 7."""
    latent_dim = min(latent_dim, of.vectors.shape[1])
    lengths = np.sqrt(np.maximum(of.eigenvalues[:latent_dim] - variance, 0.0))
    return LinearDecoder(of.vectors[:, :latent_dim] * lengths, of.mean, variance)


def best_q(decoder: LinearDecoder, images: np.ndarray) -> Q:
    """Of all N(m, diag s^2) the one with the smallest gap: the posterior's means, and the inverse of the diagonal of
    its precision (the mean field of a Gaussian; Bishop 2006, section 10.1.2)."""
    means, _ = decoder.posterior(images)
    return Q(means, np.broadcast_to(np.log(decoder.variance / np.diag(decoder.m)), means.shape))


def learned_variance(eigenvalues: np.ndarray, latent_dim: int, floor: float) -> float:
    """Where a sigma^2 that is learned with the weights ends: sigma^2_ML, but not below its floor. Raises ValueError."""
    return max(best_variance(eigenvalues, latent_dim), floor)


# A run, and the images it is trained on -------------------------------------------------------------------------------


def parts(spec: RunSpec) -> tuple[np.ndarray, np.ndarray]:
    """The training images and the held-out ones of a run with grey pixels, each (n, D) float64 in [0,1]."""
    data = load_dataset(spec.dataset)
    train, held_out = (data.scaled(indices).astype(np.float64) for indices in split(spec))
    return train, held_out


def known(dataset: str) -> Components:
    """Of the training images of such a run on this data set, as many as a run can have latents."""
    train, _ = parts(run_spec(dataset, 1, 1.0))
    of = components(train)
    return replace(of, vectors=of.vectors[:, : int(MOST_LATENTS)].copy())  # not a view, which would keep all of them


EPOCHS = {"digits": 800, "mnist": 400, "fashion": 400}
_BATCH = {"digits": 720, "mnist": 512, "fashion": 512}  # large ones: the last nats are a matter of the gradient's noise


def run_spec(dataset: str, latent_dim: int, variance: float | None, seed: int = 0) -> RunSpec:
    """A linear run on grey pixels with this sigma^2, or with a learned one for None, that comes near its exact answer.
    Raises SpecError."""
    noise: dict[str, Any] = {"likelihood": "gaussian_shared"}
    if variance is not None:
        noise = {"likelihood": "gaussian_identity", "sigma": float(f"{math.sqrt(variance):.8g}")}
    return RunSpec(
        dataset=dataset,
        latent_dim=latent_dim,
        decoder="linear",
        batch_size=_BATCH[dataset],
        learning_rate=5e-3,
        epochs=EPOCHS[dataset],
        seed=seed,
        **noise,
    )


def exact_variance(spec: RunSpec, eigenvalues: np.ndarray) -> float:
    """The sigma^2 with which this run's exact answer is to be taken: the fixed one, or where a learned one ends."""
    if spec.likelihood == "gaussian_identity":
        return spec.sigma**2
    return learned_variance(eigenvalues, spec.latent_dim, spec.variance_floor)


@dataclass(frozen=True)
class Answer:
    """What a linear run ends with at its best, from eigenvalues alone; nats per training image."""

    variance: float  # sigma^2
    vae: LinearVae
    kl_of_each: np.ndarray  # (latent_dim,) falling

    @property
    def active(self) -> int:
        """Latents that count as active in a trained run: one in use whose eigenvalue is close to sigma^2 does not."""
        return int((self.kl_of_each > ACTIVE_KL).sum())


def answer(spec: RunSpec, of: Components) -> Answer:
    """For a run with one sigma; `of` are its training images' components. Raises ValueError where it has none."""
    if spec.likelihood not in ONE_SIGMA or spec.beta != 1:
        raise ValueError("an exact answer needs Gaussian noise of one sigma, and β = 1")
    variance = exact_variance(spec, of.eigenvalues)
    return Answer(
        variance,
        linear_vae(of.eigenvalues, spec.latent_dim, variance),
        kl_of_each(of.eigenvalues, spec.latent_dim, variance),
    )


def held_out_evidence(spec: RunSpec, of: Components) -> float:
    """The mean of ln p(x|w) of the held-out images under those best weights, nats."""
    best = best_decoder(of, spec.latent_dim, exact_variance(spec, of.eigenvalues))
    return float(best.log_evidence(parts(spec)[1]).mean())


@dataclass(frozen=True)
class Trained:
    """What a linear run has come to, exactly: no draw of z is in these numbers."""

    variance: float  # sigma^2 of its decoder
    train: Bound
    held_out: Bound

    @property
    def kl_of_each(self) -> np.ndarray:
        """Means over the training images, sorted as the exact ones are: (latent_dim,) falling."""
        return np.sort(self.train.kl.mean(0))[::-1]

    @property
    def active(self) -> int:
        """Latents that carry more than ACTIVE_KL: of one that is collapsed training leaves a little."""
        return int((self.kl_of_each > ACTIVE_KL).sum())

    def short_of(self, known: Answer) -> tuple[float, float]:
        """Nats by which the ELBO of the training images is below the exact ln p(x|w): since q is not the posterior, and
        since the weights are not the best ones."""
        gap = float(self.train.gap.mean())
        return gap, known.vae.log_likelihood - float(self.train.elbo.mean()) - gap


def trained(vae: VAE) -> Trained:
    """Raises ValueError where the run has no exact answer."""
    decoder = decoder_of(vae)
    train, held_out = (bound(decoder, images, q_of(vae, images)) for images in parts(vae.spec))
    return Trained(decoder.variance, train, held_out)


def decoder_of(vae: VAE) -> LinearDecoder:
    """Of a trained run. Raises ValueError where it has no exact answer: a network, or noise that is not one sigma."""
    import torch

    if vae.spec.decoder != "linear" or vae.spec.likelihood not in ONE_SIGMA:
        raise ValueError("only a linear decoder with Gaussian noise of one sigma has an exact answer")
    with torch.no_grad():
        weights, offset = (parameter.double().numpy() for parameter in vae.decoder.parameters())
        outputs = vae.decode(torch.zeros(1, vae.spec.latent_dim))
        sigma = vae.likelihood.distribution(outputs).stddev.double().max()
    return LinearDecoder(weights, offset, float(sigma) ** 2)


def q_of(vae: VAE, images: np.ndarray) -> Q:
    """What the trained encoder says of images (n, D)."""
    import torch

    with torch.no_grad():
        m, log_var = vae.encode(torch.from_numpy(images).float())
    return Q(m.double().numpy(), log_var.double().numpy())
