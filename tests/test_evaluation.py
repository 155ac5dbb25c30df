"""Means over images, against sums written out with torch.distributions and NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from vae_core import LIKELIHOODS, VAE, RunSpec, elbo_terms, load_dataset
from vae_core.evaluation import ACTIVE_KL, Evaluation, Means, bits_per_pixel, evaluate, sigma_stats
from vae_core.feed import binarized
from vae_core.likelihoods import GaussianLearned


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**changes: Any) -> RunSpec:
    return RunSpec(**{"dataset": "digits", "hidden": (16,), "latent_dim": 3, **changes})


def images(n: int) -> Tensor:
    return torch.from_numpy(load_dataset("digits").scaled(np.arange(n)))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("mc_samples", [1, 4])
def test_means_over_uneven_batches(likelihood: str, mc_samples: int) -> None:
    """Means over images, not means of batch means: the last batch is short. One draw of z whatever L is."""
    spec = small(likelihood=likelihood, mc_samples=mc_samples)
    vae, batches = VAE(spec), images(25).split(10)
    got = evaluate(vae, iter(batches), generator())

    same = generator()
    log_p, kl, squared = [], [], []
    with torch.no_grad():
        for x in batches:
            m, log_var = vae.encode(x)
            s = (log_var / 2).exp()
            kl.append(kl_divergence(Normal(m, s), Normal(torch.zeros_like(m), torch.ones_like(s))).numpy())
            draws = m + s * torch.randn((1, *m.shape), generator=same)
            of_draws = [vae.likelihood.distribution(vae.decode(z)) for z in draws]
            log_p.append(np.mean([p.log_prob(x).sum(1).numpy() for p in of_draws], axis=0))
            squared.append(np.mean([(p.mean - x).square().mean(1).numpy() for p in of_draws], axis=0))
    reconstruction = np.concatenate(log_p).mean()
    kl_per_latent = np.concatenate(kl).mean(0)
    assert got.means.reconstruction == pytest.approx(reconstruction, rel=1e-5)
    assert got.means.mse == pytest.approx(np.concatenate(squared).mean(), rel=1e-5)
    np.testing.assert_allclose(got.kl_per_latent, kl_per_latent, rtol=1e-5)
    assert got.means.kl == pytest.approx(kl_per_latent.sum(), rel=1e-5)
    assert got.means.kl == pytest.approx(got.kl_per_latent.sum(), rel=1e-12)
    assert got.means.elbo == got.means.reconstruction - got.means.kl


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_cut_into_batches_changes_nothing_but_the_noise(likelihood: str) -> None:
    vae = VAE(small(likelihood=likelihood))
    with torch.no_grad():  # q of no width: nothing is left to chance
        last = vae.encoder[-1]
        assert isinstance(last, nn.Linear)
        last.weight[3:].zero_()
        last.bias[3:].fill_(-60)
    x = images(30)
    one, other = (evaluate(vae, iter(x.split(size)), generator(size)) for size in (30, 7))
    assert one.means.reconstruction == pytest.approx(other.means.reconstruction, rel=1e-6)
    assert one.means.mse == pytest.approx(other.means.mse, rel=1e-6)
    np.testing.assert_allclose(one.kl_per_latent, other.kl_per_latent, rtol=1e-6)


def test_evaluation_hangs_on_its_generator_and_keeps_no_graph() -> None:
    vae, x = VAE(small()), images(10)
    before = torch.get_rng_state()
    one, same, other = (evaluate(vae, iter([x]), generator(seed)).means for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in vae.parameters())


def evaluation(kl_per_latent: list[float]) -> Evaluation:
    return Evaluation(Means(0.0, sum(kl_per_latent), 0.0, 0.0), np.array(kl_per_latent), None)


def test_active_latents_carry_more_than_a_hundredth_of_a_nat() -> None:
    assert ACTIVE_KL == 0.01
    assert evaluation([3.2, 0.0, 0.009, 0.011, 0.0]).active_latents == 2
    assert evaluation([0.0, 0.0]).active_latents == 0


def test_a_latent_that_ignores_the_image_is_not_active() -> None:
    vae = VAE(small(latent_dim=4))
    with torch.no_grad():  # m = 0 and ln s^2 = 0 for the second and the fourth latent: q is the prior
        last = vae.encoder[-1]
        assert isinstance(last, nn.Linear)
        for row in (1, 3, 5, 7):
            last.weight[row].zero_()
            last.bias[row] = 0
        last.bias[0], last.bias[2] = 2, -2
    got = evaluate(vae, iter([images(20)]), generator())
    assert got.kl_per_latent[[1, 3]].tolist() == [0, 0]
    assert got.active_latents == 2


# ---- sigma


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_sigma_is_told_where_it_is_learned(likelihood: str) -> None:
    vae = VAE(small(likelihood=likelihood))
    stats = evaluate(vae, iter([images(5)]), generator()).sigma
    assert (stats is not None) == (likelihood in ("gaussian_learned", "gaussian_shared"))
    if likelihood == "gaussian_shared" and stats is not None:  # one for all pixels, which begins at 1
        assert (stats.smallest, stats.median, stats.largest, stats.pixels_on_floor) == (1, 1, 1, 0)


@pytest.mark.parametrize("binarize", ["none", "threshold", "stochastic"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_probability_of_the_levels_is_told_where_there_is_one(likelihood: str, binarize: str) -> None:
    vae, x = VAE(small(likelihood=likelihood, binarize=binarize)), images(5)
    levels = 17 if binarize == "none" else 2
    x = binarized(x, binarize, generator(1))
    means = evaluate(vae, iter([x[:3], x[3:]]), generator()).means
    if likelihood == "bernoulli" and levels == 17:
        assert means.log_mass is None
        return
    draws = generator()
    expected = [
        vae.likelihood.log_mass(elbo_terms(vae, part, 1, draws).outputs, part, levels) for part in (x[:3], x[3:])
    ]
    assert means.log_mass == pytest.approx(torch.cat(expected, 1).sum().item() / 5, rel=1e-5)
    if vae.likelihood.kind == "mass":  # then the objective is this probability already
        assert means.log_mass == pytest.approx(means.reconstruction, rel=1e-5)


def test_bits_per_pixel() -> None:
    """Eight bits a pixel for a guess over 256 levels, and an ELBO costs its KL more."""
    assert bits_per_pixel(-784 * math.log(256), 784) == pytest.approx(8)
    assert bits_per_pixel(-100.0, 64, kl=10.0) == pytest.approx(110 / 64 / math.log(2))


def test_sigma_stats_of_known_outputs() -> None:
    vae = VAE(small(likelihood="gaussian_learned", variance_floor=0.04))
    assert isinstance(vae.likelihood, GaussianLearned)
    rng = np.random.default_rng(0)
    log_var = rng.uniform(-6, 1, (2, 5, 64)).astype(np.float32)  # (mc_samples, batch, n_pixels)
    outputs = torch.from_numpy(np.concatenate([np.zeros_like(log_var), log_var], -1))
    stats = sigma_stats(vae, outputs)
    assert stats is not None
    sigma = np.sqrt(np.maximum(np.exp(log_var), 0.04))
    on_floor = np.exp(log_var) <= 0.04
    assert stats.floor == pytest.approx(0.2)
    assert stats.smallest == pytest.approx(0.2, rel=1e-5)
    assert stats.largest == pytest.approx(sigma.max(), rel=1e-5)
    assert np.mean(sigma <= stats.median * (1 + 1e-5)) >= 0.5
    assert np.mean(sigma >= stats.median * (1 - 1e-5)) >= 0.5
    assert 0 < on_floor.sum() < on_floor.size
    assert stats.pixels_on_floor == pytest.approx(on_floor.sum() / 10, rel=1e-5)  # pixels an image


def test_sigma_stats_are_of_all_batches() -> None:
    vae, batches = VAE(small(likelihood="gaussian_learned", variance_floor=0.9)), images(20).split(8)  # 8, 8 and 4
    stats = evaluate(vae, iter(batches), generator()).sigma
    assert stats is not None
    same = generator()
    log_var = torch.cat([elbo_terms(vae, x, 1, same).outputs[0, :, 64:] for x in batches])  # (20, 64)
    sigma = log_var.clamp(min=math.log(0.9)).div(2).exp()
    assert (stats.smallest, stats.largest) == pytest.approx((sigma.min().item(), sigma.max().item()))
    assert 0 < stats.pixels_on_floor < 64
    assert stats.pixels_on_floor == pytest.approx((log_var <= math.log(0.9)).sum().item() / 20)


@pytest.mark.parametrize(("log_var", "pixels"), [(-50.0, 64), (0.0, 0)])
def test_all_or_no_pixels_on_the_floor(log_var: float, pixels: int) -> None:
    vae = VAE(small(likelihood="gaussian_learned"))
    with torch.no_grad():
        last = vae.decoder[-1]
        assert isinstance(last, nn.Linear)
        last.weight[64:].zero_()
        last.bias[64:].fill_(log_var)
    stats = evaluate(vae, iter(images(20).split(8)), generator()).sigma
    assert stats is not None
    assert stats.pixels_on_floor == pixels
    expected = math.sqrt(max(math.exp(log_var), 1e-3))
    assert (stats.smallest, stats.median, stats.largest) == pytest.approx((expected,) * 3, rel=1e-5)
