"""What a worker is asked: plain values, the numbers of the functions behind them, and sentences."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vae_core.checkpoint import load_vae
from vae_core.data import load_dataset
from vae_core.errors import CheckpointError, LevelsError, SpecError
from vae_core.feed import Feed
from vae_core.lessons.compare import evaluated
from vae_core.lessons.compare_bounds import MOST_K as MOST_OF_BOUNDS, ladder, rungs_up_to
from vae_core.lessons.compare_calibration import calibration
from vae_core.lessons.compare_measures import MOST_K, climbed, noise, scored
from vae_core.model import stream
from vae_core.spec import RunSpec
from vae_core.training import train

ROOT = Path(__file__).resolve().parents[2]
SPEC = RunSpec(dataset="digits", likelihood="gaussian_shared", hidden=(16,), latent_dim=2, epochs=2)


def weights_of(spec: RunSpec) -> bytes:
    *_, last = train(spec, load_dataset(spec.dataset), device="cpu")
    assert last.checkpoint is not None
    return last.checkpoint.to_bytes()


@pytest.fixture(scope="module")
def weights() -> bytes:
    return weights_of(SPEC)


def all_of(measured: Iterator[tuple[float, Any]]) -> list[tuple[float, Any]]:
    found = list(measured)
    shares = [share for share, _ in found]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert json.loads(json.dumps(found[-1][1])) is not None  # plain
    return found


def test_a_score_is_what_evaluated_says(weights: bytes) -> None:
    assert all_of(scored(weights, 5))[-1][1] == asdict(evaluated(load_vae(weights), 5))


def test_the_climb_is_the_ladder(weights: bytes) -> None:
    found = all_of(climbed(weights, 120, 7, 17))
    assert len(found) == 3
    vae = load_vae(weights)
    x = Feed(SPEC, load_dataset("digits")).held_out(7)
    *_, last = ladder(vae, x, rungs_up_to(120), stream(SPEC.seed, "ladder"), 17)
    assert found[-1][1] == [asdict(rung) for rung in last.rungs]
    assert found[-1] == all_of(climbed(weights, 120, 7, 17))[-1]  # pure: asked again, the same


def test_the_noise_is_the_calibration(weights: bytes) -> None:
    found = all_of(noise(weights, 20, 17))[-1][1]
    x = Feed(SPEC, load_dataset("digits")).held_out(20)
    here = calibration(load_vae(weights), x, 17, stream(SPEC.seed, "calibration"))
    np.testing.assert_array_equal(found["sigma_found"], here.sigma_found)
    np.testing.assert_array_equal(found["mass"]["shares"], here.mass.shares)
    assert found["neighbours"] == asdict(here.neighbours)


@pytest.mark.parametrize("k", [0, -1, 5001])
def test_draws_out_of_range(weights: bytes, k: int) -> None:
    with pytest.raises(SpecError, match=f"k is {k}; allowed: 1 to 5,000 draws"):
        next(climbed(weights, k, 10, 17))


@pytest.mark.parametrize("images", [1, 400])
def test_images_out_of_range(weights: bytes, images: int) -> None:
    with pytest.raises(SpecError, match=f"images is {images}; allowed: 2 to 359"):
        next(climbed(weights, 10, images, 17))


@pytest.mark.parametrize("measure", [scored, lambda data, levels: noise(data, 10, levels)])
def test_what_cannot_be_scored_or_read(weights: bytes, measure: Any) -> None:
    with pytest.raises(CheckpointError):
        list(measure(weights[:-9], 17))
    of_levels = weights_of(replace(SPEC, likelihood="categorical", levels=5, epochs=1))
    with pytest.raises(LevelsError):
        list(measure(of_levels, 17))


def test_the_page_may_name_them_without_torch() -> None:
    names = "compare, compare_measures, compare_verdict"
    program = f"import sys; from vae_core.lessons import {names}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.stdout == "False\n", done.stderr
    assert MOST_K == MOST_OF_BOUNDS
