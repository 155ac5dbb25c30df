"""Two pixels, one latent: the model that is small enough for ln p(x|w), the posterior and the gap to be exact.

An image is a point x in the plane, z is one number with prior N(0, 1), and the decoder is a curve. Every integral over
z is the trapezoid rule, which converges geometrically for smooth integrands that vanish at both ends (Trefethen &
Weideman 2014), in logs. float64 numpy, no torch; pages/two_pixels/exact.js is the same in the browser. Nats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

HALF_LN_2PI = 0.5 * math.log(2 * math.pi)
# Coefficients of 1, z, z^2, ... for each of the two pixels. Their even and odd parts are mixed, so that two coins along
# them depend on each other once z is not known.
CURVES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "line": ((0.0, 1.0), (0.0, 0.5)),
    "arc": ((0.0, 0.9), (-0.9, 0.25, 0.3)),
    "hairpin": ((1.7, 0.0, -0.9), (-0.3, 0.45, 0.12)),
    "loop": ((0.0, -0.9, 0.25, 0.4), (-1.5, 0.0, 0.8)),
}
LOGIT_SCALE = 3.0  # the logits of two coins are the curve's points, times this
PLANE = (-3.0, 3.0)  # where both pixels of a Gaussian's x may be
SIGMA = (0.05, 1.5)
CHANGE = (-0.8, 0.8)  # b of ln sigma(z) = ln sigma + b tanh z: bounded, or far z would explain every x
M, S = (-4.0, 4.0), (0.003, 3.0)  # of q(z|x)
# Steps of 0.0025: the sharpest posterior within these limits is 0.0033 wide. Beyond 8 the prior has 1e-15.
REACH, COUNT = 8.0, 6401
CORNERS = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))


@dataclass(frozen=True)
class Gaussian:
    """p(x|z,w) = N(x; mu(z), sigma(z)^2 I): a round blob that slides along the curve mu."""

    curve: str
    sigma: float
    change: float = 0.0  # b of ln sigma(z) = ln sigma + b tanh z; 0: the same everywhere

    bend: ClassVar = 0.1  # a step of z within which nothing in it turns

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise ValueError(f"sigma is {self.sigma}; it must be a number above 0")

    def mean(self, z: np.ndarray) -> np.ndarray:
        """mu: (...,) -> (..., 2)."""
        return points(self.curve, z)

    def sigma_at(self, z: np.ndarray) -> np.ndarray:
        return self.sigma * np.exp(self.change * np.tanh(z))

    def log_likelihood(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """ln p(x|z,w), a density: x (2,), z (...,) -> (...,)."""
        sigma = self.sigma_at(z)
        far = (np.asarray(x, np.float64) - self.mean(z)) / sigma[..., None]
        return -0.5 * (far**2).sum(-1) - 2 * np.log(sigma) - 2 * HALF_LN_2PI


@dataclass(frozen=True)
class Bernoulli:
    """p(x|z,w) = two coins, independent given z; x is a corner of the unit square."""

    curve: str
    bend: ClassVar = 0.02

    def probabilities(self, z: np.ndarray) -> np.ndarray:
        """lambda, that of white for each pixel: (...,) -> (..., 2)."""
        return np.exp(-np.logaddexp(0, -LOGIT_SCALE * points(self.curve, z)))

    def log_likelihood(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """ln p(x|z,w), a mass: x (2,) of 0 and 1, z (...,) -> (...,)."""
        x = np.asarray(x, np.float64)
        if not np.isin(x, (0.0, 1.0)).all():
            raise ValueError(f"x is {x.tolist()}; two coins show 0 or 1 each")
        a = LOGIT_SCALE * points(self.curve, z)
        return (x * a - np.logaddexp(0, a)).sum(-1)


Decoder = Gaussian | Bernoulli


@dataclass(frozen=True)
class Q:
    """The encoder's q(z|x) = N(m, s^2)."""

    m: float
    s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.m) and math.isfinite(self.s) and self.s > 0):
            raise ValueError(f"q has m = {self.m} and s = {self.s}; both must be numbers, and s above 0")

    def log_prob(self, z: np.ndarray) -> np.ndarray:
        return -0.5 * ((np.asarray(z) - self.m) / self.s) ** 2 - math.log(self.s) - HALF_LN_2PI


