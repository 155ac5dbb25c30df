"""The ladder against models whose ln p(x) is known: a linear Gaussian in closed form, one latent by quadrature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats
from torch import Tensor, nn

from vae_core import VAE, RunSpec, importance_weighted_bound, load_dataset
from vae_core.checkpoint import load_vae
from vae_core.elbo import draw_z, log_weights
from vae_core.errors import LevelsError
from vae_core.feed import Feed
from vae_core.lessons import compare_bounds
from vae_core.lessons.compare_bounds import Ladder, Rung, _Groups, ladder, rungs_up_to
from vae_core.shipped import SHIPPED, shipped_weights

SIGMA = 0.4


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**changes: Any) -> RunSpec:
    return RunSpec(**{"dataset": "digits", "hidden": (8,), "latent_dim": 2, **changes})


def last_of(vae: VAE, x: Tensor, ks: tuple[int, ...], levels: int | None = None, seed: int = 0) -> Ladder:
    *_, last = ladder(vae, x, ks, generator(seed), levels)
    return last


# ---- a linear Gaussian, where everything is known


class Linear:
    """x = W z + b + SIGMA * noise, with orthogonal columns of W, so that the true posterior is a diagonal Gaussian."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        columns, _ = np.linalg.qr(rng.normal(size=(64, 2)))
        self.w, self.b = columns * np.array([1.5, 0.7]), rng.normal(size=64)
        self.variance = 1 / (1 + (self.w**2).sum(0) / SIGMA**2)  # (2,) of the posterior
        self.gain = (self.variance / SIGMA**2)[:, None] * self.w.T  # (2, 64): posterior mean = gain (x - b)
        self.x = self.b + rng.normal(size=(30, 2)) @ self.w.T + SIGMA * rng.normal(size=(30, 64))
        cov = self.w @ self.w.T + SIGMA**2 * np.eye(64)
        self.log_p = stats.multivariate_normal.logpdf(self.x, self.b, cov)  # (30,)

    def vae(self, shift: float = 0.0, wider: float = 0.0) -> VAE:
        """With q = the posterior, moved by `shift` and with ln s^2 larger by `wider`."""
        vae = VAE(small(likelihood="gaussian_identity", sigma=SIGMA))
        encoder, decoder = nn.Linear(64, 4), nn.Linear(2, 64)
        with torch.no_grad():
            encoder.weight.copy_(torch.from_numpy(np.vstack([self.gain, np.zeros((2, 64))])))
            bias = np.concatenate([shift - self.gain @ self.b, np.log(self.variance) + wider])
            encoder.bias.copy_(torch.from_numpy(bias))
            decoder.weight.copy_(torch.from_numpy(self.w))
            decoder.bias.copy_(torch.from_numpy(self.b))
        vae.encoder, vae.decoder = nn.Sequential(encoder), nn.Sequential(decoder)
        return vae.double()

    def kl(self, shift: float, wider: float) -> float:
        """KL(q || posterior), in closed form."""
        return float(0.5 * (math.exp(wider) - 1 - wider + shift**2 / self.variance).sum())


LINEAR = Linear()


def test_with_the_true_posterior_every_draw_says_ln_p() -> None:
    """w = p(x) whatever z: no rung lies below another, and none has noise."""
    vae, x = LINEAR.vae(), torch.from_numpy(LINEAR.x)
    log_w = log_weights(vae, x, 7, generator()).detach().numpy()
    np.testing.assert_allclose(log_w, np.tile(LINEAR.log_p, (7, 1)), atol=2e-5)  # the weights were float32
    for rung in last_of(vae, x, (1, 7, 60)).rungs:
        assert rung.bound == pytest.approx(LINEAR.log_p.mean(), abs=1e-5)
        assert rung.error == pytest.approx(LINEAR.log_p.std(ddof=1) / math.sqrt(30), rel=1e-5)
        assert (rung.gap, rung.gap_error) == pytest.approx((0, 0), abs=1e-5)
        assert rung.bits is None  # a density is no probability of an image
        assert rung.bits_error is None


@pytest.mark.parametrize(("shift", "wider"), [(0.1, 0.0), (0.0, 0.7), (-0.05, 0.4)])
def test_the_ladder_leads_from_the_elbo_to_ln_p(shift: float, wider: float) -> None:
    vae, x, kl = LINEAR.vae(shift, wider), torch.from_numpy(LINEAR.x), LINEAR.kl(shift, wider)
    first, second, *_, last = last_of(vae, x, (1, 2, 10, 100, 5000)).rungs
    assert first.bound == pytest.approx(LINEAR.log_p.mean() - kl, abs=0.01 + 0.02 * kl)
    assert (first.gap, first.gap_error) == (0, 0)
    assert 0.1 * kl < second.gap < 0.9 * kl
    assert last.bound == pytest.approx(LINEAR.log_p.mean(), abs=0.02 + 0.02 * kl)
    assert last.gap == pytest.approx(kl, abs=0.02 + 0.03 * kl)
    assert last.gap_error < last.error / 20  # the images' own spread is not in the gap's


