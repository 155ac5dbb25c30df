"""A trained network's weights as one flat byte string, for a decoder or encoder that runs outside torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from vae_core.model import VAE


@dataclass(frozen=True)
class Flat:
    """Layer after layer a weight matrix (n_in, n_out), then a bias (n_out,), little-endian float32.

    The matrices are torch's, transposed: output by output they lie side by side, so that an inner loop over the
    outputs walks through memory in order and an input of 0 (half of them, after a ReLU) can be skipped.
    """

    layers: list[tuple[int, int]]  # (n_in, n_out) each
    data: bytes


@torch.inference_mode()
def flat(network: nn.Sequential) -> Flat:
    """Of `vae.decoder` or `vae.encoder`. Raises TypeError for a layer that the browser does not know."""
    for number, layer in enumerate(network):
        right = nn.ReLU if number % 2 else nn.Linear
        if not isinstance(layer, right) or (number % 2 and number == len(network) - 1):
            raise TypeError(f"Layer {number} is {layer}: the browser computes Linear, ReLU, Linear, ... Linear alone.")
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    parts = [part.cpu().numpy().astype("<f4") for layer in linear for part in (layer.weight.T, layer.bias)]
    data = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return Flat([(layer.in_features, layer.out_features) for layer in linear], data)


@torch.inference_mode()
def shared(vae: VAE) -> list[float]:
    """The decoder's last outputs, which are weights of their own and the same at every z."""
    n_shared = vae.likelihood.n_shared
    return vae.decode(torch.zeros(vae.spec.latent_dim))[-n_shared:].tolist() if n_shared else []
