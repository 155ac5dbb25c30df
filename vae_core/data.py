"""Loading a data set, and which of its images are held out. numpy alone, so that pages may read it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np

from vae_core.catalogue import DATASETS
from vae_core.download import cached_download
from vae_core.errors import DataError
from vae_core.folders import ASSETS, home
from vae_core.spec import RunSpec


@dataclass(frozen=True)
class Dataset:
    """Images as stored (uint8, so that 60,000 fit in 47 MB); `scaled` gives what a model sees."""

    name: str
    images: np.ndarray  # (n, n_pixels) uint8, 0 .. levels
    labels: np.ndarray  # (n,) uint8
    levels: int

    def scaled(self, indices: np.ndarray) -> np.ndarray:
        """Those images in [0,1], float32, (len(indices), n_pixels)."""
        return self.images[indices].astype(np.float32) / np.float32(self.levels)


def is_here(name: str) -> bool:
    """Whether this data set can be loaded without a download."""
    info = DATASETS[name]
    return info.openml is None or (home() / "data" / info.file).exists()


def load_dataset(
    name: str, progress: Callable[[str, float], None] | None = None, should_stop: Callable[[], bool] = lambda: False
) -> Dataset:
    """A data set by its key in DATASETS; `progress(sentence, share)` hears of a download, which `should_stop` may end.

    Raises DownloadStoppedError when that ends it, and DataError when the name is unknown, the file is damaged, or a
    download fails.
    """
    if name not in DATASETS:
        raise DataError(f"{name!r} is not a data set; allowed: {', '.join(DATASETS)}.")
    info = DATASETS[name]
    cure = "put back the file that came with the app" if info.openml is None else "delete it and try again"
    path = ASSETS / "data" / info.file if info.openml is None else cached_download(info, progress, should_stop)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error) as error:
        raise DataError(f"The data file {path} cannot be read ({error}); {cure}.") from error
    if images.shape != (info.n_images, info.side, info.side) or images.dtype != np.uint8:
        raise DataError(f"The data file {path} does not hold {info.n_images} images; {cure}.")
    return Dataset(name, images.reshape(info.n_images, info.n_pixels), labels, info.levels)


def split(spec: RunSpec) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and the held-out images: a shuffle fixed by the seed alone."""
    order = np.random.default_rng(spec.seed).permutation(DATASETS[spec.dataset].n_images)
    return order[spec.n_held_out :], order[: spec.n_held_out]
