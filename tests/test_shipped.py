"""The weights that ship with the app are those of its specs, trained to the end."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vae_core import VAE, elbo_terms, load_dataset
from vae_core.checkpoint import Checkpoint, load_vae
from vae_core.feed import Feed
from vae_core.shipped import DECODERS, SHIPPED, SHIPPED_RUNS, SPECS

ROOT = Path(__file__).resolve().parents[1]


def weights(key: str) -> bytes:
    return (SHIPPED_RUNS / f"{key}.safetensors").read_bytes()


def test_there_is_one_run_for_each_spec_and_nothing_else() -> None:
    assert list(SPECS) == list(DECODERS)
    assert {path.name for path in SHIPPED_RUNS.iterdir()} == {
        "examples.npz",
        *(f"{key}.safetensors" for key in SHIPPED),
    }
    assert len({spec.with_epochs(1).seed for spec in SPECS.values()}) == 1  # one change at a time


@pytest.mark.parametrize("key", SPECS)
def test_the_weights_are_of_the_finished_run(key: str) -> None:
    checkpoint = Checkpoint.from_bytes(weights(key))
    assert checkpoint.spec.id == SPECS[key].id
    assert checkpoint.step == SPECS[key].total_steps
    vae = load_vae(weights(key))
    assert vae.spec == checkpoint.spec
    assert {f"model.{name}" for name in vae.state_dict()} == checkpoint.tensors.keys()  # and no optimiser's state
    assert all(bool(tensor.isfinite().all()) for tensor in checkpoint.tensors.values())


@pytest.mark.parametrize("key", SPECS)
def test_the_weights_are_trained(key: str) -> None:
    """Its own examples would look alike from any weights."""
    x = Feed(SPECS[key], load_dataset(SPECS[key].dataset)).held_out()

    def elbo(vae: VAE) -> float:
        with torch.inference_mode():
            return float(elbo_terms(vae, x, 1, torch.Generator().manual_seed(0)).elbo.mean())

    assert elbo(load_vae(weights(key))) > elbo(VAE(SPECS[key])) + 30
