"""The runs: the loss as it was written, and corrected or refined, side by side."""

from __future__ import annotations

import streamlit as st

from pages.assumed.meaning import number
from pages.shared.run_panel import live, run_panel, show_trouble
from pages.shared.run_view import heading, show_run
from pages.shared.train_link import open_on_train
from vae_core.errors import SpecError
from vae_core.lessons import assumed
from vae_core.lessons.assumed import LossCode
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store
from vae_core.spec import RunSpec

EPOCHS = {"digits": 40}  # of small data; 15 of the others: enough to see a latent wake or stay asleep


def specs_of(codes: dict[str, LossCode], dataset: str) -> dict[str, RunSpec]:
    """By lane; what cannot be run is told."""
    epochs = EPOCHS.get(dataset, 15)
    specs = {}
    for lane, code in codes.items():
        try:
            specs[lane] = assumed.run_spec(code, dataset, epochs)
        except SpecError as error:
            st.info(f"{lane} cannot be run here: {error}", icon=":material/block:")
    return specs


def show_runs(engine: Engine, specs: dict[str, RunSpec]) -> None:
    """Raises StoreError."""
    with st.container(horizontal=True):
        drawn = run_panel(engine, list(specs.values()), first="Run it")
    show_trouble()
    if any(drawn):
        live(engine, list(specs.values()), drawn, lambda: _show_lanes(engine.store, specs), "assumed lanes")


def _show_lanes(store: Store, specs: dict[str, RunSpec]) -> None:
    for (lane, spec), column in zip(specs.items(), st.columns(len(specs))):
        with column, st.container(border=True, key=f"run_{lane.split()[0].lower()}"):
            st.markdown(f"**{lane}**")
            heading(spec)
            if spec.beta != 1:
                st.caption(f"Trained with β = {number(spec.beta)}; the ELBO shown has weight 1.")
            show_run(store, lane, spec)
            open_on_train(spec)
