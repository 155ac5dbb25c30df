"""The form: what somebody's training code does with a batch."""

from __future__ import annotations

import streamlit as st

from pages.shared.address import PageSettings, choice, real, whole
from vae_core.catalogue import DATASETS
from vae_core.lessons.assumed import LOSSES, RANGES, REDUCTIONS, LossCode

BUNDLED = [key for key, info in DATASETS.items() if info.openml is None]
LOSS_NAMES = {
    "squared": "Squared error",
    "absolute": "Absolute error",
    "bce_grey": "Binary cross-entropy, grey pixels",
    "bce_binary": "Binary cross-entropy, black-and-white pixels",
}
RANGE_NAMES = {key: f"{black} to {white}".replace("-", "−") for key, (black, white) in RANGES.items()}
LABELS = {
    "loss": "The error",
    "half": "½ before it",
    "pixel_range": "Pixels run from",
    "pixels": "Over pixels",
    "batch": "Over the batch",
    "latents": "KL over latents",
    "kl_batch": "KL over the batch",
    "weight": "Weight c of the KL",
    "dataset": "Images",
    "latent_dim": "Latents J",
    "batch_size": "Batch size B",
}
SETTINGS = PageSettings(
    "assumed",
    {
        "loss": choice(LOSSES, "squared"),
        "half": choice(["no", "yes"], "no"),
        "pixel_range": choice(RANGE_NAMES, "0..1"),
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
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox(LABELS["loss"], LOSSES, format_func=LOSS_NAMES.__getitem__, width=320, **SETTINGS.keep("loss"))
            SETTINGS.one_of("half", LABELS["half"], disabled=SETTINGS["loss"] != "squared")
            SETTINGS.one_of(
                "pixel_range",
                LABELS["pixel_range"],
                disabled=SETTINGS["loss"].startswith("bce"),
                help="Black and white in your code. σ² scales with the square of their distance. Cross-entropy needs 0 "
                "to 1: beyond, it has no lower bound.",
            )
            SETTINGS.one_of("pixels", LABELS["pixels"])
            SETTINGS.one_of("batch", LABELS["batch"])
        with st.container(horizontal=True, vertical_alignment="bottom"):
            SETTINGS.one_of("latents", LABELS["latents"])
            SETTINGS.one_of("kl_batch", LABELS["kl_batch"])
            SETTINGS.number("weight", LABELS["weight"], step=0.1)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            title = lambda key: f"{DATASETS[key].title}, D = {DATASETS[key].n_pixels}"
            st.selectbox(LABELS["dataset"], BUNDLED, format_func=title, width=320, **SETTINGS.keep("dataset"))
            SETTINGS.number("latent_dim", LABELS["latent_dim"], width=130)
            SETTINGS.number("batch_size", LABELS["batch_size"], width=130)
    return code_of({name: SETTINGS[name] for name in SETTINGS.settings})


def code_of(values: dict[str, object]) -> LossCode:
    n_pixels = DATASETS[str(values["dataset"])].n_pixels
    names = values.keys() - {"dataset", "half"}
    return LossCode(half=values["half"] == "yes", n_pixels=n_pixels, **{name: values[name] for name in names})  # type: ignore[arg-type]
