"""How the Compare page draws: a run has its decoder's colour, and a marker and a dash of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared.figures import COLOURS, QUIET, readable
from vae_core.spec import RunSpec

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon")


@dataclass(frozen=True)
class Look:
    colour: str
    dash: str
    symbol: str


def looks(specs: Sequence[RunSpec]) -> dict[str, Look]:
    """By id, in this order."""
    return {
        spec.id: Look(COLOURS.get(spec.likelihood, QUIET), DASHES[i % len(DASHES)], SYMBOLS[i % len(SYMBOLS)])
        for i, spec in enumerate(specs)
    }


def figure(x: str, y: str, height: int, legend: bool = True, **layout: Any) -> Figure:
    """Empty, with its axes named and a legend below."""
    from plotly.graph_objects import Figure  # not at the top: the first screen waits for no plotting library

    below = {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0}
    margin = {"l": 8, "r": 8, "t": 28, "b": 8}
    drawn = Figure(layout={"height": height, "margin": margin, "legend": below, "showlegend": legend, **layout})
    drawn.update_xaxes(title_text=x, automargin=True)
    drawn.update_yaxes(title_text=y, automargin=True)
    return drawn


def draw(drawn: Figure, key: str, alt: str) -> None:
    st.plotly_chart(readable(drawn), key=key, alt=alt, config={"displaylogo": False, "displayModeBar": False})
