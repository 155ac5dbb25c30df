"""One decoder output, one pixel: from z to a, from a to a distribution, from the distribution to the loss."""

from functools import partial
from typing import Any

import streamlit as st

from pages.shared.address import PageSettings, choice, parse, real
from pages.shared.figures import COLOURS, DASHES
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.widget import widget
from pages.shared.words import ending, page_words
from vae_core.lessons.one_pixel import BIAS, IN, OUT, likelihood_of, one_pixel
from vae_core.likelihoods import LIKELIHOODS

ACTIVATIONS = {"sigmoid": "sigmoid", "relu": "ReLU", "gelu": "GELU"}
LIMITS = {"a": (-6.0, 6.0), "log_var": (-8.0, 2.0), "x": (0.0, 1.0), "z": (-3.0, 3.0)}
LIMITS |= {"sigma": (0.03, 3.0), "scale": (0.03, 3.0)}
# The settings of a decoder that are chosen here, with their labels; others stay at their defaults.
CHOSEN = {
    "sigma": ("σ, fixed", "Chosen before training; 1 is identity covariance."),
    "scale": ("b, fixed", "Chosen before training; the standard deviation is √2·b."),
}
SETTINGS = PageSettings(
    "one_pixel",
    {
        "decoder": choice({key: kind.name for key, kind in LIKELIHOODS.items()}, "bernoulli"),
        "a": real(*LIMITS["a"], 0.5),
        "log_var": real(*LIMITS["log_var"], -2.0),
        **{name: real(*LIMITS[name], 1.0) for name in CHOSEN},
        "x": real(*LIMITS["x"], 1.0),
        "z": real(*LIMITS["z"], 0.5),
        "activation": choice(ACTIVATIONS, "relu"),
    },
)
WIDGET = "one_pixel.widget"
PICTURE = widget("one_pixel", "picture", "svg", "likelihoods", "numbers")
FOUR_PIXELS = widget("one_pixel", "four_pixels", "svg")
# The states that the parts of the page open: their button, and what it sets.
SHOW: dict[str, dict[str, dict[str, Any]]] = {
    "Where is the distribution?": {
        "A pixel under N(μ, 1)": {"decoder": "gaussian_identity", "a": 0.5, "sigma": 1.0, "x": 0.5},
        "The same with σ = 0.1": {"decoder": "gaussian_identity", "a": 0.5, "sigma": 0.1, "x": 0.5},
        "A pixel under a Laplace": {"decoder": "laplace", "a": 0.8, "scale": 0.3, "x": 0.5},
    },
    "Why a sigmoid?": {
        "Sure of white, and right": {"decoder": "bernoulli", "a": 4.0, "x": 1.0},
        "Sure of white, and wrong": {"decoder": "bernoulli", "a": 4.0, "x": 0.0},
        "A grey pixel": {"decoder": "bernoulli", "a": 0.0, "x": 0.5},
    },
    "Does the hidden activation decide it?": {
        title: {"activation": name} for name, title in ACTIVATIONS.items()
    },
    "What does a learned variance add?": {
        "ln p above 0": {"decoder": "gaussian_learned", "a": 0.5, "x": 0.5, "log_var": -6.0},
        "Too sure": {"decoder": "gaussian_learned", "a": 0.5, "x": 0.8, "log_var": -6.0},
        "On the floor": {"decoder": "gaussian_learned", "a": 0.5, "x": 0.5, "log_var": -8.0},
    },
}  # fmt: skip


def moved() -> dict[str, Any]:
    """What the picture sent when it was last let go; empty before."""
    return st.session_state.get(WIDGET, {}).get("moved") or {}


def take() -> None:
    """Before the inputs are drawn. What is no value of a setting is left out."""
    values, _ = parse(SETTINGS.settings, {name: [str(moved()[name])] for name in LIMITS if name in moved()})
    set_to(values)


def set_to(values: dict[str, Any]) -> None:
    for name, value in values.items():
        SETTINGS[name] = value


