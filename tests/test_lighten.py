"""A checkpoint without its optimiser's state: as good to look at, and refused to train on from."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tests.runs.conftest import small, trained_here
from vae_core import load_dataset, train
from vae_core.checkpoint import Checkpoint, load_vae
from vae_core.errors import CheckpointError
from vae_core.lighten import lighten
from vae_core.runs.worker import run_spec

SPEC = small(likelihood="gaussian_learned")


def whole() -> bytes:
    checkpoint = trained_here(SPEC)[-1].checkpoint
    assert checkpoint is not None
    return checkpoint.to_bytes()


def test_the_model_is_the_same_to_the_last_bit_in_a_third_of_the_bytes() -> None:
    light = lighten(whole())
    before, after = load_vae(whole()).state_dict(), load_vae(light).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert len(light) < 0.5 * len(whole())  # Adam keeps two numbers a weight; a small net has much of a header
    kept, once = Checkpoint.from_bytes(light), Checkpoint.from_bytes(whole())
    assert (kept.spec, kept.step, kept.seconds) == (once.spec, once.step, once.seconds)
    assert (kept.whole, once.whole) == (False, True)
    assert Checkpoint.from_bytes(lighten(light)).tensors.keys() == kept.tensors.keys()


def test_nothing_trains_on_from_it() -> None:
    light = lighten(whole())
    with pytest.raises(CheckpointError, match="train it from the start, which gives the same numbers"):
        next(iter(train(SPEC.with_epochs(4), load_dataset("digits"), resume=Checkpoint.from_bytes(light))))
    with pytest.raises(CheckpointError, match="train it from the start"):
        run_spec(SPEC.with_epochs(4).to_dict(), light, "token", lambda message: None)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:-1] + b"\x7f", lambda data: b"no file"])
def test_damage_is_told_and_not_signed_anew(damage) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        lighten(damage(whole()))


def test_it_needs_no_torch() -> None:
    code = "import sys, vae_core.runs.retention; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
