"""Three experiments, each predicted first: the floor, grey pixels under BCE, and which sigma."""

from __future__ import annotations

import streamlit as st

from pages.experiments import floor, grey, sigma
from pages.shared.address import PageSettings, choice
from pages.shared.again import train_again
from pages.shared.path import show_opening
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


def predict(question: str, guesses: dict[str, str], name: str) -> str | None:
    """The reader's guess, or nothing as long as there is none."""
    guess: str | None = st.pills(
        question, list(guesses), format_func=guesses.__getitem__, wrap=True, **SETTINGS.keep(name)
    )
    return guess


def again(rows: dict[str, Row], name: str) -> None:
    """The experiment's runs, trained here."""
    st.markdown(WORDS["Check it"])
    try:
        train_again({run: (one.spec, one.result.means) for run, one in rows.items()}, engine, f"{name} lanes")
    except StoreError as error:
        st.error(str(error), icon=":material/hard_drive:")


def show_floor() -> str | None:
    st.markdown(WORDS["The floor"])
    guess = predict(floor.QUESTION, floor.GUESSES, "floor")
    floor.show_charts(floor.ROWS, revealed=guess is not None)
    st.caption(WORDS["The price"])
    if guess is not None:
        floor.show_reveal(floor.ROWS, guess)
        floor.show_details(floor.ROWS)
        again(floor.ROWS, "floor")
    return guess


def show_grey() -> str | None:
    st.markdown(WORDS["Grey pixels"])
    guess = predict(grey.QUESTION, grey.GUESSES, "grey")
    if guess is not None:
        grey.show_prices(grey.ROWS)
        grey.show_reveal(grey.ROWS, guess)
    grey.show_numbers(grey.ROWS)
    if guess is not None:
        grey.show_details(grey.ROWS)
        again(grey.ROWS, "grey")
    return guess


def show_sigma() -> str | None:
    st.markdown(WORDS["Which sigma"])
    guess = predict(sigma.QUESTION, sigma.GUESSES, "sigma")
    sigma.show_charts(revealed=guess is not None)
    if guess is not None:
        sigma.show_reveal(guess)
        sigma.show_details()
        again(sigma.ROWS, "sigma")
    return guess


@st.fragment(key="experiments")
def show() -> None:
    SETTINGS.one_of("experiment", "Experiment", label_visibility="collapsed")
    shown = {"floor": show_floor, "grey": show_grey, "sigma": show_sigma}[SETTINGS["experiment"]]()
    SETTINGS.mirror()
    if shown is None:
        st.caption("Choose one answer, and the rest appears. Nothing is counted.")
        just_seen(WORDS["What you just saw"])  # the rest would tell what is to be predicted
    else:
        seen = {"floor": "the floor", "grey": "grey pixels", "sigma": "sigma"}[SETTINGS["experiment"]]
        just_seen(WORDS[f"What you just saw of {seen}"])


# The page ------------------------------------------------------------------------------------------------------------

SETTINGS.follow()
engine = get_engine()
show_title("experiments", "Three experiments")
show_opening("experiments")
show()
and_then(WORDS)
show_engine_state(engine)
