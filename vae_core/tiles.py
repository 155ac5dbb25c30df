"""Many small grey images as one PNG. No torch here: pages draw with it too."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image


def png(images: np.ndarray, columns: int = 6) -> bytes:
    """(n, side, side) tiled in rows of `columns`, one pixel between, as a PNG."""
    n, side, _ = images.shape
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    sheet = np.full((rows * (side + 1) - 1, columns * (side + 1) - 1), 127, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        top, left = row * (side + 1), column * (side + 1)
        sheet[top : top + side, left : left + side] = image
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG", compress_level=3)
    return file.getvalue()
