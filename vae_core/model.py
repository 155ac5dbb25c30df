"""The VAE: an encoder to q(z|x), a decoder to the parameters of p(x|z,w). Kingma & Welling 2013."""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from vae_core.spec import RunSpec, make_likelihood

SHARED_GAIN = 20.0  # of a shared output, which moves with one weight instead of hundreds: Adam's steps are all alike


class VAE(nn.Module):
    """Two ReLU networks, or two linear maps, and a likelihood, all set by the spec; the initial weights follow from its
    seed."""

    def __init__(self, spec: RunSpec):
        super().__init__()
        self.spec = spec
        self.likelihood = make_likelihood(spec)
        n_pixels = self.likelihood.n_pixels
        self.encoder = mlp([n_pixels, *spec.hidden_layers, 2 * spec.latent_dim])
        n_shared = self.likelihood.n_shared
        self.decoder = mlp([spec.latent_dim, *reversed(spec.hidden_layers), self.likelihood.n_outputs - n_shared])
        self.shared = nn.Parameter(torch.zeros(n_shared)) if n_shared else None
        initialise(self, spec.seed)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """m and ln s^2 of q(z|x) = N(m, diag s^2): two of (batch, latent_dim)."""
        m, log_var = self.encoder(x).chunk(2, dim=-1)
        return m, log_var

    def decode(self, z: Tensor) -> Tensor:
        """f(z,w), the parameters of p(x|z,w) before any link: (..., n_outputs)."""
        f = self.decoder(z)
        if self.shared is None:
            return f
        return torch.cat([f, (SHARED_GAIN * self.shared).expand(*f.shape[:-1], -1)], -1)


class Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Nothing: `initialise` does it. (nn.utils.skip_init would too, and imports sympy, 45 MB.)"""


def mlp(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [Linear(a, b), nn.ReLU()]  # not in place: that costs copies in backward
    return nn.Sequential(*layers[:-1])  # no activation on the outputs: the likelihood gives them their meaning


def initialise(vae: nn.Module, seed: int) -> None:
    """Uniform on +-1/sqrt(fan_in), torch's own default, with a generator a layer.

    So decoders under different likelihoods begin with the same weights wherever their shapes agree, and a wider
    output layer begins with the narrower one's rows.
    """
    linear = [layer for layer in vae.modules() if isinstance(layer, nn.Linear)]
    for number, layer in enumerate(linear):
        bound = 1 / math.sqrt(layer.in_features)
        for offset, parameter in enumerate((layer.weight, layer.bias)):
            with torch.no_grad():
                parameter.uniform_(-bound, bound, generator=stream(seed, f"weights {number} {offset}"))


def stream(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose of one run: no two purposes, and no two seeds, share their random numbers."""
    digest = hashlib.sha256(f"{seed} {purpose}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8]) >> 1)
