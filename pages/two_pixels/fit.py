"""Fit it: a VAE with one latent, trained in the browser on points of the plane. Python says what is chosen, no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pages.shared.address import PageSettings, Setting, choice, parse, real
from pages.shared.widget import sent, widget
from vae_core.lessons.two_pixels import PLANE, SIGMA
from vae_core.lessons.two_pixels_fit import (
    ENCODER_WIDTH,
    EPS,
    FINE,
    FIRST_SIGMA,
    FLOOR,
    LEARNING_RATE,
    N_EPS,
    PRESETS,
    SEED,
    SIGMA_RATE,
    SLOWING,
    WIDTHS,
    preset,
)

POINTS = {**dict(zip(PRESETS, ("a ring", "a banana", "two clusters"))), "drawn": "drawn by hand"}
NOISES = {"learned": "learned", "fixed": "fixed, at"}
DECODERS = dict(zip(map(str, WIDTHS), ("12 hidden units", "2", "1", "a straight line")))
# By their names in the address; the widget calls them without "fit_".
FIT: dict[str, Setting] = {
    "fit_points": choice(POINTS, "ring"),
    "fit_noise": choice(NOISES, "learned"),
    "fit_at": real(*SIGMA, 0.3),
    "fit_width": choice(DECODERS, "12"),
}
GROUPS = {"points": ("Points", POINTS), "noise": ("σ", NOISES), "width": ("Decoder", DECODERS)}
WIDGET = "two_pixels.fit"
_FIT = widget("two_pixels", "fit", "svg", "exact", "plane", "tiny", "fit_draw")


def show_fit(settings: PageSettings) -> None:
    """Draw it, and keep what is chosen in the page's address. `settings` has those of FIT among its own."""

    def take() -> None:
        said = sent(WIDGET, "chosen")
        if isinstance(said, Mapping):
            values, _ = parse(FIT, {f"fit_{name}": [str(value)] for name, value in said.items()})
            for name, value in values.items():
                settings[name] = value

    _FIT(key=WIDGET, data=given(settings), on_chosen_change=take)
    settings.mirror()


def given(settings: PageSettings) -> dict[str, Any]:
    """All that the widget starts from, so that no number stands in two places."""
    return {
        "values": {name.removeprefix("fit_"): settings[name] for name in FIT},
        "groups": [
            {"name": name, "label": label, "options": list(options.items())}
            for name, (label, options) in GROUPS.items()
        ],
        "presets": {name: preset(name).tolist() for name in PRESETS},
        "plane": PLANE,
        "sigmas": SIGMA,
        "how": HOW,
    }


HOW = {
    "encoder": ENCODER_WIDTH,
    "floor": FLOOR,
    "first": FIRST_SIGMA,
    "rate": LEARNING_RATE,
    "slowing": SLOWING,
    "sigmaRate": SIGMA_RATE,
    "seed": SEED,
    "eps": EPS,
    "places": N_EPS,
    "fine": FINE,
}
