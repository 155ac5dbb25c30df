"""Train decoders side by side and watch what changes."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared.run_panel import live, run_panel, show_trouble, train, trouble_kept
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.train_link import TRAIN_SETTINGS
from pages.shared.words import show_glossary
from pages.train.form import form
from pages.train.lanes import show_lanes
from vae_core.errors import StoreError
from vae_core.spec import RunSpec

MORE_EPOCHS = 10
engine = get_engine()


def train_longer(specs: Sequence[RunSpec]) -> None:
    with trouble_kept():
        longer = [spec.with_epochs(spec.epochs + MORE_EPOCHS) for spec in specs]
        TRAIN_SETTINGS["epochs"] = longer[0].epochs
        train(longer)


st.title("Train decoders side by side")
st.markdown(
    "Same data, same seed, same starting weights wherever shapes agree, same z for the new images. Only **p(x|z,w)** "
    "differs: how many numbers the decoder puts out, and the loss, −E[ln p(x|z,w)] + β·KL. That is how badly a z drawn "
    "from the encoder's q(z|x) explains x, on average, estimated with L draws, plus how far q(z|x) is from the prior "
    "N(0, I). Minus the loss at β = 1 is the ELBO. Nats are the units of natural logs."
)
show_engine_state(engine)
try:
    specs = form(engine.store)
    show_trouble()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        more = f"{MORE_EPOCHS} more epochs, from the last weights: the same as having asked for them at once."
        drawn = run_panel(engine, list(specs.values()), longer=train_longer, more=more)
        help = "100 % is the newest picture; drag left to go back in time, also after the run."
        how: dict[str, Any] = {"format": "%d %%", "width": 300, "key": "share", "persist_state": "page"}
        share = st.slider("Look back: share of the run", 0, 100, 100, help=help, **how)
        how = {"default": "mean", "required": True, "key": "prior", "persist_state": "page"}
        prior = st.segmented_control("New images show", ["mean", "sample"], **how)
    if specs:
        show = lambda: show_lanes(engine.store, specs, share, prior or "mean")
        live(engine, list(specs.values()), drawn, show, "lanes", when_idle=True)
except StoreError as error:
    st.error(str(error), icon=":material/hard_drive:")
    st.stop()
st.caption(
    "Same settings, same result: a run is kept and found again by its settings, so this page's address reopens it. "
    "Change the seed for another run. Formulas: Kingma & Welling 2013 (arXiv 1312.6114). "
    "Code: `elbo_terms` in `vae_core/elbo.py`, `log_prob` in `vae_core/likelihoods.py`."
)
show_glossary()
