"""One held-out image under each decoder: ln p(x|z,w) pixel by pixel, and its Monte-Carlo average over draws of z."""

from __future__ import annotations

import math
import re

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from pages.shared.address import PageSettings, Setting, choice, whole
from pages.shared.explain import ending, page_words
from pages.shared.figures import COLOURS, nats
from pages.shared.lanes import loss_only, title
from pages.shared.pixel_map import badge, pixel_map, two
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.trained import RUN_SETTINGS, choose_runs, data_of, offer_again, vae_of
from vae_core.data import DATASETS, split
from vae_core.errors import CheckpointError, DataError, SpecError, StoreError
from vae_core.one_image import MOST_DRAWS, Estimate, code, estimate, held_out_image, look
from vae_core.spec import RunSpec, shown

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
        "z": choice(["mean", "draw"], "mean"),  # m, or the first of the draws
        "pixel": Setting("", read_pixel),  # "" is the costliest one
        "L": whole(1, MOST_DRAWS, 100),
        "draw": whole(0, 9999, 0),
    },
)


# What is chosen ------------------------------------------------------------------------------------------------------


def choose_image(spec: RunSpec) -> int:
    """The number of a held-out image of this run, typed or found by its class."""
    labels = data_of(spec.dataset).labels[split(spec)[1]]  # (n_held_out,)
    if SETTINGS["image"] >= len(labels):
        st.warning(f"image is {SETTINGS['image']}; this run holds out {len(labels):,}: 0 to {len(labels) - 1}.")
        SETTINGS["image"] = 0
    st.session_state["one_image.class"] = int(labels[SETTINGS["image"]])

    def first_of_class() -> None:
        SETTINGS["image"] = int(np.argmax(labels == st.session_state["one_image.class"]))

    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.number_input(
            "Held-out image, number",
            0,
            len(labels) - 1,
            width=170,
            help=f"0 to {len(labels) - 1}: images that no decoder here was trained on.",
            **SETTINGS.keep("image"),
        )
        st.segmented_control(
            "The first of class" if "fashion" in spec.dataset else "The first digit",
            np.unique(labels).tolist(),
            required=True,
            key="one_image.class",
            on_change=first_of_class,
            wrap=True,
        )
        st.segmented_control(
            "z is",
            ["mean", "draw"],
            format_func={"mean": "m, the mean of q(z|x)", "draw": "one draw from q(z|x)"}.__getitem__,
            required=True,
            wrap=True,
            **SETTINGS.keep("z"),
        )
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


def explained_in(spec: RunSpec) -> str:
    """The part of the words that fits what this decoder assumes."""
    if loss_only(spec):
        return "A loss on grey pixels"
    if spec.likelihood == "gaussian_identity" and spec.sigma != 1:
        return "Under another fixed σ"
    return f"Under {spec.likelihood}"


# The estimate --------------------------------------------------------------------------------------------------------


def draw_again() -> None:
    SETTINGS["draw"] = (SETTINGS["draw"] + 1) % 10_000


def four_times() -> None:
    SETTINGS["L"] = min(MOST_DRAWS, 4 * SETTINGS["L"])


def choose_draws() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("L, draws of z", 1, MOST_DRAWS, width=150, help=f"1 to {MOST_DRAWS}.", **SETTINGS.keep("L"))
        st.button("4 × L", on_click=four_times, disabled=SETTINGS["L"] == MOST_DRAWS, icon=":material/filter_4:")
        st.button("Draw again", on_click=draw_again, icon=":material/casino:", type="primary")
        st.caption(f"Set {SETTINGS['draw']} of draws. A larger L only adds draws to it.")


def show_estimate(spec: RunSpec, found: Estimate, at_mean: float) -> None:
    term = "−BCE" if loss_only(spec) else "ln p(x|z^l,w)".replace("^l", "ˡ")
    bound = "−BCE − KL" if loss_only(spec) else "ELBO"
    error = f" ± {found.error:.2f}" if len(found.log_probs) > 1 else ""
    st.markdown(f"#### {title(spec)}\n{badge(spec)}")
    st.markdown(
        f"| the terms | nats |\n|:--|--:|\n| {term}, each | {listed(found.log_probs)} |\n"
        f"| their mean | **{two(found.mean)}**{error} |\n| −\u00a0KL(q‖p(z)) | **−\u00a0{found.kl:.2f}** |\n"
        f"| = {bound} | **{two(found.elbo)}**{error} |".replace("p(x|", "p(x\\|")
    )
    st.caption(f"At z = m alone, {term.replace('ˡ', '')} is {two(at_mean)}.")
    st.plotly_chart(
        estimate_chart(found, COLOURS[spec.likelihood], term),
        key=f"one_image.chart {spec.likelihood}",
        config={"displayModeBar": False},
        alt=f"{term} of {len(found.log_probs)} draws under {title(spec)}, their running mean, and its standard error, "
        "which falls as one over the square root of the number of draws.",
    )


