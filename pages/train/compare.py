"""What may be compared on one axis: KL and MSE, or the probability that each decoder gives to the same pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from pages.shared.figures import COLOURS, DASHES
from pages.shared.naming import title
from pages.shared.numbers import nats
from pages.shared.run_view import step_chart
from pages.shared.train_link import TRAIN_SETTINGS
from vae_core.errors import LevelsError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.likelihoods.base import bits_per_pixel, uniform_bits
from vae_core.spec import RunSpec, make_likelihood

Histories = dict[str, list[dict[str, Any]]]  # by decoder: the numbers of each snapshot
Rows = list[tuple[int, str, float]]  # step, decoder, value
UNIFORM = "Uniform guess"
ROOM = 1.25  # of the frame, in uniform guesses: what is worse comes in from above


def compare(specs: dict[str, RunSpec], histories: Histories) -> None:
    """The specs differ in their likelihood alone."""
    st.subheader("What may be compared")
    TRAIN_SETTINGS.one_of("units", "On one axis")
    TRAIN_SETTINGS.mirror()  # the page around this fragment does not run again
    begun = {key: spec for key, spec in specs.items() if histories[key]}
    {"own": _kl_and_mse, "bits": _bits}[TRAIN_SETTINGS["units"]](begun, histories)
    if any(map(_noisy, begun.values())):
        levels = next(iter(begun.values())).n_levels
        st.markdown(
            "With noise one level wide, a density's ELBO plus ln of the width of each pixel's bin bounds ln P(x|w) "
            f"from below. A bin is {'1' if levels == 2 else f'1/{levels - 1}'} wide; those of black and white end at 0 "
            "and 1, where the noise is folded back, and are half as wide. (Theis, van den Oord & Bethge 2016, arXiv "
            "1511.01844.) The MSE of a density is of the noisy pixels, that of a mass of the stored ones."
        )


def _noisy(spec: RunSpec) -> bool:
    return spec.dequantize != "none"


def _kl_and_mse(specs: dict[str, RunSpec], histories: Histories) -> None:
    quantities = {"kl": "KL to the prior, nats per image, held out", "mse": "Mean squared error per pixel, held out"}
    for column, (part, quantity) in zip(st.columns(2), quantities.items()):
        rows = [(one["step"], title(spec), one[part]) for key, spec in specs.items() for one in histories[key]]
        _chart(column, part, quantity, specs, rows)
    kinds = [LIKELIHOODS[key].kind for key in specs]
    loss = any(spec.loss_only for spec in specs.values())
    if len(set(kinds)) > 1:
        st.markdown(
            ":orange-badge[not on one axis] Reconstruction terms stay in their own lanes. One is the log of a "
            f"**mass**{' (a Bernoulli on grey pixels: a loss only)' * loss}, the other the log of a **density**, and a "
            "difference between them means nothing."
        )
    if kinds.count("density") > 1 and not any(map(_noisy, specs.values())):
        st.markdown(
            "Two densities do not rank their decoders either. Stored pixels are levels, and a density of levels can be "
            "made as large as one likes with narrow enough noise."
        )
    if len(kinds) > 1:
        st.markdown(
            "What can be compared is the **probability** that each decoder gives to the image as it is stored: choose "
            "bits per pixel above."
        )
        st.page_link("pages/compare/page.py", label="More of it, on shipped and own runs", icon=":material/bar_chart:")
    st.markdown(
        "The KL measures q(z|x) against the same prior under every decoder, and the MSE the same pixels. A small KL "
        "is no merit (0 is collapse), and the MSE judges only means, each at a drawn z."
    )


def _bits(specs: dict[str, RunSpec], histories: Histories) -> None:
    any_spec = next(iter(specs.values()))
    levels, guess = any_spec.n_levels, uniform_bits(any_spec.n_levels)
    reconstruction, bound = (_bits_rows(specs, histories, with_kl) for with_kl in (False, True))
    if bound:
        frame = {"domain": [0, ROOM * guess], "nice": False}
        line = [(0, UNIFORM, guess), (max(spec.total_steps for spec in specs.values()), UNIFORM, guess)]
        left, right = st.columns(2)
        _chart(left, "bits", "−E[ln P(x|z,w)], bits per pixel, held out", specs, reconstruction + line, frame)
        _chart(right, "bound", "KL − E[ln P(x|z,w)], bits per pixel, held out", specs, bound + line, frame)
        newest = sorted({name: value for _, name, value in bound}.items(), key=lambda one: one[1])
        st.markdown("With the KL, newest: " + ", ".join(f"{name} **{nats(value, 3)}**" for name, value in newest) + ".")
        st.markdown(
            ":green-badge[on one axis] Lower is better, and these may be compared: each is made of the probability P "
            f"of **the same stored image**, whose pixels are one of {levels} levels each. A density gives a level the "
            "area over the bin around it. The first chart says what it takes to tell x once z is known. The second, "
            "the one to judge by, also pays for z, by the KL, and so is an upper bound on −ln P(x|w). Nats divided by "
            f"D ln 2 are bits per pixel. Dotted: a uniform guess over the levels, {guess:.3g} bits."
        )
    for sentence in _without_line(specs, histories):
        st.caption(f":material/info: No line: {sentence}")


def _bits_rows(specs: dict[str, RunSpec], histories: Histories, with_kl: bool) -> Rows:
    return [
        (one["step"], title(spec), bits_per_pixel(one["log_mass"], spec.n_pixels, one["kl"] if with_kl else 0.0))
        for key, spec in specs.items()
        for one in histories[key]
        if one.get("log_mass") is not None
    ]


def _without_line(specs: dict[str, RunSpec], histories: Histories) -> list[str]:
    """Why each decoder that has no number has none."""
    sentences = []
    for key, spec in specs.items():
        try:
            make_likelihood(spec).check_levels(spec.n_levels)
        except LevelsError as error:
            sentences.append(str(error))
            continue
        if histories[key][-1].get("log_mass") is None:
            sentences.append(
                f"{title(spec)} was trained by an earlier version of this app, which did not measure P. **Continue** "
                "adds epochs that have it; another seed makes a whole run that has."
            )
    return sentences


def _chart(
    place: Any, part: str, quantity: str, specs: dict[str, RunSpec], rows: Rows, frame: dict[str, Any] | None = None
) -> None:
    """A held-out quantity of every decoder over the steps; `frame` is the scale of its axis, where that is fixed."""
    present = {name for _, name, _ in rows}
    names = {title(spec): (COLOURS[key], DASHES[key]) for key, spec in specs.items()} | {UNIFORM: ("#888888", [1, 6])}
    names = {name: look for name, look in names.items() if name in present}
    spec = _shared_chart(names, quantity, max(spec.total_steps for spec in specs.values()))
    if frame:
        spec["encoding"]["y"]["scale"] = frame
    place.vega_lite_chart(
        pd.DataFrame(rows, columns=["step", "decoder", "value"]),
        spec,
        height=270 + 23 * len(names),
        key=f"shared_{part}",
        alt=f"{quantity}, of all decoders over training steps",
    )


def _shared_chart(names: Mapping[str, tuple[str, list[int]]], title: str, total_steps: int) -> dict[str, Any]:
    """One quantity of several decoders (their colours and dashes by name); data columns: step, decoder, value."""
    scale = lambda number: {"domain": list(names), "range": [look[number] for look in names.values()]}
    legend = {"title": None, "orient": "top", "offset": 2, "labelLimit": 300, "symbolSize": 300, "columns": 1}
    by = lambda number: {"field": "decoder", "type": "nominal", "scale": scale(number), "legend": legend}
    return step_chart(title, total_steps, {"color": by(0), "strokeDash": by(1)})
