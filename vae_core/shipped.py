"""Runs that ship with the app: trained by `make_shipped`; the start page reads what it shows without torch.

`python -m vae_core ship` makes them again; a test recomputes the examples from the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vae_core.data import load_dataset, split
from vae_core.folders import ASSETS
from vae_core.spec import RunSpec

FOLDER = ASSETS / "runs"
N_DRAWS = 4
DECODERS = ("bernoulli", "gaussian_identity", "gaussian_learned")
SIGMAS = (1.0, 0.5, 0.25, 0.1)  # of the fixed-variance runs, for what the assumed noise does to training
# Black-and-white pixels, so that the Bernoulli's number is the log of a true probability.
SPECS = {key: RunSpec(likelihood=key, binarize="threshold", epochs=40, seed=1) for key in DECODERS}
SIGMA_SPECS = {sigma: replace(SPECS["gaussian_identity"], sigma=sigma) for sigma in SIGMAS}
SHIPPED = SPECS | {f"sigma_{sigma:g}": spec for sigma, spec in SIGMA_SPECS.items() if sigma != 1}  # by file name


@dataclass(frozen=True)
class Example:
    """One held-out digit under one decoder, at z = m, the mean of q(z|x). Images are (28, 28) uint8."""

    mean: np.ndarray
    samples: np.ndarray  # (N_DRAWS, 28, 28), clipped to [0,1] for display
    log_prob: float  # ln p(x|z,w), nats, all constants included


def load_examples() -> tuple[np.ndarray, dict[str, list[Example]]]:
    """The inputs (10, 28, 28), digits 0 to 9, and under each decoder an example for each."""
    with np.load(FOLDER / "examples.npz", allow_pickle=False) as arrays:
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


def shipped_weights(spec: RunSpec) -> bytes | None:
    """The safetensors of a shipped run; None when this one is not shipped."""
    name = next((name for name, shipped in SHIPPED.items() if shipped == spec), None)
    path = FOLDER / f"{name}.safetensors"
    return path.read_bytes() if name and path.exists() else None


def make_shipped() -> None:
    """Train the shipped runs and write their weights and examples to assets/runs. Takes two minutes."""
    import torch

    from vae_core.training import train

    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    for name, spec in SHIPPED.items():
        *_, last = train(spec, load_dataset(spec.dataset), device="cpu")
        assert last.checkpoint is not None
        weights_only = {name: value for name, value in last.checkpoint.tensors.items() if name.startswith("model.")}
        data = replace(last.checkpoint, tensors=weights_only).to_bytes()
        (FOLDER / f"{name}.safetensors").write_bytes(data)
        if name in SPECS:
            arrays |= make_examples(name, data)
    np.savez_compressed(FOLDER / "examples.npz", **arrays)  # type: ignore[arg-type]


def make_examples(key: str, weights: bytes) -> dict[str, np.ndarray]:
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
