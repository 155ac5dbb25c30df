"""The figures that stand in the answers, by the name that `Figure:` gives in assets/questions.md."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from pages.questions.charts import HEIGHT, INK, QUIET, bars, curves, draw, layers, pictured, rows
from pages.shared.naming import BADGES, title
from vae_core.lessons import exact, questions
from vae_core.lessons.assumed import LossCode, images, meaning
from vae_core.lessons.questions import Curves
from vae_core.lessons.start import load_examples
from vae_core.likelihoods import LIKELIHOODS
from vae_core.shipped import SIGMA_SPECS, SPECS, pictures

GREY = "grey level x, black 0 and white 1"


# One for each name ---------------------------------------------------------------------------------------------------


def height_at_the_image() -> None:
    found = questions.gaussians({"N(x; 0.5, 1)": 1.0}, at=0.9)
    curves(found, GREY, "density", "A Gaussian's density; its height at the observed x is p(x|z,w)")
    st.caption("One pixel: μ = 0.5, σ = 1, and x = 0.9. ln p(x|z,w) is the ln of this height, summed over pixels.")


def half_or_one() -> None:
    widths = {"½·SSE: σ² = 1": LossCode(half=True, pixels="sum"), "SSE: σ² = ½": LossCode(pixels="sum")}
    found = questions.gaussians({name: meaning(code).deviation for name, code in widths.items()})
    curves(found, GREY, "density", "Two Gaussians about 0.5: the noise that ½·SSE and SSE assume")


def two_hundred_draws() -> None:
    _draws(0.6, 1.0, "200 draws of x from p(x|z,w) = N(x; 0.6, 1), at one and the same z.", GREY)


def draws_of_z() -> None:
    _draws(0.8, 0.5, "200 draws z = m + sε at one and the same m = 0.8 and s = 0.5, and N(m, s²).", "one latent z")


def _draws(mu: float, sigma: float, said: str, x: str) -> None:
    (at, heights), curve = questions.draws(mu, sigma)
    data = {"values": rows((at, heights))}
    place = {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}}
    bar = {"data": data, "mark": {"type": "bar", "color": QUIET, "opacity": 0.5, "size": 16}, "encoding": place}
    y = {"title": "density", "axis": {"tickCount": 4}}
    draw([bar, *layers(Curves({"density": curve}), {"title": x}, y)], said)
    st.caption(said)


def elbo_terms() -> None:
    bars(questions.terms(SPECS["bernoulli"]), "nats per image", "The ELBO is the reconstruction term less the KL")
    st.caption(f"The shipped Bernoulli run, a mean over 1,000 held-out images. {BADGES['mass']}")


def shared_unit() -> None:
    left, right = st.columns(2)
    for place, (link, made) in zip((left, right), questions.four_pixels().items()):
        data = [
            {"pixel": f"{pixel + 1}", "value": float(value), "outputs": outputs}
            for outputs, values in made.items()
            for pixel, value in enumerate(values)
        ]
        colour = {"field": "outputs", "type": "nominal", "legend": {"orient": "bottom", "title": "raw outputs"}}
        spec = {
            "title": f"{link} of four pixels",
            "mark": "bar",
            "encoding": {
                "x": {"field": "pixel", "type": "nominal", "axis": {"labelAngle": 0}},
                "xOffset": {"field": "outputs"},
                "y": {"field": "value", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": None},
                "color": {**colour, "scale": {"range": [INK[0][0], INK[1][0]]}},
            },
        }
        place.vega_lite_chart(
            pd.DataFrame(data), spec, height=HEIGHT + 60, alt=f"{link} of four pixels, before and after"
        )


def grey_pixel() -> None:
    curves(questions.cross_entropies((0.5,)), "λ", "BCE, nats", "BCE of a grey pixel, least at λ = 0.5 and not 0 there")


def four_greys() -> None:
    found = questions.cross_entropies((0, 0.25, 0.5))
    curves(found, "λ", "BCE, nats", "BCE of three pixels: only at x = 0 does it reach 0; x = 1 is its mirror image")


def noise_of_the_mean() -> None:
    code = LossCode()
    found = questions.gaussians({"N(x; 0.5, 392)": meaning(code).deviation})
    x, y = found.curves["N(x; 0.5, 392)"]
    ends = {name: (value, float(np.interp(value, x, y))) for name, value in (("black to white", 0.5),)}
    curves(Curves(found.curves, ends), GREY, "density", "Noise of σ = 19.8: all greys lie within the dot")
    st.caption("The dot is wider than all greys from black to white.")


def outside() -> None:
    found = questions.gaussians({"N(x; 0.5, 1)": 1.0})
    ((x, y),) = found.curves.values()
    grey = (x >= 0) & (x <= 1)
    data = {"values": rows((x[grey], y[grey]))}
    place = {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}}
    area = {"data": data, "mark": {"type": "area", "color": QUIET, "opacity": 0.4}, "encoding": place}
    share = f"{questions.share_outside(0.5, 1):.1%}".replace("%", " %")
    alt = f"N(0.5, 1) with the part from black to white shaded; {share} lie outside"
    draw([area, *layers(found, {"title": GREY}, {"title": "density", "axis": {"tickCount": 4}})], alt)
    st.caption(f"Shaded: from black to white. **{share}** of the draws lie outside.")


def mean_and_sample() -> None:
    _under(["gaussian_identity"])


def at_the_top() -> None:
    """The same pair where the page begins, which of them a paper shows left open."""
    inputs, examples = load_examples()
    one = examples["gaussian_identity"][3]
    pictured({"input x": inputs[3][None], "mean of p(x|z,w)": one.mean[None], "one sample": one.samples[:1]}, 1, 96)
    st.caption(
        "A digit under the shipped Gaussian, identity covariance, at z = m; clipped. Which of them do papers show?"
    )


def three_decoders() -> None:
    _under(list(SPECS))


def _under(keys: list[str]) -> None:
    inputs, examples = load_examples()
    shown = {"input x": inputs[3][None]}
    for key in keys:
        name, one = title(SPECS[key]), examples[key][3]
        shown |= {f"mean, {name}": one.mean[None], f"one sample, {name}": one.samples[:1]}
    pictured(shown, 1, 96)
    st.caption("A held-out digit under shipped runs, at z = m. Gaussian samples are clipped for display.")


def new_images() -> None:
    found = pictures(SPECS["bernoulli"])
    assert found is not None
    pictured({"means at z ~ N(0, I)": found["prior_mean"], "means at z = m of held-out images": found["mean"]}, 6, 300)


def weight_and_kl() -> None:
    _linear_kl((meaning(LossCode(pixels="sum")).value, meaning(LossCode()).value))


def four_times_kl() -> None:
    _linear_kl((meaning(LossCode(half=True, pixels="sum", weight=4)).value,))


def _linear_kl(marked: tuple[float, ...]) -> None:
    found = questions.linear_kl(_eigenvalues(), 10, marked)
    curves(found, "σ²", "KL, nats", "The KL falls as the assumed σ² grows, and is 0 from some σ² on", log_x=True)
    st.caption(
        "The best linear decoder of 10 latents on MNIST digits, exactly (Lucas et al. 2019). Its encoder is exact, so "
        "the bound is tight at every σ², whether the KL is 0 or not."
    )


@st.cache_data(show_spinner="Reading the images", max_entries=1)
def _eigenvalues() -> np.ndarray:
    return exact.eigenvalues(images("mnist", "squared"))


def shipped_kl() -> None:
    kl = questions.by_sigma()["kl"]
    bars({f"σ = {sigma:g}": value for sigma, value in kl.items()}, "KL, nats per image", "The KL grows as σ shrinks")
    st.caption("Shipped runs, alike but for σ; means over 1,000 held-out images.")


def shipped_blur() -> None:
    mse = questions.by_sigma()["mse"]
    found = {sigma: pictures(spec) for sigma, spec in SIGMA_SPECS.items()}
    shown = {f"σ = {sigma:g}, MSE {mse[sigma]:.3f}": one["mean"] for sigma, one in found.items() if one}
    pictured(shown, 3, 140)
    st.caption("Means at z = m of shipped runs with 10 latents, alike but for σ; held-out MSE per pixel at drawn z.")


def narrow() -> None:
    found = questions.gaussians({"σ = 0.05": 0.05}, at=0.5)
    curves(found, GREY, "density", "A narrow Gaussian's density is near 8 at its middle, so −ln of it is below 0")


def one_output() -> None:
    found = questions.under_three(0.8)
    named = {LIKELIHOODS[key](1).title: curve for key, curve in found.curves.items()}
    curves(Curves(named), GREY, "density", "One raw output, 0.8, as three different densities")
    st.caption("The same raw output, 0.8, under three log-densities.")


def no_upper_bound() -> None:
    curves(questions.highest_density(), "σ", "ln p(x), nats", "ln p at x = μ rises without end as σ goes to 0", True)


def batch_over_n() -> None:
    codes = {f"weight {weight:g}": LossCode(half=True, pixels="sum", weight=weight) for weight in (0.0256, 1)}
    deviations = {f"{name}: σ = {meaning(code).deviation:g}": meaning(code).deviation for name, code in codes.items()}
    curves(questions.gaussians(deviations), GREY, "density", "The noise that two weights of the KL assume")


def two_rankings() -> None:
    for kind, values in questions.two_rankings().items():
        name = {"density": "ELBO of the density, nats", "probability": "ELBO of the stored image's probability, nats"}
        bars(values, name[kind], f"Shipped runs by the {name[kind]}", sort=True)
    st.caption("Shipped runs, in two orders; the Bernoulli has no density. The levels are black and white.")


def evidence() -> None:
    _bounds(("log of the average",))


def more_draws() -> None:
    _bounds(("average of the logs", "log of the average"))


def _bounds(names: tuple[str, ...]) -> None:
    found = questions.bounds()
    every = {"average of the logs": found.average_of_logs, "log of the average": found.log_of_average}
    flat = {"ln p(x|w)": found.evidence, "ELBO": found.elbo}
    lines = {name: (found.ks, every[name]) for name in names}
    lines |= {name: (found.ks, np.full(len(found.ks), value)) for name, value in flat.items()}
    alt = "The log of an average rises with the draws from the ELBO to ln p(x|w); the average of the logs stays"
    along = {"title": "draws of z", "scale": {"type": "log", "base": 2, "nice": False}, "axis": {"tickCount": 5}}
    draw(layers(Curves(lines), along, {"title": "nats", "scale": {"zero": False}}), alt, HEIGHT + 60)
    st.caption(
        "One latent, one number x = 2: z ~ N(0, 1), x ~ N(z, 1), q(z|x) = N(0.4, 0.6²), where all is known exactly. "
        "Means over 2,000 repetitions."
    )


def white_together() -> None:
    bars(_neighbours(), "how often the right one is white", "Neighbours go together")


@st.cache_data(show_spinner="Drawing from the shipped run", max_entries=1)
def _neighbours() -> dict[str, float]:
    return questions.neighbours()


def two_units() -> None:
    bars(questions.black_to_white(), "ln p of 784 pixels at their means, nats", "The same density in two units")
    st.caption(f"The noise is as wide as black to white in both; the difference is 784 · ln 255 = {_shift()} nats.")


def _shift() -> str:
    return f"{784 * math.log(255):,.0f}"


FIGURES: dict[str, Callable[[], None]] = {
    one.__name__.replace("_", " "): one
    for one in (
        height_at_the_image, half_or_one, two_hundred_draws, draws_of_z, elbo_terms, shared_unit, grey_pixel,
        four_greys, noise_of_the_mean, outside, mean_and_sample, three_decoders, new_images, weight_and_kl,
        four_times_kl, shipped_kl, shipped_blur, narrow, one_output, no_upper_bound, batch_over_n, two_rankings,
        evidence, more_draws, white_together, two_units,
    )
}  # fmt: skip