@dataclass(frozen=True)
class Posterior:
    """p(z|x,w) at evenly spaced z."""

    z: np.ndarray  # (n,)
    log_density: np.ndarray  # (n,)
    log_normaliser: float  # ln of the integral that it was divided by

    @property
    def step(self) -> float:
        return float(self.z[1] - self.z[0])


@dataclass(frozen=True)
class Elbo:
    """The two terms of the bound."""

    reconstruction: float  # E_q[ln p(x|z,w)]
    kl: float  # KL(q || p(z))

    @property
    def elbo(self) -> float:
        return self.reconstruction - self.kl


@dataclass(frozen=True)
class Corners:
    """What two coins show once z is not known."""

    probabilities: np.ndarray  # (2, 2): P(x1, x2|w)
    covariance: float  # P(1,1) - P(x1 = 1) P(x2 = 1)
    mutual_information: float  # of the two pixels, nats; 0 where they are independent


def points(curve: str, z: np.ndarray) -> np.ndarray:
    """On the curve: (...,) -> (..., 2)."""
    z = np.asarray(z, np.float64)
    return np.stack([np.polynomial.polynomial.polyval(z, one) for one in CURVES[curve]], axis=-1)


def log_prior(z: np.ndarray) -> np.ndarray:
    return -0.5 * np.asarray(z, np.float64) ** 2 - HALF_LN_2PI


def nodes() -> np.ndarray:
    return np.linspace(-REACH, REACH, COUNT)


def midpoints() -> np.ndarray:
    z = nodes()
    return 0.5 * (z[1:] + z[:-1])


