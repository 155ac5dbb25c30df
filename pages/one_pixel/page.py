"""One decoder output, one pixel: from z to a, from a to a distribution, from the distribution to the loss."""

from functools import partial
from typing import Any

import streamlit as st

from pages.shared.address import PageSettings, choice, parse, real, whole
from pages.shared.figures import COLOURS, DASHES
from pages.shared.path import show_opening
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.widget import widget
from pages.shared.words import ending, page_words
from vae_core.lessons.one_pixel import BIAS, IN, OUT, likelihood_of, one_pixel, second_of
from vae_core.likelihoods import LIKELIHOODS, Likelihood
from vae_core.values import Whole

ACTIVATIONS = {"sigmoid": "sigmoid", "relu": "ReLU", "gelu": "GELU"}
LIMITS = {"a": (-6.0, 6.0), "x": (0.0, 1.0), "z": (-3.0, 3.0)}
LIMITS |= {"log_var": (-8.0, 2.0), "log_scale": (-7.0, 1.0), "v": (-6.0, 6.0)}  # a second output, by its name in code
SECOND = {
    "log_var": ("ln σ²", "The log-variance that is asked for."),
    "log_scale": ("ln s", "The log of the logistic's scale that the network asks for."),
    "v": ("v", "Into a fixed last layer with a: f_k = a·x_k − v·cos 4πx_k, a logit for each level x_k."),
}
# What a decoder is given before training, where it is chosen here; the rest stays at its default.
CHOSEN = {
    "sigma": ("σ, fixed", "Chosen before training; 1 is identity covariance."),
    "scale": ("b, fixed", "Chosen before training; the standard deviation is √2·b."),
    "levels": ("n, grey levels", "How many values a pixel can have: 0, 1/(n−1), … 1."),
}
SETTINGS = PageSettings(
    "one_pixel",
    {
        "decoder": choice({key: kind.name for key, kind in LIKELIHOODS.items()}, "bernoulli"),
        "a": real(*LIMITS["a"], 0.5),
        "log_var": real(*LIMITS["log_var"], -2.0),
        "log_scale": real(*LIMITS["log_scale"], -2.0),
        "v": real(*LIMITS["v"], 0.0),
        "sigma": real(0.03, 3.0, 1.0),
        "scale": real(0.03, 3.0, 1.0),
        "levels": whole(2, 32, 5),
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
        "One σ for all pixels": {"decoder": "gaussian_shared", "a": 0.5, "x": 0.8, "log_var": -3.2},
    },
    "What is a grey pixel under a coin?": {
        "The area at λ = ½": {"decoder": "bernoulli", "a": 0.0, "x": 0.5},
        "The area at λ = 0.99": {"decoder": "bernoulli", "a": 4.595, "x": 0.5},
        "With the normaliser": {"decoder": "continuous_bernoulli", "a": 4.595, "x": 0.5},
    },
    "What if a pixel has only so many values?": {
        "A bell in 5 bins": {"decoder": "discretized_logistic", "a": 0.4, "log_scale": -2.0, "levels": 5, "x": 0.5},
        "In 17 bins": {"decoder": "discretized_logistic", "a": 0.4, "log_scale": -2.0, "levels": 17, "x": 0.5},
        "A softmax over levels": {"decoder": "categorical", "a": 1.0, "v": 0.0, "levels": 5, "x": 1.0},
        "Two peaks": {"decoder": "categorical", "a": 0.0, "v": 1.5, "levels": 5, "x": 0.75},
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


def likelihood() -> Likelihood:
    return likelihood_of(SETTINGS["decoder"], **{name: SETTINGS[name] for name in CHOSEN})


def inputs() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        SETTINGS.one_of("decoder", "Decoder, p(x|z,w)")
        help = "Of the three hidden units of the tiny network, picture 1."
        SETTINGS.one_of("activation", "Hidden activation", help=help)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = partial(SETTINGS.number, step=0.1, format="%.2f")
        number("z", "z", help="What goes into the network. Changing it here leaves a as it is.")
        number("a", "a, the raw output", format="%.3f", help="What comes out, before the link.")
        chosen = likelihood()
        if second := second_of(chosen):
            symbol, help = SECOND[second]
            number(second, f"{symbol}, {'a weight' if chosen.n_shared else '2nd output'}", help=help)
        for name in set(CHOSEN) & set(chosen.given):
            label, help = CHOSEN[name]
            if isinstance(SETTINGS.settings[name].rule, Whole):
                SETTINGS.number(name, label, help=help)
            else:
                number(name, label, help=help)
        number("x", "x, the observed pixel", help="0 is black, 1 is white.")


def picture() -> None:
    decoder, chosen = SETTINGS["decoder"], likelihood()
    PICTURE(
        key=WIDGET,
        data={
            **{name: SETTINGS[name] for name in SETTINGS.settings},
            "limits": LIMITS,
            "settings": chosen.given,
            "second": second_of(chosen),
            "shared": chosen.n_shared > 0,
            "network": {"wide": IN, "bias": BIAS, "out": OUT},
            "colour": COLOURS[decoder],
            "dash": " ".join(map(str, DASHES[decoder])),
            "at": moved().get("at", 0),
        },
        on_moved_change=take,
    )


def show_question(heading: str, anchor: str | None = None) -> None:
    st.subheader(heading, anchor=anchor)
    st.markdown(words[heading])
    with st.container(horizontal=True):
        for label, values in SHOW.get(heading, {}).items():
            st.button(label, on_click=set_to, args=(values,), icon=":material/visibility:")


def show_code() -> None:
    """The same numbers from the core: torch, with its own derivative."""
    decoder, a, x, chosen = SETTINGS["decoder"], SETTINGS["a"], SETTINGS["x"], likelihood()
    second = second_of(chosen)
    seen = one_pixel(decoder, a, x, SETTINGS[second] if second else 0.0, **chosen.given)
    raw = f"{a:g}, {SETTINGS[second]:g}" if second else f"{a:g}"
    given = "".join(f", {name}={value:g}" for name, value in chosen.given.items() if name in CHOSEN)
    leaf, layer = "outputs", ""
    if second == "v":
        leaf = "raw"
        layer = f"x_k = torch.arange({chosen.n_outputs}, dtype=torch.float64) / {chosen.n_outputs - 1}\n"
        layer += "outputs = raw[0] * x_k - raw[1] * torch.cos(4 * torch.pi * x_k)  # a logit a level\n"
    slopes = ", ".join(f"{slope:.6f}" for slope in seen.slopes)
    st.code(
        f'likelihood = LIKELIHOODS["{decoder}"](n_pixels=1{given})\n'
        f"{leaf} = torch.tensor([{raw}], dtype=torch.float64, requires_grad=True)\n"
        f"{layer}"
        f"log_prob = likelihood.log_prob(outputs, torch.tensor([{x:g}], dtype=torch.float64))  # {seen.log_prob:.6f}\n"
        f"likelihood.mean(outputs), likelihood.stddev(outputs)  # {seen.mean:.6f}, {seen.stddev:.6f}\n"
        f"torch.autograd.grad(-log_prob, {leaf})  # {slopes}",
        language=None,  # Streamlit writes highlighted numbers at 2.6:1, comments at 3.6:1
        wrap_lines=True,
    )


SETTINGS.follow()
words = page_words("one_pixel")
st.title("One pixel")
show_opening("one_pixel", words[""])
inputs()
SETTINGS.mirror()
picture()
st.caption(words["How to use it"])
for heading in ("Where is the distribution?", "Why a sigmoid?"):
    show_question(heading)
show_question("Why not a softmax?", anchor="softmax")
FOUR_PIXELS(key="four_pixels")
for heading in list(SHOW)[2:]:
    show_question(heading)
st.subheader("The same from the core")
st.markdown(words["The same from the core"])
show_code()
ending(words)
show_engine_state(get_engine())
