"""The numbers of the figures that stand in the answers of the page Questions. float64 numpy; torch in `neighbours`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from vae_core.lessons.assumed import LossCode, units_cost
from vae_core.lessons.exact import LN_2PI, linear_vae
from vae_core.shipped import SHARED, SIGMA_SPECS, SPECS, measured, shipped_weights
from vae_core.spec import RunSpec

Curve = tuple[np.ndarray, np.ndarray]  # x and y, of one length


@dataclass(frozen=True)
class Curves:
    """Curves by name, and points on them by what stands beside each."""

    curves: dict[str, Curve]
    points: dict[str, tuple[float, float]] = field(default_factory=dict)


def gaussian(x: np.ndarray | float, mu: float, sigma: float) -> np.ndarray:
    """The density of N(mu, sigma^2), per unit of x."""
    return np.exp(-0.5 * ((np.asarray(x) - mu) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))


def gaussians(sigmas: dict[str, float], mu: float = 0.5, at: float | None = None, reach: float = 3.0) -> Curves:
    """N(mu, sigma^2) by name, `reach` of the widest sigma to both sides; under the first, the height `at` an x."""
    far = reach * max(sigmas.values())
    x = np.linspace(mu - far, mu + far, 401)
    points = {}
    if at is not None:
        height = float(gaussian(at, mu, next(iter(sigmas.values()))))
        points[f"ln {height:.3g} = {math.log(height):.2f}".replace("-", "−")] = (at, height)
    return Curves({name: (x, gaussian(x, mu, sigma)) for name, sigma in sigmas.items()}, points)


def share_outside(mu: float, sigma: float) -> float:
    """The chance that a draw from N(mu, sigma^2) is below 0 or above 1."""
    below, above = (0.5 * math.erfc(side / (sigma * math.sqrt(2))) for side in (mu, 1 - mu))
    return below + above


def draws(mu: float, sigma: float, n: int = 200, seed: int = 0) -> tuple[Curve, Curve]:
    """A histogram of mu + sigma * epsilon, epsilon ~ N(0,1), as a density over 20 bins' centres, and N's own curve."""
    drawn = mu + sigma * np.random.default_rng(seed).standard_normal(n)
    heights, edges = np.histogram(drawn, bins=20, range=(mu - 3.5 * sigma, mu + 3.5 * sigma))
    width = edges[1] - edges[0]
    x = np.linspace(edges[0], edges[-1], 201)
    return ((edges[:-1] + edges[1:]) / 2, heights / (n * width)), (x, gaussian(x, mu, sigma))


def under_three(a: float) -> Curves:
    """One raw output a as three densities on the greys [0,1]: N(a,1), Laplace(a,1), continuous Bernoulli of logit a."""
    x = np.linspace(0, 1, 201)
    normaliser = 1.0 if a == 0 else a / math.expm1(a)
    densities = {
        "gaussian_identity": gaussian(x, a, 1),
        "laplace": 0.5 * np.exp(-np.abs(x - a)),
        "continuous_bernoulli": normaliser * np.exp(a * x),
    }
    return Curves({key: (x, y) for key, y in densities.items()})


def highest_density() -> Curves:
    """ln of a Gaussian's density at its middle against sigma: -ln sigma - 1/2 ln 2 pi, without end as sigma -> 0."""
    sigma = np.geomspace(1e-4, 1, 101)
    return Curves({"ln p(x) at x = μ": (sigma, -np.log(sigma) - LN_2PI / 2)})


def cross_entropies(greys: tuple[float, ...]) -> Curves:
    """BCE against lambda for each grey x, nats, and where it is least: at lambda = x, the entropy of x."""
    share = np.linspace(0.005, 0.995, 199)
    curves = {f"x = {x:g}": (share, -x * np.log(share) - (1 - x) * np.log(1 - share)) for x in greys}
    inside = [x for x in greys if 0 < x < 1]
    least = {x: -x * math.log(x) - (1 - x) * math.log(1 - x) for x in inside}
    return Curves(curves, {f"{nats:.2f} nats": (x, nats) for x, nats in least.items()})


def four_pixels(raised: float = 2.0) -> dict[str, dict[str, np.ndarray]]:
    """Four pixels' raw outputs all 0, and with the first raised: what a sigmoid and a softmax make of them, (4,)."""
    before, after = np.zeros(4), np.array([raised, 0, 0, 0])
    sigmoid = lambda f: 1 / (1 + np.exp(-f))
    softmax = lambda f: np.exp(f) / np.exp(f).sum()
    return {name: {"all 0": link(before), "first raised": link(after)} for name, link in
            {"sigmoid": sigmoid, "softmax": softmax}.items()}  # fmt: skip


