"""A lane for each decoder, then what may be compared on one axis."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.shared.columns import columns
from pages.shared.run_view import curves, heading, pictures, progress
from pages.shared.words import explanation
from pages.train.compare import compare
from vae_core.runs.store import Run, Store
from vae_core.spec import RunSpec


def show_lanes(store: Store, specs: dict[str, RunSpec], share: int, prior: str) -> None:
    """Every lane as it stood after `share` per cent of its run; 100 is the newest. `prior` is mean or sample."""
    runs = {key: store.run(spec.id) for key, spec in specs.items()}
    histories = {key: store.history(spec.id) if runs[key] else [] for key, spec in specs.items()}
    for (key, spec), column in zip(specs.items(), columns(len(specs))):
        with column, st.container(border=True, key=f"lane_{key}"):
            _show_lane(store, key, spec, runs[key], histories[key], share, prior)
    if any(histories.values()):
        compare(specs, histories)


def _show_lane(
    store: Store, key: str, spec: RunSpec, run: Run | None, history: list[dict[str, Any]], share: int, prior: str
) -> None:
    heading(spec)
    progress(store, run, spec)
    if history:
        assert run is not None
        pictures(store, run, at_share(history, share, run.total_steps), prior)
        curves(store, key, run, history)
    plain, rest = explanation(key)
    st.markdown(plain)
    with st.expander("Symbol, code and what to watch"):
        st.markdown(rest)


def at_share(history: list[dict[str, Any]], share: int, total_steps: int) -> dict[str, Any]:
    """The newest snapshot no later than `share` per cent of the run; the first where there is none so early."""
    if share >= 100:
        return history[-1]
    return next(
        (snapshot for snapshot in reversed(history) if snapshot["step"] <= total_steps * share / 100), history[0]
    )