def log_sum_exp(logs: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    most = logs.max(-1, keepdims=True)
    return (most + np.log(np.exp(logs - most).sum(-1, keepdims=True)))[..., 0]


def log_joint(decoder: Decoder, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """ln p(x|z,w) + ln p(z)."""
    return decoder.log_likelihood(x, z) + log_prior(z)


def log_evidence(decoder: Decoder, x: np.ndarray) -> float:
    """ln p(x|w), the log of the integral of p(x|z,w) p(z) over z."""
    z = nodes()
    return float(log_sum_exp(log_joint(decoder, x, z)) + math.log(z[1] - z[0]))


def posterior(decoder: Decoder, x: np.ndarray) -> Posterior:
    """p(z|x,w), normalised at the midpoints of log_evidence's nodes: were a step too wide for it, the two integrals
    would err to opposite sides, and ELBO + gap would not be ln p(x|w)."""
    z = midpoints()
    joint = log_joint(decoder, x, z)
    log_normaliser = float(log_sum_exp(joint) + math.log(z[1] - z[0]))
    return Posterior(z, joint - log_normaliser, log_normaliser)


def humps(of: Posterior, least: float = 0.01) -> np.ndarray:
    """z of each local maximum of the posterior that holds at least `least` of it, from valley to valley: (n,)."""
    inner = of.log_density[1:-1]
    tops = 1 + np.flatnonzero((inner > of.log_density[:-2]) & (inner >= of.log_density[2:]))
    valleys = [a + int(np.argmin(of.log_density[a:b])) for a, b in pairwise(tops)]
    mass = np.exp(of.log_density) * of.step
    held = [mass[a:b].sum() for a, b in pairwise([0, *valleys, len(mass)])]
    return of.z[[top for top, share in zip(tops, held, strict=True) if share >= least]]


def _standard(decoder: Decoder, q: Q) -> tuple[np.ndarray, np.ndarray]:
    """Nodes t = (z - m)/s out to 9, and their weights under N(0, 1)."""
    step = min(1 / 8, decoder.bend / q.s)
    count = math.ceil(9 / step)
    t = np.arange(-count, count + 1) * step
    return t, np.exp(-0.5 * t**2 - HALF_LN_2PI) * step


def elbo(decoder: Decoder, x: np.ndarray, q: Q) -> Elbo:
    """E_q[ln p(x|z,w)] and KL(q || p(z)). Kingma & Welling 2013, eq. 3 and appendix B."""
    t, weight = _standard(decoder, q)
    reconstruction = float(weight @ decoder.log_likelihood(x, q.m + q.s * t))
    return Elbo(reconstruction, 0.5 * (q.m**2 + q.s**2 - 1) - math.log(q.s))


def gap(decoder: Decoder, x: np.ndarray, q: Q) -> float:
    """KL(q || p(z|x,w)) = E_q[ln q - ln posterior]: an integral of its own, not ln p(x|w) - ELBO."""
    t, weight = _standard(decoder, q)
    z = q.m + q.s * t
    log_posterior = log_joint(decoder, x, z) - posterior(decoder, x).log_normaliser
    return float(weight @ (q.log_prob(z) - log_posterior))


def best_q(decoder: Decoder, x: np.ndarray) -> Q:
    """The Gaussian of the highest ELBO within the limits M and S.

    From the posterior's mean and width and from each hump: steps along the natural gradient, halved while they lead
    down. With l = ln p(x,z), E_q[l'] = E_q[l t]/s and E_q[l''] = E_q[l (t^2 - 1)]/s^2 (Stein's identity); at the best
    q the first is 0 and the second -1/s^2.
    """
    exact = posterior(decoder, x)
    mass = np.exp(exact.log_density) * exact.step
    mean = float(mass @ exact.z)
    spread = math.sqrt(max(float(mass @ exact.z**2) - mean**2, 0.0))
    starts = [(mean, spread), *((float(z), _width(exact, float(z))) for z in humps(exact))]
    found = [_climb(decoder, x, _within(m, s)) for m, s in starts]
    return max(found, key=lambda one: one[0])[1]


def _width(of: Posterior, z: float) -> float:
    """Of a hump, from how sharply it bends at its top."""
    i = round((z - of.z[0]) / of.step)
    bend = (2 * of.log_density[i] - of.log_density[i - 1] - of.log_density[i + 1]) / of.step**2
    return 1 / math.sqrt(max(bend, 0.1))


def _within(m: float, s: float) -> Q:
    return Q(min(max(m, M[0]), M[1]), min(max(s, S[0]), S[1]))


def _climb(decoder: Decoder, x: np.ndarray, q: Q) -> tuple[float, Q]:
    def averages(q: Q) -> tuple[float, float, float]:
        """The ELBO up to a constant, E_q[l t] and E_q[l (t^2 - 1)]."""
        t, weight = _standard(decoder, q)
        weighed = weight * log_joint(decoder, x, q.m + q.s * t)
        return float(weighed.sum()) + math.log(q.s), float(weighed @ t), float(weighed @ (t**2 - 1))

    at, first, second = averages(q)
    for _ in range(200):
        dm = min(max(q.s * first, -q.s), q.s)
        dlog = min(max(-0.5 * math.log(-second), -0.7), 0.7) if second < 0 else 0.7
        if abs(first) < 1e-9 and abs(dlog) < 1e-9:
            break
        share = 1.0
        while share > 1e-3:
            tried = _within(q.m + share * dm, q.s * math.exp(share * dlog))
            there = averages(tried)
            if there[0] > at:
                break
            share /= 2
        else:
            break
        q, (at, first, second) = tried, there
    return at, q


def corners(curve: str) -> Corners:
    """P(x1, x2|w) of two coins, and how far they are from independent once z is not known."""
    decoder = Bernoulli(curve)
    p = np.exp([log_evidence(decoder, np.array(x)) for x in CORNERS]).reshape(2, 2)
    alone = np.outer(p.sum(1), p.sum(0))
    return Corners(p, float(p[1, 1] - alone[1, 1]), float((p * np.log(p / alone)).sum()))
