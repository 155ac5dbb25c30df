"""Widgets drawn in the browser: plain JavaScript beside this file, with no build and nothing to download."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent / "widgets"


@cache  # a page's script runs again and again, and Streamlit wants a widget registered once
def widget(name: str, *shared: str) -> Any:
    """Register `widgets/<name>.js`, `.css` and `.html`, after the shared files it uses."""
    text = lambda ending: "\n".join(
        path.read_text(encoding="utf-8") for one in (*shared, name) if (path := FOLDER / f"{one}.{ending}").exists()
    )
    return st.components.v2.component(name, html=text("html") or None, css=text("css") or None, js=text("js"))
