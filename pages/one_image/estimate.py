"""The Monte-Carlo estimate of one image's ELBO: its terms as a table, and what more draws do to it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from pages.shared.address import PageSettings
from pages.shared.figures import COLOURS, QUIET, readable
from pages.shared.naming import badge, title
from pages.shared.numbers import nats
from vae_core.lessons.one_image import MOST_DRAWS, Estimate, running
from vae_core.spec import RunSpec


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
    _draw(found.log_probs.tobytes(), spec.likelihood, title(spec), term)
    st.markdown(
        f"| the terms | nats |\n|:--|--:|\n| {term}, each | {listed(found.log_probs)} |\n"
        f"| their mean | **{nats(found.mean, 2)}**{error} |\n| −\u00a0KL(q‖p(z)) | **−\u00a0{found.kl:.2f}** |\n"
        f"| = {bound} | **{nats(found.elbo, 2)}**{error} |".replace("p(x|", "p(x\\|")
    )
    st.caption(
        f"At z = m alone, {term.replace('ˡ', '')} is {nats(at_mean, 2)}: usually more than at drawn z, for which the "
        f"{bound} asks. Each number is rounded by itself."
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _draw(log_probs: bytes, likelihood: str, name: str, term: str) -> None:
    """Kept by the bytes of what it draws, (L,) float64: to build a chart takes longer than all else on the page."""
    values = np.frombuffer(log_probs)
    st.plotly_chart(
        readable(estimate_chart(values, *running(values), COLOURS[likelihood], term)),
        key=f"one_image.chart {likelihood}",
        config={"displayModeBar": False},
        alt=f"{term} of {len(values)} draws under {name}, their running mean, and its standard error, which falls as "
        "one over the square root of the number of draws.",
    )


def listed(values: np.ndarray) -> str:
    """All of up to four, else the first three and the last."""
    shown_values = [nats(value, 2) for value in (values if len(values) <= 4 else [*values[:3], values[-1]])]
    if len(values) > 4:
        shown_values.insert(3, "…")
    return ", ".join(shown_values)


def estimate_chart(values: np.ndarray, means: np.ndarray, errors: np.ndarray, colour: str, term: str) -> go.Figure:
    """Above: each draw and the running mean with its standard error. Below: that error against the draws, log-log."""
    number = len(values)
    count = np.arange(1, number + 1)
    some = np.unique(np.geomspace(1, number, 120).round().astype(int)) - 1  # enough points for a line on a log axis
    some_errors = some[some > 0]
    at, error = count[some_errors], errors[some_errors]
    mean = means[some_errors]
    layout = {
        "height": 300,
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
        "showlegend": False,  # the words above say what is what, and a small screen has no room
        "xaxis": {"type": "log", "range": [-0.05, math.log10(MOST_DRAWS) + 0.05], "anchor": "y2", "dtick": 1}
        | {"title": {"text": "L, draws so far"}},
        "yaxis": {"domain": [0.46, 1], "title": {"text": f"{term}, nats"}},
        "yaxis2": {"domain": [0, 0.36], "type": "log", "title": {"text": "standard error, nats"}, "dtick": 1},
    }
    traces = [
        {"x": count, "y": values, "mode": "markers", "name": "each draw"}
        | {"marker": {"color": colour, "size": 4, "opacity": 0.5 if number <= 200 else 0.2}},
        {"x": np.concatenate([at, at[::-1]]), "y": np.concatenate([mean + error, (mean - error)[::-1]])}
        | {"fill": "toself", "fillcolor": colour, "opacity": 0.35, "line": {"width": 0}, "hoverinfo": "skip"},
        {"x": count[some], "y": means[some], "mode": "lines", "name": "running mean"}
        | {"line": {"color": colour, "width": 3}},
        {"x": at, "y": error, "mode": "lines+markers", "yaxis": "y2", "name": "standard error"}
        | {"line": {"color": colour}, "marker": {"size": 4}},
    ]
    if number > 1 and errors[-1] > 0:
        ends = np.array([1, MOST_DRAWS])
        falling = {
            "x": ends,
            "y": errors[-1] * np.sqrt(number / ends),
            "mode": "lines",
            "yaxis": "y2",
            "name": "∝ 1/√L",
        }
        traces.append(falling | {"line": {"color": QUIET, "dash": "dash"}})
    return go.Figure([go.Scatter(trace) for trace in traces], layout)
