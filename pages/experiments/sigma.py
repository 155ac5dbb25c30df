"""Which sigma, until it stops moving: by hand in three runs, or learned in one."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.experiments.parts import BADGES, Answer, chart, number, show_pictures, table, told
from pages.shared.figures import COLOURS, QUIET
from pages.shared.numbers import nats
from vae_core.lessons.experiments import asked, one_sigma_rows, rounds, shared_row, stands

BY_HAND = rounds("held_out")
ON_TRAINING = rounds("train")
FIXED = one_sigma_rows()
LEARNED = shared_row()
ROWS = {f"σ = {one.sigma:g}": one for one in BY_HAND} | {"σ learned": LEARNED}
QUESTION = (
    f"Predict first: the run at σ = 1 ends with √MSE = {BY_HAND[0].root_mse:.3f}. Train again with σ = "
    f"{BY_HAND[1].sigma:.3f}. What will √MSE be then?"
)
GUESSES = {"same": f"{BY_HAND[0].root_mse:.3f} again", "smaller": "Smaller", "larger": "Larger", "skip": "Just show me"}
KINDS = ["by hand", "other σ", "learned σ"]
LOOKS = {"range": [COLOURS["gaussian_identity"], QUIET, COLOURS["gaussian_shared"]]}
SIGMA = number("sigma", "σ (log scale)", [0.09, 1.15], type="log")


def _points(revealed: bool) -> list[dict[str, Any]]:
    """One a run; before the guess, of the run at sigma = 1 alone."""
    kinds = [(one, KINDS[0] if one.sigma in [other.sigma for other in BY_HAND] else KINDS[1]) for one in FIXED]
    shown = [*kinds, (LEARNED, KINDS[2])] if revealed else [(BY_HAND[0], KINDS[0])]
    return [
        {"sigma": o.sigma, "kind": kind, "asked": o.root_mse, "elbo": o.result.means.elbo, "bits": o.bits}
        for o, kind in shown
    ]


def _layer(y: dict[str, Any], revealed: bool) -> list[dict[str, Any]]:
    by_kind = {"field": "kind", "type": "nominal"}
    legend = {"title": None, "orient": "top", "offset": 2}
    colour = by_kind | {"scale": {"domain": KINDS} | LOOKS, "legend": legend}
    shape = by_kind | {"scale": {"domain": KINDS, "range": ["diamond", "circle", "square"]}, "legend": legend}
    encoding = {"x": SIGMA, "y": y, "color": colour, "shape": shape}
    points = {"mark": {"type": "point", "filled": True, "size": 80, "opacity": 1}, "encoding": encoding}
    line = {"mark": {"type": "line", "color": QUIET, "strokeWidth": 1}, "encoding": {"x": SIGMA, "y": y}}
    line["transform"] = [{"filter": f"datum.kind !== '{KINDS[2]}'"}]
    return [line, points] if revealed else [points]


def show_charts(revealed: bool) -> None:
    """Three frames over sigma: what the residuals ask for, the ELBO, bits."""
    flat = _points(revealed)
    left, middle, right = st.columns(3)
    with left:
        st.markdown(f"**√MSE found**, held out, drawn z  \n{BADGES['mse']}")
        y = number("asked", "√MSE (log scale)", [0.15, 0.3], type="log")
        ends = [{"sigma": end, "asked": end} for end in (0.15, 0.3)]
        diagonal = {"data": {"values": ends}, "mark": {"type": "line", "strokeDash": [4, 3], "color": QUIET}}
        diagonal["encoding"] = {"x": SIGMA, "y": y}
        layer = [diagonal, *([_stairs(y)] if revealed else []), *_layer(y, revealed)]
        steps = " → ".join(f"{value:.3f}" for value in _steps()) if revealed else "the run at σ = 1 alone"
        chart(flat, layer, "sigma asked", f"√MSE against the σ assumed, from 1 to where both are equal: {steps}")
        st.caption("Dashed: √MSE = σ, where nothing is left to change.")
    best = max(FIXED, key=lambda one: one.result.means.elbo)
    least = min(FIXED, key=lambda one: one.bits or 1)
    with middle:
        st.markdown(f"**ELBO**, nats per image  \n{BADGES['density']}")
        where = f", highest at σ = {best.sigma:g}" if revealed else " of the run at σ = 1"
        layer = _layer(number("elbo", "ELBO, nats", [-800, 200]), revealed)
        chart(flat, layer, "sigma elbo", f"The ELBO against σ{where}")
    with right:
        st.markdown(f"**The image's price**, bits per pixel  \n{BADGES['bits']}")
        where = f", lowest at σ = {least.sigma:g}" if revealed else " of the run at σ = 1"
        layer = _layer(number("bits", "bits per pixel", [0.2, 0.7]), revealed)
        chart(flat, layer, "sigma bits", f"Bits per pixel of the black-and-white image against σ{where}")


def _steps() -> list[float]:
    return [BY_HAND[0].sigma, *(one.root_mse for one in BY_HAND)]


def _stairs(y: dict[str, Any]) -> dict[str, Any]:
    """From each run across to the diagonal, and down to the next."""
    corners = [(one.sigma, one.root_mse) for one in BY_HAND]
    path = [corners[0]]
    for (_, found), after in zip(corners, corners[1:]):
        path += [(found, found), after]
    values = [{"sigma": x, "asked": y, "order": i} for i, (x, y) in enumerate(path)]
    encoding = {"x": SIGMA, "y": y, "order": {"field": "order", "type": "quantitative"}}
    mark = {"type": "line", "color": COLOURS["gaussian_identity"], "strokeWidth": 2, "strokeDash": [6, 3]}
    return {"data": {"values": values}, "mark": mark, "encoding": encoding}


def show_reveal(guess: str) -> None:
    first, second, *_, last = BY_HAND
    change = second.root_mse - first.root_mse
    seen = "same" if stands(second, "held_out") else "smaller" if change < 0 else "larger"
    answers = {key: Answer(text[0].lower() + text[1:], key == seen) for key, text in GUESSES.items() if key != "skip"}
    steps = " → ".join(f"{value:.3f}" for value in _steps())
    off = 100 * abs(last.root_mse / last.sigma - 1)
    st.info(
        f"{told(guess, answers)}**{'The same' if seen == 'same' else seen.capitalize()}**: {second.root_mse:.3f}. Less "
        f"noise assumed makes errors dearer, training makes them smaller, and they ask for less noise still. Taken on "
        f"held-out images at drawn z: {steps}. The last run asks for the σ it had, to {off:.1f} %.",
        icon=":material/visibility:",
    )


def show_details() -> None:
    columns = ["σ", "√MSE, held out", "√MSE, training", "KL, nats", "ELBO, nats", "Bits per pixel"]
    others = [one for one in FIXED if one not in BY_HAND + ON_TRAINING]
    groups = {"By hand": BY_HAND, "By hand, on training images": ON_TRAINING, "Learned, one run": [LEARNED]}
    groups["Other σ"] = others
    cells = {}
    for group, rows in groups.items():
        for i, one in enumerate(rows, start=1):
            means = one.result.means
            numbers = [f"{value:.4f}" for value in (one.sigma, one.root_mse, one.root_mse_train)]
            name = f"{group}, {i}" if len(rows) > 1 else group
            cells[name] = [*numbers, nats(means.kl), nats(means.elbo), f"{one.bits:.4f}"]
    table(cells, columns, "σ assumed or learned, √MSE found, KL, ELBO and bits per pixel of each run")
    st.caption(
        f"KL in nats per image; ELBO {BADGES['density']}; bits {BADGES['bits']}: means over "
        f"{LEARNED.spec.n_held_out:,} held-out images, one drawn z each."
    )
    st.markdown("\n".join(f"- {line}" for line in sentences()))
    show_pictures(ROWS, inputs=False)


def sentences() -> list[str]:
    best = max(FIXED, key=lambda one: one.result.means.elbo)
    least = min(FIXED, key=lambda one: one.bits or 1)
    by_hand = " → ".join([f"{ON_TRAINING[0].sigma:g}", *(f"{asked(one, 'train'):.3f}" for one in ON_TRAINING)])
    last = BY_HAND[-1]
    where = "the same run has" if least is best else f"the run at σ = {least.sigma:g} has"
    return [
        f"**One run instead of {len(BY_HAND)}.** With ln σ² as one more weight, training ends at σ = "
        f"{LEARNED.sigma:.3f}; the √MSE of its training images is {LEARNED.root_mse_train:.3f}. Its ELBO is "
        f"{nats(LEARNED.result.means.elbo)} nats, that of the last run by hand {nats(last.result.means.elbo)}.",
        f"**Whose √MSE?** A weight sees training images only. Taken there by hand it goes {by_hand}, below the "
        f"{last.root_mse:.3f} of held-out images: a network knows the images it was trained on better. A σ taken on "
        "held-out images has looked at them, so its held-out numbers are no longer quite unseen.",
        f"**The maximum.** Among the fixed σ the held-out ELBO is highest at σ = {best.sigma:g}, with "
        f"{nats(best.result.means.elbo)} nats, where √MSE is {best.root_mse:.3f}. As a price of the black-and-white "
        f"image, {where} the least, {least.bits:.4f} bits a pixel. "
        + (
            "Here the two agree; on pixels that are only 0 or 1 nothing makes them."
            if least is best
            else "The two need not agree: pixels that are only 0 or 1 have no density."
        ),
    ]
