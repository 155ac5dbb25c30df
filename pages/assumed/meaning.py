"""What the code assumes: the distribution by name, its parameter, and the identity behind it."""

from __future__ import annotations

import math

import streamlit as st

from pages.shared.naming import BADGES
from pages.shared.numbers import scientific
from pages.shared.words import Parts
from vae_core.lessons import assumed
from vae_core.lessons.assumed import LossCode, meaning
from vae_core.likelihoods import LIKELIHOODS

SYMBOLS = {"sigma2": "σ²", "b": "b", "beta": "β"}


def number(value: float) -> str:
    if value == 0 or 1e-4 <= value < 1e6:
        return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return scientific(value, 2)


def noise_words(code: LossCode) -> str:
    """The parameter that the code sets, as a table's cell and a report's line show it."""
    found = meaning(code)
    if found.parameter == "sigma2":
        return f"σ² = {number(found.value)}, σ = {number(found.deviation)}"
    return f"{SYMBOLS[found.parameter]} = {number(found.value)}"


def show_meaning(code: LossCode, words: Parts) -> None:
    found = meaning(code)
    kind = BADGES[LIKELIHOODS[found.likelihood].support.kind]
    badge = kind if found.normalised else ":orange-badge[a loss, no ln p of grey pixels]"
    pixels = " on pixels from 0 to 1" if code.span != 1 else ""
    if found.parameter == "sigma2":
        st.markdown(f"**p(x|z,w) = N(x; μ, σ²I)** {badge}")
        sentence = (
            f"Every pixel is μ plus Gaussian noise of standard deviation **σ = {number(found.deviation)}**; black "
            f"to white is 1. The same best weights: ½·SSE + {number(found.value)}·KL{pixels}."
        )
    elif found.parameter == "b":
        st.markdown(f"**p(x|z,w) = Laplace(x; μ, b)**, pixel by pixel {badge}")
        sentence = (
            f"Every pixel is μ plus Laplace noise of scale **b = {number(found.value)}**, standard deviation √2·b = "
            f"{number(found.deviation)}, where black to white is 1. The same best weights: absolute error + "
            f"β·KL with β = {number(found.value)}{pixels}."
        )
    else:
        name = "p(x|z,w) = Bernoulli(x; λ), pixel by pixel" if found.normalised else "No p(x|z,w)"
        st.markdown(f"**{name}** {badge}")
        times = f"The KL weighs **β = {number(found.value)}** times what the ELBO gives it."
        sentence = "The KL has the weight that the ELBO gives it, **β = 1**." if math.isclose(found.value, 1) else times
        sentence += " A Bernoulli has no width that could absorb this factor." if found.normalised else ""
    # In the text, a formula breaks where its line is full; displayed, it would be cut.
    st.markdown(rf"$\displaystyle {assumed.derivation(code)}$")
    st.markdown(sentence)
    if code.span != 1:
        st.markdown(
            f"R = {code.span} is white less black in your pixels; in their units the noise is {code.span} times "
            f"{number(found.deviation)}. There ln p(x|z,w) is D ln R = {assumed.units_cost(code):,.0f} nats lower, for "
            "a density is per unit. That changes no minimum."
        )
    if not found.normalised:
        st.markdown(words["No likelihood"])
    inside = (
        f"(−ELBO at this {SYMBOLS[found.parameter]})"
        if found.parameter != "beta"
        else f"(BCE + {number(found.value)}·KL)"
    )
    offset = f" {'−' if found.offset < 0 else '+'} {number(abs(found.offset))}" if found.offset else ""
    st.caption(
        f"Exactly: loss = {number(found.scale)} × {inside}{offset}, in nats per image{pixels}, averaged over the batch "
        "(rounded)."
    )
