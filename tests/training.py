"""What the tests of training share: small runs, and when two of them are the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from vae_core import RunSpec, Snapshot, load_dataset, train
from vae_core.checkpoint import Checkpoint
from vae_core.pictures import Pictures
from vae_core.training import CurvePoint

DIGITS = load_dataset("digits")
N_TRAIN = 1438  # of 1,797 digits, a fifth held out


def small(**changes: Any) -> RunSpec:
    return RunSpec(**{"dataset": "digits", "hidden": (32,), "latent_dim": 3, "epochs": 2, **changes})


def run(spec: RunSpec, **options: Any) -> list[Snapshot]:
    return list(train(spec, DIGITS, device="cpu", **options))


def saved(snapshot: Snapshot) -> Checkpoint:
    assert snapshot.checkpoint is not None
    return snapshot.checkpoint


def stop_after(steps: int) -> Callable[[], bool]:
    asked = itertools.count()
    return lambda: next(asked) >= steps


def curve(snapshots: list[Snapshot]) -> list[CurvePoint]:
    return [point for snapshot in snapshots for point in snapshot.curve]


def assert_same_tensors(a: Checkpoint, b: Checkpoint) -> None:
    assert a.tensors.keys() == b.tensors.keys()
    different = [name for name in a.tensors if not torch.equal(a.tensors[name], b.tensors[name])]
    assert different == []
    assert (a.step, a.window_steps) == (b.step, b.window_steps)


def assert_same_look(a: Snapshot, b: Snapshot) -> None:
    """Everything but the clock, exactly."""
    assert (a.step, a.images_seen, a.status, a.message) == (b.step, b.images_seen, b.status, b.message)
    assert a.held_out.means == b.held_out.means
    np.testing.assert_array_equal(a.held_out.kl_per_latent, b.held_out.kl_per_latent)
    assert a.held_out.sigma == b.held_out.sigma
    for name in Pictures.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(a.pictures, name), getattr(b.pictures, name), err_msg=name)


def assert_same_end(a: Snapshot, b: Snapshot) -> None:
    assert_same_look(a, b)
    assert_same_tensors(saved(a), saved(b))
    assert a.result is not None
    assert b.result is not None
    assert replace(a.result, images_per_second=0) == replace(b.result, images_per_second=0)
