"""Two pixels, one latent, fitted: a VAE so small that every number of its training can be computed.

p(x|z,w) = N(mu(z), sigma^2 I) in the plane of two_pixels.py, mu(z) a tiny network. E_q[ln p(x|z,w)] is not drawn but
summed over places of eps (the trapezium rule, which converges geometrically for such smooth functions), so the only
chance in training is in the first weights. pages/two_pixels/tiny.js is the same in the browser, and is held against
this. float64, nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vae_core.lessons.exact import LN_2PI, LinearVae, best_variance, eigenvalues, linear_vae
from vae_core.lessons.two_pixels import COUNT, REACH, SIGMA

if TYPE_CHECKING:
    from torch import Tensor

PRESETS = ("ring", "banana", "clusters")
N_POINTS = 80
WIDTHS = (12, 2, 1, 0)  # hidden units of the decoder; 0: none, so that mu(z) is a straight line
ENCODER_WIDTH = 12
FLOOR = SIGMA[0]  # of a learned sigma, and a part of the model: with few points it would sink without end
FIRST_SIGMA = 0.3  # where a learned one begins
LEARNING_RATE = 0.02  # of the networks, at first
SLOWING = 1000  # after so many steps it is half that: near a small sigma, large steps throw a good fit away
SIGMA_RATE = 0.1  # sigma learns ten times slower, or it grows over all points before the curve has found them
BETAS, ADAM_EPS = (0.9, 0.999), 1e-8
SEED = 5
EPS, N_EPS = 7.0, 41  # the places of eps in training: from -EPS to EPS, 0.35 apart
FINE = 141  # and where the terms are shown: a decoder that turns sharply within q needs more of them


@dataclass(frozen=True)
class Fit:
    """What is chosen before training."""

    width: int = WIDTHS[0]  # hidden units of the decoder; with 0 the encoder is linear too, which is then the best
    sigma: float | None = None  # fixed; None: learned, one for both pixels and all z

    def __post_init__(self) -> None:
        if self.width not in WIDTHS:
            raise ValueError(f"the width is {self.width}; allowed: {', '.join(map(str, WIDTHS))}")
        if self.sigma is not None and not SIGMA[0] <= self.sigma <= SIGMA[1]:
            raise ValueError(f"sigma is {self.sigma}; allowed: {SIGMA[0]} to {SIGMA[1]}")


# What is the same every time -----------------------------------------------------------------------------------------


def uniforms(seed: int) -> Callable[[], float]:
    """Independent uniform numbers in (0,1): mulberry32, as in svg.js."""
    state, whole = seed, 0xFFFFFFFF

    def draw() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) & whole
        t = (state ^ (state >> 15)) * (state | 1) & whole
        t = ((t + ((t ^ (t >> 7)) * (t | 61) & whole)) & whole) ^ t
        return ((t ^ (t >> 14)) + 0.5) / 2**32

    return draw


def preset(name: str) -> np.ndarray:
    """The points called `name`, one of PRESETS: (80, 2), rounded to 0.001. Raises ValueError for another name."""
    t = (np.arange(N_POINTS) + 0.5) / N_POINTS
    if name == "ring":
        exact, spread = np.stack([1.2 * np.cos(2 * np.pi * t), 1.2 * np.sin(2 * np.pi * t)], 1), 0.15
    elif name == "banana":
        exact, spread = np.stack([3 * t - 1.5, 0.7 - 8 * (t - 0.5) ** 2], 1), 0.15
    elif name == "clusters":
        exact, spread = np.where(t[:, None] < 0.5, [-0.7, -0.5], [0.7, 0.5]), 0.22
    else:
        raise ValueError(f"no points are called {name!r}; allowed: {', '.join(PRESETS)}")
    draw = uniforms(PRESETS.index(name))
    u = np.array([[draw(), draw()] for _ in t])
    far = spread * np.sqrt(-2 * np.log(u[:, :1]))  # Box and Muller
    return np.round(exact + far * np.concatenate([np.cos(2 * np.pi * u[:, 1:]), np.sin(2 * np.pi * u[:, 1:])], 1), 3)


def layers(fit: Fit) -> list[tuple[str, int, int]]:
    """The linear layers in the order of their weights: whose, inputs, outputs."""
    if not fit.width:
        return [("decoder", 1, 2), ("encoder", 2, 2)]
    wide = ENCODER_WIDTH
    return [("decoder", 1, fit.width), ("decoder", fit.width, 2), ("encoder", 2, wide), ("encoder", wide, 2)]


def first_weights(fit: Fit, seed: int = SEED) -> list[float]:
    """All weights in one row: layer after layer its matrix (outputs, inputs) row by row, then its biases; last
    ln sigma^2. Uniform on +-1/sqrt(inputs), as in vae_core.model."""
    draw = uniforms(seed)
    row: list[float] = []
    for _, n_in, n_out in layers(fit):
        row += [(2 * draw() - 1) / math.sqrt(n_in) for _ in range(n_out * n_in + n_out)]
    return [*row, 2 * math.log(FIRST_SIGMA if fit.sigma is None else fit.sigma)]


# The model -----------------------------------------------------------------------------------------------------------


def _network(fit: Fit, row: Tensor, whose: str, values: Tensor) -> Tensor:
    """(..., n_in) -> (..., 2), with a tanh between two layers."""
    at, first = 0, True
    for owner, n_in, n_out in layers(fit):
        matrix, biases = row[at : at + n_out * n_in].reshape(n_out, n_in), row[at + n_out * n_in :][:n_out]
        at += n_out * (n_in + 1)
        if owner == whose:
            values = (values if first else values.tanh()) @ matrix.T + biases
            first = False
    return values


def decode(fit: Fit, row: Tensor, z: Tensor) -> Tensor:
    """mu(z): (...,) -> (..., 2)."""
    return _network(fit, row, "decoder", z[..., None])


def encode(fit: Fit, row: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """m and ln s of q(z|x) = N(m, s^2): (n, 2) -> (n,) each."""
    m, log_s = _network(fit, row, "encoder", x).unbind(-1)
    return m, log_s


def _log_likelihood(row: Tensor, x: Tensor, mu: Tensor) -> Tensor:
    """ln N(x; mu, sigma^2 I) over the last axis."""
    return -0.5 * (x - mu).square().sum(-1) * (-row[-1]).exp() - row[-1] - LN_2PI


@dataclass(frozen=True)
class Terms:
    """Point by point: (n,) each."""

    reconstruction: Tensor  # E_q[ln p(x|z,w)]
    kl: Tensor  # KL(q || p(z))

    @property
    def elbo(self) -> Tensor:
        return self.reconstruction - self.kl


def terms(fit: Fit, row: Tensor, x: Tensor, places: int = FINE) -> Terms:
    """The two terms at points x (n, 2), the first summed over this many places of eps.

    Kingma & Welling 2013, eq. 3 and appendix B.
    """
    import torch

    m, log_s = encode(fit, row, x)
    eps = torch.linspace(-EPS, EPS, places, dtype=torch.float64)
    weight = torch.softmax(-0.5 * eps.square(), 0)  # of N(0, 1) at these places
    mu = decode(fit, row, m[:, None] + log_s.exp()[:, None] * eps)  # (n, places, 2)
    kl = 0.5 * (m.square() + (2 * log_s).exp() - 1) - log_s
    return Terms(_log_likelihood(row, x[:, None], mu) @ weight, kl)


def log_evidence(fit: Fit, row: Tensor, x: Tensor) -> Tensor:
    """ln p(x|w), the log of the integral of p(x|z,w) p(z) over z: (n, 2) -> (n,)."""
    import torch

    z = torch.linspace(-REACH, REACH, COUNT, dtype=torch.float64)
    log_joint = _log_likelihood(row, x[:, None], decode(fit, row, z)) - 0.5 * (z.square() + LN_2PI)
    return torch.logsumexp(log_joint, -1) + torch.log(z[1] - z[0])


def trained(x: np.ndarray, fit: Fit, steps: int, seed: int = SEED) -> Tensor:
    """The row of weights after `steps` of Adam on the mean ELBO of the points x (n, 2), all of them at each step."""
    import torch

    first = torch.tensor(first_weights(fit, seed), dtype=torch.float64)
    networks, log_var = first[:-1].requires_grad_(), first[-1:].clone().requires_grad_(fit.sigma is None)
    groups: list[dict[str, Any]] = [{"params": [networks]}, {"params": [log_var], "lr": SIGMA_RATE * LEARNING_RATE}]
    optimiser = torch.optim.Adam(groups, lr=LEARNING_RATE, betas=BETAS, eps=ADAM_EPS)
    data = torch.from_numpy(np.asarray(x, np.float64))
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = LEARNING_RATE / (1 + step / SLOWING)
        optimiser.zero_grad()
        (-terms(fit, torch.cat([networks, log_var]), data, N_EPS).elbo.mean()).backward()
        optimiser.step()
        if fit.sigma is None:
            with torch.no_grad():
                log_var.clamp_(min=2 * math.log(FLOOR))
    return torch.cat([networks, log_var]).detach()


def exact(x: np.ndarray, fit: Fit, latents: int) -> LinearVae:
    """What a straight line (latents = 1) or one round blob (0) can do at most on points x (n, 2), without training:
    probabilistic PCA, at this fit's sigma. Where that is learned, the best one that is not below FLOOR."""
    found = eigenvalues(np.asarray(x, np.float64))
    variance = max(best_variance(found, latents), FLOOR**2) if fit.sigma is None else fit.sigma**2
    return linear_vae(found, latents, variance)
