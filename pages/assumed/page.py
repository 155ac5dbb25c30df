"""What a loss assumes about p(x|z,w), what will come of it, and both runs side by side."""

from __future__ import annotations

import streamlit as st

from pages.assumed.forecast import noise_left, outlook_of, show_forecast
from pages.assumed.form import SETTINGS, form
from pages.assumed.meaning import noise_words, show_meaning
from pages.assumed.noise import show_noise
from pages.assumed.reports import take_a_report, tell_report
from pages.assumed.runs import show_runs, specs_of
from pages.shared.path import show_opening
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.tour import show_title
from pages.shared.words import ending, page_words
from vae_core.errors import StoreError
from vae_core.lessons import assumed


@st.fragment(key="assumed")
def show() -> None:
    figure = st.container()
    written, means = st.columns(2, gap="medium")
    with written:
        take_a_report(words)
        tell_report()
        code = form()
    SETTINGS.mirror()
    dataset = SETTINGS["dataset"]
    with figure:
        show_noise(code)
    with written:
        st.header("What you wrote")
        st.code(assumed.lines_written(code), language=None, wrap_lines=True)
        st.markdown(words["The rule"])
    with means:
        st.header("What it assumes", anchor="meaning")
        show_meaning(code, words)

    noise = noise_left(code.loss, code.latent_dim, dataset)
    right = assumed.corrected(code, noise)
    outlook = outlook_of(code, dataset)
    better = "Refined" if outlook == "fair" else "Corrected"  # what is about right needs no correcting
    codes = {"What you wrote": code} if assumed.right_already(code) else {"What you wrote": code, better: right}
    st.header("What will happen")
    show_forecast(codes, outlook, dataset, words)
    st.header(f"The {better.lower()} lines")
    st.markdown(words["Better lines"])
    st.code(assumed.lines_corrected(code, noise), language=None, wrap_lines=True)
    if noise:
        st.caption(
            f"{noise_words(right)}: the error of {code.latent_dim} principal components on these images. It is a "
            "place to start from; your trained decoder's own residuals decide."
        )
    st.header("Run it", anchor="run")
    st.markdown(words["Run it"])
    show_engine_state(engine)
    try:
        show_runs(engine, specs_of(codes, dataset))
    except StoreError as error:
        st.error(str(error), icon=":material/hard_drive:")


engine = get_engine()
words = page_words("assumed")
SETTINGS.follow()
show_title("assumed", "Which σ² did your loss assume?")
show_opening("assumed", words[""])
show()
ending(words)