def own() -> dict[str, tuple[str, str]]:
    """Of CHOSEN, the decoder's own."""
    return {name: CHOSEN[name] for name in LIKELIHOODS[SETTINGS["decoder"]].settings if name in CHOSEN}


def inputs() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        SETTINGS.one_of("decoder", "Decoder, p(x|z,w)")
        help = "Of the three hidden units of the tiny network, picture 1."
        SETTINGS.one_of("activation", "Hidden activation", help=help)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = partial(SETTINGS.number, step=0.1, format="%.2f")
        number("z", "z", help="What goes into the network. Changing it here leaves a as it is.")
        number("a", "a, the raw output", format="%.3f", help="What comes out, before the link.")
        if LIKELIHOODS[SETTINGS["decoder"]].learns_sigma:
            number("log_var", "ln σ², 2nd output", help="The log-variance that the network asks for.")
        for name, (label, help) in own().items():
            number(name, label, help=help)
        number("x", "x, the observed pixel", help="0 is black, 1 is white.")


def picture() -> None:
    decoder = SETTINGS["decoder"]
    likelihood = likelihood_of(decoder, **{name: SETTINGS[name] for name in CHOSEN})
    PICTURE(
        key=WIDGET,
        data={
            **{name: SETTINGS[name] for name in SETTINGS.settings},
            "limits": LIMITS,
            "settings": {name: getattr(likelihood, name) for name in likelihood.settings},
            "network": {"wide": IN, "bias": BIAS, "out": OUT},
            "colour": COLOURS[decoder],
            "dash": " ".join(map(str, DASHES[decoder])),
            "at": moved().get("at", 0),
        },
        on_moved_change=take,
    )


def show_question(heading: str) -> None:
    st.subheader(heading)
    st.markdown(words[heading])
    with st.container(horizontal=True):
        for label, values in SHOW.get(heading, {}).items():
            st.button(label, on_click=set_to, args=(values,), icon=":material/visibility:")


def show_code() -> None:
    """The same numbers from the core: torch, with its own derivative."""
    decoder, a, x = SETTINGS["decoder"], SETTINGS["a"], SETTINGS["x"]
    chosen = {name: SETTINGS[name] for name in own()}
    seen = one_pixel(decoder, a, x, SETTINGS["log_var"], **chosen)
    outputs = f"{a:g}, {SETTINGS['log_var']:g}" if LIKELIHOODS[decoder].learns_sigma else f"{a:g}"
    given = "".join(f", {name}={value:g}" for name, value in chosen.items())
    slopes = ", ".join(f"{slope:.6f}" for slope in seen.slopes)
    st.code(
        f'likelihood = LIKELIHOODS["{decoder}"](n_pixels=1{given})\n'
        f"outputs = torch.tensor([{outputs}], dtype=torch.float64, requires_grad=True)\n"
        f"log_prob = likelihood.log_prob(outputs, torch.tensor([{x:g}], dtype=torch.float64))  # {seen.log_prob:.6f}\n"
        f"likelihood.mean(outputs), likelihood.stddev(outputs)  # {seen.mean:.6f}, {seen.stddev:.6f}\n"
        f"torch.autograd.grad(-log_prob, outputs)  # {slopes}",
        language="python",
        wrap_lines=True,
    )


SETTINGS.follow()
words = page_words("one_pixel")
st.title("One pixel")
st.markdown(words[""])
inputs()
SETTINGS.mirror()
picture()
st.caption(words["How to use it"])
for heading in ("Where is the distribution?", "Why a sigmoid?"):
    show_question(heading)
show_question("Why not a softmax?")
FOUR_PIXELS(key="four_pixels")
for heading in ("Does the hidden activation decide it?", "What does a learned variance add?"):
    show_question(heading)
st.subheader("The same from the core")
st.markdown(words["The same from the core"])
show_code()
ending(words)
show_engine_state(get_engine())
