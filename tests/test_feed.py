"""What a model sees of the pixels when noise is added to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from vae_core import RunSpec, load_dataset
from vae_core.catalogue import BINARIZE
from vae_core.data import split
from vae_core.feed import Feed, dequantized
from vae_core.spec import LIVE_IMAGES


def test_noise_is_uniform_on_each_levels_bin_folded_into_the_unit_interval() -> None:
    """Theis et al. 2016: x + u, u one level wide; no value leaves [0,1], and each still says its level."""
    for levels in (2, 17, 256):
        x = (torch.arange(levels) / (levels - 1)).expand(4000, levels)
        noisy = dequantized(x, levels, torch.Generator().manual_seed(levels))
        assert noisy.min() >= 0 and noisy.max() <= 1
        lost = (noisy * (levels - 1)).round() != x * (levels - 1)  # on an edge, by rounding
        assert lost.float().mean() < 1e-4
        inner = ((noisy - x) * (levels - 1) + 0.5)[:, 1:-1]
        outer = torch.cat([noisy[:, :1], 1 - noisy[:, -1:]], 1) * 2 * (levels - 1)  # half as wide
        for u in (inner.flatten(), outer.flatten()):
            if len(u):
                assert stats.kstest(u.numpy(), "uniform").pvalue > 1e-3


def test_a_run_with_noise_sees_the_same_noise_when_held_out_and_other_noise_each_step() -> None:
    spec = RunSpec(dataset="digits", likelihood="gaussian_shared", dequantize="uniform")
    data = load_dataset("digits")
    feed, plain = Feed(spec, data), Feed(RunSpec(dataset="digits"), data)
    assert torch.equal(feed.held_out(), feed.held_out())
    assert torch.equal((feed.held_out() * 16).round() / 16, plain.held_out())
    g = torch.Generator().manual_seed(0)
    rows = feed.train_part[:5]
    assert not torch.equal(feed.pixels(rows, g), feed.pixels(rows, g))


@pytest.mark.parametrize("binarize", BINARIZE)
def test_live_images_are_held_out_ones_from_the_least_ink_to_the_most(binarize: str) -> None:
    spec, data = RunSpec(binarize=binarize, held_out=0.5), load_dataset("mnist")
    feed = Feed(spec, data)
    live = feed.live()
    assert len(live) == LIVE_IMAGES
    rows = {image.numpy().tobytes(): row for row, image in enumerate(feed.held_out())}  # with the same tosses
    at = [rows[image.numpy().tobytes()] for image in live]
    assert at == sorted(set(at))
    ink = data.images[split(spec)[1]].sum(1, dtype=np.int64)
    rank = np.searchsorted(np.sort(ink), ink[at]) / len(ink)
    assert stats.kstest(rank, "uniform").statistic < 0.01  # a draw at random of so many: 0.05


def test_few_held_out_images_are_all_live() -> None:
    feed = Feed(RunSpec(dataset="digits", held_out=0.05), load_dataset("digits"))
    assert torch.equal(feed.live(), feed.held_out())
