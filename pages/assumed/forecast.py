"""What will happen, before any training: from the images' eigenvalues and the error that decoding can save."""

from __future__ import annotations

import numpy as np
import streamlit as st

from pages.assumed.meaning import noise_words, number
from pages.shared.numbers import nats
from pages.shared.words import Parts
from vae_core.lessons import assumed, exact
from vae_core.lessons.assumed import LossCode, images


@st.cache_data(show_spinner="Reading the images", max_entries=6)
def eigenvalues(dataset: str) -> np.ndarray:
    return exact.eigenvalues(images(dataset, "squared"))


@st.cache_data(show_spinner="Reading the images", max_entries=24)
def excess_error(dataset: str, loss: str) -> float:
    return exact.excess_error(images(dataset, loss), loss.removesuffix("_grey").removesuffix("_binary"))


@st.cache_data(show_spinner="Reading the images", max_entries=256)
def noise_left(loss: str, latent_dim: int, dataset: str) -> float:
    return assumed.noise_left(loss, latent_dim, lambda: images(dataset, loss), eigenvalues(dataset))


def _forecast(code: LossCode, dataset: str) -> assumed.Forecast:
    return assumed.forecast(code, eigenvalues(dataset), excess_error(dataset, code.loss))


def outlook_of(code: LossCode, dataset: str) -> str:
    best = exact.best_variance(eigenvalues(dataset), code.latent_dim)
    return assumed.outlook(code, _forecast(code, dataset), best)


def show_forecast(codes: dict[str, LossCode], outlook: str, dataset: str, words: Parts) -> None:
    """A column for each code by its name; what the first will come to, in words."""
    st.markdown(words["Forecast"])
    first, *_ = codes.values()
    forecasts = [_forecast(one, dataset) for one in codes.values()]
    rows = [["", *codes], ["---"] * (len(codes) + 1), ["What it assumes", *map(noise_words, codes.values())]]
    linear = [one.linear for one in forecasts if one.linear]
    if linear:
        rows += [
            ["Linear decoder: latents in use", *(f"{one.active} of {first.latent_dim}" for one in linear)],
            ["Linear decoder: KL, nats", *(nats(one.kl) for one in linear)],
            ["Linear decoder: ln p(x|w), nats, density", *(nats(one.log_likelihood) for one in linear)],
        ]
    rows.append(["Any decoder: KL at most, nats", *(number(one.most_kl) for one in forecasts)])
    show, icon = (
        (st.info, ":material/info:") if outlook in ("fair", "no forecast") else (st.warning, ":material/warning:")
    )
    show(words[outlook.capitalize()], icon=icon)
    escaped = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    st.markdown("\n".join(f"| {' | '.join(row)} |" for row in escaped))
