"""What the assumed sigma does to training: the shipped runs side by side, and the same ones trained here."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages.shared.again import train_again
from pages.shared.figures import COLOURS, QUIET, VEGA_TEXT, enlarged
from pages.shared.links import page_link
from pages.shared.naming import BADGES
from pages.shared.numbers import nats
from pages.shared.train_link import open_on_train
from pages.shared.trained import vae_of
from pages.shared.words import Parts
from vae_core.evaluation import ACTIVE_KL
from vae_core.lessons.mse import Summary, summarise
from vae_core.measures import trend
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store
from vae_core.shipped import SIGMA_SPECS, SPECS
from vae_core.spec import RunSpec
from vae_core.tiles import png

RUNS = {f"σ = {sigma:g}": spec for sigma, spec in SIGMA_SPECS.items()} | {"σ learned": SPECS["gaussian_learned"]}
LATENT_SCALE = {"type": "log", "domain": [ACTIVE_KL / 10, 30], "clamp": True}


def summaries(store: Store) -> dict[str, Summary]:
    """Of each run by its name. Raises CheckpointError."""
    return {name: _summary(spec.id, spec, store) for name, spec in RUNS.items()}


@st.cache_resource(max_entries=2 * len(RUNS), show_spinner="Evaluating the shipped runs on their held-out images")
def _summary(spec_id: str, _spec: RunSpec, _store: Store) -> Summary:
    return summarise(vae_of(_spec, _store))


def _fixed(found: dict[str, Summary]) -> dict[float, Summary]:
    """The runs with one fixed σ, by that σ, from the largest."""
    return {sigma: found[f"σ = {sigma:g}"] for sigma in SIGMA_SPECS}


def show_kl(found: dict[str, Summary], said: str) -> None:
    """What the KL did, beside what the reader said: a Trend, or nothing."""
    kl = {sigma: one.evaluation.means.kl for sigma, one in _fixed(found).items()}
    seen = trend(list(kl.values()))
    does = {"grows": "grows", "shrinks": "shrinks", "same": "stays the same", "neither": "goes up and down"}
    you = "" if not said else "As you said: " if said == seen else f"You said: it {does[said]}. "
    steps = ", ".join(f"{nats(value)} at σ = {sigma:g}" for sigma, value in kl.items())
    st.info(
        f"{you}**It {does[seen]}** in these runs: {steps} nats per image. A smaller σ makes each error cost more, so "
        "it pays to spend more KL on describing x.",
        icon=":material/visibility:",
    )


def show_runs(found: dict[str, Summary], words: Parts) -> None:
    _table(found, words)
    _charts(found)
    _sentences(found)
    _pictures(found)


def _table(found: dict[str, Summary], words: Parts) -> None:
    st.markdown(BADGES["density"])
    columns = ["Reconstruction, nats", "KL, nats", "ELBO, nats", "Active latents", "MSE per pixel", "√MSE, white = 1"]
    rows = {}
    for name, one in found.items():
        means, kl = one.evaluation.means, one.evaluation.kl_per_latent
        active = f"{one.evaluation.active_latents} of {len(kl)}"
        terms = [nats(means.reconstruction), nats(means.kl), nats(means.elbo)]
        rows[name] = [*terms, active, f"{means.mse:.4f}", f"{one.root_mse:.3f}"]
    st.table(
        pd.DataFrame.from_dict(rows, orient="index", columns=columns),
        alt="Reconstruction, KL, ELBO, active latents and MSE of the five runs, means over held-out images",
    )
    n_images = next(iter(RUNS.values())).n_held_out
    st.caption(f"Means over {n_images:,} held-out images, one drawn z each. " + words["How to read the table"])
    st.markdown(words["No ranking"])
    page_link("pages/compare/page.py", "Compare them by probability", ":material/bar_chart:")


def _charts(found: dict[str, Summary]) -> None:
    kl = [{"run": name, "kl": one.evaluation.means.kl} for name, one in found.items()]
    each = [{"run": name, "kl": float(v)} for name, one in found.items() for v in one.evaluation.kl_per_latent]
    active = [{"run": name, "text": f"{one.evaluation.active_latents} active"} for name, one in found.items()]
    x = {"field": "run", "type": "nominal", "sort": list(found), "title": None, "axis": {"labelAngle": 0}}
    y: dict[str, Any] = {"field": "kl", "type": "quantitative", "title": None, "axis": {"tickCount": 4}}
    learned = lambda value, other: {"condition": {"test": "datum.run === 'σ learned'", "value": value}, "value": other}
    colour = learned(COLOURS["gaussian_learned"], COLOURS["gaussian_identity"])
    points = {
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.8},
        "encoding": {"x": x, "y": y, "color": colour, "shape": learned("diamond", "circle")},
    }
    line = {
        "data": {"values": [{"kl": ACTIVE_KL}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": QUIET},
        "encoding": {"y": {**y, "scale": LATENT_SCALE}},
    }
    counts = {
        "data": {"values": active},
        "mark": {"type": "text", "fontSize": 12, "color": "currentColor"},
        "encoding": {"x": x, "y": {"value": 8}, "text": {"field": "text"}},
    }
    left, right = st.columns(2)
    _chart(left, "KL to the prior, nats per image", kl, [points], "KL to the prior of the five runs, held out")
    _chart(
        right,
        "KL of each latent, nats per image",
        each,
        [points, line, counts],
        f"KL of each latent of the five runs on a log scale; a latent is active above the line at {ACTIVE_KL:g} nats",
    )
    right.caption(f"Log scale. A latent is active above the dashed line at {ACTIVE_KL:g} nats.")


def _chart(place: Any, title: str, rows: list[dict[str, Any]], layer: list[dict[str, Any]], alt: str) -> None:
    heading = {"text": title, "fontSize": 13, "anchor": "start"}
    place.vega_lite_chart(
        pd.DataFrame(rows), {"title": heading, "layer": layer} | VEGA_TEXT, height=260, key=title, alt=alt
    )


def _sentences(found: dict[str, Summary]) -> None:
    """What the numbers of these runs say, in words that follow them."""
    by_sigma = _fixed(found)
    means = {sigma: one.evaluation.means for sigma, one in by_sigma.items()}
    best = max(means, key=lambda sigma: means[sigma].elbo)
    likeliest = max(means, key=lambda sigma: means[sigma].reconstruction)
    nearest = min(means, key=lambda sigma: means[sigma].mse)
    asked = ", ".join(f"{one.root_mse:.3f} at σ = {sigma:g}" for sigma, one in by_sigma.items())
    lines = [
        f"**Assumed and measured.** √MSE is {asked}. Among the fixed ones the held-out ELBO is highest at σ = "
        f"{best:g}, where √MSE is {by_sigma[best].root_mse:.3f}. To find σ by hand, set it to √MSE and train again, "
        "until it stops moving."
    ]
    if likeliest != nearest:
        lines.append(
            f"**Smaller errors are not always likelier.** The errors are smallest at σ = {nearest:g}, but "
            f"the reconstruction term is highest at σ = {likeliest:g}. Where a Gaussian claims too little noise, the "
            "errors that remain are very unlikely."
        )
    learned = found["σ learned"].evaluation
    if learned.sigma is not None:
        larger = sum(one.mse < learned.means.mse for one in means.values())
        lines.append(
            f"**Learned σ.** Its MSE, {learned.means.mse:.4f}, is larger than that of {larger} of the {len(means)} "
            f"fixed ones; its ELBO is {nats(learned.means.elbo)} nats. Its σ is at the floor, "
            f"{learned.sigma.floor:.3g}, on {learned.sigma.pixels_on_floor:.0f} of {RUNS['σ learned'].n_pixels} pixels "
            "of an image, on average: there the density is high, and only the floor bounds it."
        )
    st.markdown("\n".join(f"- {line}" for line in lines))


def _pictures(found: dict[str, Summary]) -> None:
    st.caption("Six held-out **inputs** x, the same for all")
    st.image(enlarged(png(found["σ learned"].pictures.input)), width=330, alt="Six held-out images, the input")
    for (name, one), column in zip(found.items(), st.columns(len(found))):
        with column, st.container(border=True):
            st.markdown(f"**{name}**")
            st.caption("**Means** of p(x|z,w)")
            alt = f"The mean of p(x|z,w) for each input, {name}"
            st.image(enlarged(png(one.pictures.mean, columns=3)), width="stretch", alt=alt)
            st.caption("**Samples**, clipped for display")
            alt = f"A draw from p(x|z,w) for each input, clipped for display, {name}"
            st.image(enlarged(png(one.pictures.sample, columns=3)), width="stretch", alt=alt)
            open_on_train(RUNS[name], "On the Train page")


# The same ones, trained here -----------------------------------------------------------------------------------------


def show_again(found: dict[str, Summary], engine: Engine) -> None:
    """Raises StoreError."""
    train_again({name: (RUNS[name], one.evaluation.means) for name, one in found.items()}, engine, "mse lanes")
