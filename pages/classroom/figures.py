"""The figure of each step, by the page that it opens: what runs that ship gave, and one pixel's distribution.

A figure shows what is spoken of, not the answer to what the class is asked.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pages.shared.address import Address
from pages.shared.figures import COLOURS
from pages.shared.naming import title
from pages.shared.path import Step
from vae_core.errors import SpecError
from vae_core.lessons.assumed import LOSSES, REDUCTIONS, LossCode, meaning
from vae_core.lessons.start import load_examples
from vae_core.likelihoods import LIKELIHOODS
from vae_core.shipped import SPECS, pictures
from vae_core.spec import RunSpec
from vae_core.tiles import png
from vae_core.values import Choice, Real, Rule, read

SHIPPED = (
    "From runs that ship with the app, z = m, the mean of q(z|x). Gaussian means and samples are clipped to [0,1]."
)
REDUCED = ("pixels", "batch", "latents", "kl_batch")
NOISE = "The noise that this loss takes for granted around an output of 0.5, with x = 0.5 observed."
NEW = "Means of p(x|z,w) at z drawn from N(0, I), from runs that ship with the app."


def slide(step: Step) -> dict[str, Any]:
    """What the widget shows of a step."""
    return {"name": step.name, "words": step.words} | _figure(step)


def _figure(step: Step) -> dict[str, Any]:
    try:
        return FIGURES[step.to.page](step.to.settings)
    except (KeyError, SpecError):
        return {}  # a page without one, or a teacher's edit that the page itself will tell of


def _value(settings: Address, name: str, rule: Rule, default: Any) -> Any:
    return read(rule, name, settings[name][-1]) if name in settings else default


def _rows(rows: Mapping[str, np.ndarray], caption: str, columns: tuple[str, ...] = ()) -> dict[str, Any]:
    """Each row is (n, 28, 28) uint8."""
    found = []
    for name, images in rows.items():
        seen = ", ".join(columns) or f"{len(images)} images"
        src = f"data:image/png;base64,{base64.b64encode(png(images, columns=len(images))).decode()}"
        found.append({"name": name, "src": src, "alt": f"{name}: {seen}"})
    return {"rows": found, "columns": columns, "caption": caption}


def _digit(settings: Address) -> dict[str, Any]:
    digit = _value(settings, "digit", Choice(range(10)), 3)
    inputs, examples = load_examples()
    rows = {
        title(SPECS[key]): np.stack([inputs[digit], under[digit].mean, under[digit].samples[0]])
        for key, under in examples.items()
    }
    return _rows(rows, SHIPPED, ("x", "mean", "one sample"))


def _pixel(settings: Address) -> dict[str, Any]:
    key = _value(settings, "decoder", Choice(list(LIKELIHOODS)), "bernoulli")
    kind = LIKELIHOODS[key]
    given: dict[str, float] = {}
    for name in ("sigma", "scale"):
        if name in kind.settings:
            given[name] = _value(settings, name, Real(0.03, 3.0), 1.0)
    if kind(1, **given).n_outputs != 1:
        return {}
    a, x = _value(settings, "a", Real(-6, 6), 0.5), _value(settings, "x", Real(0, 1), 1.0)
    caption = f"One pixel under {kind(1, **given).title}: raw output a = {a:g}, observed x = {x:g}."
    return _one_pixel(key, a, x, given, caption)


def _one_pixel(key: str, a: float, x: float, given: Mapping[str, float], caption: str) -> dict[str, Any]:
    return {"pixel": {"key": key, "a": a, "x": x, "settings": dict(given), "colour": COLOURS[key]}, "caption": caption}


def _assumed(settings: Address) -> dict[str, Any]:
    """The noise that a squared error takes for granted; none is drawn of another loss, or for more settings."""
    usual = LossCode()
    if (
        settings.keys() - {"loss", "half", *REDUCED}
        or _value(settings, "loss", Choice(LOSSES), usual.loss) != "squared"
    ):
        return {}
    half = _value(settings, "half", Choice(["no", "yes"]), "no") == "yes"
    reduced = {name: _value(settings, name, Choice(REDUCTIONS), getattr(usual, name)) for name in REDUCED}
    given = {"sigma": meaning(LossCode(half=half, **reduced)).deviation}
    return _one_pixel("gaussian_identity", 0.5, 0.5, given, NOISE)


def _held_out(*keys: str) -> dict[str, Any]:
    rows: dict[str, np.ndarray] = {}
    for key in keys:
        found, name = _pictures(SPECS[key]), title(SPECS[key])
        rows |= {"x": found["input"], f"mean, {name}": found["mean"], f"one sample, {name}": found["sample"]}
    return _rows(rows, SHIPPED)


def _new(*keys: str) -> dict[str, Any]:
    return _rows({title(SPECS[key]): _pictures(SPECS[key])["prior_mean"][:6] for key in keys}, NEW)


def _pictures(spec: RunSpec) -> dict[str, np.ndarray]:
    found = pictures(spec)
    assert found is not None  # it ships
    return found


FIGURES: dict[str, Callable[[Address], dict[str, Any]]] = {
    "start": _digit,
    "one_pixel": _pixel,
    "one_image": _digit,
    "experiments": lambda settings: _held_out("gaussian_learned"),
    "assumed": _assumed,
    "train": lambda settings: _new(*SPECS),
    "compare": lambda settings: _held_out(*SPECS),
    "latent": lambda settings: _new(_value(settings, "decoder", Choice(list(SPECS)), "bernoulli")),
    "mse": lambda settings: _held_out("gaussian_identity"),
}
