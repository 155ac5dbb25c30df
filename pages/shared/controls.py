"""The settings of the Train page: widgets, and the address that mirrors them, read with the rules of RunSpec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import streamlit as st

from pages.shared.address import Address, PageSettings, Setting
from vae_core.data import DATASETS
from vae_core.errors import SpecError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.runs.store import Store
from vae_core.shipped import DECODERS
from vae_core.spec import REAL, WHOLE, RunSpec, cost, setting, shown

PIXELS = {"none": "As they are (grey)", "threshold": "Black and white", "stochastic": "Tossed like coins"}


def controls(store: Store) -> dict[str, RunSpec]:
    """Draw the settings and return the spec of each chosen decoder, in order; empty while a setting is refused."""
    SETTINGS.follow(lambda address: _opened(address, store))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Data", list(DATASETS), format_func=lambda key: DATASETS[key].title, width=250, **SETTINGS.keep("dataset")
        )
        st.pills(
            "Decoders, p(x|z,w)",
            list(LIKELIHOODS),
            selection_mode="multi",
            format_func=lambda key: LIKELIHOODS[key].name,
            wrap=True,
            **SETTINGS.keep("decoders"),
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _number("latent_dim", "Latent size", "How many numbers z has.")
        _number("beta", "β", "Weight of the KL in what is maximised. The ELBO shown always has weight 1.", step=0.5)
        _number("mc_samples", "L", "Draws of z for each image in the Monte-Carlo estimate of the reconstruction.")
        _number("epochs", "Epochs", "Passes over the training images.")
        _number("seed", "Seed", "Same seed, same result: weights, order of images, z and held-out images.")
        st.selectbox(
            "Pixels",
            list(PIXELS),
            format_func=PIXELS.__getitem__,
            width=190,
            help="A Bernoulli is a probability of black-and-white pixels only. *Tossed like coins* makes a pixel white "
            "with its grey level as probability: anew at each training step, once and for all when held out.",
            **SETTINGS.keep("binarize"),
        )
    with st.expander("Advanced", icon=":material/tune:"), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Layer sizes",
            width=150,
            help="Of the encoder, commas between; the decoder mirrors them.",
            **SETTINGS.keep("hidden"),
        )
        _number("learning_rate", "Learning rate", "Step size of the optimiser, Adam.", step=0.0005, format="%g")
        _number("batch_size", "Batch size", "Images a step.")
        _number(
            "sigma", "Fixed σ", "Of the Gaussian N(μ, σ²I). 1 is identity covariance, what ½·SSE means.", format="%g"
        )
        _number(
            "variance_floor",
            "Floor on σ²",
            "The least σ² the learned-variance decoder may use; without it its density has no upper bound.",
            step=0.001,
            format="%g",
        )
        _number("scale", "Laplace's b", "Scale of the Laplace noise: its standard deviation is √2·b.", format="%g")
        _number("held_out", "Held-out share", "Images kept away from training.", step=0.05)
    SETTINGS.mirror()
    return _specs()


def _number(name: str, label: str, meaning: str, step: float = 0.1, format: str | None = None) -> None:
    whole = name in WHOLE
    low, high = WHOLE[name] if whole else REAL[name]
    st.number_input(
        label,
        low,
        high,
        step=1 if whole else step,
        format=format,
        width=140,
        help=f"{meaning} {low:g} to {high:g}." if name != "seed" else meaning,
        **SETTINGS.keep(name),
    )


def _specs() -> dict[str, RunSpec]:
    chosen = [key for key in LIKELIHOODS if key in SETTINGS["decoders"]]
    if not chosen:
        st.info("Choose at least one decoder to train.", icon=":material/touch_app:")
    values = {name: SETTINGS[name] for name in FIELDS}
    try:
        values["hidden"] = setting("hidden", values["hidden"])
        specs = {key: RunSpec(likelihood=key, **values) for key in chosen}
    except SpecError as error:
        st.error(str(error), icon=":material/block:")
        return {}
    if specs:
        needs = [cost(spec) for spec in specs.values()]
        seconds = sum(need.seconds for need in needs)
        st.caption(
            f"About {max(need.parameters for need in needs) / 1e6:.2g} million weights and "
            f"{max(need.memory_bytes for need in needs) / 1e6:.0f} MB for a VAE, "
            f"{_duration(seconds)} of one core for all {len(needs)}."
        )
    return specs


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{max(1, round(seconds))} s"


# The address ---------------------------------------------------------------------------------------------------------


def _read(name: str, texts: list[str]) -> Any:
    value = setting(name, texts[-1])
    RunSpec.from_dict({name: value})
    return _layers(value) if name == "hidden" else value


def _read_decoders(name: str, texts: list[str]) -> list[str]:
    return list(dict.fromkeys(RunSpec(likelihood=text).likelihood for text in texts))


def _layers(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))


def _no_run(name: str, texts: list[str]) -> Any:
    raise SpecError(name, f"No run {shown(texts[-1])} is kept here; choose its settings below and press Train.")


FIELDS = [field.name for field in fields(RunSpec) if field.name != "likelihood"]
SETTINGS = PageSettings(
    "train",
    {
        **{name: Setting(getattr(RunSpec, name), _read) for name in FIELDS},
        "hidden": Setting(_layers(RunSpec.hidden), _read, lambda sizes: [sizes.replace(" ", "")]),
        "decoders": Setting(list(DECODERS), _read_decoders, list),
        "run": Setting("", _no_run),
    },
)


def link_to(specs: Sequence[RunSpec]) -> Address:
    """The Train page's address with the settings of these specs, which differ in their likelihood alone."""
    values = {name: getattr(specs[0], name) for name in FIELDS}
    values |= {"hidden": _layers(specs[0].hidden), "decoders": [spec.likelihood for spec in specs]}
    return SETTINGS.link(**values)


def _opened(address: Address, store: Store) -> Address:
    """`?run=<id>` stands for all settings of that run."""
    run = store.run(address["run"][-1]) if "run" in address else None
    return address if run is None else link_to([run.spec])
