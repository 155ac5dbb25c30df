"""The first thing to see: the noise that the loss assumes, on the scale from black to white."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages.shared.figures import COLOURS, VEGA_TEXT
from vae_core.lessons.assumed import LossCode, meaning
from vae_core.lessons.assumed_noise import noise

QUIET = "#888888"


@st.cache_data(max_entries=64, show_spinner=False)
def show_noise(code: LossCode) -> None:
    found, drawn = meaning(code), noise(code)
    share = f"{drawn.inside:.1%}".replace("%", " %")
    if found.parameter != "beta":
        said = f"The noise your loss assumes around a mid-grey output: **{share}** of it lies between black and white, "
        said += "shaded"
    elif found.normalised:
        said = "What your loss assumes of a pixel whose λ is 0.8: white with that chance, else black"
    else:
        said = f"e to the power of −loss at λ = 0.8: its area from black to white is **{drawn.inside:.2f}**, not 1"
    st.markdown(f"{said}.")
    x: dict[str, Any] = {"field": "x", "type": "quantitative", "title": "x: black 0, white 1", "scale": {"nice": False}}
    y = {"field": "p", "type": "quantitative", "title": None, "axis": {"tickCount": 3}}
    rows = {"values": [{"x": x, "p": p} for x, p in zip(drawn.x.tolist(), drawn.p.tolist())]}
    mark = {"type": "bar", "size": 12} if found.normalised and found.parameter == "beta" else {"type": "line"}
    grey = {
        "data": {"values": [{"x": 0, "to": 1}]},
        "mark": {"type": "rect", "color": QUIET, "opacity": 0.35, "stroke": QUIET},
        "encoding": {"x": x, "x2": {"field": "to"}},
    }
    curve = {"data": rows, "mark": {**mark, "color": COLOURS[found.likelihood]}, "encoding": {"x": x, "y": y}}
    drawn_with = {"layer": [grey, curve]} | VEGA_TEXT
    st.vega_lite_chart(pd.DataFrame(), drawn_with, height=170, key="assumed.noise", alt=said)
