"""A linear VAE, whose every answer is known before it is trained: forecast, training, each image, the network."""

from __future__ import annotations

import streamlit as st

from pages.linear.found import show_found, trained
from pages.linear.known import SETTINGS, choose, show_known
from pages.linear.runs import LINEAR, panel, show_network, show_stage, spec_of, watch
from pages.shared.path import show_opening
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.tour import show_title
from pages.shared.words import ending, page_words
from vae_core.errors import StoreError


@st.fragment(key="linear")
def show() -> None:
    choose()
    revealed = show_known(words)
    SETTINGS.mirror()
    if not revealed:
        st.caption("Choose one, and the numbers and the training appear. Nothing is counted.")
        return
    spec = spec_of()
    st.header("Train it", anchor="train")
    st.markdown(words["Train it"])
    show_engine_state(engine)
    try:
        drawn = panel(engine, spec, "Train a linear VAE")
        found = trained(spec, engine) if drawn == ["done"] else None
        watch(engine, spec, bool({"queued", "running"} & set(drawn)), found)
        show_stage(engine, LINEAR, spec, drawn)
        if found is not None:
            show_found(spec, found, words)
        st.header("The same with the networks", anchor="network")
        st.markdown(words["The network"])
        show_network(engine, spec, words)
    except StoreError as error:
        st.error(str(error), icon=":material/hard_drive:")


engine = get_engine()
words = page_words("linear")
SETTINGS.follow()
show_title("linear", "A linear VAE beside its exact answer")
show_opening("linear", words[""])
show()
ending(words)
