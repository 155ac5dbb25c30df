"""A run's held-out images: one by its number, and the choice of one, by number or by its class."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared.address import PageSettings
from pages.shared.trained import data_of
from vae_core.lessons.one_image import held_out_image
from vae_core.spec import RunSpec

if TYPE_CHECKING:
    from torch import Tensor


@lru_cache(maxsize=256)
def image_of(spec: RunSpec, number: int) -> Tensor:
    """(n_pixels,) in [0,1], as the run's own evaluation sees it. Raises DataError."""
    return held_out_image(spec, data_of(spec.dataset), number)


def choose_image(
    settings: PageSettings, labels: np.ndarray, name: str = "image", label: str = "Held-out image", by_class: str = ""
) -> int:
    """Draw the choice and return the number; `labels` (n,) are those of the held-out images. `by_class` labels a second
    control that goes to the first image of a class; without it there is none."""
    if settings[name] >= len(labels):  # from a link, or from a run with more images
        allowed = f"a whole number from 0 to {len(labels) - 1}"
        st.warning(f"{label} is {settings[name]}; allowed: {allowed}. 0 is shown.")
        settings[name] = 0
    help = "Images that the decoder was not trained on:"
    number = settings.number(name, label, high=len(labels) - 1, width=165, help=help)
    if by_class:
        key = f"{settings.page}.{name} class"
        st.session_state[key] = int(labels[number])

        def first_of_class() -> None:
            settings[name] = int(np.argmax(labels == st.session_state[key]))

        classes = np.unique(labels).tolist()
        st.selectbox(by_class, classes, key=key, on_change=first_of_class, width=140)  # beside the number on a phone
    return number
