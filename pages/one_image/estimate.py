"""The Monte-Carlo estimate of one image's ELBO: its terms as a table, and what more draws do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st

from pages.shared.address import PageSettings
from pages.shared.figures import COLOURS, QUIET, VEGA_TEXT
from pages.shared.naming import badge, title
from pages.shared.numbers import nats
from vae_core.lessons.one_image import MOST_DRAWS, Estimate
from vae_core.spec import RunSpec

TICKS = [digit * 10.0**power for power in range(-8, 6) for digit in (1, 2, 5)]  # of an axis that may span no decade


def choose_draws(settings: PageSettings, drawn_again: Callable[[], None]) -> None:
    def draw_again() -> None:
        settings["draw"] = (settings["draw"] + 1) % 10_000
        drawn_again()

    def four_times() -> None:
        settings["L"] = min(MOST_DRAWS, 4 * settings["L"])

    with st.container(horizontal=True, vertical_alignment="bottom"):
        settings.number("L", "L, draws of z")
        st.button("4 × L", on_click=four_times, disabled=settings["L"] == MOST_DRAWS, icon=":material/filter_4:")
        st.button("Draw again", on_click=draw_again, icon=":material/casino:", type="primary")
        st.caption(f"Set {settings['draw']} of draws. A larger L only adds draws to it.")


def show_estimate(spec: RunSpec, found: Estimate, at_mean: float) -> None:
    term = "−BCE" if spec.loss_only else "ln p(x|z^l,w)".replace("^l", "ˡ")
    bound = "−BCE − KL" if spec.loss_only else "ELBO"
    error = f" ± {found.error:.2f}" if len(found.log_probs) > 1 else ""
    st.markdown(f"**{title(spec)}** {badge(spec)}")
    _draw(spec, found, term)
    st.markdown(
        f"| the terms | nats |\n|:--|--:|\n| {term}, each | {listed(found.log_probs)} |\n"
        f"| their mean | **{nats(found.mean, 2)}**{error} |\n| −\u00a0KL(q‖p(z)) | **−\u00a0{found.kl:.2f}** |\n"
        f"| = {bound} | **{nats(found.elbo, 2)}**{error} |".replace("p(x|", "p(x\\|")
    )
    st.caption(
        f"At z = m alone, {term.replace('ˡ', '')} is {nats(at_mean, 2)}: usually more than at drawn z, for which the "
        f"{bound} asks. Each number is rounded by itself."
    )


def _draw(spec: RunSpec, found: Estimate, term: str) -> None:
    """Above: each draw and the running mean with its standard error. Below: that error against the draws, log-log."""
    rows, name, colour = charted(found), title(spec), {"color": COLOURS[spec.likelihood]}
    dots = {"type": "point", "filled": True, "size": 16, "opacity": 0.5 if len(rows) <= 200 else 0.2, **colour}
    above = [
        _layer({"type": "area", "opacity": 0.35, **colour}, _axis("low")),
        _layer(dots, _axis("draw"), "this draw"),
        _layer({"type": "line", "strokeWidth": 3, **colour}, _axis("mean"), "mean so far"),
    ]
    above[0]["encoding"]["y2"] = {"field": "high"}
    error = lambda field: _axis(field, values=TICKS) | {"scale": {"type": "log", "nice": False}}
    below = [
        _layer({"type": "rule", "strokeDash": [4, 3], "color": QUIET}, error("first")),
        _layer({"type": "line", "point": {"size": 12, **colour}, **colour}, error("error"), "standard error"),
    ]
    below[1]["encoding"]["x"]["title"] = "L, draws so far"
    below[0]["encoding"] |= {"x": {"datum": 1}, "x2": {"datum": MOST_DRAWS}, "y2": {"field": "last"}}
    below[0]["transform"] = [{"filter": "datum.L === 1"}]  # once, not for each draw
    alt = f"{term} of {len(rows)} draws under {name}, and their running mean with its standard error."
    _chart(f"{term}, nats", rows.select(["L", "draw", "mean", "low", "high"]), above, f"draws {spec.likelihood}", alt)
    alt = f"The standard error under {name}, which falls as one over the square root of the number of draws."
    _chart("standard error, nats", rows.select(["L", "error", "first", "last"]), below, f"error {spec.likelihood}", alt)


def charted(found: Estimate) -> pa.Table:
    """The draws (L,), and after each of them the mean of those so far, where its standard error begins and ends, and
    the error itself; with the ends of the line on which the last error lies and falls as 1/√L."""
    values, mean = found.log_probs, found.running_mean
    error = np.where(found.running_error == 0, np.nan, found.running_error)  # all alike: no place on a log axis
    first, last = error[-1] * np.sqrt(len(values) / np.array([1, MOST_DRAWS]))
    rows = {"L": np.arange(1, len(values) + 1), "draw": values, "mean": mean, "low": mean - error, "high": mean + error}
    rows |= {"error": error, "first": np.full(len(values), first), "last": np.full(len(values), last)}
    return pa.table(rows)


def _axis(field: str, **ticks: Any) -> dict[str, Any]:
    """Of nats, as wide as in the chart above or below."""
    axis = {"minExtent": 50, "maxExtent": 50, "tickCount": 5, "format": ",.6~g", **ticks}
    return {"field": field, "type": "quantitative", "title": None, "axis": axis, "scale": {"zero": False}}


def _layer(mark: dict[str, Any], y: dict[str, Any], called: str = "") -> dict[str, Any]:
    """Over the number of draws, which has the same ends in every chart; `called`: so, where one points at it."""
    scale = {"type": "log", "domain": [0.9, 1.1 * MOST_DRAWS], "nice": False}
    x = {"field": "L", "type": "quantitative", "title": None, "scale": scale, "axis": {"values": [1, 10, 100, 1000]}}
    tooltip = [{"field": "L"}, {"field": y["field"], "title": called, "format": ",.7~g"}] if called else None
    return {"mark": mark, "encoding": {"x": x, "y": y, "tooltip": tooltip}}


def _chart(heading: str, rows: pa.Table, layer: list[dict[str, Any]], key: str, alt: str) -> None:
    named = {"title": {"text": heading, "anchor": "start", "fontSize": 12, "fontWeight": "normal", "offset": 6}}
    st.vega_lite_chart(rows, named | {"layer": layer} | VEGA_TEXT, height=200, key=f"one_image.{key}", alt=alt)


def listed(values: np.ndarray) -> str:
    """All of up to four, else the first three and the last."""
    shown_values = [nats(value, 2) for value in (values if len(values) <= 4 else [*values[:3], values[-1]])]
    if len(values) > 4:
        shown_values.insert(3, "…")
    return ", ".join(shown_values)