def linear_kl(eigenvalues: np.ndarray, latent_dim: int, marked: tuple[float, ...]) -> Curves:
    """The KL of the best linear decoder and encoder against sigma^2, nats per image, with these sigma^2 marked."""
    kl = lambda variance: linear_vae(eigenvalues, latent_dim, variance).kl
    variances = np.geomspace(1e-3, 1e3, 121)
    points = {f"σ² = {variance:g}": (variance, kl(variance)) for variance in marked}
    return Curves({"KL": (variances, np.array([kl(one) for one in variances]))}, points)


def black_to_white() -> dict[str, float]:
    """ln p of an image of 784 pixels, all at their mean, with noise as wide as black to white, by the unit."""
    best = -784 / 2 * LN_2PI
    return {"0 to 1": best, "0 to 255": best - units_cost(LossCode(pixel_range="0..255"))}


# One latent, one number x: everything is known ------------------------------------------------------------------------


@dataclass(frozen=True)
class Bounds:
    """z ~ N(0,1), x|z ~ N(z,1), and a q(z|x) that is not the posterior; nats."""

    ks: np.ndarray  # (n,)
    average_of_logs: np.ndarray  # (n,) the mean of the estimate of the ELBO from k draws
    log_of_average: np.ndarray  # (n,) the mean of ln of the average of k weights
    elbo: float
    evidence: float


def bounds(x: float = 2.0, m: float = 0.4, s: float = 0.6, repeats: int = 2000, seed: int = 0) -> Bounds:
    """Seeded draws from q = N(m, s^2); the exact posterior is N(x/2, 1/2). Burda et al. 2016 (arXiv 1509.00519)."""
    ks = 2 ** np.arange(9)
    epsilon = np.random.default_rng(seed).standard_normal((repeats, ks[-1]))
    z = m + s * epsilon  # (repeats, 256)
    weights = -0.5 * ((x - z) ** 2 + z**2 - epsilon**2) - LN_2PI / 2 + math.log(s)  # ln p(x|z) p(z) / q(z|x)
    elbo = -0.5 * ((x - m) ** 2 + s**2 + LN_2PI) - 0.5 * (m**2 + s**2 - 1 - 2 * math.log(s))
    logs, averages = (np.array([of(weights[:, :k]).mean() for k in ks]) for of in (_mean, _log_mean_exp))
    return Bounds(ks, logs, averages, elbo, float(np.log(gaussian(x, 0, math.sqrt(2)))))


def _mean(weights: np.ndarray) -> np.ndarray:
    return weights.mean(1)


def _log_mean_exp(weights: np.ndarray) -> np.ndarray:
    return np.log(np.exp(weights).mean(1))


# The shipped runs -----------------------------------------------------------------------------------------------------

RUNS = {f"σ = {sigma:g}": spec for sigma, spec in SIGMA_SPECS.items()} | {
    "one σ learned": SHARED,
    "σ learned": SPECS["gaussian_learned"],
    "Bernoulli": SPECS["bernoulli"],
}


def terms(spec: RunSpec) -> dict[str, float]:
    """The ELBO of a shipped run and what it is made of, means over held-out images, nats."""
    found = measured(spec)
    assert found is not None
    return {"reconstruction": found.means.reconstruction, "− KL": -found.means.kl, "ELBO": found.means.elbo}


def by_sigma() -> dict[str, dict[float, float]]:
    """What the shipped runs with a fixed sigma ended with on held-out images: their KL, nats, and MSE per pixel."""
    found = {sigma: measured(spec) for sigma, spec in SIGMA_SPECS.items()}
    return {
        "kl": {sigma: one.means.kl for sigma, one in found.items() if one},
        "mse": {sigma: one.means.mse for sigma, one in found.items() if one},
    }


def two_rankings() -> dict[str, dict[str, float]]:
    """ELBOs of the shipped runs, nats: of a density where there is one, and of the stored image's probability."""
    found = {name: one.means for name, spec in RUNS.items() if (one := measured(spec))}
    return {
        "density": {name: means.elbo for name, means in found.items() if name != "Bernoulli"},
        "probability": {name: means.log_mass - means.kl for name, means in found.items() if means.log_mass is not None},
    }


def neighbours(n: int = 20_000, seed: int = 1) -> dict[str, float]:
    """Of draws from the shipped Bernoulli run: how often the right one of two pixels in the middle is white, in all
    and where the left one is. Exact given z, averaged over n draws of z."""
    import torch

    from vae_core.checkpoint import load_vae

    vae = load_vae(shipped_weights(SPECS["bernoulli"]) or b"")
    with torch.inference_mode():
        z = torch.randn((n, vae.spec.latent_dim), generator=torch.Generator().manual_seed(seed))
        left, right = vae.likelihood.mean(vae.decode(z))[:, 14 * 28 + 14 : 14 * 28 + 16].T  # each (n,)
    return {"in all draws": right.mean().item(), "left is white": ((left * right).mean() / left.mean()).item()}
