"""Shipped runs trained again here: a button, their stage, and their numbers beside the shipped ones."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from pages.shared.numbers import nats
from pages.shared.run_panel import run_panel, show_ends, show_trouble
from pages.shared.stage.show import stage
from vae_core.measures import Means, largest_difference
from vae_core.runs.engine import Engine
from vae_core.runs.store import Run
from vae_core.spec import RunSpec

Shipped = Mapping[str, tuple[RunSpec, Means]]  # by the name of the run


def train_again(shipped: Shipped, engine: Engine, key: str) -> None:
    """`key` names the stage among the page's. Raises StoreError."""
    specs = {name: spec for name, (spec, _) in shipped.items()}
    with st.container(horizontal=True):
        drawn = run_panel(engine, list(specs.values()), first="Train these again")
    show_trouble()
    if any(drawn):
        stage(specs, drawn, f"{key}.stage")
        show_ends(engine.store, specs)
    runs = {name: run for name, (spec, _) in shipped.items() if (run := engine.store.run(spec.id))}
    done = {name: run for name, run in runs.items() if run.status == "done" and run.result}
    if done:
        _own(shipped, done)


def _own(shipped: Shipped, done: dict[str, Run]) -> None:
    rows = {}
    for name, run in done.items():
        assert run.result is not None
        means, own = shipped[name][1], run.result["held_out"]
        terms = [f"{nats(getattr(means, term))} / {nats(own[term])}" for term in ("reconstruction", "kl")]
        rows[name] = [*terms, f"{means.mse:.4f} / {own['mse']:.4f}", f"{largest_difference(means, own):.2g}"]
    columns = ["Reconstruction, nats", "KL, nats", "MSE per pixel", "Largest difference"]
    st.markdown("Shipped / trained here, held out:")
    st.table(
        pd.DataFrame.from_dict(rows, orient="index", columns=columns), alt="Shipped runs beside those trained here"
    )
    st.caption(
        "Another kind of processor may round sums differently, and training carries that on; then they are close."
    )
