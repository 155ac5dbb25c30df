"""What is kept of a run's history, in the store and by whoever hears of it: the more steps, the fewer of them."""

from __future__ import annotations

from vae_core.spec import RunSpec, curve_stride, snapshot_stride

MAX_SNAPSHOTS, MAX_CURVE = 200, 1000


def keep_strides(spec: RunSpec, step: int) -> tuple[int, int]:
    """Of which steps the snapshots, and the points of the training curve, are kept once a run has come so far."""
    return (keep_stride(step, snapshot_stride(spec), MAX_SNAPSHOTS), keep_stride(step, curve_stride(spec), MAX_CURVE))


def keep_stride(step: int, stride: int, most: int) -> int:
    """The smallest `stride * 2^k` of which at most `most` multiples, 0 and the last step included, reach `step`."""
    while step // stride + 2 > most:
        stride *= 2
    return stride
