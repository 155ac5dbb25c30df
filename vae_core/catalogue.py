"""The data sets' facts, without loading any of them."""

from __future__ import annotations

from typing import NamedTuple


class DatasetInfo(NamedTuple):
    title: str
    n_images: int
    side: int  # images are side x side
    levels: int  # the value that means white
    file: str  # below assets/data, or the name in the download cache
    openml: str | None = None  # name on OpenML where it must be downloaded

    @property
    def n_pixels(self) -> int:
        return self.side**2


DATASETS: dict[str, DatasetInfo] = {
    "mnist": DatasetInfo("MNIST digits, 5,000", 5_000, 28, 255, "mnist_5k.npz"),
    "fashion": DatasetInfo("Fashion-MNIST, 5,000", 5_000, 28, 255, "fashion_5k.npz"),
    "digits": DatasetInfo("Small digits 8×8, 1,797", 1_797, 8, 16, "digits.npz"),
    "mnist_full": DatasetInfo("MNIST, 60,000 (download)", 60_000, 28, 255, "mnist_60k.npz", "mnist_784"),
    "fashion_full": DatasetInfo(
        "Fashion-MNIST, 60,000 (download)", 60_000, 28, 255, "fashion_60k.npz", "Fashion-MNIST"
    ),
}
# What becomes of grey pixels, and what noise is added, by the names on the page.
BINARIZE = {"none": "As they are (grey)", "threshold": "Black and white", "stochastic": "Tossed like coins"}
DEQUANTIZE = {"none": "No noise", "uniform": "Uniform noise, one level wide"}
