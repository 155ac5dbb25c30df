"""A trained network's weights as one flat byte string, for a decoder or encoder that runs outside torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


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
    """Of `vae.decoder` or `vae.encoder`."""
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    parts = [part.cpu().numpy().astype("<f4") for layer in linear for part in (layer.weight.T, layer.bias)]
    data = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return Flat([(layer.in_features, layer.out_features) for layer in linear], data)
