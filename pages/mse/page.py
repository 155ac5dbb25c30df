"""MSE is a Gaussian: the same number and gradient, the sigma residuals ask for, what sigma does to training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pages.mse.sigma_runs import show_again, show_kl, show_runs, summaries
from pages.shared.address import PageSettings, choice, real, whole
from pages.shared.figures import diverging, enlarged
from pages.shared.held_out import choose_image
from pages.shared.naming import BADGES
from pages.shared.numbers import nats, scientific
from pages.shared.path import show_opening
from pages.shared.predict import predict
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.tour import show_title
from pages.shared.trained import vae_of
from pages.shared.widget import sent, widget
from pages.shared.words import ending, page_words
from vae_core.errors import CheckpointError, StoreError
from vae_core.lessons.mse import (
    HeldOut,
    Summary,
    fit,
    fits,
    held_out,
    histogram,
    identities,
    reconstruct,
    residual_of,
    saved_by_two_sigmas,
    share_outside,
)
from vae_core.pictures import grey, stretched
from vae_core.shipped import SPECS
from vae_core.tiles import png

if TYPE_CHECKING:
    from torch import Tensor

IDENTITY = SPECS["gaussian_identity"]
N_DRAWS = 1000
GUESSES = {"grows": "It grows", "same": "It stays the same", "shrinks": "It shrinks", "skip": "Just show me"}
SETTINGS = PageSettings(
    "mse",
    {
        "image": whole(0, IDENTITY.n_held_out - 1, 0),
        "sigma": real(0.01, 3.0, 1.0),
        "draw": whole(0, N_DRAWS - 1, 0),
        "guess": choice(list(GUESSES), None),
    },
)
WIDGET = widget("mse", "sigma", "svg", "canvas", "likelihoods", "lighting", "typed")
WORDS = page_words("mse")


@st.cache_resource(show_spinner="Reading the held-out images")
def images() -> HeldOut:
    return held_out(IDENTITY)


def small(value: float) -> str:
    """A rounding error."""
    return scientific(value, 1) if value else "0"


# One image -----------------------------------------------------------------------------------------------------------


def signed(values: Tensor) -> str:
    """Values in [-1, 1] as a picture: blue below 0, white, red above."""
    return diverging(png(stretched(values[None], -1, 1)))


def show_pictures(x: Tensor, mu: Tensor) -> None:
    st.image(enlarged(png(grey(x[None]))), caption="input x", width=130, alt="The held-out image x")
    caption = "mean μ, clipped for display"
    st.image(enlarged(png(grey(mu[None]))), caption=caption, width=130, alt="The decoder's mean for x")


def show_value(x: Tensor, mu: Tensor) -> None:
    st.header("1. The same number, the same gradient")
    st.markdown(WORDS["The same number"])
    single, double = identities(x, mu)
    st.markdown(BADGES["density"])
    rows = {
        "½·SSE": (single.half_sse, double.half_sse),
        f"(D/2) ln 2π, D = {len(x)}": (single.constant, double.constant),
        "their sum": (single.loss, double.loss),
        "−ln N(x; μ, I), by torch.distributions": (single.nll, double.nll),
        "−ln N(x; μ, I), by the loss the app trains with": (single.nll_core, double.nll_core),
    }
    table = {name: [nats(a, 4), nats(b, 10)] for name, (a, b) in rows.items()}
    table["sum minus −ln N (torch.distributions)"] = [small(single.difference), small(double.difference)]
    st.table(
        pd.DataFrame.from_dict(table, orient="index", columns=["float32, as trained, nats", "float64, nats"]),
        alt="Half the squared error plus its constant equals the negative log-density, up to rounding",
    )
    st.caption(
        f"What is left is rounding: float32 numbers of this size lie {small(single.spacing)} apart, float64 ones "
        f"{small(double.spacing)}. Each number here is rounded by itself, to 4 and to 10 decimals."
    )
    st.markdown(WORDS["The same gradient"])
    with st.container(horizontal=True):
        for gradient, of in ((single.loss_gradient, "½·SSE"), (single.nll_gradient, "−ln N(x; μ, I)")):
            alt = f"The gradient of {of} with respect to μ: μ − x at each pixel"
            st.image(signed(gradient), caption=f"∂/∂μ of {of}: −1 blue, 0 white, 1 red", width=150, alt=alt)
        st.markdown(
            f"Largest difference between the two over {len(x)} pixels: **{small(single.gradient_difference)}** in "
            f"float32, **{small(double.gradient_difference)}** in float64, in nats per unit of grey.",
            width=300,
        )


@st.fragment(key="mse.sigma")
def show_sigma(x: Tensor, mu: Tensor, never_lit: Tensor) -> None:
    st.header("2. Which σ do the residuals ask for?", anchor="sigma")
    st.markdown(WORDS["A sigma to drag"])
    residual = residual_of(x, mu)
    found, bars = fit(residual), histogram(residual)

    def released() -> None:
        said = sent("mse.widget", "released")
        for name in ("sigma", "draw") if isinstance(said, Mapping) else ():
            SETTINGS.take(name, said.get(name))

    st.markdown(BADGES["density"])
    WIDGET(
        key="mse.widget",
        data={
            "sigma": SETTINGS["sigma"],
            "draw": SETTINGS["draw"],
            "n_draws": N_DRAWS,
            "image": SETTINGS["image"],
            "x": x.tolist(),
            "mean": mu.tolist(),
            "n_pixels": found.n_pixels,
            "best_sigma": found.best_sigma,
            "edges": bars.edges,
            "density": bars.density,
            "density_never": histogram(residual, never_lit).density,
        },
        on_released_change=released,
    )
    st.markdown(
        f"For this image the identity covariance costs **{nats(found.excess(1.0))}** nats more than σ* = "
        f"{found.best_sigma:.3g}. Expected share of pixels outside [0,1], no grey at all: "
        f"**{100 * share_outside(mu, 1.0):.1f} %** of a draw at σ = 1, "
        f"{100 * share_outside(mu, found.best_sigma):.1f} % at σ*, {100 * share_outside(mu, 0):.1f} % of the mean "
        "itself, as nothing keeps μ inside."
    )
    dark, rest = fits(residual, never_lit)
    st.markdown(
        f"{WORDS['One sigma for all']} Here {dark.n_pixels} of {found.n_pixels} pixels are black in every training "
        f"image. Their √MSE is {dark.best_sigma:.2g}, that of the others {rest.best_sigma:.2g}. A σ for each of the "
        f"two groups would save **{nats(saved_by_two_sigmas(residual, never_lit))}** nats more on this image. The "
        "learned variance goes further, with a σ for each pixel."
    )
    SETTINGS.mirror()


# Whole runs ----------------------------------------------------------------------------------------------------------


@st.fragment(key="mse.training")
def show_training() -> None:
    st.header("3. What it does to training", anchor="training")
    st.markdown(WORDS["What it does to training"])
    question = "Predict first: what happens to the KL when the fixed σ is made smaller?"
    guess = predict(SETTINGS, "guess", question, list(GUESSES), GUESSES.__getitem__, "mse.told")
    SETTINGS.mirror()
    if guess is None:
        st.caption("Choose one, and the runs appear. Nothing is counted.")
        return
    try:
        found = summaries(engine.store)
        tell(found)
        show_runs(found, WORDS)
        st.markdown(WORDS["Check it"])
        show_again(found, engine)
    except CheckpointError as error:
        st.error(str(error), icon=":material/broken_image:")
    except StoreError as error:
        st.error(str(error), icon=":material/hard_drive:")


@st.fragment(key="mse.told")
def tell(found: dict[str, Summary]) -> None:
    guess = SETTINGS["guess"]
    show_kl(found, said="" if guess == "skip" else guess)
    SETTINGS.mirror()


@st.fragment(key="mse.image")
def show_image() -> None:
    chosen = st.container(horizontal=True, vertical_alignment="top")  # what is chosen and its pictures: on one screen
    with chosen:
        number = choose_image(SETTINGS, data.labels, by_class="The first of digit")
    try:
        mean = reconstruct(vae_of(IDENTITY, engine.store), data.x[number])
    except (CheckpointError, StoreError) as error:
        st.error(str(error), icon=":material/broken_image:")
        st.stop()
    with chosen:
        show_pictures(data.x[number], mean)
    st.markdown(WORDS[""])
    show_value(data.x[number], mean)
    show_sigma(data.x[number], mean, data.never_lit)


# The page ------------------------------------------------------------------------------------------------------------

SETTINGS.follow()
engine = get_engine()
show_title("mse", "MSE is a Gaussian; ½·SSE is N(μ, I)")
show_opening("mse")
data = images()
show_image()
show_training()
ending(WORDS)
show_engine_state(engine)
