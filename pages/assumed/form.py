"""The form: what somebody's training code does with a batch, and the same from a report of the gallery."""

from __future__ import annotations

import streamlit as st

from pages.assumed.gallery import Report
from pages.shared.address import PageSettings, choice, parse, real, whole
from vae_core.catalogue import DATASETS
from vae_core.lessons.assumed import LOSSES, REDUCTIONS, LossCode

BUNDLED = [key for key, info in DATASETS.items() if info.openml is None]
LOSS_NAMES = {
    "squared": "Squared error",
    "absolute": "Absolute error",
    "bce_grey": "Binary cross-entropy, grey pixels",
    "bce_binary": "Binary cross-entropy, black-and-white pixels",
}
SETTINGS = PageSettings(
    "assumed",
    {
        "loss": choice(LOSSES, "squared"),
        "half": choice(["no", "yes"], "no"),
        "pixels": choice(REDUCTIONS, "mean"),
        "batch": choice(REDUCTIONS, "mean"),
        "latents": choice(REDUCTIONS, "sum"),
        "kl_batch": choice(REDUCTIONS, "mean"),
        "weight": real(1e-9, 1e6, 1.0),
        "dataset": choice(BUNDLED, "mnist"),
        "latent_dim": whole(1, 32, 10),
        "batch_size": whole(8, 1024, 128),
    },
)


def form() -> LossCode:
    reduced = lambda label, name: st.segmented_control(label, REDUCTIONS, required=True, **SETTINGS.keep(name))
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox("The error", LOSSES, format_func=LOSS_NAMES.__getitem__, width=320, **SETTINGS.keep("loss"))
            st.segmented_control(
                "½ before it",
                ["no", "yes"],
                required=True,
                disabled=SETTINGS["loss"] != "squared",
                **SETTINGS.keep("half"),
            )
            reduced("Over pixels", "pixels")
            reduced("Over the batch", "batch")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            reduced("KL over latents", "latents")
            reduced("KL over the batch", "kl_batch")
            st.number_input(
                "Weight c of the KL", 1e-9, 1e6, step=0.1, format="%g", width=150, **SETTINGS.keep("weight")
            )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            title = lambda key: f"{DATASETS[key].title}, D = {DATASETS[key].n_pixels}"
            st.selectbox("Images", BUNDLED, format_func=title, width=320, **SETTINGS.keep("dataset"))
            st.number_input("Latents J", 1, 32, width=130, **SETTINGS.keep("latent_dim"))
            st.number_input("Batch size B", 8, 1024, width=130, **SETTINGS.keep("batch_size"))
    return code_of({name: SETTINGS[name] for name in SETTINGS.settings})


def code_of(values: dict[str, object]) -> LossCode:
    n_pixels = DATASETS[str(values["dataset"])].n_pixels
    names = values.keys() - {"dataset", "half"}
    return LossCode(half=values["half"] == "yes", n_pixels=n_pixels, **{name: values[name] for name in names})  # type: ignore[arg-type]


def settings_of(report: Report) -> dict[str, object]:
    values, _ = parse(SETTINGS.settings, report.address)
    return {name: values.get(name, setting.default) for name, setting in SETTINGS.settings.items()}


def fill_in(report: Report) -> None:
    for name, value in settings_of(report).items():
        SETTINGS[name] = value
    st.toast(f"The form at the top now has the loss of {report.title}.", icon=":material/edit_note:")
