"""Decoders side by side: as many as fit, and the rest below."""

from __future__ import annotations

import math
from collections.abc import Iterator

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

MOST = 3  # of a desktop's width, so that the words and formulas in a column can be read


def columns(n: int) -> Iterator[DeltaGenerator]:
    """n columns in as few rows as there must be, all of one width."""
    in_a_row = math.ceil(n / math.ceil(n / MOST))
    for start in range(0, n, in_a_row):
        yield from st.columns(in_a_row)[: n - start]
