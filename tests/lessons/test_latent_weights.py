"""The weights as the browser gets them: the same network, or a refusal."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

from vae_core.lessons.latent_weights import flat, shared
from vae_core.model import VAE
from vae_core.spec import RunSpec


@pytest.mark.parametrize("form", ["network", "linear"])
@pytest.mark.parametrize("network", ["encoder", "decoder"])
def test_flat_weights_give_the_network(network: str, form: str) -> None:
    vae = VAE(RunSpec(dataset="digits", likelihood="gaussian_learned", latent_dim=3, hidden=(7, 5), decoder=form))
    flattened = flat(getattr(vae, network))
    numbers, at = np.frombuffer(flattened.data, "<f4"), 0
    x = np.random.default_rng(0).standard_normal((4, flattened.layers[0][0])).astype(np.float32)
    out = x
    for index, (n_in, n_out) in enumerate(flattened.layers):
        matrix, bias = numbers[at : at + n_in * n_out].reshape(n_in, n_out), numbers[at + n_in * n_out :][:n_out]
        at += (n_in + 1) * n_out
        out = out @ matrix + bias
        out = np.maximum(out, 0) if index < len(flattened.layers) - 1 else out
    assert at == len(numbers)
    with torch.inference_mode():
        torch.testing.assert_close(torch.from_numpy(out), getattr(vae, network)(torch.from_numpy(x)))


@pytest.mark.parametrize(
    ("layers", "named"),
    [
        ([nn.Linear(2, 3), nn.GELU(), nn.Linear(3, 4)], "Layer 1 is GELU"),
        ([nn.Linear(2, 3), nn.ReLU(), nn.LayerNorm(3), nn.Linear(3, 4)], "Layer 2 is LayerNorm"),
        ([nn.Linear(2, 3), nn.Linear(3, 4)], "Layer 1 is Linear"),
        ([nn.Linear(2, 3), nn.ReLU()], "Layer 1 is ReLU"),
    ],
)
def test_a_network_that_the_browser_does_not_know_is_refused(layers: list[nn.Module], named: str) -> None:
    with pytest.raises(TypeError, match=re.escape(named)):
        flat(nn.Sequential(*layers))


def test_what_no_z_moves_travels_beside_the_network() -> None:
    vae = VAE(RunSpec(dataset="digits", likelihood="gaussian_shared", latent_dim=3, hidden=(7,)))
    assert vae.shared is not None
    torch.nn.init.constant_(vae.shared, -0.1)
    with torch.inference_mode():
        assert shared(vae) == vae.decode(torch.ones(3))[64:].tolist() != [0.0]
    assert shared(VAE(RunSpec(dataset="digits", latent_dim=3, hidden=(7,)))) == []