def listed(values: np.ndarray) -> str:
    """All of up to four, else the first three and the last."""
    shown_values = [nats(value) for value in (values if len(values) <= 4 else [*values[:3], values[-1]])]
    if len(values) > 4:
        shown_values.insert(3, "…")
    return ", ".join(shown_values)


def estimate_chart(found: Estimate, colour: str, term: str) -> go.Figure:
    """Above: each draw and the running mean with its standard error. Below: that error against the draws, log-log."""
    number = len(found.log_probs)
    count = np.arange(1, number + 1)
    some = np.unique(np.geomspace(1, number, 120).round().astype(int)) - 1  # enough points for a line on a log axis
    some_errors = some[some > 0]
    at, error = count[some_errors], found.running_error[some_errors]
    mean = found.running_mean[some_errors]
    layout = {
        "height": 360,
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
        "showlegend": False,  # the words above say what is what, and a small screen has no room
        "xaxis": {"type": "log", "range": [-0.05, math.log10(MOST_DRAWS) + 0.05], "anchor": "y2"}
        | {"title": {"text": "L, draws so far"}},
        "yaxis": {"domain": [0.46, 1], "title": {"text": f"{term}, nats"}},
        "yaxis2": {"domain": [0, 0.36], "type": "log", "title": {"text": "standard error, nats"}, "dtick": 1},
    }
    traces = [
        {"x": count, "y": found.log_probs, "mode": "markers", "name": "each draw"}
        | {"marker": {"color": colour, "size": 4, "opacity": 0.5 if number <= 200 else 0.2}},
        {"x": np.concatenate([at, at[::-1]]), "y": np.concatenate([mean + error, (mean - error)[::-1]])}
        | {"fill": "toself", "fillcolor": colour, "opacity": 0.35, "line": {"width": 0}, "hoverinfo": "skip"},
        {"x": count[some], "y": found.running_mean[some], "mode": "lines", "name": "running mean"}
        | {"line": {"color": colour, "width": 3}},
        {"x": at, "y": error, "mode": "lines+markers", "yaxis": "y2", "name": "standard error"}
        | {"line": {"color": colour}, "marker": {"size": 4}},
    ]
    if number > 1 and found.error > 0:
        ends = np.array([1, MOST_DRAWS])
        falling = {
            "x": ends,
            "y": found.error * np.sqrt(number / ends),
            "mode": "lines",
            "yaxis": "y2",
            "name": "∝ 1/√L",
        }
        traces.append(falling | {"line": {"color": "#999999", "dash": "dash"}})
    return go.Figure([go.Scatter(trace) for trace in traces], layout)


# The page ------------------------------------------------------------------------------------------------------------

SETTINGS.follow()
words = page_words("one_image")
engine = get_engine()
st.title("One image")
st.markdown(words["Intro"])
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
        side = math.isqrt(spec.n_pixels)
        x = held_out_image(spec, data_of(spec.dataset), choose_image(spec))
        seed = SETTINGS["draw"] if SETTINGS["z"] == "draw" else None
        views = [(vae.spec, look(vae, x, code(vae, x, seed))) for vae in vaes.values()]
except (StoreError, DataError) as error:
    st.error(str(error), icon=":material/hard_drive:")
    vaes = {}

if vaes:
    st.subheader("Which pixels cost how many nats")
    st.markdown(words["The map"])
    pick = lambda pixel: SETTINGS.__setitem__("pixel", f"{pixel // side},{pixel % side}")
    pixel_map(x.numpy(), views, pixel_number(side), pick)
    for (spec, _), column in zip(views, st.columns(len(views))):
        column.markdown(f"**{title(spec)}.** {words[explained_in(spec)]}")

    st.subheader("The Monte-Carlo estimate of the ELBO")
    st.markdown(words["The estimate"])
    choose_draws()
    st.markdown(words["The charts"])
    for vae, column in zip(vaes.values(), st.columns(len(vaes))):
        with column, st.container(border=True):
            at_mean = look(vae, x, code(vae, x, None)).total
            show_estimate(vae.spec, estimate(vae, x, SETTINGS["L"], SETTINGS["draw"]), at_mean)
    st.markdown(words["The standard error"])
SETTINGS.mirror()
ending(words)
show_engine_state(engine)