def test_bounds_rise_with_k() -> None:
    rungs = last_of(LINEAR.vae(0.15, -0.5), torch.from_numpy(LINEAR.x), rungs_up_to(1000)).rungs
    assert [rung.k for rung in rungs] == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    gaps = [rung.gap for rung in rungs]
    assert gaps == sorted(gaps)
    assert gaps[-1] < LINEAR.kl(0.15, -0.5) + 0.1


# ---- probabilities of grey levels, by quadrature over one latent


@torch.no_grad()
def log_p_by_quadrature(vae: VAE, image: np.ndarray, log_p: Any) -> float:
    """ln of the integral of p(z) P(x|z) of one image (64,); `log_p(outputs, image)` (64,) is written with SciPy."""

    def log_joint(z: float) -> float:
        outputs = vae.decode(torch.tensor([z], dtype=torch.float64)).numpy()
        return float(log_p(outputs, image).sum() + stats.norm.logpdf(z))

    top = max(log_joint(z) for z in np.linspace(-8, 8, 161))
    joint = lambda z: math.exp(log_joint(z) - top)
    pieces = np.linspace(-8, 8, 33)
    return top + math.log(sum(integrate.quad(joint, a, b, epsabs=1e-9)[0] for a, b in zip(pieces, pieces[1:])))


def gaussian_levels(outputs: np.ndarray, x: np.ndarray) -> np.ndarray:
    k = np.rint(16 * x)
    upper, lower = np.where(k == 16, np.inf, (k + 0.5) / 16), np.where(k == 0, -np.inf, (k - 0.5) / 16)
    with np.errstate(divide="ignore"):  # at a z so far out that SciPy rounds to 0, which adds nothing
        return np.log(stats.norm.cdf(upper, outputs, SIGMA) - stats.norm.cdf(lower, outputs, SIGMA))


@pytest.mark.parametrize(
    ("spec", "levels", "log_p"),
    [
        (small(latent_dim=1, binarize="threshold"), 2, lambda f, x: special.log_expit((2 * x - 1) * f)),
        (
            small(latent_dim=1, binarize="threshold", likelihood="gaussian_identity", sigma=SIGMA),
            2,
            lambda f, x: stats.norm.logcdf((2 * x - 1) * (f - 0.5) / SIGMA),
        ),
        (small(latent_dim=1, likelihood="gaussian_identity", sigma=SIGMA), 17, gaussian_levels),
    ],
    ids=["bernoulli", "gaussian-2", "gaussian-17"],
)
def test_the_last_rung_is_ln_of_the_probability_of_the_image(spec: RunSpec, levels: int, log_p: Any) -> None:
    vae = VAE(spec).double()
    with torch.no_grad():  # a decoder that moves with z, and a q that is wide
        for layer in (vae.decoder[0], vae.decoder[2]):
            assert isinstance(layer, nn.Linear)
            layer.weight *= 3
        out = vae.encoder[-1]
        assert isinstance(out, nn.Linear)
        out.weight *= 0
        out.bias.copy_(torch.tensor([0.0, 0.2]))
    x = Feed(spec, load_dataset("digits")).held_out(3).double()
    exact = np.array([log_p_by_quadrature(vae, image, log_p) for image in x.numpy()])
    first, last = last_of(vae, x, (1, 5000), levels).rungs
    assert last.bound == pytest.approx(exact.mean(), abs=0.1)
    assert first.bound < last.bound - 1
    assert last.bits == pytest.approx(-last.bound / 64 / math.log(2), rel=1e-12)
    assert last.bits_error == pytest.approx(last.error / 64 / math.log(2), rel=1e-12)
    one_by_one = importance_weighted_bound(vae, x, 20_000, generator(1), levels)
    np.testing.assert_allclose(one_by_one.detach().numpy(), exact, atol=0.1)


# ---- how it is computed


@pytest.mark.parametrize("k", [1, 2, 3, 7, 40])
def test_groups_are_the_naive_sum_in_whatever_steps_they_come(k: int) -> None:
    log_w = np.random.default_rng(k).normal(-700, 30, (40, 5))  # exp of it is 0
    groups = _Groups(k, 5)
    for end in (1, 2, 9, 10, 33, 40):
        groups.add(log_w[:end])
    cut = [log_w[start : start + k] for start in range(0, 40 - k + 1, k)]
    naive = np.mean([special.logsumexp(one, axis=0) - math.log(k) for one in cut], axis=0)
    np.testing.assert_allclose(groups.mean, naive, rtol=1e-12)


