"""The first screen: each run's own number, then the probability that it gives to the images, in bits per pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.compare.charts import SYMBOLS, looks
from pages.shared.figures import QUIET, VEGA_TEXT
from pages.shared.naming import BADGES, ln_p_is
from pages.shared.numbers import nats
from pages.shared.words import Parts
from vae_core.lessons.compare import Baselines
from vae_core.lessons.compare_verdict import Score, know_nothing, verdict
from vae_core.spec import RunSpec

_X = "M-1,-.6L-.6,-1L0,-.4L.6,-1L1,-.6L.4,0L1,.6L.6,1L0,.4L-.6,1L-1,.6L-.4,0Z"
_STAR = "M0,-1L.22,-.31L.95,-.31L.36,.12L.59,.81L0,.38L-.59,.81L-.36,.12L-.95,-.31L-.22,-.31Z"
_HEXAGON = "M0,-1L.87,-.5L.87,.5L0,1L-.87,.5L-.87,-.5Z"
VEGA = dict(zip(SYMBOLS, ["circle", "square", "diamond", "cross", _X, "triangle-up", _STAR, _HEXAGON], strict=True))
ROW = 40  # pixels
OWN = "own number, the ELBO of its own p: nats per image"
BITS = "bits per pixel, at most: fewer is better"


def show_own(specs: Sequence[RunSpec], names: Mapping[str, str], scores: Mapping[str, Score], order: list[str]) -> None:
    """Each run's own number, grey: what it is the log of stands above."""
    st.markdown("**What each one's own objective shows**")
    kinds = list(dict.fromkeys(ln_p_is(spec) for spec in specs))
    st.markdown(" ".join(BADGES[kind] for kind in kinds))
    of = {names[spec.id]: ln_p_is(spec) for spec in specs}
    rows = [{"run": name, "value": scores[name].own, "text": f"{nats(scores[name].own)}, {of[name]}"} for name in order]
    best = max(scores, key=lambda name: scores[name].own)
    alt = f"Each run's own number in nats, not comparable: {best} shows the highest, {nats(scores[best].own)}"
    marks = [{"mark": {"type": "bar", "height": 10, "color": QUIET, "opacity": 0.6}}]
    _rows(rows, OWN, marks, "compare own", alt)


def show_bits(
    specs: Sequence[RunSpec], names: Mapping[str, str], scores: Mapping[str, Score], order: list[str], known: Baselines
) -> None:
    """One dot a run, and the two models that know no z as lines."""
    st.markdown("**What the image itself gets**")
    st.markdown(":blue-badge[−log₂ of a probability mass, bits per pixel]")
    how = {names[run_id]: look for run_id, look in looks(specs).items()}
    rows = [
        {"run": name, "value": scores[name].bits, "text": f"{scores[name].bits:.3f}", "shape": how[name].symbol}
        for name in order
    ]
    colours = {"domain": order, "range": [how[name].colour for name in order]}
    shapes = {"domain": list(VEGA), "range": list(VEGA.values())}
    dot = {
        "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
        "encoding": {
            "color": {"field": "run", "type": "nominal", "scale": colours, "legend": None},
            "shape": {"field": "shape", "type": "nominal", "scale": shapes, "legend": None},
        },
    }
    lines = [("each pixel's histogram", known.histogram_bits, [6, 3]), ("uniform", known.uniform_bits, [2, 2])]
    marks = [dot, *(_line(*line) for line in lines)]
    alt = (
        f"Bits per pixel: {order[0]} gives the images the most probability, {scores[order[0]].bits:.3f}; {order[-1]} "
        f"the least, {scores[order[-1]].bits:.3f}; each pixel's histogram {known.histogram_bits:.3f}"
    )
    _rows(rows, BITS, marks, "compare bits", alt)
    st.caption(
        f"Dashed: each pixel's histogram, how often it had each level in training, no z: {known.histogram_bits:.3f}. "
        f"Dotted: every level alike, {known.uniform_bits:.3f}."
    )


def _line(name: str, at: float, dash: list[int]) -> dict[str, Any]:
    return {
        "data": {"values": [{"at": at, "what": name}]},
        "mark": {"type": "rule", "strokeDash": dash, "color": QUIET, "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "at", "type": "quantitative"},
            "y": None,
            "tooltip": [{"field": "what", "type": "nominal"}, {"field": "at", "type": "quantitative"}],
        },
    }


