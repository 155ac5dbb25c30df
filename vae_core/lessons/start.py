"""One digit of each class under each shipped decoder: made with the runs, so that the first page waits for no torch.

A test recomputes the examples from the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from vae_core.data import load_dataset, split
from vae_core.shipped import SHIPPED_RUNS, SPECS, shipped_weights

EXAMPLES = SHIPPED_RUNS / "examples.npz"
N_DRAWS = 4


@dataclass(frozen=True)
class Example:
    """One held-out digit under one decoder, at z = m, the mean of q(z|x). Images are (28, 28) uint8."""

    mean: np.ndarray
    samples: np.ndarray  # (N_DRAWS, 28, 28), clipped to [0,1] for display
    log_prob: float  # ln p(x|z,w), nats, all constants included


@cache  # arrays that nobody writes to
def load_examples() -> tuple[np.ndarray, dict[str, list[Example]]]:
    """The inputs (10, 28, 28), digits 0 to 9, and under each decoder an example for each."""
    with np.load(EXAMPLES, allow_pickle=False) as arrays:
        examples = {
            key: [
                Example(mean, samples, float(log_prob))
                for mean, samples, log_prob in zip(
                    *(arrays[f"{key}.{part}"] for part in ("mean", "samples", "log_prob"))
                )
            ]
            for key in SPECS
        }
        return arrays["input"], examples


def make_examples() -> None:
    """From the shipped weights, into assets/runs."""
    arrays: dict[str, np.ndarray] = {}
    for key, spec in SPECS.items():
        weights = shipped_weights(spec)
        assert weights is not None
        arrays |= examples_of(key, weights)
    np.savez_compressed(EXAMPLES, **arrays)  # type: ignore[arg-type]


def examples_of(key: str, weights: bytes) -> dict[str, np.ndarray]:
    """What examples.npz holds of one decoder, from its weights."""
    import torch

    from vae_core.checkpoint import load_vae
    from vae_core.feed import Feed
    from vae_core.pictures import grey

    spec = SPECS[key]
    data = load_dataset(spec.dataset)
    labels = data.labels[split(spec)[1]]
    vae = load_vae(weights)
    x = Feed(spec, data).held_out()[[int((labels == digit).argmax()) for digit in range(10)]]  # (10, 784)
    with torch.inference_mode():
        outputs = vae.decode(vae.encode(x)[0])  # (10, n_outputs)
        generator = torch.Generator().manual_seed(spec.seed)
        draws = [grey(vae.likelihood.sample(outputs, generator)) for _ in range(N_DRAWS)]
        log_prob = vae.likelihood.log_prob(outputs, x).double().numpy()
    return {
        "input": grey(x),
        f"{key}.mean": grey(vae.likelihood.mean(outputs)),
        f"{key}.samples": np.stack(draws, axis=1),
        f"{key}.log_prob": log_prob,
    }
