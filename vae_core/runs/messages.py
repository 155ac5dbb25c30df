"""What a worker tells the app of a run. A worker sends these as Dask events, and returns the last as its result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_origin

import numpy as np

from vae_core.tiles import png

if TYPE_CHECKING:
    from vae_core.training import Snapshot


@dataclass(frozen=True, kw_only=True)
class Message:
    run: str  # id
    token: str  # of the try, so that an echo of an earlier one is known
    worker: str = ""  # its address, which Dask's scheduler writes into every event that passes through it


@dataclass(frozen=True, kw_only=True)
class Said(Message):
    sentence: str  # for whoever watches the run; an empty one takes the last away


@dataclass(frozen=True, kw_only=True)
class Begun(Message):
    step: int  # training goes on after this one; -1: from the start


@dataclass(frozen=True, kw_only=True)
class Progress(Message):  # a snapshot
    numbers: Mapping[str, Any]  # see `numbers` below
    pictures: Mapping[str, bytes]  # see `pictures` below
    curve: Sequence[Sequence[float]]  # step, reconstruction, kl (nats per image) since the snapshot before
    images_per_second: float


@dataclass(frozen=True, kw_only=True)
class Ended(Progress):  # the last snapshot: what the task returns, and no event
    status: Literal["done", "stopped", "diverged", "aside"]
    message: str  # why the run ended early
    weights: bytes  # a checkpoint
    result: Mapping[str, Any] | None  # a `training.Result`; None of a run set aside


def numbers(snapshot: "Snapshot") -> dict[str, Any]:
    """What a snapshot measures, as plain JSON values."""
    evaluation = snapshot.held_out
    return {
        "step": snapshot.step,
        "images_seen": snapshot.images_seen,
        "seconds": snapshot.seconds,
        **vars(evaluation.means),
        "kl_per_latent": evaluation.kl_per_latent.tolist(),
        "active_latents": evaluation.active_latents,
        "sigma": vars(evaluation.sigma) if evaluation.sigma else None,
    }


def pictures(snapshot: "Snapshot") -> dict[str, bytes]:
    """What a snapshot shows, by the names of the fields of `pictures.Pictures`: PNGs of its images, and its exact
    numbers as little-endian float32."""
    found = {name: sheet for name, sheet in vars(snapshot.pictures).items() if sheet is not None}
    return {
        name: png(sheet) if sheet.dtype == np.uint8 else sheet.astype("<f4").tobytes() for name, sheet in found.items()
    }


def to_wire(message: Message) -> dict[str, Any]:
    """Plain values, for Dask's events are msgpack."""
    return {"kind": type(message).__name__, **vars(message)}


def from_wire(event: Any) -> Message:
    """Raises ValueError for what is no message."""
    values = dict(event) if isinstance(event, Mapping) else {}
    kind = {"Said": Said, "Begun": Begun, "Progress": Progress}.get(str(values.pop("kind", "")), Message)
    # The types themselves are in the fields, not their names, because this file does without `annotations`.
    wanted: dict[str, Any] = {one.name: get_origin(one.type) or one.type for one in fields(kind)}
    wrong = [name for name in wanted if not isinstance(values.get(name), wanted[name])]
    if kind is Message or wrong or values.keys() != wanted.keys():
        raise ValueError(f"no message: {str(event)[:200]}")
    return kind(**values)
