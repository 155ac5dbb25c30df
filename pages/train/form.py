"""The form of the Train page: a widget for each setting, described as RunSpec describes it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.address import Address
from pages.shared.naming import title
from pages.shared.sections import run_again
from pages.shared.train_link import FIELDS, TRAIN_SETTINGS, link_to
from vae_core.errors import SpecError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.runs import kept
from vae_core.runs.store import Store
from vae_core.spec import SETTINGS, RunSpec
from vae_core.values import Choice, Real, read

FIRST = ("latent_dim", "beta", "mc_samples", "epochs", "seed", "binarize")
ABOVE = ("dataset", "likelihood", *FIRST)
GONE = "train.gone"  # in this visitor's session: the link names a run that was removed
# Fragments: the form is drawn once, and what a setting changes is drawn again without it.
DECODERS, RUNS, EXPLAINED = "train.which", "train.runs", "train.explained"
EXPLAINS = {  # the settings that decoders are named by, or that the words below the stage are about
    "dataset",
    "binarize",
    "dequantize",
    "decoder",
    *(name for kind in LIKELIHOODS.values() for name in kind.settings),
}
WIDTHS = {"dataset": 250, "binarize": 190, "hidden": 150, "dequantize": 260, "decoder": 230}


def form(store: Store) -> DeltaGenerator:
    """Draw the settings and return the place among them for what these will cost. Raises StoreError."""
    TRAIN_SETTINGS.follow(lambda address: _opened(address, store))
    _widget("dataset", label_visibility="collapsed")
    with st.container(width="content"):
        choose_decoders()
    with st.popover("Settings", icon=":material/tune:", width="content"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            for name in FIRST:
                _widget(name)
        st.caption("Advanced")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            for name in SETTINGS:
                if name not in ABOVE:
                    _widget(name)
        return st.container()


def show_gone() -> None:
    """Once: until a setting changes."""
    if st.session_state.pop(GONE, False):
        st.info(
            "The run that this link names was removed; its settings are here, and training gives the same numbers.",
            icon=":material/history:",
        )


@st.fragment(key=DECODERS)
def choose_decoders() -> None:
    chosen = len(TRAIN_SETTINGS["decoders"])
    with st.popover(f"{chosen} decoder{'s' * (chosen != 1)}", icon=":material/stacked_line_chart:"):
        st.pills(
            "Decoders, p(x|z,w)",
            list(LIKELIHOODS),
            selection_mode="multi",
            format_func=_called,
            wrap=True,
            on_change=named_anew,
            **TRAIN_SETTINGS.keep("decoders"),
        )


def named_anew() -> None:
    run_again(DECODERS, RUNS, EXPLAINED)


def set_anew() -> None:
    run_again(RUNS)


def _called(key: str) -> str:
    """What the lane of this decoder is called, with the settings there are now."""
    settings = {name: TRAIN_SETTINGS[name] for name in (*LIKELIHOODS[key].settings, "decoder")}
    return _name(TRAIN_SETTINGS["dataset"], key, tuple(settings.items()))


@lru_cache(maxsize=256)
def _name(dataset: str, key: str, settings: tuple[tuple[str, Any], ...]) -> str:
    return title(RunSpec(dataset=dataset, likelihood=key, **dict(settings)))


def _widget(name: str, **look: Any) -> None:
    about, rule, kept = SETTINGS[name], SETTINGS[name].rule, TRAIN_SETTINGS.keep(name)
    how: dict[str, Any] = {"help": about.help, "width": WIDTHS.get(name, 140), **look}
    how["on_change"] = named_anew if name in EXPLAINS else set_anew
    if isinstance(rule, Choice):
        st.selectbox(about.label, list(rule.options), format_func=rule.called, **how, **kept)
    elif isinstance(rule, Real):
        TRAIN_SETTINGS.number(name, about.label, step=about.step, **how)
    else:
        st.text_input(about.label, max_chars=100, **how, **kept)


def chosen_specs() -> tuple[dict[str, RunSpec], str]:
    """The spec of each chosen decoder, in order; none, and a sentence, while a setting is refused."""
    chosen = _in_order()
    if not chosen:
        return {}, "Choose at least one decoder to train."
    values = {name: TRAIN_SETTINGS[name] for name in FIELDS}
    try:
        values["hidden"] = read(SETTINGS["hidden"].rule, "hidden", values["hidden"])
        return {key: RunSpec(likelihood=key, **values) for key in chosen}, ""
    except SpecError as error:
        return {}, str(error)


def named_specs() -> dict[str, RunSpec]:
    """Of each chosen decoder, in order, with what it is named by and explained with alone: none of that is refused."""
    values = {name: TRAIN_SETTINGS[name] for name in EXPLAINS}
    return {key: RunSpec(likelihood=key, **values) for key in _in_order()}


def _in_order() -> list[str]:
    """The chosen decoders."""
    return [key for key in LIKELIHOODS if key in TRAIN_SETTINGS["decoders"]]


def _opened(address: Address, store: Store) -> Address:
    """`?run=<id>` stands for all settings of that run, also where it has been removed."""
    if "run" not in address:
        return address
    run_id = address["run"][-1]
    run = store.run(run_id)
    spec = run.spec if run else kept.removed(store, run_id)
    st.session_state[GONE] = run is None and spec is not None
    return address if spec is None else link_to([spec])
