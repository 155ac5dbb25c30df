"""The class's word, VAE_WORD: without it, visitors look at everything but neither train, stop nor change anything.

It is asked for once a visit and kept in the session, on the server: no widget, address or cookie holds it.
"""

from __future__ import annotations

import hmac
import os
import time

import streamlit as st

MOST_TRIES = 10
WAIT_SECONDS = 1.0  # after the first wrong one; after each other, as long again
GIVEN, TRIES, NEXT, TOLD = "word given", "word tries", "word next try", "word told"  # in session state


class WordError(Exception):
    """Something that takes the class's word was asked for without it."""


def is_set() -> bool:
    return bool(os.environ.get("VAE_WORD"))


def has_word() -> bool:
    """Whether this visitor may train, and change runs: he gave the word, or there is none."""
    return not is_set() or st.session_state.get(GIVEN, False) is True


def need_word() -> None:
    """Call behind whatever begins, ends or changes something for the class, whatever the page has shown. Raises
    WordError."""
    if not has_word():
        raise WordError("This takes the class's word: ask the teacher for it, and give it on this page.")


def ask_for_word(key: str, what_for: str = "To train here") -> None:
    """In place of buttons that take the word: the field for it. `key` tells it from others on the page."""
    tries = st.session_state.get(TRIES, 0)
    if tries >= MOST_TRIES:
        st.warning(f"{MOST_TRIES} wrong words: load the page again to go on.", icon=":material/key_off:")
        return
    st.text_input(
        "The class's word",
        key=f"word {key}",
        type="password",
        on_change=_check,
        args=(f"word {key}",),
        width=180,
        max_chars=200,
        autocomplete="off",
        placeholder=st.session_state.get(TOLD, what_for),
    )


def _check(key: str) -> None:
    state = st.session_state
    said, state[key] = str(state.get(key) or ""), ""  # it stays in no widget
    now = time.monotonic()
    if not said or not is_set() or state.get(TRIES, 0) >= MOST_TRIES:
        return
    if now < state.get(NEXT, 0.0):
        state[TOLD] = "Too soon, try again"
    elif hmac.compare_digest(os.fsencode(said), os.fsencode(os.environ["VAE_WORD"])):
        state[GIVEN] = True
    else:
        state[TRIES] = state.get(TRIES, 0) + 1
        state[NEXT], state[TOLD] = now + WAIT_SECONDS * state[TRIES], "Wrong, try again"
