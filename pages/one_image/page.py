"""One held-out image under each decoder: ln p(x|z,w) pixel by pixel, and its Monte-Carlo average over draws of z."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.one_image.estimate import choose_draws, show_estimate
from pages.one_image.pixel_map import pixel_map
from pages.one_image.seen import estimated, pixels
from pages.shared.address import PageSettings, Setting, choice, whole
from pages.shared.columns import columns
from pages.shared.held_out import choose_image, image_of
from pages.shared.naming import title
from pages.shared.path import show_opening
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.sections import run_again
from pages.shared.tour import show_title
from pages.shared.trained import RUN_SETTINGS, choose_runs, data_of, offer_again, vae_of
from pages.shared.words import decoder_words, ending, page_words
from vae_core.catalogue import DATASETS
from vae_core.data import split
from vae_core.errors import CheckpointError, DataError, SpecError, StoreError
from vae_core.lessons.one_image import MOST_DRAWS
from vae_core.spec import RunSpec
from vae_core.values import shown

if TYPE_CHECKING:
    from vae_core.model import VAE

MAP, ESTIMATE = "one_image.map", "one_image.estimate"  # fragments
SIDE = max(info.side for info in DATASETS.values())
MOST_HELD_OUT = max(info.n_images for info in DATASETS.values()) // 2


def read_pixel(name: str, texts: list[str]) -> str:
    found = re.fullmatch(r"([0-9]{1,2}),([0-9]{1,2})", texts[-1])
    if found is None or max(map(int, found.groups())) >= SIDE:
        raise SpecError(name, f"pixel is {shown(texts[-1])}; allowed: row,column, each from 0 to {SIDE - 1}.")
    return ",".join(str(int(one)) for one in found.groups())


SETTINGS = PageSettings(
    "one_image",
    {
        **RUN_SETTINGS,
        "image": whole(0, MOST_HELD_OUT - 1, 0),
        "z": choice({"mean": "m, the mean of q(z|x)", "draw": "one draw from q(z|x)"}, "mean"),
        "pixel": Setting("", read_pixel),  # "" is the costliest one
        "L": whole(1, MOST_DRAWS, 100),
        "draw": whole(0, 9999, 0),
    },
)


# What is chosen ------------------------------------------------------------------------------------------------------


def choose(spec: RunSpec) -> int:
    """Draw the choice of an image and of its z; the number of the image."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        labels = data_of(spec.dataset).labels[split(spec)[1]]  # (n_held_out,)
        by_class = "The first of class" if "fashion" in spec.dataset else "The first of digit"
        number = choose_image(SETTINGS, labels, by_class=by_class)
        SETTINGS.one_of("z", "z is", on_change=lambda: run_again(MAP))
    return number


def pixel_number(side: int) -> int:
    """The pixel of the link; -1 for the costliest."""
    if not SETTINGS["pixel"]:
        return -1
    row, column = map(int, SETTINGS["pixel"].split(","))
    if max(row, column) >= side:
        st.warning(f"pixel is {row},{column}; these images have rows and columns 0 to {side - 1}.")
        SETTINGS["pixel"] = ""
        return -1
    return row * side + column


def explained(spec: RunSpec) -> str:
    """What fits what this decoder assumes."""
    if spec.loss_only:
        return words["A loss on grey pixels"]
    if spec.likelihood == "gaussian_identity" and spec.sigma != 1:
        return words["Under another fixed σ"]
    return decoder_words(spec.likelihood)["One image"]


@st.fragment(key="one_image")
def show() -> None:
    st.header("Which pixels cost how many nats", anchor="map")
    try:
        specs = choose_runs(SETTINGS, engine)
        vaes = {}
        for spec in specs:
            try:
                vaes[spec.likelihood] = vae_of(spec, engine.store)
            except CheckpointError as error:
                offer_again(spec, error, engine)
        if vaes:
            spec = next(vae.spec for vae in vaes.values())  # the others differ in p(x|z,w) alone: the same images
            number = choose(spec)
    except (StoreError, DataError) as error:
        st.error(str(error), icon=":material/hard_drive:")
        vaes = {}
    if vaes:
        show_map(list(vaes.values()), number)
        show_estimates(list(vaes.values()), number)
    SETTINGS.mirror()


@st.fragment(key=MAP)
def show_map(vaes: Sequence[VAE], number: int) -> None:
    x, side = image_of(vaes[0].spec, number), math.isqrt(vaes[0].spec.n_pixels)
    seed = SETTINGS["draw"] if SETTINGS["z"] == "draw" else None  # None for z = m
    views = [(vae.spec, pixels(vae, number, seed)) for vae in vaes]
    pick = lambda pixel: SETTINGS.__setitem__("pixel", f"{pixel // side},{pixel % side}")
    pixel_map(x.numpy(), views, pixel_number(side), pick)
    SETTINGS.mirror()
    st.markdown(f"{words['Intro']}\n\n{words['The map']}")
    for (spec, _), column in zip(views, columns(len(views))):
        column.markdown(f"**{title(spec)}.** {explained(spec)}")


@st.fragment(key=ESTIMATE)
def show_estimates(vaes: Sequence[VAE], number: int) -> None:
    st.header("The Monte-Carlo estimate of the ELBO", anchor="estimate")
    st.markdown(words["The estimate"])
    choose_draws(SETTINGS, drawn_again)
    SETTINGS.mirror()
    for vae, column in zip(vaes, columns(len(vaes))):
        with column, st.container(border=True):
            found = estimated(vae, number, SETTINGS["L"], SETTINGS["draw"])
            show_estimate(vae.spec, found, pixels(vae, number, None).total)
    st.markdown(f"{words['The charts']}\n\n{words['The standard error']}")


def drawn_again() -> None:
    """The map may be at the first of these draws."""
    if SETTINGS["z"] == "draw":
        run_again(MAP, ESTIMATE)


# The page ------------------------------------------------------------------------------------------------------------

SETTINGS.follow()
words = page_words("one_image")
engine = get_engine()
show_title("one_image", "One image")
show_opening("one_image")
show()
ending(words)
show_engine_state(engine)
