"""Rate against distortion: what z tells of the image, and what is left to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.compare.charts import draw, figure, looks
from pages.compare.runs import trail_of
from pages.shared.figures import QUIET
from pages.shared.words import Parts
from vae_core.lessons.compare import Baselines, RateDistortion
from vae_core.runs.engine import Engine
from vae_core.spec import RunSpec

N_LINES = 5


def show_rates(
    engine: Engine,
    specs: Sequence[RunSpec],
    names: Mapping[str, str],
    ends: Mapping[str, RateDistortion],
    known: Baselines,
    levels: int,
    words: Parts,
) -> None:
    """`ends` by id: where each run stands."""
    from plotly.graph_objects import Scatter

    st.header("2. Rate against distortion", anchor="rate")
    st.markdown(words["Rate and distortion"])
    right = 1.6 * max(end.rate_bits for end in ends.values())
    top = 1.15 * max(known.histogram_bits, *(end.total_bits for end in ends.values()))
    drawn = figure("rate: KL, bits per pixel", "distortion: −E[log₂ P], bits per pixel", 520)
    drawn.update_xaxes(range=[0, right], zeroline=False)
    drawn.update_yaxes(range=[0, top], zeroline=False)
    for i in range(1, N_LINES + 1):
        total = top * i / (N_LINES + 1)
        line = {"color": QUIET, "width": 1, "dash": "dot"}
        equal = Scatter(x=[0, right], y=[total, total - right], mode="lines", line=line, showlegend=False)
        drawn.add_trace(equal.update(name=f"same ELBO: {total:.2f} bits", hoverinfo="name"))
        drawn.add_annotation(
            x=right, y=total - right, text=f"{total:.2f}", showarrow=False, xanchor="right", yanchor="bottom"
        )
    drawn.add_trace(
        Scatter(
            x=[0],
            y=[known.histogram_bits],
            mode="markers",
            name="each pixel's histogram",
            marker={"color": QUIET, "symbol": "line-ew-open", "size": 16, "line": {"width": 3}},
            cliponaxis=False,
        )
    )
    for run_id, look in looks([spec for spec in specs if spec.id in ends]).items():
        spec = next(spec for spec in specs if spec.id == run_id)
        trail = trail_of(spec, engine) if levels == spec.n_levels else []
        end = ends[run_id]
        line = {"color": look.colour, "dash": look.dash, "width": 1.5}
        if trail:
            x, y = zip(*trail)
            drawn.add_trace(Scatter(x=x, y=y, mode="lines", line=line, legendgroup=run_id, showlegend=False))
        drawn.add_trace(
            Scatter(
                x=[end.rate_bits],
                y=[end.distortion_bits],
                name=names[run_id],
                legendgroup=run_id,
                mode="lines+markers",
                line=line,
                marker={"symbol": look.symbol, "size": 12, "color": look.colour},
            )
        )
    by_rate = sorted(ends, key=lambda run_id: ends[run_id].rate_bits)
    low, high = by_rate[0], by_rate[-1]
    said = (
        f"{names[low]} spends least on z, {ends[low].rate_bits:.3f} bits per pixel, and leaves "
        f"{ends[low].distortion_bits:.3f} to tell; {names[high]} spends most, {ends[high].rate_bits:.3f}, and leaves "
        f"{ends[high].distortion_bits:.3f}"
    )
    draw(drawn, "compare rates", f"Rate against distortion: {said}")
    least = min(ends, key=lambda run_id: ends[run_id].total_bits)
    st.markdown(
        f"{said}. The sum is smallest under **{names[least]}**, {ends[least].total_bits:.3f} bits per pixel."
        if len(ends) > 1
        else f"{names[low]}: rate {ends[low].rate_bits:.3f}, distortion {ends[low].distortion_bits:.3f} bits per pixel."
    )
