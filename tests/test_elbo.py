"""The ELBO's terms against torch.distributions, Monte Carlo and exact quadrature over one latent."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_core import LIKELIHOODS, VAE, RunSpec, elbo_terms, importance_weighted_bound, load_dataset, train
from vae_core.checkpoint import load_vae
from vae_core.elbo import draw_z, kl_to_prior


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def digits(n: int) -> Tensor:
    return torch.from_numpy(load_dataset("digits").scaled(np.arange(n)))


def test_kl_is_the_closed_form_of_torch() -> None:
    m = 3 * torch.randn(20, 4, generator=generator(), dtype=torch.float64)
    log_var = 3 * torch.randn(20, 4, generator=generator(1), dtype=torch.float64)
    q, prior = Normal(m, (0.5 * log_var).exp()), Normal(torch.zeros_like(m), torch.ones_like(m))
    actual = kl_to_prior(m, log_var)
    assert actual.shape == (20, 4)
    torch.testing.assert_close(actual, kl_divergence(q, prior))


def test_kl_is_the_mean_log_ratio_of_draws() -> None:
    m = torch.tensor([[0.0, 1.5, -0.3]], dtype=torch.float64)
    log_var = torch.tensor([[0.0, -2.0, 1.0]], dtype=torch.float64)
    z = draw_z(m, log_var, 200_000, generator())  # (200000, 1, 3)
    ratio = Normal(m, (0.5 * log_var).exp()).log_prob(z) - Normal(0.0, 1.0).log_prob(z)
    error = 5 * ratio.std(0) / math.sqrt(len(z))
    assert ((ratio.mean(0) - kl_to_prior(m, log_var)).abs() <= error + 1e-12).all()
    assert kl_to_prior(m, log_var)[0, 0] == 0  # q is the prior


def test_z_is_drawn_from_q() -> None:
    m, log_var = torch.tensor([[0.7, -2.0]]), torch.tensor([[-1.0, 0.5]])
    before = torch.get_rng_state()
    z = draw_z(m, log_var, 100_000, generator(2))
    assert z.shape == (100_000, 1, 2)
    torch.testing.assert_close(z.mean(0), m, rtol=0, atol=0.02)
    torch.testing.assert_close(z.std(0), (0.5 * log_var).exp(), rtol=0.02, atol=0)
    assert torch.equal(z, draw_z(m, log_var, 100_000, generator(2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_z_carries_gradients_to_the_encoder() -> None:
    m, log_var = torch.zeros(1, 2, requires_grad=True), torch.zeros(1, 2, requires_grad=True)
    z = draw_z(m, log_var, 5, generator(3))
    dm, dlog_var = torch.autograd.grad(z.sum(), (m, log_var))
    torch.testing.assert_close(dm, torch.full((1, 2), 5.0))  # dz/dm = 1
    torch.testing.assert_close(dlog_var, 0.5 * z.detach().sum(0))  # dz/dlog_var = 1/2 s eps, and s = 1, m = 0


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_terms_are_per_image_and_nothing_is_averaged_over_images(likelihood: str) -> None:
    spec = RunSpec(dataset="digits", likelihood=likelihood, hidden=(16,), latent_dim=3, mc_samples=4)
    vae, x = VAE(spec), digits(5)
    terms = elbo_terms(vae, x, 4, generator(4))
    assert terms.reconstruction.shape == (5,)
    assert terms.kl.shape == (5, 3)
    assert terms.outputs.shape == (4, 5, vae.likelihood.n_outputs)
    m, log_var = vae.encode(x)
    q = Normal(m, (0.5 * log_var).exp())
    torch.testing.assert_close(terms.kl, kl_divergence(q, Normal(torch.zeros_like(m), torch.ones_like(m))))
    expected = vae.likelihood.distribution(terms.outputs).log_prob(x).sum(-1).mean(0)
    torch.testing.assert_close(terms.reconstruction, expected)
    torch.testing.assert_close(terms.elbo, terms.reconstruction - terms.kl.sum(-1))


def test_outputs_are_the_decoder_at_draws_of_q() -> None:
    """Found by inverting nothing: the draws are repeated with the same generator and decoded one by one."""
    vae, x = VAE(RunSpec(dataset="digits", hidden=(16,), latent_dim=3)), digits(4)
    terms = elbo_terms(vae, x, 2, generator(5))
    m, log_var = vae.encode(x)
    eps = torch.randn(2, 4, 3, generator=generator(5))
    for draw in range(2):
        z = m + (0.5 * log_var).exp() * eps[draw]
        torch.testing.assert_close(terms.outputs[draw], vae.decode(z))


class Exact(NamedTuple):
    """What quadrature on a fine grid of the one latent says, (batch,) each, in nats."""

    log_p: Tensor  # ln of the integral of p(x|z) p(z)
    elbo: Tensor
    gap: Tensor  # KL(q(z|x) || p(z|x))


IMAGES = 6


@pytest.fixture(scope="module", params=list(LIKELIHOODS))
def one_latent(request: pytest.FixtureRequest) -> tuple[VAE, Tensor, Exact]:
    spec = RunSpec(
        dataset="digits",
        likelihood=request.param,
        latent_dim=1,
        hidden=(8,),
        epochs=10,
        batch_size=64,
        learning_rate=5e-3,
        binarize="threshold",
        sigma=0.5,
        variance_floor=0.05,
    )
    *_, last = train(spec, load_dataset("digits"), device="cpu")
    assert last.checkpoint is not None
    vae = load_vae(last.checkpoint.to_bytes()).double()
    x = (digits(IMAGES) > 0.5).double()
    with torch.no_grad():
        # A q wider than the posterior: the identities hold for every q, and importance weights then have thin tails.
        encoder_out = vae.encoder[-1]
        assert isinstance(encoder_out, torch.nn.Linear)
        encoder_out.bias[1] += 1.5
        m, log_var = vae.encode(x)
        grid = torch.linspace(-40, 40, 20_001, dtype=torch.float64)
        log_joint = vae.likelihood.distribution(vae.decode(grid[:, None, None])).log_prob(x).sum(-1)
        log_joint = log_joint + Normal(0.0, 1.0).log_prob(grid)[:, None]  # (grid, batch) ln p(x|z) p(z)
        log_q = Normal(m, (0.5 * log_var).exp()).log_prob(grid[:, None, None]).squeeze(-1)  # (grid, batch)
        log_p = torch.logsumexp(log_joint, 0) + math.log(grid[1] - grid[0])

        def mean_under_q(values: Tensor) -> Tensor:
            return torch.trapezoid(log_q.exp() * values, grid, dim=0)

        assert (mean_under_q(torch.ones_like(log_q)) - 1).abs().max() < 1e-9  # the grid is fine and wide enough
        exact = Exact(log_p, mean_under_q(log_joint - log_q), mean_under_q(log_q - (log_joint - log_p)))
    return vae, x, exact


@torch.no_grad()
def test_elbo_of_many_draws_is_the_integral_over_q(one_latent: tuple[VAE, Tensor, Exact]) -> None:
    vae, x, exact = one_latent
    draws = torch.stack([elbo_terms(vae, x, 100, generator(seed)).elbo for seed in range(100)])
    error = draws.std(0) / 10
    assert ((draws.mean(0) - exact.elbo).abs() < 5 * error).all()
    assert (error < 0.2).all()
    few = torch.stack([elbo_terms(vae, x, 1, generator(1000 + seed)).elbo for seed in range(1000)])
    # A mean over L draws of z, not a sum or a maximum: L changes the spread by sqrt(L) and not the value.
    assert ((few.mean(0) - exact.elbo).abs() < 5 * few.std(0) / math.sqrt(1000)).all()
    torch.testing.assert_close(few.std(0) / draws.std(0), torch.full((IMAGES,), 10.0).double(), rtol=0.4, atol=0)


def test_gap_of_the_elbo_is_the_kl_to_the_true_posterior(one_latent: tuple[VAE, Tensor, Exact]) -> None:
    vae, x, exact = one_latent
    torch.testing.assert_close(exact.log_p - exact.elbo, exact.gap, rtol=1e-6, atol=1e-8)
    assert (exact.gap > 0).all()
    with torch.no_grad():
        terms = elbo_terms(vae, x, 20_000, generator(6))
    torch.testing.assert_close(exact.log_p - terms.elbo, exact.gap, rtol=0.1, atol=0.1)


@torch.no_grad()
def test_importance_weighted_bound_rises_from_the_elbo_to_ln_p(one_latent: tuple[VAE, Tensor, Exact]) -> None:
    vae, x, exact = one_latent
    bounds, errors = [], []
    for k, repeats in ((1, 2000), (4, 2000), (32, 1000)):
        draws = torch.stack([importance_weighted_bound(vae, x, k, generator(7 + seed)) for seed in range(repeats)])
        assert draws.shape == (repeats, IMAGES)
        of_all = draws.mean(1)  # over images
        bounds.append(of_all.mean().item())
        errors.append(of_all.std().item() / math.sqrt(repeats))
    assert bounds[0] == pytest.approx(exact.elbo.mean().item(), abs=5 * errors[0])
    for (low, low_error), (high, high_error) in zip(zip(bounds, errors), zip(bounds[1:], errors[1:])):
        assert high > low + 3 * math.hypot(low_error, high_error)
    log_p = exact.log_p.mean().item()
    assert all(bound < log_p + 4 * error for bound, error in zip(bounds, errors))
    assert log_p - bounds[-1] < 0.2 * (log_p - bounds[0])


@torch.no_grad()
def test_importance_weighted_bound_of_very_many_draws_is_ln_p(one_latent: tuple[VAE, Tensor, Exact]) -> None:
    vae, x, exact = one_latent
    bound = importance_weighted_bound(vae, x, 30_000, generator(8))
    torch.testing.assert_close(bound, exact.log_p, rtol=0, atol=0.05)


@torch.no_grad()
def test_importance_weighted_bound_with_one_draw_is_that_draws_log_weight() -> None:
    vae, x = VAE(RunSpec(dataset="digits", hidden=(16,), latent_dim=3)).double(), digits(4).double()
    bound = importance_weighted_bound(vae, x, 1, generator(9))
    m, log_var = vae.encode(x)
    z = draw_z(m, log_var, 1, generator(9))[0]
    expected = (
        vae.likelihood.distribution(vae.decode(z)).log_prob(x).sum(-1)
        + Normal(0.0, 1.0).log_prob(z).sum(-1)
        - Normal(m, (0.5 * log_var).exp()).log_prob(z).sum(-1)
    )
    torch.testing.assert_close(bound, expected)
