"""Does the noise fit? Calibration, sigma asked and found, and whether neighbours' residuals go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.compare.asking import Question, answers
from pages.compare.charts import Look, draw, figure, looks
from pages.shared.figures import QUIET
from pages.shared.words import Parts
from vae_core.lessons.compare_measures import noise
from vae_core.lessons.compare_verdict import overall_sigma
from vae_core.runs.engine import Engine
from vae_core.spec import RunSpec

CENTRAL = (50, 90, 99)  # %, of the intervals that `Pit.coverage` is for
MOST_IMAGES, ACROSS = 1000, 3
Found = Mapping[str, Any]  # the fields of a `Calibration`


@st.fragment(key="compare.noise")
def ask_noise(engine: Engine, specs: Sequence[RunSpec], names: Mapping[str, str], levels: int, words: Parts) -> None:
    """Both sections, from one measurement."""
    st.header("3. Does the noise fit?", anchor="noise")
    st.markdown(words["Calibration"])
    images = min(MOST_IMAGES, specs[0].n_held_out)
    asked = Question("noise", "Measure the noise", noise, {"images": images, "levels": levels})
    found = answers(engine, asked, specs, names)
    if found:
        _show_calibration(specs, names, found)
    st.header("4. Are pixels independent, given z?", anchor="neighbours")
    st.markdown(words["Neighbours"])
    if found:
        _show_neighbours(specs, names, found)
    else:
        st.caption("It is measured with the noise, above.")


# Calibration ---------------------------------------------------------------------------------------------------------


def _show_calibration(specs: Sequence[RunSpec], names: Mapping[str, str], found: Mapping[str, Found]) -> None:
    _coverage(names, found)
    how = {run_id: look for run_id, look in looks(specs).items() if run_id in found}
    highest = 1.1 * max(max(one["mass"]["shares"]) for one in found.values())
    shown = list(how.items())
    for start in range(0, len(shown), ACROSS):
        for (run_id, look), column in zip(shown[start : start + ACROSS], st.columns(min(ACROSS, len(shown)))):
            with column, st.container(border=True):
                st.markdown(f"**{names[run_id]}**")
                _pit(found[run_id]["mass"], look, highest, run_id, names[run_id])
                _sigmas(found[run_id], look, run_id, names[run_id])


def _coverage(names: Mapping[str, str], found: Mapping[str, Found]) -> None:
    rows = {
        names[run_id]: [f"{100 * share:.1f} %" for share in one["mass"]["coverage"]]
        + [f"{one['residual_mean']:.3f}".replace("-", "−"), f"{one['residual_deviation']:.3f}"]
        for run_id, one in found.items()
    }
    columns = [f"Within the central {share} %" for share in CENTRAL]
    columns += ["Residual/σ: mean (0)", "Residual/σ: deviation (1)"]
    st.table(
        pd.DataFrame.from_dict(rows, orient="index", columns=columns),
        alt="How much of the held-out pixels falls within each run's central intervals",
    )
    off = {  # of each run and interval
        (names[run_id], share): 100 * got - share
        for run_id, one in found.items()
        for share, got in zip(CENTRAL, one["mass"]["coverage"])
    }
    worst, share = max(off, key=lambda one: abs(off[one]))
    claims = {names[run_id]: overall_sigma(one["sigma_asked"], one["sigma_found"]) for run_id, one in found.items()}
    ratio = {name: got / asked for name, (asked, got) in claims.items()}
    noisiest, surest = min(ratio, key=ratio.__getitem__), max(ratio, key=ratio.__getitem__)
    lines = [
        f"Furthest off is the central {share} % interval under **{worst}**: {share + off[worst, share]:.1f} % of the "
        "pixels fall within."
    ]
    enough = 0.05  # less is no finding
    for name, holds, how in (
        (noisiest, ratio[noisiest] < 1 - enough, "larger"),
        (surest, ratio[surest] > 1 + enough, "smaller"),
    ):
        if holds:
            asked, got = claims[name]
            lines.append(
                f"Over all pixels the σ of **{name}** is {how} than the residual found, {asked:.3f} against {got:.3f}. "
                "These are roots of means of squares, which a few large ones may decide."
            )
    st.markdown("\n".join(f"- {line}" for line in lines))
    st.caption(
        "The deviation of residual/σ weighs sure misses: one pixel that lies 100 σ off counts as much as 10,000 that "
        "lie one σ off."
    )


def _pit(pit: Found, look: Look, highest: float, run_id: str, name: str) -> None:
    from plotly.graph_objects import Bar

    shares = pit["shares"]
    width = 1 / len(shares)
    drawn = figure("u = F(x)", "share of pixels", 190, legend=False, bargap=0.05)
    drawn.add_trace(Bar(x=[(i + 0.5) * width for i in range(len(shares))], y=shares, marker={"color": look.colour}))
    drawn.add_hline(y=width, line={"color": QUIET, "dash": "dash", "width": 1.5})
    drawn.update_yaxes(range=[0, highest])
    lowest, most = min(shares) / width, max(shares) / width
    alt = f"PIT of {name}: between {lowest:.2f} and {most:.2f} times the height that it has where p(x|z,w) is right"
    draw(drawn, f"compare pit {run_id}", alt)


def _sigmas(one: Found, look: Look, run_id: str, name: str) -> None:
    from plotly.graph_objects import Scattergl

    asked, got = one["sigma_asked"], one["sigma_found"]
    drawn = figure("σ asked, a dot a pixel", "residual found", 240, legend=False)
    top = 1.05 * max(*asked, *got)
    line = {"color": QUIET, "dash": "dash", "width": 1.5}
    drawn.add_trace(Scattergl(x=[0, top], y=[0, top], mode="lines", line=line, hoverinfo="skip"))
    marker = {"color": look.colour, "size": 4, "opacity": 0.5, "symbol": look.symbol}
    drawn.add_trace(Scattergl(x=asked, y=got, mode="markers", marker=marker))
    drawn.update_xaxes(range=[0, top])
    drawn.update_yaxes(range=[0, top])
    below = sum(g < a for a, g in zip(asked, got)) / len(got)
    alt = f"{name}: at {below:.0%} of the pixels the residual found is smaller than the σ asked for"
    draw(drawn, f"compare sigma {run_id}", alt)
    st.caption(f"At {below:.0%} of the pixels the residual found is smaller than σ.")


# Neighbours ----------------------------------------------------------------------------------------------------------


def _show_neighbours(specs: Sequence[RunSpec], names: Mapping[str, str], found: Mapping[str, Found]) -> None:
    from plotly.graph_objects import Scatter

    drawn = figure("correlation", "", 120 + 34 * len(found))
    shown = [run_id for run_id in looks(specs) if run_id in found]
    for direction, symbol in (("horizontal", "circle"), ("vertical", "diamond-open")):
        drawn.add_trace(
            Scatter(
                x=[found[run_id]["neighbours"][direction] for run_id in shown],
                y=[names[run_id] for run_id in shown],
                mode="markers",
                name=direction,
                marker={"symbol": symbol, "size": 11, "color": [looks(specs)[run_id].colour for run_id in shown]},
            )
        )
    drawn.add_vline(x=0, line={"color": QUIET, "dash": "dash", "width": 1.5})
    drawn.update_yaxes(autorange="reversed", tickfont={"size": 11})
    both = {
        run_id: (one["neighbours"]["horizontal"] + one["neighbours"]["vertical"]) / 2 for run_id, one in found.items()
    }
    least, most = min(both, key=both.__getitem__), max(both, key=both.__getitem__)
    said = (
        f"{names[most]} leaves the most correlation between neighbours, {both[most]:.2f}"
        + (f"; {names[least]} the least, {both[least]:.2f}" if most != least else "")
        + ". Independent would be 0"
    )
    draw(drawn, "compare neighbours", said.replace("-", "−"))
    pairs = found[most]["neighbours"]
    st.markdown(
        f"{said}. Of each run, the mean of both directions; over {pairs['horizontal_pairs']:,} horizontal and "
        f"{pairs['vertical_pairs']:,} vertical pairs of pixels that vary."
    )
