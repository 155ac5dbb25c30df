"""Widgets drawn in the browser: plain JavaScript beside the page that shows it, with no build, nothing to download."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

SHARED = Path(__file__).parent


@cache  # a page's script runs again and again, and Streamlit wants a widget registered once
def widget(page: str, name: str, *used: str) -> Any:
    """Register `<name>.js`, `.css` and `.html` of a page's folder (or of a folder in shared), after the files they use,
    there or in shared."""
    folders = dict.fromkeys((SHARED.parent / page, SHARED / page, SHARED))  # once where the page is "shared"

    def text(ending: str) -> str:
        paths = (folder / f"{one}.{ending}" for one in (*used, name) for folder in folders)
        return "\n".join(path.read_text(encoding="utf-8") for path in paths if path.exists())

    html, css, js = text("html"), text("css"), text("js")
    return st.components.v2.component(f"{page}_{name}", html=html or None, css=css or None, js=js)


def sent(key: str, name: str) -> Any:
    """What the script of this widget said last of `name`; None where it has said nothing. Check it: a browser can send
    anything."""
    said = st.session_state.get(key)
    return said.get(name) if isinstance(said, Mapping) else None
