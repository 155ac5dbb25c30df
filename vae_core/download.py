"""Fetching the 60,000-image data sets once, through scikit-learn, into a cache on disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import numpy as np

from vae_core.catalogue import DatasetInfo
from vae_core.errors import DataError
from vae_core.folders import home, private

# What the two archives weigh, compressed; only the progress shown depends on it.
EXPECTED_BYTES = {"mnist_784": 15_500_000, "Fashion-MNIST": 33_000_000}


def cached_download(info: DatasetInfo, progress: Callable[[str, float], None] | None = None) -> Path:
    """The path of the data set's .npz in the cache, downloading it first where it is not there.

    Raises DataError with what to do when there is no network.
    """
    folder = home() / "data"
    path = folder / info.file
    if path.exists():
        return path
    from filelock import FileLock  # several lanes may ask for the same data at once

    try:
        private(home())
        folder.mkdir(exist_ok=True)
        with FileLock(folder / f"{info.file}.lock"):
            if not path.exists():
                _download(info, path, progress or (lambda sentence, share: None))
    except (OSError, HTTPException, EOFError, ValueError) as error:  # no network, a broken transfer, a full disk
        raise DataError(
            f"{info.title} could not be downloaded from OpenML ({error}). Connect to the network (and see that the "
            "disk is not full), then press Train again; or choose a data set that ships with the app."
        ) from error
    return path


def _download(info: DatasetInfo, path: Path, progress: Callable[[str, float], None]) -> None:
    from sklearn.datasets import fetch_openml

    assert info.openml is not None
    raw = path.parent / "openml"
    finished = threading.Event()

    def watch() -> None:  # fetch_openml has no progress of its own: look at what has arrived on disk
        while not finished.wait(0.5):
            arrived = sum(f.stat().st_size for f in raw.rglob("*") if f.is_file())
            progress(f"Downloading {info.title}", min(0.99, arrived / EXPECTED_BYTES[info.openml or ""]))

    progress(f"Downloading {info.title}", 0.0)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        table = fetch_openml(info.openml, version=1, as_frame=False, data_home=str(raw), parser="liac-arff")
    finally:
        finished.set()
        watcher.join()
    images = table.data[: info.n_images].astype(np.uint8).reshape(-1, info.side, info.side)
    labels = table.target[: info.n_images].astype(np.uint8)
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, images=images, labels=labels)
    progress("", 1.0)
    os.replace(part, path)  # a half-written file never has the real name
