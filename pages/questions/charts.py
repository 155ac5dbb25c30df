"""How the page Questions draws: curves with points on them, lying bars, and pictures in a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from pages.shared.figures import COLOURS, DASHES, VEGA_TEXT, enlarged
from pages.shared.numbers import nats
from vae_core.lessons.questions import Curve, Curves
from vae_core.tiles import png

HEIGHT = 240
INK = [[COLOURS[key], DASHES[key]] for key in ("gaussian_identity", "bernoulli", "gaussian_learned", "laplace")]
QUIET = "#888888"


def rows(curve: Curve, **more: str) -> list[dict[str, Any]]:
    """A curve's points as a chart's data."""
    return [{"x": x, "y": y, **more} for x, y in zip(*(np.asarray(values).tolist() for values in curve))]


def layers(found: Curves, x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    names = list(found.curves)
    data = {"values": [row for name, curve in found.curves.items() for row in rows(curve, name=name)]}
    scale = lambda i: {"domain": names, "range": [INK[k % len(INK)][i] for k in range(len(names))]}
    legend = {"orient": "bottom", "title": None, "columns": 1} if len(names) > 1 else None
    field = {"field": "name", "type": "nominal", "legend": legend}
    place = {"x": {"field": "x", "type": "quantitative", **x}, "y": {"field": "y", "type": "quantitative", **y}}
    ink = {"color": {**field, "scale": scale(0)}, "strokeDash": {**field, "scale": scale(1)}}
    drawn: list[dict[str, Any]] = [{"data": data, "mark": {"type": "line", "clip": True}, "encoding": {**place, **ink}}]
    if found.points:
        dots = {"values": [{"x": a, "y": b, "text": text} for text, (a, b) in found.points.items()]}
        point: dict[str, Any] = {
            "mark": {"type": "point", "filled": True, "size": 70, "color": QUIET},
            "encoding": place,
        }
        words: dict[str, Any] = {
            "mark": {"type": "text", "align": "left", "dx": 8, "dy": -8, "fontSize": 13, "color": "currentColor"}
        }
        drawn += [{"data": dots, **point}, {"data": dots, **words, "encoding": {**place, "text": {"field": "text"}}}]
    return drawn


def draw(drawn: list[dict[str, Any]], alt: str, height: int = HEIGHT) -> None:
    st.vega_lite_chart(pd.DataFrame(), {"layer": drawn} | VEGA_TEXT, height=height, width=640, alt=alt)


def curves(found: Curves, x: str, y: str, alt: str, log_x: bool = False) -> None:
    scale = {"type": "log"} if log_x else {"zero": False, "nice": False}
    along = {"title": x, "scale": scale, "axis": {"tickCount": 7, "grid": not log_x}}
    draw(layers(found, along, {"title": y, "axis": {"tickCount": 4}}), alt, HEIGHT + 20 * len(found.curves))


def bars(values: dict[str, float], x: str, alt: str, sort: bool = False) -> None:
    """Lying, a line each, with its number."""
    y = {"field": "name", "type": "nominal", "title": None, "sort": None if not sort else "-x"}
    ends = [side(0, 1.25 * side(values.values())) for side in (min, max)]  # with room for the numbers
    room = {"domain": ends, "nice": False}
    across = {"field": "value", "type": "quantitative", "title": x, "scale": room, "axis": {"tickCount": 5}}
    data = {"values": [{"name": name, "value": value, "text": _number(value)} for name, value in values.items()]}
    bar = {"data": data, "mark": {"type": "bar", "color": INK[0][0]}, "encoding": {"x": across, "y": y}}
    words: dict[str, Any] = {
        "type": "text",
        "align": {"expr": "datum.value < 0 ? 'right' : 'left'"},
        "color": "currentColor",
    }
    words |= {"dx": {"expr": "datum.value < 0 ? -4 : 4"}, "fontSize": 12}
    text = {"data": data, "mark": words, "encoding": {"x": across, "y": y, "text": {"field": "text"}}}
    draw([bar, text], alt, 50 + 32 * len(values))


def _number(value: float) -> str:
    return nats(value) if abs(value) >= 1 else f"{value:.2f}"


def pictured(images: dict[str, np.ndarray], columns: int, width: int) -> None:
    with st.container(horizontal=True, gap="small"):
        for name, image in images.items():
            st.image(enlarged(png(image, columns=columns)), caption=name, width=width, alt=name)
