"""The question, and the same digit under three answers: from runs that ship with the app, without training."""

import streamlit as st

from pages.shared.address import PageSettings, choice
from pages.shared.figures import enlarged
from pages.shared.links import target
from pages.shared.naming import badge, title
from pages.shared.numbers import nats
from pages.shared.path import show_next, show_opening
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.tour import go_to, minutes, on_tour, show_title, tour_begun
from pages.shared.train_link import TRAIN, link_to
from pages.shared.words import explanation, show_glossary
from vae_core.lessons.start import N_DRAWS, Example, load_examples
from vae_core.likelihoods import LIKELIHOODS, Support
from vae_core.shipped import SPECS
from vae_core.tiles import png

SETTINGS = PageSettings("start", {"digit": choice(range(10), 3)})
SETTINGS.follow()
inputs, examples = load_examples()


def draw_again() -> None:
    st.session_state["draw"] = (st.session_state.get("draw", 0) + 1) % N_DRAWS


def doors() -> None:
    """Where to begin: with the idea, with one's own code, or by the hand."""
    with st.container(horizontal=True):
        if st.button("Start from one pixel", type="primary"):
            st.switch_page(target("one_pixel").script)
        if st.button("Start from your loss", help="Say what your code does, and read the σ² that it means."):
            st.switch_page(target("assumed").script)
        begun = tour_begun()
        tour = f"Go on with the tour, step {begun}" if begun > 1 else f"Take the tour, about {minutes()} minutes"
        if st.button(tour, icon=":material/tour:"):
            go_to(begun)


@st.fragment(key="examples")
def show_examples() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        digit = SETTINGS.one_of("digit", "A held-out digit x", label_visibility="collapsed")
        st.button("Draw another sample", on_click=draw_again, icon=":material/casino:")
        draw = st.session_state.get("draw", 0)
        st.caption(f"Draw {draw + 1} of {N_DRAWS}.", width="content")
    SETTINGS.mirror()
    for (key, under), column in zip(examples.items(), st.columns(len(examples), border=True)):
        with column:
            show(key, digit, under[digit], draw)


def show(key: str, digit: int, example: Example, draw: int) -> None:
    """The digit under one decoder."""
    name, likelihood = title(SPECS[key]), LIKELIHOODS[key]
    clipped = ", clipped" * (likelihood.support is Support.REAL)  # a coin's sample is black and white already
    st.markdown(f"**{name}**")
    pictures = [
        (inputs[digit], "input x", f"The held-out digit {digit}"),
        (example.mean, "mean of p(x|z,w)", f"The mean of p(x|z,w) under {name}"),
        (
            example.samples[draw],
            f"one sample{clipped}",
            f"A draw from p(x|z,w) under {name}{clipped}{' for display' if clipped else ''}",
        ),
    ]
    with st.container(horizontal=True, gap="small"):
        for image, caption, alt in pictures:
            st.image(enlarged(png(image[None])), caption=caption, width=84, alt=alt)
    # In the text, a formula breaks where its line is full; displayed, it would be cut.
    st.markdown(
        f"ln p(x|z,w) = **{nats(example.log_prob)}** nats  \n{badge(SPECS[key])}\n\n"
        f"$\\displaystyle {likelihood.symbol}$  \n${likelihood.link}$\n\n{explanation(key)[0]}"
    )


show_title("start", "What exactly is ln p(x|z,w)?")
show_opening("start", "**ln p(x|z,w)** is the log of the probability, or density, it gives to an image x.")
if not on_tour():
    doors()
show_examples()
if st.button("Train them yourself", icon=":material/model_training:"):
    st.switch_page(TRAIN, query_params=link_to(list(SPECS.values())))
st.markdown(
    "You choose the distribution, and −ln p(x|z,w) goes into the loss. z is the image's code, w are the decoder's "
    "weights. The network itself is deterministic; the noise around its output is assumed."
)
st.markdown(
    "The three numbers do not rank the decoders. The first is the log of the **probability** of this black-and-white "
    "image, so it cannot exceed 0. The other two are logs of **densities**, probability per unit of grey multiplied "
    "over 784 pixels (black is 0, white is 1), and a density may exceed 1: at σ = 1 an image's log cannot exceed "
    "−720.4, small learned σ take it far above 0. And each is for one z only, without the loss's other term, the KL."
)
st.caption(
    "Each decoder was trained before shipping on the same 4,000 black-and-white MNIST digits, with the settings that "
    "*Train them yourself* opens; z is the encoder's mean. Gaussian means and samples are clipped to [0,1] for "
    f"display; the {N_DRAWS} draws were made then. Remake all of it with `python -m vae_core ship`. "
    "Source: Kingma & Welling 2013 (arXiv 1312.6114), appendix C. Code: `log_prob` in `vae_core/likelihoods/`."
)
show_next("start")
show_glossary()
show_engine_state(get_engine())
