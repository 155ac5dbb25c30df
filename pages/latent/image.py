"""From an image to its q(z|x), and from draws of it back to images; the widget does it all in the browser."""

from __future__ import annotations

import streamlit as st

from pages.latent.pack import MOST_PICTURED, fits, packed
from pages.latent.run import LatentRun
from pages.shared.address import PageSettings
from pages.shared.widget import sent, widget
from pages.shared.words import Parts

_FROM_IMAGE = widget("latent", "image", "svg", "controls", "canvas", "likelihoods", "decoder", "pack", "hold")


def from_image(run: LatentRun, settings: PageSettings, words: Parts) -> None:
    st.markdown(words["From an image"])
    if not fits([run]):
        return
    key, state = "latent.from image", st.session_state
    values = packed([run], encoder=True)

    def chosen() -> None:
        settings.take("image", sent(key, "image"))

    if state.get("latent.from image shown") != values["id"] or key not in state:  # as the pad's start
        state["latent.from image shown"], state["latent.from image start"] = values["id"], settings["image"]
    start = min(state["latent.from image start"], MOST_PICTURED - 1, len(run.codes) - 1)
    _FROM_IMAGE(key=key, data={**values, "start": start}, on_image_change=chosen, on_lost_change=lambda: None)
    st.markdown(words["Why hold the noise"])
