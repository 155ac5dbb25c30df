"""How curves and small images are drawn: one colour a decoder, sharp pixels, one scale for sigma."""

from __future__ import annotations

import base64
import io
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from PIL import Image

from vae_core.likelihoods import LIKELIHOODS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# In the order of LIKELIHOODS: Okabe-Ito, then four that are seen on white and on dark as well; a dash goes with each,
# so that colour never stands alone.
_COLOURS = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#A07800", "#2F96D0", "#858585", "#9067D8"]
_DASHES = [[1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [4, 4], [1, 3], [10, 4], [10, 3, 4, 3]]
COLOURS = dict(zip(LIKELIHOODS, _COLOURS, strict=True))
DASHES = dict(zip(LIKELIHOODS, _DASHES, strict=True))
QUIET = "#888888"  # of what is no run's: a baseline, a diagonal; lines only, for text it is too faint
# Streamlit writes in charts in a grey of 3.7:1 on white, whatever the theme. Vega's letters take the page's own colour.
_TEXT = {"labelColor": "currentColor", "titleColor": "currentColor"}
VEGA_TEXT: dict[str, Any] = {"config": {"axis": _TEXT, "legend": _TEXT, "title": {"color": "currentColor"}}}
# Plotly takes no such name: this one Streamlit replaces as it draws, by its darkest or lightest grey.
_PLOTLY_TEXT = "#000037"
WIDTH = 500  # pixels that an enlarged picture has at least, so that a lane need not stretch and blur it


@lru_cache(maxsize=256)
def enlarged(png: bytes) -> str:
    """A grey PNG several times its size with hard pixel edges (the browser would blur them), as a data URL.

    A data URL because a live picture that must be fetched is blank until it has come.
    """
    return _zoom(Image.open(io.BytesIO(png)))


@lru_cache(maxsize=64)
def diverging(png: bytes) -> str:
    """The same with the middle grey white, darker ones blue and lighter ones red: for what has a sign."""
    image = Image.open(io.BytesIO(png)).convert("L")
    image.putpalette(_palette("RdBu_r"))
    return _zoom(image)


def readable(figure: Figure) -> Figure:
    """The same figure with letters that can be read, light and dark."""
    layout = figure.layout  # set one by one: plotly's update_xaxes and update_yaxes take ten times as long
    layout.font.color = layout.legend.font.color = _PLOTLY_TEXT
    for name in layout:
        if re.fullmatch(r"[xy]axis\d*", name) and layout[name] is not None:
            layout[name].tickfont.color = layout[name].title.font.color = _PLOTLY_TEXT
    return figure


def _zoom(image: Image.Image) -> str:
    file = io.BytesIO()
    zoom = -(-WIDTH // image.width)
    large = image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)
    large.save(file, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


@lru_cache
def _palette(name: str) -> list[int]:
    from plotly.colors import sample_colorscale  # not at the top: the first page waits for no plotting library

    colours = sample_colorscale(name, [level / 255 for level in range(256)], colortype="tuple")
    return [round(255 * channel) for colour in colours for channel in colour]
