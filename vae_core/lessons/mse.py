"""x - mu: why the squared error is a Gaussian with identity covariance, and which sigma the residuals ask for.

Sources: Kingma & Welling 2013 (arXiv 1312.6114), App. C.2; for the best sigma Rybkin, Daniilidis & Levine 2021 (arXiv
2006.13202).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Normal

from vae_core.data import load_dataset, split
from vae_core.evaluation import Evaluation, evaluate
from vae_core.feed import Feed
from vae_core.likelihoods import LN_2PI, GaussianIdentity
from vae_core.model import VAE, stream
from vae_core.pictures import Pictures, take_pictures
from vae_core.spec import RunSpec

BIN_WIDTH, N_BINS = 0.05, 81  # of the histogram: the middle bin is centred at 0, the outer edges at +-2.025


@dataclass(frozen=True)
class HeldOut:
    """The held-out images of a run as its model sees them."""

    x: Tensor  # (n, n_pixels) in [0,1]
    labels: np.ndarray  # (n,)
    never_lit: Tensor  # (n_pixels,) bool: 0 in every training image


def held_out(spec: RunSpec) -> HeldOut:
    data = load_dataset(spec.dataset)
    feed = Feed(spec, data)
    lit = torch.stack([x.any(0) for x in feed.part(feed.train_part)]).any(0)  # (n_pixels,)
    return HeldOut(feed.held_out(), data.labels[split(spec)[1]], ~lit)


@torch.no_grad()  # not inference_mode: gradients with respect to mu are taken later
def reconstruct(vae: VAE, x: Tensor) -> Tensor:
    """mu, the mean of p(x|z,w) at z = m, the mean of q(z|x): (..., n_pixels)."""
    return vae.likelihood.mean(vae.decode(vae.encode(x)[0]))


# One image: the loss and the likelihood ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Identity:
    """1/2 SSE + (D/2) ln 2 pi beside -ln N(x; mu, I), nats, in the floating-point type of the tensors."""

    half_sse: float
    constant: float  # (D/2) ln 2 pi
    loss: float  # their sum
    nll: float  # by torch.distributions, pixel by pixel
    nll_core: float  # by the log_prob that the model trains with
    difference: float  # loss - nll
    spacing: float  # between the numbers that the type can hold at the size of nll
    loss_gradient: Tensor  # (D,) d loss / d mu, by autograd
    nll_gradient: Tensor  # (D,) d nll / d mu, by autograd

    @property
    def gradient_difference(self) -> float:
        """The largest over pixels."""
        return float((self.loss_gradient - self.nll_gradient).abs().max())


def identity(x: Tensor, mu: Tensor) -> Identity:
    """Both sides of the identity, each computed by itself. x, mu: (D,)."""
    n_pixels = len(x)
    mu = mu.detach().clone().requires_grad_()
    half_sse = 0.5 * (x - mu).square().sum()
    constant = torch.tensor(0.5 * n_pixels * LN_2PI, dtype=x.dtype)
    loss = half_sse + constant
    nll = -Normal(mu, 1.0).log_prob(x).sum()
    (loss_gradient,) = torch.autograd.grad(loss, mu)
    (nll_gradient,) = torch.autograd.grad(nll, mu)
    return Identity(
        half_sse=half_sse.item(),
        constant=constant.item(),
        loss=loss.item(),
        nll=nll.item(),
        nll_core=-GaussianIdentity(n_pixels).log_prob(mu, x).item(),
        difference=(loss - nll).item(),
        spacing=float(np.spacing(nll.detach().numpy())),
        loss_gradient=loss_gradient,
        nll_gradient=nll_gradient,
    )


def identities(x: Tensor, mu: Tensor) -> tuple[Identity, Identity]:
    """In the type given, as trained, and in float64."""
    return identity(x, mu), identity(x.double(), mu.double())


# One image: which sigma ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fit:
    """What a Gaussian of one sigma for all pixels makes of an image's residuals."""

    n_pixels: int
    sse: float

    @property
    def mse(self) -> float:
        return self.sse / self.n_pixels

    @property
    def best_sigma(self) -> float:
        """The sigma of least NLL: the root of the mean squared error."""
        return math.sqrt(self.mse)

    def nll(self, sigma: float) -> float:
        """-ln N(x; mu, sigma^2 I)."""
        return 0.5 * self.sse / sigma**2 + self.n_pixels * (0.5 * LN_2PI + math.log(sigma))

    @property
    def least_nll(self) -> float:
        """At the best sigma the error term is D/2 whatever the error: (D/2)(ln 2 pi sigma^2 + 1)."""
        return 0.5 * self.n_pixels * (LN_2PI + math.log(self.mse) + 1)

    def excess(self, sigma: float) -> float:
        """Nats that this sigma costs above the best."""
        return self.nll(sigma) - self.least_nll


def residual_of(x: Tensor, mu: Tensor) -> Tensor:
    """x - mu in float64, (D,)."""
    return x.double() - mu.double()


def fit(residual: Tensor) -> Fit:
    """Of x - mu, (D,); the sum in float64."""
    return Fit(residual.numel(), float(residual.double().square().sum()))


def fits(residual: Tensor, group: Tensor) -> tuple[Fit, Fit]:
    """Of the pixels of a group (D,) bool, and of the others."""
    return fit(residual[group]), fit(residual[~group])


def saved_by_two_sigmas(residual: Tensor, group: Tensor) -> float:
    """Nats saved when the pixels of a group (D,) bool get a best sigma of their own, and the others theirs."""
    return fit(residual).least_nll - sum(one.least_nll for one in fits(residual, group))


@dataclass(frozen=True)
class Histogram:
    """Residuals in N_BINS fixed bins; the density is per unit of grey, so that N(0, sigma^2) may lie over it."""

    edges: list[float]  # (N_BINS + 1,)
    counts: list[int]
    density: list[float]
    beyond: int  # residuals that no bin holds


def histogram(residual: Tensor, part: Tensor | None = None) -> Histogram:
    """Of x - mu, (D,), or of a part (D,) bool of its pixels: then the part's share of the density of all."""
    among = residual if part is None else residual[part]
    edges = BIN_WIDTH * (np.arange(N_BINS + 1) - N_BINS / 2)
    counts = np.histogram(among.double().numpy(), edges)[0]
    density = counts / (residual.numel() * BIN_WIDTH)
    return Histogram(edges.tolist(), counts.tolist(), density.tolist(), among.numel() - int(counts.sum()))


def share_outside(mu: Tensor, sigma: float) -> float:
    """The expected share of pixels outside [0,1] in a draw from N(mu, sigma^2 I); sigma 0 is the mean itself."""
    mu = mu.double()
    if sigma == 0:
        return float(((mu < 0) | (mu > 1)).double().mean())
    return float((torch.special.ndtr(-mu / sigma) + torch.special.ndtr((mu - 1) / sigma)).mean())


# Whole runs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Summary:
    """A trained VAE on all held-out images of its own spec: the numbers that its run ended with, and pictures."""

    evaluation: Evaluation
    pictures: Pictures

    @property
    def root_mse(self) -> float:
        """The sigma that its held-out residuals ask for."""
        return math.sqrt(self.evaluation.means.mse)


def summarise(vae: VAE) -> Summary:
    spec = vae.spec
    feed = Feed(spec, load_dataset(spec.dataset))
    evaluation = evaluate(vae, feed.part(feed.held_out_part), stream(spec.seed, "evaluation"))  # the draws of training
    return Summary(evaluation, take_pictures(vae, next(feed.part(feed.held_out_part))))
