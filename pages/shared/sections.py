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
