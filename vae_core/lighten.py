"""A checkpoint without what only training needs: a third of the bytes. No torch here, for the app's own process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from vae_core.errors import CheckpointError


def lighten(data: bytes) -> bytes:
    """The model's weights alone, of `Checkpoint.to_bytes`, in the same format: Adam's two moments of each weight and
    the generator are left out. Raises CheckpointError where the bytes are no whole checkpoint."""
    try:
        tensors = safetensors.numpy.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        if header["sha256"] != digest(tensors):
            raise ValueError("some of its numbers have changed")
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"The saved weights cannot be read ({error}); train this run again.") from error
    model = {name: value for name, value in tensors.items() if name.startswith("model.")}
    return safetensors.numpy.save(model, header | {"sha256": digest(model)})


def digest(tensors: Mapping[str, np.ndarray]) -> str:
    """As `checkpoint` has it, of the same numbers."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        sha.update(name.encode())
        sha.update(np.ascontiguousarray(tensors[name]).tobytes())
    return sha.hexdigest()
