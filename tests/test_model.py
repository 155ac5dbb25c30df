"""The VAE's shapes and its initial weights, which lanes under different likelihoods share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vae_core import LIKELIHOODS, VAE, RunSpec
from vae_core.catalogue import DATASETS
from vae_core.spec import make_likelihood


def small(**changes: Any) -> RunSpec:
    return RunSpec(**{"dataset": "digits", "hidden": (32, 16), "latent_dim": 3, **changes})


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_shapes(dataset: str, likelihood: str) -> None:
    vae = VAE(small(dataset=dataset, likelihood=likelihood))
    n_pixels = DATASETS[dataset].n_pixels
    m, log_var = vae.encode(torch.rand(5, n_pixels, generator=torch.Generator().manual_seed(0)))
    assert m.shape == log_var.shape == (5, 3)
    assert vae.decode(torch.zeros(2, 5, 3)).shape == (2, 5, vae.likelihood.n_outputs)
    assert vae.likelihood.mean(vae.decode(m)).shape == (5, n_pixels)


def test_layers_follow_the_spec_and_the_decoder_mirrors_them() -> None:
    vae = VAE(small(likelihood="gaussian_learned"))

    def widths(network: nn.Module) -> list[tuple[int, int]]:
        return [(layer.in_features, layer.out_features) for layer in network.modules() if isinstance(layer, nn.Linear)]

    assert widths(vae.encoder) == [(64, 32), (32, 16), (16, 6)]
    assert widths(vae.decoder) == [(3, 16), (16, 32), (32, 128)]


def test_networks_are_relu_inside_and_linear_at_the_end() -> None:
    vae = VAE(small())
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    by_hand = z
    linear = [layer for layer in vae.decoder if isinstance(layer, nn.Linear)]
    for number, layer in enumerate(linear):
        by_hand = by_hand @ layer.weight.T + layer.bias
        if number < len(linear) - 1:
            by_hand = by_hand.clamp(min=0)
    torch.testing.assert_close(vae.decode(z), by_hand)


def test_settings_reach_the_likelihood() -> None:
    for key, settings in {
        "bernoulli": {},
        "gaussian_identity": {"sigma": 0.25},
        "gaussian_learned": {"variance_floor": 0.03},
    }.items():
        likelihood = make_likelihood(small(likelihood=key, sigma=0.25, variance_floor=0.03))
        assert isinstance(likelihood, LIKELIHOODS[key])
        assert likelihood.n_pixels == 64
        assert {name: getattr(likelihood, name) for name in LIKELIHOODS[key].settings} == settings


def test_lanes_begin_with_the_same_weights() -> None:
    """Only the likelihood may differ: equal tensors where shapes agree, equal rows where one is wider."""
    states = {key: VAE(small(likelihood=key)).state_dict() for key in LIKELIHOODS}
    reference = states["gaussian_identity"]
    for state in states.values():
        assert state.keys() - {"shared"} == reference.keys()
        for name, tensor in state.items():
            if name == "shared":
                continue
            rows = min(len(tensor), len(reference[name]))
            assert torch.equal(tensor[:rows], reference[name][:rows]), name
    last = max(name for name in reference if name.startswith("decoder") and name.endswith("weight"))
    assert states["gaussian_learned"][last].shape == (128, 32)
    assert torch.equal(states["gaussian_learned"][last][:64], reference[last])


@pytest.mark.parametrize("changes", [{"beta": 4.0}, {"epochs": 3}, {"sigma": 0.1}, {"learning_rate": 0.1}])
def test_initial_weights_hang_on_shapes_and_seed_alone(changes: dict[str, Any]) -> None:
    one, same = VAE(small()).state_dict(), VAE(small(**changes)).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)


def test_seeds_and_layers_differ() -> None:
    states = [VAE(small(hidden=(16, 16), seed=seed)).state_dict() for seed in (0, 1, 2, 2**31 - 1)]
    # Both 16 x 16 layers of every seed, and their biases: no two alike.
    weights = [t for state in states for t in state.values() if t.shape == (16, 16)]
    biases = [t for state in states for t in state.values() if t.shape == (16,)]
    assert len(weights) == 8
    for tensors in (weights, biases):
        assert len({t.numpy().tobytes() for t in tensors}) == len(tensors)
        for i, a in enumerate(tensors):
            for b in tensors[:i]:
                assert abs(np.corrcoef(a.flatten(), b.flatten())[0, 1]) < 0.9


@pytest.mark.parametrize("seed", [0, 7])
def test_no_two_tensors_of_a_model_begin_with_the_same_draws(seed: int) -> None:
    """A generator a tensor: with one seed for two, a layer's biases would be its neighbour's weights."""
    vae = VAE(small(seed=seed, hidden=(32, 16, 8)))
    linear = [layer for layer in vae.modules() if isinstance(layer, nn.Linear)]
    starts = [t.detach().flatten()[:3] * layer.in_features**0.5 for layer in linear for t in (layer.weight, layer.bias)]
    assert len(starts) == 16
    for i, a in enumerate(starts):
        for b in starts[:i]:
            assert not torch.allclose(a, b, atol=1e-3)


def test_initial_weights_are_torchs_default_distribution() -> None:
    vae = VAE(RunSpec(dataset="mnist", hidden=(400,)))
    first = vae.encoder[0]
    assert isinstance(first, nn.Linear)
    bound = 1 / 28  # 1 / sqrt(fan in)
    for tensor in (first.weight, first.bias):
        assert tensor.abs().max() <= bound
        assert tensor.abs().max() > 0.98 * bound
        assert abs(tensor.mean().item()) < 5 * bound / (3 * tensor.numel()) ** 0.5
    assert first.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.01)


@pytest.mark.parametrize("likelihood", ["gaussian_learned", "gaussian_shared", "bernoulli"])
def test_a_linear_vae_is_one_linear_map_each_way(likelihood: str) -> None:
    vae = VAE(small(decoder="linear", likelihood=likelihood))
    latents, pixels = vae.spec.latent_dim, vae.spec.n_pixels
    for map, width in ((vae.decode, latents), (lambda x: torch.cat(vae.encode(x), -1), pixels)):
        a, b, zero = torch.randn(5, width), torch.randn(5, width), torch.zeros(5, width)
        torch.testing.assert_close(map(a + b) - map(b), map(a) - map(zero), rtol=1e-4, atol=1e-5)
    weights = {name: tuple(value.shape) for name, value in vae.encoder.state_dict().items()}
    assert weights == {"0.weight": (2 * latents, pixels), "0.bias": (2 * latents,)}


def test_building_a_model_leaves_the_global_generators_alone() -> None:
    torch.manual_seed(5)
    before, numpy_before = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"]
    one = VAE(small())
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], numpy_before)
    torch.manual_seed(6)
    same = VAE(small())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters()))
    assert all(p.requires_grad and p.isfinite().all() for p in one.parameters())
