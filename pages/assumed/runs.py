"""The runs: the loss as it was written, and corrected or refined, side by side."""

from __future__ import annotations

import streamlit as st

from pages.assumed.meaning import number
from pages.shared.run_panel import run_panel, show_ends, show_trouble
from pages.shared.stage.show import stage
from pages.shared.train_link import open_on_train
from vae_core.errors import SpecError
from vae_core.lessons import assumed
from vae_core.lessons.assumed import LossCode
from vae_core.runs.engine import Engine
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
    if not specs:
        return
    with st.container(horizontal=True):
        drawn = run_panel(engine, list(specs.values()), first="Run it")
    show_trouble()
    if not any(drawn):
        return
    stage(specs, drawn, "assumed.stage")
    show_ends(engine.store, specs)
    for spec, column in zip(specs.values(), st.columns(len(specs))):
        with column:
            if spec.beta != 1:
                st.caption(f"Trained with β = {number(spec.beta)}; the ELBO shown has weight 1.")
            open_on_train(spec)