def _rows(rows: list[dict[str, Any]], title: str, marks: list[dict[str, Any]], key: str, alt: str) -> None:
    """A row for each run, its name above the mark: beside it, there would be no room on a telephone."""
    for row in rows:
        row["label"] = f"{row['run']}: {row['text']}"
    above = {"labelAlign": "left", "labelPadding": -4, "labelOffset": -13, "labelLimit": 0}
    axis = {"ticks": False, "domain": False, "grid": False, **above}
    y = {"field": "label", "type": "nominal", "sort": [row["label"] for row in rows], "title": None, "axis": axis}
    x = {"field": "value", "type": "quantitative", "title": title, "axis": {"tickCount": 5}}
    layers = []
    for mark in marks:
        encoding = {"x": x, "y": y, **mark.get("encoding", {})}
        layers.append(mark | {"encoding": {name: how for name, how in encoding.items() if how is not None}})
    st.vega_lite_chart(pd.DataFrame(rows), {"layer": layers} | VEGA_TEXT, height=ROW * len(rows) + 75, key=key, alt=alt)


# In words ------------------------------------------------------------------------------------------------------------


def say(
    specs: Sequence[RunSpec], levels: int, scores: Mapping[str, Score], known: Baselines, guess: str, words: Parts
) -> None:
    """What is seen, from the numbers; `guess` is the name that the reader chose, or "" for none."""
    spec = specs[0]
    plain = levels == spec.n_levels and all(one.dequantize == "none" for one in specs)
    found = verdict(scores, known.histogram_bits)
    best, loudest = found.order[0], found.own_order[0]
    you = "" if not guess else "As you said: " if guess == best else f"You said: {guess}. "
    does = "gives these images the most probability" if len(scores) > 1 else "gives these images a probability"
    st.info(
        f"{you}**{best}** {does}: at most {scores[best].bits:.3f} bits per pixel, an ELBO of "
        f"{nats(scores[best].elbo)} nats per image as probability. A difference below 0.005 bits may be chance.",
        icon=":material/visibility:",
    )
    lines = []
    if loudest != best:
        place = f"{found.order.index(loudest) + 1} of {len(found.order)}"
        lines.append(
            f"**By its own number {loudest} would win**, with {nats(scores[loudest].own)} nats. As a probability of "
            f"the same images it takes place {place}: {scores[loudest].bits:.3f} bits per pixel, an ELBO of "
            f"{nats(scores[loudest].elbo)} nats."
        )
    if found.pairs > 1:
        lines.append(
            f"Of the {found.pairs} pairs of runs, their own numbers put {found.turned} the other way round than the "
            "bits."
        )
    if found.below_histogram:
        who = "; ".join(found.below_histogram)
        lines.append(
            f"**Worse than each pixel's histogram** ({known.histogram_bits:.3f} bits), which knows no z: {who}. "
            "Either the means are to blame or the noise assumed around them, which belongs to the prediction."
        )
    if plain:
        lines.append(_know_nothing(spec, levels, scores, known, words))
    st.markdown("\n".join(f"- {line}" for line in lines))


def _know_nothing(spec: RunSpec, levels: int, scores: Mapping[str, Score], known: Baselines, words: Parts) -> str:
    """Of the pixels as they are stored: with noise on them, or on fewer levels, its density is another."""
    nothing = know_nothing(spec.n_pixels, levels)
    densest = max(one.own for one in scores.values())
    more = "more than every run here" if nothing.log_density > densest else "and it can be made as high as one likes"
    return (
        f"**A model that knows nothing** {_mixture(levels, nothing.variance)} has a log-density of "
        f"{'+' if nothing.log_density > 0 else ''}{nats(nothing.log_density)} nats for every image, {more}. As "
        f"probability it gives {nothing.bits:.3f} bits per pixel, where the uniform guess has "
        f"{known.uniform_bits:.3f}. {words['Why densities rank nothing']}"
    )


def _mixture(levels: int, variance: float) -> str:
    if levels == 2:
        return f"(each pixel ½ N(0, {variance:.3g}) + ½ N(1, {variance:.3g}))"
    return f"(each pixel a narrow Gaussian, variance {variance:.2g}, on each of {levels} levels, all alike)"
