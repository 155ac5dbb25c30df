"""Three experiments, each predicted first: the floor, grey pixels under BCE, and which sigma."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from pages.experiments import floor, grey, sigma
from pages.shared.address import PageSettings, choice
from pages.shared.again import train_again
from pages.shared.path import show_opening
from pages.shared.predict import predict
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.tour import show_title
from pages.shared.words import and_then, just_seen, page_words
from vae_core.errors import StoreError
from vae_core.lessons.experiments import Row

EXPERIMENTS = {"floor": "The floor", "grey": "Grey pixels under BCE", "sigma": "Which σ?"}
SETTINGS = PageSettings(
    "experiments",
    {
        "experiment": choice(EXPERIMENTS, "floor"),
        "floor": choice(list(floor.GUESSES), None),
        "grey": choice(list(grey.GUESSES), None),
        "sigma": choice(list(sigma.GUESSES), None),
    },
)
WORDS = page_words("experiments")


def ask(question: str, guesses: dict[str, str], name: str) -> bool:
    """Whether there is a guess."""
    return predict(SETTINGS, name, question, list(guesses), guesses.__getitem__, "experiments.told") is not None


@st.fragment(key="experiments.told")
def tell(reveal: Callable[[str], None], name: str) -> None:
    reveal(SETTINGS[name])
    SETTINGS.mirror()


def again(rows: dict[str, Row], name: str) -> None:
    """The experiment's runs, trained here."""
    st.markdown(WORDS["Check it"])
    try:
        train_again({run: (one.spec, one.result.means) for run, one in rows.items()}, engine, f"{name} lanes")
    except StoreError as error:
        st.error(str(error), icon=":material/hard_drive:")


def show_floor() -> bool:
    st.markdown(WORDS["The floor"])
    revealed = ask(floor.QUESTION, floor.GUESSES, "floor")
    floor.show_charts(floor.ROWS, revealed)
    st.caption(WORDS["The price"])
    if revealed:
        tell(partial(floor.show_reveal, floor.ROWS), "floor")
        floor.show_details(floor.ROWS)
        again(floor.ROWS, "floor")
    return revealed


def show_grey() -> bool:
    st.markdown(WORDS["Grey pixels"])
    revealed = ask(grey.QUESTION, grey.GUESSES, "grey")
    if revealed:
        grey.show_prices(grey.ROWS)
        tell(partial(grey.show_reveal, grey.ROWS), "grey")
    grey.show_numbers(grey.ROWS)
    if revealed:
        grey.show_details(grey.ROWS)
        again(grey.ROWS, "grey")
    return revealed


def show_sigma() -> bool:
    st.markdown(WORDS["Which sigma"])
    revealed = ask(sigma.QUESTION, sigma.GUESSES, "sigma")
    sigma.show_charts(revealed)
    if revealed:
        tell(sigma.show_reveal, "sigma")
        sigma.show_details()
        again(sigma.ROWS, "sigma")
    return revealed


@st.fragment(key="experiments")
def show() -> None:
    SETTINGS.one_of("experiment", "Experiment", label_visibility="collapsed")
    revealed = {"floor": show_floor, "grey": show_grey, "sigma": show_sigma}[SETTINGS["experiment"]]()
    SETTINGS.mirror()
    if revealed:
        seen = {"floor": "the floor", "grey": "grey pixels", "sigma": "sigma"}[SETTINGS["experiment"]]
        just_seen(WORDS[f"What you just saw of {seen}"])
    else:
        st.caption("Choose one answer, and the rest appears. Nothing is counted.")
        just_seen(WORDS["What you just saw"])  # which does not tell what is to be predicted


# The page ------------------------------------------------------------------------------------------------------------

SETTINGS.follow()
engine = get_engine()
show_title("experiments", "Three experiments")
show_opening("experiments")
show()
and_then(WORDS)
show_engine_state(engine)
