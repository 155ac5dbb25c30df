"""From a data set to what a model sees: which images, in which order, scaled to [0,1] and made black and white."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Generator, Tensor

from vae_core.data import Dataset, split
from vae_core.model import stream
from vae_core.spec import LIVE_IMAGES, RunSpec

EVALUATION_BATCH = 125  # a thousand at once would hold 60 MB of temporaries a worker, and is slower
CPU = torch.device("cpu")


class Feed:
    """Batches on the device. The images stay uint8 there: a quarter of the memory, and free to convert."""

    def __init__(self, spec: RunSpec, data: Dataset, device: torch.device = CPU):
        self.spec, self.levels, self.device = spec, data.levels, device
        train_part, held_out_part = split(spec)
        self.images = torch.from_numpy(data.images).to(device)  # (n, n_pixels) uint8
        self.train_part = torch.from_numpy(train_part).to(device)
        self.held_out_part = torch.from_numpy(held_out_part).to(device)

    def epoch(self, epoch: int, skip: int) -> Iterator[Tensor]:
        """Indices of the batches of one pass, in an order that only seed and epoch decide, less the first `skip`."""
        order = torch.randperm(len(self.train_part), generator=stream(self.spec.seed, f"order {epoch}"))
        for rows in order.to(self.device).split(self.spec.batch_size)[skip:]:
            yield self.train_part[rows]

    def part(self, indices: Tensor) -> Iterator[Tensor]:
        """All of these images in batches small enough for the cache, binarised alike every time."""
        generator = stream(self.spec.seed, "held-out pixels", self.device)
        for some in indices.split(EVALUATION_BATCH):
            yield self.pixels(some, generator)

    def held_out(self, most: int | None = None) -> Tensor:
        """The first `most` held-out images, or all, as the model sees them: (n, n_pixels)."""
        # Whole batches, so that tosses are the same however many are asked for.
        batches = None if most is None else math.ceil(most / EVALUATION_BATCH)
        return torch.cat(list(islice(self.part(self.held_out_part), batches)))[:most]

    def live(self) -> Tensor:
        """Of up to LIVE_IMAGES held-out images what `part` gives of them all, as the model sees them: (n, n_pixels).

        Evenly spread from the least ink to the most, on which the ELBO hangs: on the shipped runs their mean is two
        to three times as near to that of all as the mean of the first ones.
        """
        n = len(self.held_out_part)
        by_ink = self.images[self.held_out_part].long().sum(1).argsort(stable=True)
        live = torch.zeros(n, dtype=torch.bool, device=self.device)
        live[by_ink[torch.linspace(0, n - 1, min(n, LIVE_IMAGES), device=self.device).round().long()]] = True
        batches = zip(self.part(self.held_out_part), live.split(EVALUATION_BATCH))
        return torch.cat([x[some] for x, some in batches])

    def pixels(self, indices: Tensor, generator: Generator) -> Tensor:
        """Those images, (batch, n_pixels) in [0,1]; `generator` is for tosses and noise."""
        x = self.images.index_select(0, indices).float() / self.levels
        x = binarized(x, self.spec.binarize, generator)
        return x if self.spec.dequantize == "none" else dequantized(x, self.spec.n_levels, generator)


def binarized(x: Tensor, how: str, generator: Generator | None = None) -> Tensor:
    """Grey x in [0,1] as it is, cut at one half, or each pixel white with its grey as probability: see BINARIZE."""
    if how == "threshold":
        return (x > 0.5).float()
    return torch.bernoulli(x, generator=generator) if how == "stochastic" else x


def dequantized(x: Tensor, levels: int, generator: Generator | None = None) -> Tensor:
    """x in {k/(levels-1)} with noise uniform on one level's width around it, folded back into [0,1].

    So each value falls uniformly on the part of its level's bin that lies in [0,1], whose log-width added to the mean
    log-density bounds ln P of the level from below. Theis, van den Oord & Bethge 2016 (arXiv 1511.01844), section 3.1.
    """
    u = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    noisy = (x + (u - 0.5) / (levels - 1)).abs()
    return 1 - (1 - noisy).abs()
