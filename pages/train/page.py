"""Train decoders side by side and watch what changes."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.learner import learner
from pages.shared.naming import title
from pages.shared.path import adds, show_next
from pages.shared.run_panel import run_panel, show_ends, show_trouble, train, trouble_kept
from pages.shared.runtime import get_engine, show_notice, show_problem
from pages.shared.sections import run_again
from pages.shared.stage.show import stage
from pages.shared.tour import show_title
from pages.shared.train_link import TRAIN_SETTINGS
from pages.shared.trained import leads_on
from pages.shared.words import show_glossary
from pages.train.explained import explain
from pages.train.form import RUNS, chosen_specs, form, show_gone
from vae_core.errors import StoreError
from vae_core.runs.forecast import forecast
from vae_core.spec import RunSpec

MORE_EPOCHS = 10
engine = get_engine()


def train_longer(specs: Sequence[RunSpec]) -> None:
    with trouble_kept():
        longer = [spec.with_epochs(spec.epochs + MORE_EPOCHS) for spec in specs]
        TRAIN_SETTINGS["epochs"] = longer[0].epochs
        train(longer)
    run_again("train")


def how_much_longer(specs: Sequence[RunSpec]) -> str:
    kept = all(engine.store.goes_on(spec.id) for spec in specs)
    how = "from the last weights" if kept else "but earlier steps again too, for what to go on from is no longer kept"
    return f"{MORE_EPOCHS} more epochs, {how}: the same as having asked for them at once."


def set_units(bits: bool) -> None:
    TRAIN_SETTINGS["units"] = "bits" if bits else "own"
    run_again(RUNS)


@st.fragment(key="train")
def show() -> None:
    try:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            costs = form(engine.store)
            buttons = st.container(width="content")
            show_notice(engine)
    except StoreError as error:
        st.error(str(error), icon=":material/hard_drive:")
        st.stop()
    show_runs(buttons, costs)


@st.fragment(key=RUNS)
def show_runs(buttons: DeltaGenerator, costs: DeltaGenerator) -> None:
    """What changes with the settings, and as runs begin and end."""
    # Whatever follows: to a container of another fragment, one cannot write later what one did not write at first.
    buttons, costs = buttons.container(horizontal=True, width="content"), costs.container()
    TRAIN_SETTINGS.mirror()
    show_gone()
    specs, refused = chosen_specs()
    if refused:
        st.error(refused, icon=":material/block:")
        show_problem(engine)  # which else the stage tells
    try:
        show_panel(list(specs.values()), buttons, costs)
    except StoreError as error:
        st.error(str(error), icon=":material/hard_drive:")


def show_panel(specs: Sequence[RunSpec], buttons: DeltaGenerator, costs: DeltaGenerator) -> None:
    needed, long = forecast(engine.store, specs, learner()) if specs else ("", "")
    if specs:
        costs.caption(f"{needed} {long}")
    with buttons:
        drawn = run_panel(engine, specs, longer=train_longer, more=how_much_longer(specs))
    show_trouble()
    if specs:
        bits = TRAIN_SETTINGS["units"] == "bits"
        lanes = {title(spec): spec for spec in specs}
        done = set(drawn) == {"done"}
        stage(lanes, drawn, "train.stage", adds("train"), bits, set_units, "" if done else long)
        show_ends(engine.store, lanes)
        if done:
            leads_on(specs)


show_title("train", "Train decoders side by side")
show()
explain()
st.caption(
    "Same settings, same result: a run is kept and found again by its settings, so this page's address reopens it. "
    "Change the seed for another run. Formulas: Kingma & Welling 2013 (arXiv 1312.6114). "
    "Code: `elbo_terms` in `vae_core/elbo.py`, `log_prob` and `log_mass` in `vae_core/likelihoods/`."
)
show_next("train")
show_glossary()
