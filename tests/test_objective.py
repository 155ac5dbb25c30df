"""The objective written a second time, and lanes that share all but their likelihood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from tests.training import DIGITS, N_TRAIN, curve, run, saved, small
from vae_core import LIKELIHOODS, VAE, RunSpec, train
from vae_core.catalogue import BINARIZE
from vae_core.data import Dataset, split
from vae_core.feed import Feed
from vae_core.spec import curve_stride

# ---- lanes: only the likelihood differs


class Watched:
    """What goes through a run's encoder and decoder, in training steps and in pictures."""

    def __init__(self, spec: RunSpec, monkeypatch: pytest.MonkeyPatch, data: Dataset = DIGITS):
        self.x: list[Tensor] = []  # (batch, n_pixels) of each step
        self.eps: list[Tensor] = []  # (mc_samples, batch, latent_dim) of each step, from z = m + s eps
        self.prior_z: list[Tensor] = []  # (12, latent_dim) of each snapshot
        self.q = (torch.zeros(0), torch.zeros(0))
        encode, decode = VAE.encode, VAE.decode

        def watch_encode(vae: VAE, x: Tensor) -> tuple[Tensor, Tensor]:
            m, log_var = encode(vae, x)
            if torch.is_grad_enabled():
                self.x.append(x.clone())
                self.q = m.detach(), torch.exp(log_var.detach() / 2)
            return m, log_var

        def watch_decode(vae: VAE, z: Tensor) -> Tensor:
            if torch.is_grad_enabled():
                self.eps.append((z.detach() - self.q[0]) / self.q[1])
            elif z.shape == (12, spec.latent_dim):
                self.prior_z.append(z.clone())
            return decode(vae, z)

        with monkeypatch.context() as patch:
            patch.setattr(VAE, "encode", watch_encode)
            patch.setattr(VAE, "decode", watch_decode)
            self.snapshots = list(train(spec, data, device="cpu"))


