"""Shipped runs trained again here: a button, their progress, and their numbers beside the shipped ones."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from pages.shared.numbers import nats
from pages.shared.run_panel import live, run_panel, show_trouble
from pages.shared.run_view import progress
from vae_core.measures import Means, largest_difference
from vae_core.runs.engine import Engine
from vae_core.runs.store import Run
from vae_core.spec import RunSpec

Shipped = Mapping[str, tuple[RunSpec, Means]]  # by the name of the run


def train_again(shipped: Shipped, engine: Engine, key: str) -> None:
    """`key` names what moves among the page's. Raises StoreError."""
    specs = [spec for spec, _ in shipped.values()]
    with st.container(horizontal=True):
        drawn = run_panel(engine, specs, first="Train these again")
    show_trouble()
    if {"queued", "running"} & set(drawn):
        live(engine, specs, drawn, lambda: _progress(shipped, engine), key)
    runs = {name: run for name, (spec, _) in shipped.items() if (run := engine.store.run(spec.id))}
    done = {name: run for name, run in runs.items() if run.status == "done" and run.result}
    if done:
        _own(shipped, done)


def _progress(shipped: Shipped, engine: Engine) -> None:
    for name, (spec, _) in shipped.items():
        st.caption(f"**{name}**")
        progress(engine.store, engine.store.run(spec.id), spec)


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
