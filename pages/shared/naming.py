"""What a run is called, and what its ln p(x|z,w) is the log of."""

from __future__ import annotations

import re
from typing import Literal

from vae_core.catalogue import DATASETS
from vae_core.likelihoods import LIKELIHOODS
from vae_core.spec import SETTINGS, RunSpec, make_likelihood
from vae_core.values import Choice

BADGES = {
    "mass": ":blue-badge[ln of a probability mass, nats]",
    "density": ":violet-badge[ln of a probability density, nats]",
    "loss": ":orange-badge[a loss here, not ln p: grey pixels]",
}


def title(spec: RunSpec) -> str:
    """The likelihood's name, with the values that are part of it where they are not the usual ones, and whether the
    decoder is linear."""
    return make_likelihood(spec).title + ", linear" * (spec.decoder == "linear")


def label(spec: RunSpec) -> str:
    """The title, the data, and whatever else is not as usual: tells runs apart in a list."""
    parts = [title(spec), DATASETS[spec.dataset].title, f"{spec.latent_dim} latents"]
    # Here, or in the title.
    elsewhere = {"dataset", "likelihood", "latent_dim", "epochs", "seed", "sigma", "scale", "levels", "binarize"}
    elsewhere |= {"decoder"}
    parts.append(_value(spec, "binarize"))
    parts += [
        _value(spec, name)
        for name in spec.to_dict()
        if name not in elsewhere and getattr(spec, name) != getattr(RunSpec, name)
    ]
    return " · ".join([*parts, f"{spec.epochs} epochs", f"seed {spec.seed}"])


def _value(spec: RunSpec, name: str) -> str:
    value, setting = getattr(spec, name), SETTINGS[name]
    if isinstance(setting.rule, Choice):
        return setting.rule.called(value)
    return f"{setting.label} = {', '.join(map(str, value)) if isinstance(value, tuple) else format(value, 'g')}"


def ln_p_is(spec: RunSpec) -> Literal["mass", "density", "loss"]:
    """Of what the log-likelihood of this run is the log; `loss` where it is the log of nothing."""
    return "loss" if spec.loss_only else LIKELIHOODS[spec.likelihood].support.kind


def badge(spec: RunSpec) -> str:
    return BADGES[ln_p_is(spec)]


def badge_words(spec: RunSpec) -> str:
    """The badge without its Markdown, for what is drawn by a widget."""
    return re.sub(r".*\[(.*)\]", r"\1", badge(spec))
