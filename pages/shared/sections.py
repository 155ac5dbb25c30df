"""Sections of a page, which run again without the rest of it: Streamlit's fragments."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st
from streamlit.errors import StreamlitAPIException


def run_again(*keys: str) -> None:
    """For a control's callback: these fragments run again, and nothing else; or, where one of them is not on the page
    now, what runs again for the control anyway."""
    with suppress(StreamlitAPIException):
        st.rerun(keys)


def by_clock(key: str, runs: bool) -> None:
    """Say before a fragment with this key is drawn whether a clock runs it. Where one did and is to no more, all of the
    page runs once more, which ends the clock: a section that runs alone keeps the clocks that are in it."""
    name = f"clock of {key}"
    ran, st.session_state[name] = st.session_state.get(name), runs
    if ran and not runs:
        st.rerun()


def has_clock(key: str) -> bool:
    """What was said of it last."""
    return bool(st.session_state.get(f"clock of {key}"))
