"""The pictures of one image under each decoder, in which a pixel can be picked: Python's side of the widget."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from plotly.colors import sequential

from pages.shared.figures import COLOURS
from pages.shared.naming import badge_words, ln_p_is, title
from pages.shared.numbers import nats
from pages.shared.widget import sent, widget
from vae_core.lessons.one_image import Pixels
from vae_core.likelihoods import LIKELIHOODS
from vae_core.spec import RunSpec, make_likelihood

PALETTES = {"grey": ["#000000", "#ffffff"], "viridis": sequential.Viridis, "cost": sequential.Magma[::-1]}
KEY = "one_image.map"
LEAST_SIGMA = 1e-3  # on the scale of a map: a quarter of one of 256 levels
Row = Callable[[np.ndarray], int]

_MAP = widget("one_image", "pixel_map", "svg", "canvas", "likelihoods", "lighting", "formulas", "density", "badges")


def pixel_map(x: np.ndarray, views: list[tuple[RunSpec, Pixels]], pixel: int, picked: Callable[[int], None]) -> None:
    """Draw x (n_pixels,) and what each decoder says of its pixels. `pixel` is marked first, -1 for the costliest;
    `picked` hears of another once the pointer or key is let go."""
    side = round(len(x) ** 0.5)
    rows = [x]  # (n_pixels,) each

    def row(values: np.ndarray) -> int:
        rows.append(values)
        return len(rows) - 1

    def released() -> None:
        found = sent(KEY, "pixel")
        if found in range(len(x)):
            picked(int(found))

    decoders = [_panel(spec, pixels, row) for spec, pixels in views]
    _MAP(
        key=KEY,
        data={
            "side": side,
            "pixel": pixel,
            "start": decoders[0]["costliest"],
            "palettes": PALETTES,
            "input": _grey(0, "x, the image", "The image x."),
            "decoders": decoders,
            "arrays": base64.b64encode(np.stack(rows).astype("<f4").tobytes()).decode(),
        },
        on_pixel_change=released,
    )


def _panel(spec: RunSpec, pixels: Pixels, row: Row) -> dict[str, Any]:
    kind = LIKELIHOODS[spec.likelihood]
    whole, one = ("−BCE", "−BCE of x_d") if spec.loss_only else ("ln p(x|z,w)", "ln p(x_d|z,w)")
    under = f"of each pixel under {title(spec)}"
    cost = _scaled("log_prob", row, pixels.log_prob, "cost", partial(nats, places=2), f"{one}, nats")
    cost["alt"] = f"{one} {under}, {' to '.join(cost['ends'])} nats."
    clipped = ", clipped for display" if pixels.mean.min() < 0 or pixels.mean.max() > 1 else ""
    mean = f"mean {kind.mean_symbol}_d" if kind.mean_symbol else "mean"
    images = [_grey(row(pixels.mean), mean + clipped, f"{mean} {under}.") | {"name": "mean"}]
    # With one output a pixel, sigma is fixed or the mean says it already; and the same everywhere is no picture.
    if len(pixels.outputs) > 1 and np.ptp(pixels.stddev):
        shown = pixels.stddev.clip(min=LEAST_SIGMA)
        sigma = _scaled("stddev", row, shown, "viridis", "{:.2g}".format, "σ_d, log scale")
        if pixels.stddev.min() < LEAST_SIGMA:
            sigma["ends"][0] += " or less"
        images.append(sigma | {"log": True, "alt": f"σ {under}."})
    return {
        "key": spec.likelihood,
        "settings": make_likelihood(spec).given,
        "title": title(spec),
        "kind": ln_p_is(spec),
        "badge": badge_words(spec),
        "term": one,
        "total": f"{whole} = Σ_d {one} = {nats(pixels.total)} nats",
        "colour": COLOURS[spec.likelihood],
        "outputs": [row(values) for values in pixels.outputs],
        "log_prob": cost["row"],
        "costliest": pixels.costliest,
        "images": [*images, cost],
    }


def _scaled(
    name: str, row: Row, values: np.ndarray, palette: str, write: Callable[[float], str], caption: str
) -> dict[str, Any]:
    """A picture in colours, from its lowest value to its highest."""
    low, high = float(values.min()), float(values.max())
    place = {"name": name, "row": row(values), "caption": caption}
    return place | {"palette": palette, "low": low, "high": high, "ends": [write(low), write(high)]}


def _grey(row: int, caption: str, alt: str) -> dict[str, Any]:
    return {"row": row, "palette": "grey", "low": 0, "high": 1, "ends": ["0", "1"], "caption": caption, "alt": alt}
