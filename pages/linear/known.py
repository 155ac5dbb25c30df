"""What is known of a linear VAE before any training, and the widget that draws it."""

from __future__ import annotations

import streamlit as st

from pages.shared.address import PageSettings, choice, real, whole
from pages.shared.predict import predict
from pages.shared.widget import sent, widget
from pages.shared.words import Parts
from vae_core.catalogue import DATASETS
from vae_core.lessons import linear
from vae_core.lessons.exact import Components, best_variance, linear_vae
from vae_core.spec import RunSpec

DATA = {key: DATASETS[key].title for key in ("digits", "mnist", "fashion")}
NOISE = {"fixed": "fixed", "learned": "learned with the weights"}
GUESSES = {"all": "All of them", "some": "Some", "none": "None", "skip": "Just show me"}
TO_PREDICT = (0.3, 1.0, 0.1, 3.0, 0.01)  # sigma^2, one after the other
SETTINGS = PageSettings(
    "linear",
    {
        "dataset": choice(DATA, "digits"),
        "latent_dim": whole(1, 32, 10),
        "noise": choice(NOISE, "fixed"),
        "variance": real(1e-3, 30.0, TO_PREDICT[0]),
        "guess": choice(list(GUESSES), None),
    },
)
WIDGET = widget("linear", "cut", "svg", "lighting", "typed")
TOLD = "linear.told"


@st.cache_resource(show_spinner="Working out the principal components", max_entries=3)  # read several times a rerun
def components(dataset: str) -> Components:
    return linear.known(dataset)


@st.cache_data(show_spinner=False, max_entries=256)
def answer(_spec: RunSpec, spec_id: str) -> linear.Answer:
    return linear.answer(_spec, components(_spec.dataset))


@st.cache_data(show_spinner=False, max_entries=64)
def held_out_evidence(_spec: RunSpec, spec_id: str) -> float:
    return linear.held_out_evidence(_spec, components(_spec.dataset))


def best() -> float:
    """sigma^2_ML of the chosen images and latents."""
    return best_variance(components(SETTINGS["dataset"]).eigenvalues, SETTINGS["latent_dim"])


def variance() -> float:
    """sigma^2 as it is set, or where it ends when it is learned."""
    of = components(SETTINGS["dataset"])
    if SETTINGS["noise"] == "learned":
        return linear.learned_variance(of.eigenvalues, SETTINGS["latent_dim"], RunSpec.variance_floor)
    return float(SETTINGS["variance"])


def choose() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Images", list(DATA), format_func=DATA.__getitem__, width=230, **SETTINGS.keep("dataset"))
        SETTINGS.number("latent_dim", "Latents", width=130)
        SETTINGS.one_of("noise", "σ²")


def show_known(words: Parts) -> bool:
    """Draw the bars, the line and the question; whether it is answered, so that all is shown."""

    def released() -> None:
        SETTINGS.take("variance", sent("linear.widget", "released"))

    of, revealed = components(SETTINGS["dataset"]), SETTINGS["guess"] is not None
    WIDGET(
        key="linear.widget",
        data={
            "eigenvalues": of.eigenvalues.tolist(),
            "latents": SETTINGS["latent_dim"],
            "variance": variance(),
            "learned": SETTINGS["noise"] == "learned",
            "best": best(),
            "revealed": revealed,
        },
        on_released_change=released,
    )
    question = (
        f"Predict first: noise of σ² = {variance():.3g} at every pixel, and {SETTINGS['latent_dim']} latents. How many "
        "of them will a linear VAE use?"
    )
    predict(SETTINGS, "guess", question, list(GUESSES), GUESSES.__getitem__, TOLD)
    if revealed:
        tell(words["The rule"])
        st.button("Another σ²: predict again", icon=":material/casino:", on_click=_again)
    return revealed


@st.fragment(key=TOLD)
def tell(rule: str) -> None:
    of, latent_dim, guess = components(SETTINGS["dataset"]), SETTINGS["latent_dim"], SETTINGS["guess"]
    active = linear_vae(of.eigenvalues, latent_dim, variance()).active
    seen = "none" if not active else "all" if active == latent_dim else "some"
    you = (
        "" if guess in (None, "skip") else "As you said: " if guess == seen else f"You said: {GUESSES[guess].lower()}. "
    )
    st.info(f"{you}**{active} of {latent_dim}** at σ² = {variance():.3g}. {rule}", icon=":material/visibility:")
    SETTINGS.mirror()


def _again() -> None:
    at = TO_PREDICT.index(SETTINGS["variance"]) + 1 if SETTINGS["variance"] in TO_PREDICT else 0
    SETTINGS["variance"] = TO_PREDICT[at % len(TO_PREDICT)]
    SETTINGS["noise"], SETTINGS["guess"] = "fixed", None
