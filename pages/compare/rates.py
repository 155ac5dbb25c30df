"""Rate against distortion: what z tells of the image, and what is left to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import streamlit as st

from pages.compare.charts import draw, figure, looks
from pages.compare.runs import trail_of
from pages.shared.figures import QUIET, readable
from pages.shared.words import Parts
from vae_core.lessons.compare import Baselines, RateDistortion
from vae_core.runs.engine import Engine
from vae_core.spec import RunSpec

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

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
    st.header("2. Rate against distortion", anchor="rate")
    st.markdown(words["Rate and distortion"])
    here = [spec for spec in specs if spec.id in ends]
    trails = [tuple(trail_of(spec, engine)) if levels == spec.n_levels else () for spec in here]
    runs = tuple((spec, names[spec.id], ends[spec.id], trail) for spec, trail in zip(here, trails))
    drawn = _chart(runs, known.histogram_bits)
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


@lru_cache(maxsize=32)
def _chart(
    runs: tuple[tuple[RunSpec, str, RateDistortion, tuple[tuple[float, float], ...]], ...], histogram_bits: float
) -> Figure:
    """Each run with its name, where it stands, and the way it came. Kept by these: to build it takes longer than all
    else on the page."""
    from plotly.graph_objects import Scatter

    right = 1.6 * max(end.rate_bits for _, _, end, _ in runs)
    top = 1.15 * max(histogram_bits, *(end.total_bits for _, _, end, _ in runs))
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
            y=[histogram_bits],
            mode="markers",
            name="each pixel's histogram",
            marker={"color": QUIET, "symbol": "line-ew-open", "size": 16, "line": {"width": 3}},
            cliponaxis=False,
        )
    )
    look_of = looks([spec for spec, _, _, _ in runs])
    for spec, name, end, trail in runs:
        look = look_of[spec.id]
        line = {"color": look.colour, "dash": look.dash, "width": 1.5}
        if trail:
            x, y = zip(*trail)
            drawn.add_trace(Scatter(x=x, y=y, mode="lines", line=line, legendgroup=spec.id, showlegend=False))
        drawn.add_trace(
            Scatter(
                x=[end.rate_bits],
                y=[end.distortion_bits],
                name=name,
                legendgroup=spec.id,
                mode="lines+markers",
                line=line,
                marker={"symbol": look.symbol, "size": 12, "color": look.colour},
            )
        )
    return readable(drawn)  # before anybody else has it: what is kept is not written to
