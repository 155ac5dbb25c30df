"""What a stage in a browser is told of its runs: their state, and every snapshot that it has not got yet."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from pages.shared.naming import label, title
from vae_core.lessons.train import bits, remarks
from vae_core.runs import kept
from vae_core.runs.line import counts
from vae_core.runs.store import Run, Store
from vae_core.runs.thinning import keep_strides
from vae_core.spec import RunSpec, make_likelihood

NUMBERS = ("step", "reconstruction", "kl", "elbo", "mse", "active_latents", "sigma")


def answer(store: Store, asked: Mapping[str, int], problem: str = "") -> bytes:
    """`asked`: the step of the newest snapshot that the stage has, by run id; `problem`: what is wrong with the engine
    or makes runs wait, if something does. `removed` are those that the stage has something of, and that somebody has
    deleted since. Raises StoreError.

    The length of a JSON header (4 bytes, little-endian), the header, and the pictures: each snapshot's `parts` say
    from and to which byte after the header each of them stands."""
    runs = {run_id: run for run_id in asked if (run := store.run(run_id)) is not None}
    histories = {run_id: store.history(run_id) for run_id in runs}
    names = called({run_id: run.spec for run_id, run in runs.items()})
    blobs = bytearray()
    missing = [run_id for run_id, step in asked.items() if step >= 0 and run_id not in runs]
    removed = {run_id: spec for run_id in missing if (spec := kept.removed(store, run_id)) is not None}
    told = {
        "problem": " ".join(filter(None, [problem, _deleted(list(called(removed).values()))])),
        "removed": list(removed),
        "runs": {run_id: _told(store, run, histories[run_id], asked[run_id], blobs) for run_id, run in runs.items()},
        "remarks": [vars(one) for one in remarks(histories, {run_id: run.spec for run_id, run in runs.items()}, names)],
    }
    header = json.dumps(told, separators=(",", ":")).encode()
    return struct.pack("<I", len(header)) + header + blobs


def _deleted(names: list[str]) -> str:
    runs, it = ("This run was", "it") if len(names) == 1 else ("These runs were", "them")
    return f"{runs} deleted: {'; '.join(names)}. Training {it} again gives the same." if names else ""


def called(specs: Mapping[str, RunSpec]) -> dict[str, str]:
    """By run id, as short as tells them apart."""
    titles = {run_id: title(spec) for run_id, spec in specs.items()}
    twice = [one for one in titles.values() if list(titles.values()).count(one) > 1]
    return {run_id: label(specs[run_id]) if one in twice else one for run_id, one in titles.items()}


def _told(store: Store, run: Run, history: list[dict[str, Any]], after: int, blobs: bytearray) -> dict[str, Any]:
    keep, keep_of_curve = keep_strides(run.spec, run.step)
    pictures = store.pictures_after(run.id, after)
    in_line, training = counts(store) if run.status == "queued" else (0, 0)
    return {
        "status": run.status,
        "message": run.message,
        "step": run.step,
        "seconds": run.seconds,
        "images_per_second": run.images_per_second,
        "seconds_left": run.seconds_left,
        "in_line": in_line,
        "training": training,
        # Whoever has more drops what the store drops, so that a long run stays bounded there too.
        "keep": keep,
        "keep_of_curve": keep_of_curve,
        "curve": [point for point in store.curve(run.id) if point[0] > after],
        "snapshots": [
            {name: numbers[name] for name in NUMBERS}
            | {"bits": bits(numbers, run.spec), "parts": _parts(pictures.get(numbers["step"], {}), blobs)}
            for numbers in history
            if numbers["step"] > after
        ],
    }


def _parts(pictures: Mapping[str, bytes], blobs: bytearray) -> dict[str, list[int]]:
    """Where each picture stands among the blobs, at whose end it is put."""
    parts = {}
    for name, data in pictures.items():
        parts[name] = [len(blobs), len(blobs) + len(data)]
        blobs += data
    return parts


def pixel(store: Store, run_id: str, image: int, place: int) -> dict[str, Any]:
    """x_d of one of the first held-out images, and the decoder's raw outputs for that pixel after each step.

    {"x": a number, "steps": [...], "outputs": [[f at the pixel, one number a plane], ...]}; no steps for a run of an
    earlier app, which did not keep them. Raises StoreError, and LookupError for a pixel or run that is not there."""
    run = store.run(run_id)
    if run is None or not 0 <= place < run.spec.n_pixels or image < 0:
        raise LookupError(run_id)
    n = run.spec.n_pixels
    found: dict[str, Any] = {"x": None, "steps": [], "outputs": []}
    for step, data in store.exact(run_id).items():
        rows = np.frombuffer(data, "<f4").reshape(-1, n + make_likelihood(run.spec).n_outputs)
        if image >= len(rows):
            raise LookupError(image)
        x, f = rows[image, :n], rows[image, n:]
        planes, shared = f[: len(f) // n * n].reshape(-1, n), f[len(f) // n * n :]  # (planes, n), weights of their own
        found["x"] = float(x[place])
        found["steps"].append(step)
        found["outputs"].append([*planes[:, place].tolist(), *shared.tolist()])
    return found
