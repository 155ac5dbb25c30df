"""A lane for each decoder, then what may be compared on one axis."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages.shared.columns import columns
from pages.shared.figures import COLOURS, DASHES
from pages.shared.naming import title
from pages.shared.run_view import curves, heading, pictures, progress, step_chart
from pages.shared.words import explanation
from vae_core.likelihoods import LIKELIHOODS
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
        _compare(specs, histories)


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


def _compare(specs: dict[str, RunSpec], histories: dict[str, list[dict[str, Any]]]) -> None:
    st.subheader("What may be compared")
    names = {key: title(spec) for key, spec in specs.items() if histories[key]}
    total_steps = max(spec.total_steps for spec in specs.values())
    for column, part, quantity in zip(
        st.columns(2),
        ("kl", "mse"),
        ("KL to the prior, nats per image, held out", "Mean squared error per pixel, held out"),
    ):
        rows = [(snapshot["step"], names[key], snapshot[part]) for key in names for snapshot in histories[key]]
        column.vega_lite_chart(
            pd.DataFrame(rows, columns=["step", "decoder", "value"]),
            _shared_chart(names, quantity, total_steps),
            height=300,
            key=f"shared_{part}",
            alt=f"{quantity}, of all decoders over training steps",
        )
    kinds = [LIKELIHOODS[key].support.kind for key in names]
    if len(set(kinds)) > 1:
        st.markdown(
            ":orange-badge[not on one axis] Reconstruction terms stay in their own lanes. One is the log of a "
            "**mass** (on grey pixels a loss only), the other the log of a **density**, and a difference between them"
            " means nothing."
        )
    if kinds.count("density") > 1:
        st.markdown(
            "Densities of the same grey levels may be compared by their ELBOs, though only a floor on σ² keeps that of "
            "a learned variance bounded."
        )
    st.markdown(
        "The KL measures q(z|x) against the same prior under every decoder, and the MSE the same pixels. A small KL "
        "is no merit (0 is collapse), and the MSE judges only means, each at a drawn z."
    )


def _shared_chart(names: dict[str, str], title: str, total_steps: int) -> dict[str, Any]:
    """One held-out quantity of several decoders (names by key) on one axis; data columns: step, decoder, value."""
    scale = lambda values: {"domain": list(names.values()), "range": [values[key] for key in names]}
    legend = {"title": None, "orient": "top", "offset": 2, "labelLimit": 300, "symbolSize": 300}
    by = lambda values: {"field": "decoder", "type": "nominal", "scale": scale(values), "legend": legend}
    return step_chart(title, total_steps, {"color": by(COLOURS), "strokeDash": by(DASHES)})
