"""Train decoders side by side and watch what changes."""

import streamlit as st

from pages.shared.controls import controls
from pages.shared.lanes import show_lanes
from pages.shared.runtime import get_engine, show_engine_state
from vae_core.errors import StoreError
from vae_core.runs.store import Run
from vae_core.spec import RunSpec

MORE_EPOCHS = 10
engine = get_engine()
store = engine.store


def train(specs: list[RunSpec]) -> None:
    try:
        for spec in specs:
            engine.submit(spec)
    except StoreError as error:
        st.session_state["trouble"] = str(error)


def stop(runs: list[Run]) -> None:
    for run in runs:
        engine.stop(run.id)


def train_longer(specs: list[RunSpec]) -> None:
    st.session_state["epochs"] = specs[0].epochs + MORE_EPOCHS
    train([spec.with_epochs(spec.epochs + MORE_EPOCHS) for spec in specs])


st.title("Train decoders side by side")
st.markdown(
    "Same data, same seed, same starting weights wherever shapes agree, same z for the new images. Only **p(x|z,w)** "
    "differs, and with it the loss. Training maximises E[ln p(x|z,w)] − β·KL, the ELBO at β = 1: how well a decoded z "
    "explains x, less how far the encoder's q(z|x) is from the prior N(0, I). Nats are the units of natural logs."
)
show_engine_state(engine)
try:
    specs = controls(store)
    runs = [run for spec in specs.values() if (run := store.run(spec.id))]
except StoreError as error:
    st.error(str(error), icon=":material/hard_drive:")
    st.stop()
if trouble := st.session_state.pop("trouble", ""):
    st.error(trouble, icon=":material/hard_drive:")
active = [run for run in runs if run.active]
ended = [run for run in runs if run.status in ("done", "diverged")]

with st.container(horizontal=True, vertical_alignment="bottom"):
    wanted = list(specs.values())
    if active:
        st.button("Stop", on_click=stop, args=(active,), icon=":material/stop:", type="primary")
    elif not runs or not any(run.step for run in runs):
        st.button(
            "Train", on_click=train, args=(wanted,), icon=":material/play_arrow:", type="primary", disabled=not specs
        )
    elif len(ended) < len(wanted):
        st.button("Continue", on_click=train, args=(wanted,), icon=":material/play_arrow:", type="primary")
    else:
        st.button(
            "Continue",
            on_click=train_longer,
            args=([spec for spec, run in zip(wanted, runs) if run.status == "done"],),
            icon=":material/play_arrow:",
            type="primary",
            help=f"{MORE_EPOCHS} more epochs, from the last weights: the same as having asked for them at once.",
            disabled=all(run.status == "diverged" for run in runs),
        )
    share = st.slider(
        "Look back: share of the run",
        0,
        100,
        100,
        format="%d %%",
        width=300,
        key="share",
        persist_state="page",
        help="100 % is the newest picture; drag left to go back in time, also after the run.",
    )
    prior = st.segmented_control(
        "New images show", ["mean", "sample"], default="mean", required=True, key="prior", persist_state="page"
    )

if specs:
    was_active = bool(active)

    @st.fragment(run_every=0.4 if active else None, key="lanes")
    def live() -> None:
        try:
            show_lanes(store, specs, share, prior or "mean")
            over = was_active and not any((run := store.run(s.id)) and run.active for s in specs.values())
        except StoreError as error:
            st.error(str(error), icon=":material/hard_drive:")
            return
        if over:
            st.rerun()  # once: the buttons change and the timer stops

    live()
st.caption(
    "Same settings, same result: a run is kept and found again by its settings, so this page's address reopens it. "
    "Change the seed for another run. Formulas: Kingma & Welling 2013 (arXiv 1312.6114). "
    "Code: `elbo_terms` in `vae_core/elbo.py`, `log_prob` in `vae_core/likelihoods.py`."
)
