"""One decoder output, one pixel: from z to a, from a to a distribution, from the distribution to the loss."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.one_pixel.questions import ACTIVATIONS, QUESTIONS, SHOW
from pages.shared.address import PageSettings, choice, parse, real, whole
from pages.shared.figures import COLOURS, DASHES
from pages.shared.path import show_opening
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.tour import show_title
from pages.shared.widget import sent, widget
from pages.shared.words import ending, page_words
from vae_core.lessons.one_pixel import BIAS, IN, OUT, likelihood_of, one_pixel, second_of
from vae_core.likelihoods import LIKELIHOODS, Likelihood
from vae_core.values import Whole

LIMITS = {"a": (-6.0, 6.0), "x": (0.0, 1.0), "z": (-3.0, 3.0)}
LIMITS |= {"log_var": (-8.0, 2.0), "log_scale": (-7.0, 1.0), "v": (-6.0, 6.0)}  # a second output, by its name in code
# Each number that can be set: its symbol, its name, what it is, and what an arrow key adds.
BOXES = {
    "z": ("z", "z", "Into the network. It moves a along the curve of picture 1.", 0.05),
    "a": ("a", "a, the raw output", "What comes out, before the link.", 0.05),
    "log_var": ("ln σ²", "ln σ², 2nd output", "The log-variance that is asked for.", 0.1),
    "log_scale": ("ln s", "ln s, 2nd output", "The log of the logistic's scale that the network asks for.", 0.1),
    "v": ("v", "v, 2nd output", "Into a fixed last layer with a: f_k = a·x_k − v·cos 4πx_k, a logit a level.", 0.1),
    "sigma": ("σ", "σ, fixed", "Chosen before training; 1 is identity covariance.", 0.05),
    "scale": ("b", "b, fixed", "Chosen before training; the standard deviation is √2·b.", 0.05),
    "levels": ("n", "n, grey levels", "How many values a pixel can have: 0, 1/(n−1), … 1.", 1),
    "x": ("x", "x, the observed pixel", "0 is black, 1 is white.", 0.05),
}
# What a decoder is given before training, where it is chosen here; the rest stays at its default.
CHOSEN = ("sigma", "scale", "levels")
SETTINGS = PageSettings(
    "one_pixel",
    {
        "question": choice(QUESTIONS, "chain"),
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
PICTURE = widget("one_pixel", "picture", "svg", "likelihoods", "lighting", "numbers", "bar", "panels", "badges")
FOUR_PIXELS = widget("one_pixel", "four_pixels", "svg")


def moved() -> Mapping[str, Any]:
    """What the picture sent when it was last let go; empty before."""
    said = sent(WIDGET, "moved")
    return said if isinstance(said, Mapping) else {}


def take() -> None:
    """Before the page is drawn. What is no value of a setting is left out."""
    names = SETTINGS.settings.keys() & moved().keys() - {"question"}
    values, _ = parse(SETTINGS.settings, {name: [str(moved()[name])] for name in names})
    for name, value in values.items():
        SETTINGS[name] = value


def likelihood() -> Likelihood:
    return likelihood_of(SETTINGS["decoder"], **{name: SETTINGS[name] for name in CHOSEN})


def kind(key: str) -> dict[str, Any]:
    """What the picture needs to know of a decoder."""
    made = likelihood_of(key)
    return {
        "second": second_of(made),
        "shared": made.n_shared > 0,
        "given": [name for name in CHOSEN if name in made.given],
        "fixed": {name: value for name, value in made.given.items() if name not in CHOSEN},
        "colour": COLOURS[key],
        "dash": " ".join(map(str, DASHES[key])),
    }


def bar() -> dict[str, Any]:
    """What can be set above the pictures, and its names."""
    help = "Of the three hidden units of the tiny network, picture 1."
    hidden: dict[str, Any] = {
        "name": "activation",
        "symbol": "h",
        "label": "Hidden activation",
        "help": help,
        "choices": ACTIVATIONS,
    }
    boxes: list[dict[str, Any]] = [hidden]
    for name, (symbol, label, help, step) in BOXES.items():
        rule = SETTINGS.settings[name].rule
        allowed = f"{help} {rule.low:g} to {rule.high:g}.".replace("-", "−")
        one = {"name": name, "symbol": symbol, "label": label, "help": allowed, "step": step}
        boxes.append(one | {"low": rule.low, "high": rule.high, "whole": isinstance(rule, Whole)})
    return {
        "decoders": {key: kind.name for key, kind in LIKELIHOODS.items()},
        "activations": ACTIVATIONS,
        "symbols": {box["name"]: box["symbol"] for box in boxes},
        "boxes": boxes,
        "presets": [{"label": label, "values": values} for label, values in SHOW.get(SETTINGS["question"], {}).items()],
    }


def picture() -> None:
    PICTURE(
        key=WIDGET,
        data={
            "values": {name: SETTINGS[name] for name in SETTINGS.settings if name != "question"},
            "bar": bar(),
            "kinds": {key: kind(key) for key in LIKELIHOODS},
            "limits": LIMITS,
            "network": {"wide": IN, "bias": BIAS, "out": OUT},
            "at": at if isinstance(at := moved().get("at"), int) else 0,
        },
        on_moved_change=take,
    )


def ask() -> None:
    """The question that is looked at, and what the page says to it."""
    keys = list(QUESTIONS)

    def go_on() -> None:
        SETTINGS["question"] = keys[(keys.index(SETTINGS["question"]) + 1) % len(keys)]

    with st.container(horizontal=True, vertical_alignment="bottom"):
        numbered = lambda key: f"{keys.index(key) + 1} · {QUESTIONS[key]}"
        st.selectbox("Question", keys, format_func=numbered, **SETTINGS.keep("question"))
        st.button("Next question", on_click=go_on, icon=":material/arrow_forward:")
    question = SETTINGS["question"]
    if question == "chain":
        show_opening("one_pixel", words[""])
    else:
        st.markdown(words[QUESTIONS[question]])


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


@st.fragment(key="one_pixel")
def show() -> None:
    left, right = st.columns([1, 2], gap="medium")
    with left:
        ask()
    with right:
        if SETTINGS["question"] == "softmax":
            FOUR_PIXELS(key="four_pixels")
        else:
            picture()
    SETTINGS.mirror()
    st.caption(words["How to use it"])
    st.header("The same from the core")
    st.markdown(words["The same from the core"])
    show_code()


SETTINGS.follow()
words = page_words("one_pixel")
show_title("one_pixel", "One pixel")
show()
ending(words)
show_engine_state(get_engine())
