"""Many small grey images as one PNG. No torch here: pages draw with it too."""

from __future__ import annotations

import math
import struct
import zlib
from functools import lru_cache

import numpy as np

GAP = 127  # the grey between images, and of places without one


def png(images: np.ndarray, columns: int = 6) -> bytes:
    """(n, side, side) tiled in rows of `columns`, one pixel between, as a PNG.

    Written here, in a third of the time a library takes for so small a file: a run makes some hundreds of them.
    """
    n, side, _ = images.shape
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    tiles = np.full((rows * columns, side + 1, side + 1), GAP, np.uint8)
    tiles[:n, :side, :side] = images
    sheet = tiles.reshape(rows, columns, side + 1, side + 1).swapaxes(1, 2).reshape(rows * (side + 1), -1)
    sheet = np.ascontiguousarray(sheet[:-1, :-1])
    return _png(sheet.tobytes(), *sheet.shape)


@lru_cache(maxsize=128)  # pages show the same pictures again and again; a large sheet takes some 30 kB here
def _png(sheet: bytes, height: int, width: int) -> bytes:
    """An 8-bit grey PNG. Its three chunks: W3C, Portable Network Graphics (Third Edition), sections 5 and 11."""
    lines = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: 0, none
    lines[:, 1:] = np.frombuffer(sheet, np.uint8).reshape(height, width)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 3)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
