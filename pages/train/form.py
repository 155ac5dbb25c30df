"""The form of the Train page: a widget for each setting, described as RunSpec describes it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.shared.address import Address
from pages.shared.train_link import FIELDS, TRAIN_SETTINGS, link_to
from vae_core.errors import SpecError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.runs.store import Store
from vae_core.spec import SETTINGS, RunSpec, cost
from vae_core.values import Choice, Real, read

FIRST = ("latent_dim", "beta", "mc_samples", "epochs", "seed", "binarize")
ABOVE = ("dataset", "likelihood", *FIRST)
WIDTHS = {"dataset": 250, "binarize": 190, "hidden": 150, "dequantize": 260}


def form(store: Store) -> dict[str, RunSpec]:
    """Draw the settings and return the spec of each chosen decoder, in order; empty while a setting is refused."""
    TRAIN_SETTINGS.follow(lambda address: _opened(address, store))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _widget("dataset")
        st.pills(
            "Decoders, p(x|z,w)",
            list(LIKELIHOODS),
            selection_mode="multi",
            format_func=lambda key: LIKELIHOODS[key].name,
            wrap=True,
            **TRAIN_SETTINGS.keep("decoders"),
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for name in FIRST:
            _widget(name)
    with st.expander("Advanced", icon=":material/tune:"), st.container(horizontal=True, vertical_alignment="bottom"):
        for name in SETTINGS:
            if name not in ABOVE:
                _widget(name)
    TRAIN_SETTINGS.mirror()
    return _specs()


def _widget(name: str) -> None:
    about, rule, kept = SETTINGS[name], SETTINGS[name].rule, TRAIN_SETTINGS.keep(name)
    how: dict[str, Any] = {"help": about.help, "width": WIDTHS.get(name, 140)}
    if isinstance(rule, Choice):
        st.selectbox(about.label, list(rule.options), format_func=rule.called, **how, **kept)
    elif isinstance(rule, Real):
        TRAIN_SETTINGS.number(name, about.label, step=about.step, **how)
    else:
        st.text_input(about.label, **how, **kept)


def _specs() -> dict[str, RunSpec]:
    chosen = [key for key in LIKELIHOODS if key in TRAIN_SETTINGS["decoders"]]
    if not chosen:
        st.info("Choose at least one decoder to train.", icon=":material/touch_app:")
    values = {name: TRAIN_SETTINGS[name] for name in FIELDS}
    try:
        values["hidden"] = read(SETTINGS["hidden"].rule, "hidden", values["hidden"])
        specs = {key: RunSpec(likelihood=key, **values) for key in chosen}
    except SpecError as error:
        st.error(str(error), icon=":material/block:")
        return {}
    if specs:
        needs = [cost(spec) for spec in specs.values()]
        seconds = sum(need.seconds for need in needs)
        whose = "the largest" if len(needs) > 1 else "the"
        st.caption(
            f"About {max(need.parameters for need in needs) / 1e6:.2g} million weights and "
            f"{max(need.memory_bytes for need in needs) / 1e6:.0f} MB for {whose} VAE, "
            f"{_duration(seconds)} of one core for all {len(needs)}."
        )
    return specs


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{max(1, round(seconds))} s"


def _opened(address: Address, store: Store) -> Address:
    """`?run=<id>` stands for all settings of that run."""
    run = store.run(address["run"][-1]) if "run" in address else None
    return address if run is None else link_to([run.spec])
