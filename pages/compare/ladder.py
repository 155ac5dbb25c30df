"""How far below ln p(x|w) is the ELBO? The bound as it rises with the draws k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.compare.asking import Question, answers
from pages.compare.charts import draw, figure, looks
from pages.shared.address import PageSettings
from pages.shared.numbers import nats
from pages.shared.words import Parts
from vae_core.lessons.compare_measures import climbed
from vae_core.runs.engine import Engine
from vae_core.spec import RunSpec


@st.fragment(key="compare.ladder")
def show_ladder(
    settings: PageSettings,
    engine: Engine,
    specs: Sequence[RunSpec],
    names: Mapping[str, str],
    levels: int,
    words: Parts,
) -> None:
    st.header("1. How far below ln p(x|w) is the ELBO?", anchor="bound")
    st.markdown(words["The bound"])
    most = specs[0].n_held_out
    if settings["images"] > most:
        st.warning(f"images is {settings['images']}; allowed: 2 to {most:,}, as are held out. {min(100, most)} it is.")
        settings["images"] = min(100, most)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        k = settings.number("k", "Draws k", step=100, help="Of z for each image.")
        images = settings.number("images", "Images", high=most, step=50, help="The first of those held out.")
    so_far = lambda rungs: f"k = {rungs[-1]['k']:,} so far: {_above(rungs[-1])}" if rungs else ""
    asked = Question("ladder", "Climb", climbed, {"k": k, "images": images, "levels": levels}, so_far)
    found = answers(engine, asked, specs, names)
    settings.mirror()
    if found:
        _draw(specs, names, found)
        _table(names, found)
        _say(names, found)


def _above(rung: Mapping[str, Any]) -> str:
    return f"{nats(rung['gap'])} ± {nats(rung['gap_error'])} nats above the ELBO"


def _draw(specs: Sequence[RunSpec], names: Mapping[str, str], found: Mapping[str, list[dict[str, Any]]]) -> None:
    from plotly.graph_objects import Scatter

    drawn = figure("draws k", "nats per image above the ELBO", 420)
    drawn.update_xaxes(type="log", dtick=1)
    for run_id, look in looks(specs).items():
        if run_id in found:
            rungs = pd.DataFrame(found[run_id])
            drawn.add_trace(
                Scatter(
                    x=rungs["k"],
                    y=rungs["gap"],
                    error_y={"array": rungs["gap_error"], "width": 2, "thickness": 1},
                    name=names[run_id],
                    mode="lines+markers",
                    line={"color": look.colour, "dash": look.dash},
                    marker={"symbol": look.symbol, "size": 8},
                )
            )
    gaps = {names[run_id]: rungs[-1]["gap"] for run_id, rungs in found.items()}
    widest = max(gaps, key=lambda name: gaps[name])
    narrowest = min(gaps, key=lambda name: gaps[name])
    alt = f"The bound rises with k under every run: by {nats(gaps[widest])} nats under {widest}, the most"
    draw(drawn, "compare ladder", f"{alt}, and by {nats(gaps[narrowest])} under {narrowest}, the least")


def _table(names: Mapping[str, str], found: Mapping[str, list[dict[str, Any]]]) -> None:
    rows = {}
    for run_id, rungs in found.items():
        first, last = rungs[0], rungs[-1]
        elbo, bound = (f"{nats(one['bound'])} ± {nats(one['error'])}" for one in (first, last))
        rows[names[run_id]] = [elbo, f"{last['k']:,}", bound, _above(last).split(" nats")[0], f"{last['bits']:.3f}"]
    columns = ["ELBO, nats", "k", "Bound with k draws, nats", "Above the ELBO", "Bits per pixel"]
    st.table(pd.DataFrame.from_dict(rows, orient="index", columns=columns), alt="ELBO and bound of each run")


def _say(names: Mapping[str, str], found: Mapping[str, list[dict[str, Any]]]) -> None:
    order = lambda rung: sorted(found, key=lambda run_id: -found[run_id][rung]["bound"])
    before, after = ([names[run_id] for run_id in order(rung)] for rung in (0, -1))
    same = (
        "The order of the runs is the one that the ELBO gave."
        if before == after
        else (f"The order changes: by the ELBO {' > '.join(before)}; by the bound {' > '.join(after)}.")
    )
    st.markdown(
        f"{same if len(found) > 1 else ''} These are the first held-out images; the bits above are of all. ± is "
        "one standard error over images, as if they had been drawn afresh. The "
        "rise has a far smaller one than the bounds themselves, because it is measured on the same images and draws. "
        "On average each bound still lies below ln P(x|w); what is left cannot be read off."
    )
