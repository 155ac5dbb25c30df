"""Runs that ship with the app: `python -m vae_core ship` trains them again."""

from __future__ import annotations

from dataclasses import replace

from vae_core.data import load_dataset
from vae_core.folders import ASSETS
from vae_core.spec import RunSpec

SHIPPED_RUNS = ASSETS / "runs"
DECODERS = ("bernoulli", "gaussian_identity", "gaussian_learned")
SIGMAS = (1.0, 0.5, 0.25, 0.1)  # of the fixed-variance runs, for what the assumed noise does to training
# Black-and-white pixels, so that the Bernoulli's number is the log of a true probability.
SPECS = {key: RunSpec(likelihood=key, binarize="threshold", epochs=40, seed=1) for key in DECODERS}
SIGMA_SPECS = {sigma: replace(SPECS["gaussian_identity"], sigma=sigma) for sigma in SIGMAS}
SHIPPED = SPECS | {f"sigma_{sigma:g}": spec for sigma, spec in SIGMA_SPECS.items() if sigma != 1}  # by file name


def shipped_weights(spec: RunSpec) -> bytes | None:
    """The safetensors of a shipped run; None when this one is not shipped."""
    name = next((name for name, shipped in SHIPPED.items() if shipped == spec), None)
    path = SHIPPED_RUNS / f"{name}.safetensors"
    return path.read_bytes() if name and path.exists() else None


def make_shipped() -> None:
    """Train the shipped runs and write their weights to assets/runs. Takes two minutes."""
    import torch

    from vae_core.training import train

    torch.set_num_threads(1)
    SHIPPED_RUNS.mkdir(exist_ok=True)
    for name, spec in SHIPPED.items():
        *_, last = train(spec, load_dataset(spec.dataset), device="cpu")
        assert last.checkpoint is not None
        weights_only = {name: value for name, value in last.checkpoint.tensors.items() if name.startswith("model.")}
        (SHIPPED_RUNS / f"{name}.safetensors").write_bytes(replace(last.checkpoint, tensors=weights_only).to_bytes())
