"""The settings of the Train page: widgets, and the address bar that mirrors them.

Streamlit's own URL binding drops a bad value silently and reads 2.5 as 2; here every value of an address is checked
with the rules of RunSpec, and each one refused is told.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import streamlit as st

from vae_core.data import DATASETS
from vae_core.errors import SpecError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.runs.store import Store
from vae_core.spec import REAL, WHOLE, RunSpec, cost, setting, shown

DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(RunSpec) if f.name != "likelihood"}
DEFAULTS["decoders"] = tuple(LIKELIHOODS)
MOST_REFUSED = 5
PIXELS = {"none": "As they are (grey)", "threshold": "Black and white", "stochastic": "Tossed like coins"}


def controls(store: Store) -> dict[str, RunSpec]:
    """Draw the settings and return the spec of each chosen decoder, in order; empty while a setting is refused."""
    _read_address(store)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Data", list(DATASETS), format_func=lambda key: DATASETS[key].title, width=250, **_keep("dataset"))
        st.pills(
            "Decoders, p(x|z,w)",
            list(LIKELIHOODS),
            selection_mode="multi",
            format_func=lambda key: LIKELIHOODS[key].name,
            wrap=True,
            **_keep("decoders"),
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
            **_keep("binarize"),
        )
    with st.expander("Advanced", icon=":material/tune:"), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Layer sizes",
            width=150,
            help="Of the encoder, commas between; the decoder mirrors them.",
            **_keep("hidden"),
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
        _number("held_out", "Held-out share", "Images kept away from training.", step=0.05)
    _write_address()
    return _specs()


def _keep(name: str) -> dict[str, Any]:
    return {"key": name, "persist_state": "session"}


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
        **_keep(name),
    )


def _specs() -> dict[str, RunSpec]:
    chosen = [key for key in LIKELIHOODS if key in st.session_state["decoders"]]
    if not chosen:
        st.info("Choose at least one decoder to train.", icon=":material/touch_app:")
    values = {name: st.session_state[name] for name in DEFAULTS if name != "decoders"}
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


# The address bar ---------------------------------------------------------------------------------------------------


def _read_address(store: Store) -> None:
    """Take settings from the address when the page is first opened; from then on the widgets lead it."""
    state = st.session_state
    if "refused" not in state:
        address = {name: st.query_params.get_all(name) for name in st.query_params} or state.get("link", {})
        values, state["refused"] = parse(_opened(address, store))
        for name, default in DEFAULTS.items():
            state[name] = _as_widget(name, values.get(name, default))
    refused = state["refused"]
    for sentence in refused[:MOST_REFUSED]:
        st.warning(f"From the link: {_plain(sentence)} What it says there is left out.", icon=":material/link_off:")
    if len(refused) > MOST_REFUSED:
        st.warning(f"{len(refused) - MOST_REFUSED} more parts of the link are left out.", icon=":material/link_off:")


def _plain(text: str) -> str:
    """Words from a link as words: no Markdown of a stranger's draws images or links into this page."""
    return re.sub(r"([\\`*\[\]<$~])", r"\\\1", text)


def _opened(address: dict[str, list[str]], store: Store) -> dict[str, list[str]]:
    """`?run=<id>` stands for all settings of that run; an id nobody has trained here is left for `parse` to refuse."""
    run = store.run(address["run"][-1]) if "run" in address else None
    if run is None:
        return address
    settings = {name: write(name, value) for name, value in vars(run.spec).items() if name != "likelihood"}
    return settings | {"decoders": [run.spec.likelihood]}


def _write_address() -> None:
    values = {name: st.session_state[name] for name in DEFAULTS}
    address = {n: write(n, v) for n, v in values.items() if v != _as_widget(n, DEFAULTS[n]) and v != []}
    if address != {name: st.query_params.get_all(name) for name in st.query_params}:
        st.query_params.from_dict(address)


def _as_widget(name: str, value: Any) -> Any:
    if name == "hidden":
        return ", ".join(map(str, value))
    return list(value) if name == "decoders" else value


def parse(address: dict[str, list[str]]) -> tuple[dict[str, Any], list[str]]:
    """The settings that an address holds, and a sentence for each part of it that is refused."""
    values: dict[str, Any] = {}
    refused: list[str] = []
    for name, texts in address.items():
        try:
            if name == "run":
                refused.append(f"No run {shown(texts[-1])} is kept here; choose its settings below and press Train.")
            elif name == "likelihood":
                refused.append("likelihood is chosen as decoders here.")
            elif name == "decoders":
                values[name] = tuple(dict.fromkeys(RunSpec(likelihood=text).likelihood for text in texts))
            else:
                value = setting(name, texts[-1])
                RunSpec.from_dict({name: value})
                values[name] = value
        except SpecError as error:
            refused.append(str(error))
    return values, refused


def write(name: str, value: Any) -> list[str]:
    if name == "decoders":
        return list(value)
    if name == "hidden" and not isinstance(value, str):
        value = ",".join(map(str, value))
    return [str(value).replace(" ", "")]