def test_every_rung_is_a_mean_over_disjoint_groups_of_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []

    def spy(vae: VAE, x: Tensor, draws: int, *rest: Any) -> Tensor:
        assert draws * len(x) <= compare_bounds.ROWS  # never all pixels of all draws at once
        kept.append(log_weights(vae, x, draws, *rest))
        return kept[-1]

    monkeypatch.setattr(compare_bounds, "log_weights", spy)
    spec = small(binarize="threshold")
    x = Feed(spec, load_dataset("digits")).held_out(40)
    steps = list(ladder(VAE(spec), x, (1, 3, 60, 130), generator(), 2))
    log_w = torch.cat(kept).double().numpy()
    assert log_w.shape == (130, 40)
    assert [(one.drawn, one.draws) for one in steps] == [(50, 130), (100, 130), (130, 130)]
    assert [[rung.k for rung in one.rungs] for one in steps] == [[1, 3], [1, 3, 60], [1, 3, 60, 130]]
    assert steps[1].progress == pytest.approx(100 / 130)
    elbo = log_w.mean(0)
    for rung in steps[-1].rungs:
        cut = log_w[: 130 // rung.k * rung.k].reshape(-1, rung.k, 40)
        bound = (special.logsumexp(cut, axis=1) - math.log(rung.k)).mean(0)
        gap = bound - elbo
        expected = [one for v in (bound, gap) for one in (v.mean(), v.std(ddof=1) / math.sqrt(40))]
        assert [rung.bound, rung.error, rung.gap, rung.gap_error] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_levels_score_the_stored_image_and_the_network_sees_the_noisy_one() -> None:
    spec = small(likelihood="gaussian_identity", dequantize="uniform")
    vae, x = VAE(spec).double(), Feed(spec, load_dataset("digits")).held_out(5).double()
    found = log_weights(vae, x, 4, generator(2), 5).detach()
    with torch.no_grad():
        m, log_var = vae.encode(x)
        z = draw_z(m, log_var, 4, generator(2))
        stored = (16 * x).round() / 16
        log_p = vae.likelihood.log_mass(vae.decode(z), stored, 5).sum(-1)
        q = torch.distributions.Normal(m, (log_var / 2).exp())
        expected = log_p + torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1) - q.log_prob(z).sum(-1)
    torch.testing.assert_close(found, expected)


def test_rungs_up_to() -> None:
    assert rungs_up_to(1) == (1,)
    assert rungs_up_to(30) == (1, 2, 5, 10, 20, 30)
    assert rungs_up_to(5000) == (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@pytest.mark.parametrize("k", [0, -3, 5001])
def test_k_out_of_range_is_one_sentence(k: int) -> None:
    """At once, not at the first look."""
    vae, x = VAE(small()), torch.zeros(2, 64)
    for refused in (lambda: ladder(vae, x, (1, k), generator()), lambda: rungs_up_to(k)):
        with pytest.raises(ValueError, match=rf"^k = {k}; allowed: 1 to 5,000 draws for each image\.$"):
            refused()


def test_levels_that_the_decoder_cannot_score() -> None:
    with pytest.raises(LevelsError, match="Bernoulli"):
        ladder(VAE(small()), torch.zeros(2, 64), (1,), generator(), 17)


def test_one_image_shows_no_spread() -> None:
    rung = last_of(LINEAR.vae(), torch.from_numpy(LINEAR.x[:1]), (5,)).rungs[0]
    assert isinstance(rung, Rung)
    assert rung.k == 5
    assert math.isnan(rung.error)
    assert math.isfinite(rung.bound)


@pytest.mark.parametrize(
    ("key", "nats"),
    [
        ("bernoulli", 5.0),
        ("gaussian_learned", 24.8),
        ("sigma_0.1", 26.8),
        ("sigma_0.25", 8.6),
        ("sigma_0.5", 2.5),
        ("gaussian_identity", 0.6),
    ],
)
def test_how_far_the_shipped_runs_elbo_lies_below(key: str, nats: float) -> None:
    """Figures the app tells, of 500 draws of the densities as they are trained; here on 100 images."""
    weights = shipped_weights(SHIPPED[key])
    assert weights is not None
    x = Feed(SHIPPED[key], load_dataset("mnist")).held_out(100)
    rung = last_of(load_vae(weights), x, (500,)).rungs[0]
    assert rung.gap == pytest.approx(nats, abs=0.1 + 3 * rung.gap_error)
