"""Train decoders side by side and watch what changes."""

from contextlib import suppress
from functools import partial

import streamlit as st

from pages.shared.commands import show_trouble, statuses, stop, told, train
from pages.shared.controls import SETTINGS, controls
from pages.shared.explain import show_glossary
from pages.shared.lanes import show_lanes
from pages.shared.runtime import get_engine, seconds_between_looks, show_engine_state, show_new_problem
from vae_core.errors import StoreError
from vae_core.spec import RunSpec

MORE_EPOCHS = 10
engine = get_engine()
store = engine.store


def train_longer(specs: list[RunSpec]) -> None:
    with told():
        longer = [spec.with_epochs(spec.epochs + MORE_EPOCHS) for spec in specs]
        SETTINGS["epochs"] = longer[0].epochs
        train(longer)


st.title("Train decoders side by side")
st.markdown(
    "Same data, same seed, same starting weights wherever shapes agree, same z for the new images. Only **p(x|z,w)** "
    "differs, and with it the loss, −ln p(x|z,w) + β·KL: how badly a decoded z explains x, plus how far the encoder's "
    "q(z|x) is from the prior N(0, I). Minus the loss at β = 1 is the ELBO. Nats are the units of natural logs."
)
show_engine_state(engine)
try:
    specs = controls(store)
    runs = [run for spec in specs.values() if (run := store.run(spec.id))]
except StoreError as error:
    st.error(str(error), icon=":material/hard_drive:")
    st.stop()
show_trouble()
active = [run for run in runs if run.active]
ended = [run for run in runs if run.status in ("done", "diverged")]

with st.container(horizontal=True, vertical_alignment="bottom"):
    idle = [spec for spec in specs.values() if spec.id not in {run.id for run in active + ended}]
    go = partial(st.button, icon=":material/play_arrow:", type="primary")
    if active:
        st.button("Stop", on_click=stop, args=(active,), icon=":material/stop:", type="primary")
        if idle:
            st.button("Train the rest", on_click=train, args=(idle,), icon=":material/play_arrow:")
    elif not any(run.step for run in runs):
        go("Train", on_click=train, args=(idle,), disabled=not idle)
    elif idle:
        go("Continue", on_click=train, args=(idle,))
    else:
        go(
            "Continue",
            on_click=train_longer,
            args=(list(specs.values()),),
            help=f"{MORE_EPOCHS} more epochs, from the last weights: the same as having asked for them at once.",
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
    drawn = statuses(store, specs.values())

    @st.fragment(run_every=seconds_between_looks() if active else None, key="lanes")
    def lanes() -> None:
        try:
            show_new_problem(engine)
            show_lanes(store, specs, share, prior or "mean")
        except StoreError as error:
            st.error(str(error), icon=":material/hard_drive:")

    @st.fragment(run_every=1.0, key="watch")
    def watch() -> None:
        """A run that began or ended, here or in another tab, changes the buttons and the pace of the lanes."""
        with suppress(StoreError):  # the lanes tell it
            if statuses(store, specs.values()) != drawn:
                st.rerun()

    lanes()
    watch()
st.caption(
    "Same settings, same result: a run is kept and found again by its settings, so this page's address reopens it. "
    "Change the seed for another run. Formulas: Kingma & Welling 2013 (arXiv 1312.6114). "
    "Code: `elbo_terms` in `vae_core/elbo.py`, `log_prob` in `vae_core/likelihoods.py`."
)
show_glossary()
