"""Rows of small images in one picture, each row with its name: what the latent page's views are made of."""

from __future__ import annotations

import base64

import numpy as np

from pages.shared.widget import widget
from vae_core.tiles import png

_SHEET = widget("latent", "sheet")


def sheet(key: str, rows: dict[str, np.ndarray], alt: str, columns: list[str] | None = None, width: int = 1200) -> None:
    """Each row is (n, side, side) uint8, all of one n; `width` is the widest it may become, in pixels."""
    images = np.stack(list(rows.values()))  # (rows, n, side, side)
    picture = png(images.reshape(-1, *images.shape[2:]), columns=images.shape[1])
    src = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    _SHEET(key=key, data={"src": src, "alt": alt, "rows": list(rows), "columns": columns or [], "width": width})
