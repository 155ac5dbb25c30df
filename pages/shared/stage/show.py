"""The stage: all decoders of a training at one step, drawn and played in the browser. Python's side of the widget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pages.shared.figures import COLOURS, DASHES
from pages.shared.naming import badge_words, ln_p_is
from pages.shared.widget import sent, widget
from vae_core.errors import LevelsError
from vae_core.likelihoods import LIKELIHOODS, Support
from vae_core.likelihoods.base import uniform_bits
from vae_core.spec import RunSpec, make_likelihood

_DRAWN_WITH = ("feed", "strips", "charts", "inspect", "show")  # beside this file
_STAGE = widget(
    "stage", "stage", "svg", "canvas", "likelihoods", "lighting", "formulas", "density", "badges", *_DRAWN_WITH
)
SIDE_BY_SIDE = 4
MANY = " Scroll the lanes sideways for all decoders."
HOW = "Point at an image, a symbol or a number to see what belongs to it; press a pixel to see its p(x|z,w)."


def stage(
    lanes: Mapping[str, RunSpec],
    statuses: Sequence[str],
    key: str,
    words: str = "All decoders at one step of their training.",
    bits: bool = False,
    on_bits: Callable[[bool], None] = lambda bits: None,
    ahead: str = "",
) -> None:
    """A lane for each of these runs, under its name. `statuses` are what the page around it knows: it is drawn again
    once they are others. `words` stand beside the lanes. `bits`: begin with reconstruction in bits per pixel; `on_bits`
    hears when that changes. `ahead`: what one should know of what these take; it may come and go, and nothing moves."""
    specs = list(lanes.values())
    looks = _looks(specs)
    _STAGE(
        key=key,
        data={
            "subject": " ".join([key, *(spec.id for spec in specs)]),
            "lanes": [_lane(name, spec, look) for (name, spec), look in zip(lanes.items(), looks)],
            "statuses": list(statuses),
            "side": round(specs[0].n_pixels ** 0.5),
            "total_steps": max(spec.total_steps for spec in specs),
            "uniform_bits": uniform_bits(specs[0].n_levels),
            "bits": bits,
            "ahead": ahead,
            "words": f"{words} {HOW}{MANY * (len(specs) > SIDE_BY_SIDE)}",
        },
        on_moved_change=lambda: None,
        on_bits_change=lambda: on_bits(sent(key, "bits") is True),
        height="content",
    )


def _looks(specs: Sequence[RunSpec]) -> list[tuple[str, list[int]]]:
    """A colour and a dash each: those of its decoder, or, where two are of one decoder, those of the lanes in order."""
    keys = [spec.likelihood for spec in specs]
    if len(set(keys)) < len(keys):
        keys = list(LIKELIHOODS)
    return [(COLOURS[key], DASHES[key]) for key in keys[: len(specs)]]


def _lane(name: str, spec: RunSpec, look: tuple[str, list[int]]) -> dict[str, Any]:
    likelihood = LIKELIHOODS[spec.likelihood]
    colour, dash = look
    return {
        "run": spec.id,
        "key": spec.likelihood,
        "title": name,
        "kind": ln_p_is(spec),
        "badge": badge_words(spec),
        "settings": make_likelihood(spec).given,
        "colour": colour,
        "dash": " ".join(map(str, dash)) if dash[1] else "",
        "clipped": likelihood.support is Support.REAL,  # else every draw is within [0,1]
        "n_shared": likelihood.n_shared,
        "sigma_words": _sigma_words(spec),
        "latent_dim": spec.latent_dim,
        "total_steps": spec.total_steps,
        "without_bits": _without_bits(spec),
    }


def _sigma_words(spec: RunSpec) -> str:
    """What a lane says where its picture of σ stands, or would."""
    fixed = {
        "gaussian_identity": f"σ = {spec.sigma:g} at every pixel, for every z",
        "laplace": f"b = {spec.scale:g} at every pixel, for every z",
        "gaussian_shared": "σ: one for all pixels, learned",
        "gaussian_learned": "σ of each pixel",
        "bernoulli": "its σ follows from its mean: √(λ(1−λ))",
        "discretized_logistic": "its scale s is the decoder's too, not drawn here",
    }
    return fixed.get(spec.likelihood, "its σ follows from its outputs, not drawn here")


def _without_bits(spec: RunSpec) -> str:
    """Why a lane has no bits per pixel, if it has none."""
    try:
        make_likelihood(spec).check_levels(spec.n_levels)
    except LevelsError as error:
        return str(error)
    return "Not measured: trained by an earlier version of this app."
