"""What the Compare page asks of a worker: measurements of one run's weights, each a generator of (share, so far).

Plain values, for they travel. torch is imported when one begins, so that the page may name these functions. Raise
CheckpointError, DataError, LevelsError, and SpecError for an argument out of range: sentences for the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from vae_core.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor

    from vae_core.model import VAE

MOST_K = 5000  # as in compare_bounds, which imports torch


def scored(weights: bytes, levels: int) -> Iterator[tuple[float, Any]]:
    """The fields of `Evaluated`, of all held-out images."""
    from vae_core.checkpoint import load_vae
    from vae_core.lessons.compare import evaluated

    yield 0.0, None
    yield 1.0, asdict(evaluated(load_vae(weights), levels))


def climbed(weights: bytes, k: int, images: int, levels: int) -> Iterator[tuple[float, Any]]:
    """The fields of each `Rung` up to k draws, on the first held-out images."""
    from vae_core.lessons.compare_bounds import ladder, rungs_up_to
    from vae_core.model import stream

    if not 1 <= k <= MOST_K:
        raise SpecError("k", f"k is {k}; allowed: 1 to {MOST_K:,} draws for each image.")
    vae, x = _opened(weights, images)
    for ladder_now in ladder(vae, x, rungs_up_to(k), stream(vae.spec.seed, "ladder"), levels):
        yield ladder_now.progress, [asdict(rung) for rung in ladder_now.rungs]


def noise(weights: bytes, images: int, levels: int) -> Iterator[tuple[float, Any]]:
    """The fields of `Calibration`, on the first held-out images."""
    from vae_core.lessons.compare_calibration import calibration
    from vae_core.model import stream

    yield 0.0, None
    vae, x = _opened(weights, images)
    yield 1.0, _plain(asdict(calibration(vae, x, levels, stream(vae.spec.seed, "calibration"))))


def _opened(weights: bytes, images: int) -> tuple[VAE, Tensor]:
    """The VAE, and its first held-out images as it sees them: (images, n_pixels)."""
    from vae_core.checkpoint import load_vae
    from vae_core.data import load_dataset
    from vae_core.feed import Feed

    vae = load_vae(weights)
    if not 2 <= images <= vae.spec.n_held_out:
        raise SpecError("images", f"images is {images}; allowed: 2 to {vae.spec.n_held_out:,}, as are held out.")
    return vae, Feed(vae.spec, load_dataset(vae.spec.dataset)).held_out(images)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value
