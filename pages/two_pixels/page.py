"""Two pixels, one latent: the model in which ln p(x|w), the posterior and the gap are exact, to be dragged."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from pages.shared.address import PageSettings, Setting, choice, parse, real, whole
from pages.shared.path import show_opening
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.tour import show_title
from pages.shared.widget import sent, widget
from pages.shared.words import ending, page_words
from pages.two_pixels.fit import FIT, show_fit
from vae_core.lessons.two_pixels import (
    CHANGE,
    CURVES,
    LOGIT_SCALE,
    PLANE,
    SIGMA,
    Bernoulli,
    Decoder,
    Gaussian,
    M,
    Q,
    S,
    best_q,
    elbo,
    gap,
    log_evidence,
)

LIKELIHOODS = {"gaussian": "Gaussian", "bernoulli": "Bernoulli"}
SHAPES = {"line": "line", "arc": "arc", "hairpin": "hairpin", "loop": "loop"}
NOISES = {"same": "the same everywhere", "changes": "depends on z"}
SEEN = {"00": "(0, 0)", "01": "(0, 1)", "10": "(1, 0)", "11": "(1, 1)"}
Z = (-4.0, 4.0)
# Each number that can be set: its symbol, its name, what it is, and what an arrow key adds.
BOXES = {
    "x1": ("x₁", "x₁, the first pixel", "Of the image.", 0.05),
    "x2": ("x₂", "x₂, the second pixel", "Of the image.", 0.05),
    "sigma": ("σ", "σ, the noise", "The standard deviation of p(x|z,w).", 0.01),
    "b": ("b", "b, how σ depends on z", "ln σ(z) = ln σ + b·tanh z.", 0.05),
    "z": ("z", "z, the latent", "One number; the decoder takes it to a point of its curve.", 0.05),
    "m": ("m", "m, the mean of q", "Of the encoder's q(z|x).", 0.02),
    "s": ("s", "s, the standard deviation of q", "Of the encoder's q(z|x).", 0.01),
}
PICTURED: dict[str, Setting] = {
    "likelihood": choice(LIKELIHOODS, "gaussian"),
    "curve": choice(SHAPES, "arc"),
    "noise": choice(NOISES, "same"),
    "sigma": real(*SIGMA, 0.4),
    "b": real(*CHANGE, 0.5),
    "x1": real(*PLANE, 1.2),
    "x2": real(*PLANE, 0.6),
    "corner": choice(SEEN, "11"),
    "z": real(*Z, -0.5),
    "m": real(*M, 0.5),
    "s": real(*S, 0.6),
    "follows": choice({"no": "no", "yes": "yes"}, "no"),
    "k": choice([1, 2, 4, 8, 16, 32, 64, 128], 8),
    "draw": whole(1, 1000, 1),
}
SETTINGS = PageSettings("two_pixels", PICTURED | FIT)
WIDGET = "two_pixels.widget"
PICTURE = widget(
    "two_pixels", "picture", "svg", "badges", "exact", "plane", "numbers", "panels", "draws", "sentences", "controls"
)


def moved() -> Mapping[str, Any]:
    """What the picture sent when it was last let go; empty before."""
    said = sent(WIDGET, "moved")
    return said if isinstance(said, Mapping) else {}


def take() -> None:
    """Before the page is drawn. What is no value of a setting is left out."""
    names = PICTURED.keys() & moved().keys()
    values, _ = parse(SETTINGS.settings, {name: [str(moved()[name])] for name in names})
    for name, value in values.items():
        SETTINGS[name] = value


def controls() -> dict[str, Any]:
    """What can be set beside the pictures, and its names."""
    boxes: list[dict[str, Any]] = []
    for name, (symbol, label, help, step) in BOXES.items():
        rule = SETTINGS.settings[name].rule
        allowed = f"{help} {rule.low:g} to {rule.high:g}.".replace("-", "−")
        one = {"name": name, "symbol": symbol, "label": label, "help": allowed, "step": step}
        boxes.append(one | {"low": rule.low, "high": rule.high})
    corner = {"name": "corner", "symbol": "x", "label": "x, the image", "help": "A corner: (pixel 1, pixel 2)."}
    return {
        "groups": [
            {"name": "likelihood", "label": "p(x|z,w)", "options": LIKELIHOODS},
            {"name": "curve", "label": "Curve", "options": SHAPES},
            {"name": "noise", "label": "σ", "options": NOISES},
        ],
        "boxes": [corner | {"options": SEEN}, *boxes],
    }


def picture() -> None:
    PICTURE(
        key=WIDGET,
        data={
            "values": {name: SETTINGS[name] for name in PICTURED},
            "controls": controls(),
            "symbols": {name: symbol for name, (symbol, *_) in BOXES.items()},
            "limits": {name: [(rule := SETTINGS.settings[name].rule).low, rule.high] for name in BOXES},
            "given": {"curves": CURVES, "logit_scale": LOGIT_SCALE},
            "at": at if isinstance(at := moved().get("at"), int) else 0,
        },
        on_moved_change=take,
    )


def chosen() -> tuple[Decoder, str, np.ndarray]:
    """The decoder that is set, how the core writes it, and x."""
    curve, sigma, change = SETTINGS["curve"], SETTINGS["sigma"], SETTINGS["b"] * (SETTINGS["noise"] == "changes")
    if SETTINGS["likelihood"] == "bernoulli":
        return Bernoulli(curve), f'Bernoulli("{curve}")', np.array([float(one) for one in SETTINGS["corner"]])
    written = f'Gaussian("{curve}", sigma={sigma:g}, change={change:g})'
    return Gaussian(curve, sigma, change), written, np.array([SETTINGS["x1"], SETTINGS["x2"]])


def show_code() -> None:
    """The same numbers from the core, in numpy."""
    decoder, written, x = chosen()
    q = best_q(decoder, x) if SETTINGS["follows"] == "yes" else Q(SETTINGS["m"], SETTINGS["s"])
    bound = elbo(decoder, x, q)
    st.code(
        f"import numpy as np\nfrom vae_core.lessons.two_pixels import {written.partition('(')[0]}, Q, elbo, gap\n\n"
        f"decoder, x, q = {written}, np.array([{x[0]:g}, {x[1]:g}]), Q(m={q.m:g}, s={q.s:g})\n"
        f"z = np.linspace(-8, 8, 6401)\n"
        f"joint = decoder.log_likelihood(x, z) - z**2 / 2 - np.log(2 * np.pi) / 2\n"
        f"np.logaddexp.reduce(joint) + np.log(z[1] - z[0])  # ln p(x|w) = {log_evidence(decoder, x):.6f}\n"
        f"elbo(decoder, x, q)  # {bound.reconstruction:.6f} - {bound.kl:.6f} = {bound.elbo:.6f}\n"
        f"gap(decoder, x, q)  # {gap(decoder, x, q):.6f}",
        language=None,
        wrap_lines=True,
    )


@st.fragment(key="two_pixels.fit")
def fit() -> None:
    show_fit(SETTINGS)


@st.fragment(key="two_pixels")
def show() -> None:
    picture()
    SETTINGS.mirror()
    st.caption(words["How to use it"])
    st.header("The same from the core")
    st.markdown(words["The same from the core"])
    show_code()


SETTINGS.follow()
words = page_words("two_pixels")
show_title("two_pixels", "Two pixels")
show_opening("two_pixels", words[""])
show()
st.header("The decoder is a curve")
st.markdown(words["The decoder is a curve"])
st.header("The gap")
st.markdown(words["The gap"])
st.header("Average of logs, log of the average")
st.markdown(words["Average of logs, log of the average"])
st.header("Two coins")
st.markdown(words["Two coins"])
st.header("Fit it", anchor="fit")
st.markdown(words["Fit it"])
fit()
st.markdown(words["What the fits show"])
ending(words)
show_engine_state(get_engine())