@pytest.mark.parametrize("binarize", BINARIZE)
def test_lanes_share_batches_noise_and_the_z_of_the_grid(binarize: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lanes = {
        key: Watched(small(likelihood=key, binarize=binarize, batch_size=500, epochs=3), monkeypatch)
        for key in LIKELIHOODS
    }
    reference = lanes["bernoulli"]
    assert len(reference.x) == 9
    assert len(reference.prior_z) == 2
    assert torch.equal(reference.prior_z[0], reference.prior_z[1])  # the same at every snapshot
    for lane in lanes.values():
        assert len(lane.x) == len(reference.x)
        assert all(torch.equal(a, b) for a, b in zip(lane.x, reference.x))
        for one, other in zip(lane.eps, reference.eps, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)  # it was found by dividing
        assert all(torch.equal(a, b) for a, b in zip(lane.prior_z, reference.prior_z))
        ends = [saved(some.snapshots[-1]).tensors["generator"] for some in (lane, reference)]
        assert torch.equal(*ends)  # as many draws from the same stream
        np.testing.assert_array_equal(lane.snapshots[0].pictures.input, reference.snapshots[0].pictures.input)
    # Identity and learned covariance begin with the same means, so with the same grid.
    identity, learned = (lanes[key].snapshots[0].pictures for key in ("gaussian_identity", "gaussian_learned"))
    np.testing.assert_array_equal(identity.prior_mean, learned.prior_mean)
    np.testing.assert_array_equal(identity.mean, learned.mean)


def test_the_grids_z_is_from_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    z = torch.cat([Watched(small(seed=seed, latent_dim=8, epochs=1), monkeypatch).prior_z[0] for seed in range(30)])
    assert z.mean().item() == pytest.approx(0, abs=0.08)
    assert z.std().item() == pytest.approx(1, abs=0.06)
    assert len(z.unique(dim=0)) == 360


def test_every_epoch_visits_every_training_image_once_in_a_new_order(monkeypatch: pytest.MonkeyPatch) -> None:
    # An image's own number in its first three pixels: the batches then say which images they hold.
    number = np.arange(1797)
    images = np.zeros((1797, 64), np.uint8)
    images[:, 0], images[:, 1], images[:, 2] = number // 256, number // 16 % 16, number % 16
    spec = small(batch_size=100, epochs=3)
    batches = Watched(spec, monkeypatch, replace(DIGITS, images=images)).x
    assert [len(x) for x in batches] == ([100] * 14 + [38]) * 3
    seen = (torch.cat(batches)[:, :3] * 16) @ torch.tensor([256.0, 16.0, 1.0])
    epochs = seen.round().int().reshape(3, N_TRAIN).tolist()
    for order in epochs:
        assert sorted(order) == sorted(split(spec)[0].tolist())
    assert len({tuple(order) for order in epochs}) == 3
    assert sum(a == b for a, b in zip(*epochs[:2])) < 10  # shuffled anew: about one stays where it was


def test_noise_in_training_is_standard_normal_and_new_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    eps = Watched(small(mc_samples=2, epochs=3), monkeypatch).eps
    assert eps[0].shape == (2, 128, 3)
    everything = torch.cat([e.flatten() for e in eps])
    assert everything.mean().item() == pytest.approx(0, abs=0.03)
    assert everything.std().item() == pytest.approx(1, abs=0.02)
    draws = torch.stack([e[:, :28].reshape(2 * 28 * 3) for e in eps])  # (steps, what every step has)
    correlation = np.corrcoef(draws.numpy()) - np.eye(len(eps))
    assert np.abs(correlation).max() < 0.4


@pytest.mark.parametrize("binarize", BINARIZE)
def test_pixels_are_binarised_as_asked(binarize: str) -> None:
    feed = Feed(small(binarize=binarize), DIGITS, torch.device("cpu"))
    grey = DIGITS.images / 16
    indices = torch.arange(1797)
    draws = [feed.pixels(indices, torch.Generator().manual_seed(seed)).numpy() for seed in range(200)]
    assert draws[0].dtype == np.float32
    if binarize == "none":
        np.testing.assert_allclose(draws[0], grey, atol=1e-7)
        return
    assert set(np.unique(draws[0])) == {0.0, 1.0}
    if binarize == "threshold":
        np.testing.assert_array_equal(draws[0], grey > 0.5)
        return
    assert not np.array_equal(draws[0], draws[1])
    error = np.sqrt(grey * (1 - grey) / 200)
    assert (np.abs(np.mean(draws, 0) - grey) <= 6 * error).all()  # a pixel's chance of white is its grey value


def test_held_out_images_are_binarised_alike_every_time() -> None:
    feed = Feed(small(binarize="stochastic"), DIGITS, torch.device("cpu"))
    one, other = (torch.cat(list(feed.part(feed.held_out_part))) for _ in range(2))
    assert torch.equal(one, other)
    assert one.unique().tolist() == [0, 1]


# ---- the objective, written a second time


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("changes", [{}, {"beta": 0.3, "mc_samples": 3, "binarize": "stochastic", "batch_size": 400}])
def test_a_plain_loop_gives_the_same_weights_and_curve(
    likelihood: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same batches and noise, but torch.distributions, Adam as everybody writes it, and no windows."""
    spec = small(likelihood=likelihood, **changes)
    watched = Watched(spec, monkeypatch)
    snapshots = watched.snapshots
    vae = VAE(spec)
    optimiser = torch.optim.Adam(vae.parameters(), lr=spec.learning_rate, foreach=False, fused=False)
    terms = []
    for x, eps in zip(watched.x, watched.eps, strict=True):
        m, log_var = vae.encode(x)
        s = torch.exp(log_var / 2)
        kl = kl_divergence(Normal(m, s), Normal(torch.zeros_like(m), torch.ones_like(s))).sum(1)
        decoded = [vae.likelihood.distribution(vae.decode(m + s * some)) for some in eps]
        log_p = torch.stack([p.log_prob(x).sum(1) for p in decoded])
        objective = (log_p.mean(0) - spec.beta * kl).mean()
        optimiser.zero_grad()
        (-objective).backward()
        optimiser.step()
        terms.append((log_p.mean().item(), kl.mean().item()))
    assert len(terms) == spec.total_steps
    trained = saved(snapshots[-1]).model_state()
    for name, expected in vae.state_dict().items():
        torch.testing.assert_close(trained[name], expected, rtol=1e-3, atol=1e-5)
    initial = VAE(spec).state_dict()
    assert all((trained[name] - initial[name]).abs().max() > 1e-3 for name in initial)  # it has moved
    points = curve(snapshots)
    stride = curve_stride(spec)
    assert [p.step for p in points] == list(range(stride, len(terms) + 1, stride))
    for point in points:
        window = np.mean(terms[point.step - stride : point.step], axis=0)
        assert (point.reconstruction, point.kl) == pytest.approx(tuple(window), rel=1e-4)


def test_beta_weighs_the_objective_and_nothing_that_is_reported() -> None:
    runs = {beta: run(small(beta=beta, epochs=4, learning_rate=3e-3)) for beta in (0.0, 1.0, 20.0)}
    assert len({snapshots[0].held_out.means for snapshots in runs.values()}) == 1  # before training: the same
    ends = {beta: snapshots[-1].held_out.means for beta, snapshots in runs.items()}
    assert ends[0.0].kl > ends[1.0].kl > ends[20.0].kl
    assert ends[0.0].reconstruction > ends[20.0].reconstruction
    for means in ends.values():
        assert means.elbo == means.reconstruction - means.kl  # with weight one, whatever beta


def test_beta_is_the_variance_of_a_gaussian() -> None:
    """1/2 SSE + beta KL has the gradients of a Gaussian with sigma^2 = beta, times beta; Adam divides by it."""
    weighed = run(small(likelihood="gaussian_identity", sigma=1.0, beta=0.25))[-1]
    fixed = run(small(likelihood="gaussian_identity", sigma=0.5, beta=1.0))[-1]
    for name, tensor in saved(fixed).model_state().items():  # 24 steps of 1e-3 each: they have moved 100 times further
        torch.testing.assert_close(saved(weighed).model_state()[name], tensor, rtol=1e-3, atol=2e-4)
    assert weighed.held_out.means.kl == pytest.approx(fixed.held_out.means.kl, rel=1e-3)
    assert weighed.held_out.means.mse == pytest.approx(fixed.held_out.means.mse, rel=1e-3)
    assert weighed.held_out.means.elbo != pytest.approx(fixed.held_out.means.elbo, rel=0.1)
