"""What a reader is to predict before he is shown: a row of guesses, none of them counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from pages.shared.address import PageSettings
from pages.shared.sections import run_again


def predict(
    settings: PageSettings, name: str, question: str, guesses: Sequence[Any], called: Callable[[Any], str], told: str
) -> Any:
    """Draw the guesses; None as long as there is none. To guess again runs the fragment with the key `told` alone,
    where the page says what became of the guess: all else is shown already."""
    shown = settings[name] is not None

    def again() -> None:
        if shown and settings[name] is not None:
            run_again(told)

    return st.pills(question, guesses, format_func=called, wrap=True, on_change=again, **settings.keep(name))
