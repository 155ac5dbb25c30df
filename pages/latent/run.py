"""A trained run as the views of the latent space look at it: its decoder, its data and the codes of held-out images."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from pages.shared.address import PageSettings, choice, whole
from pages.shared.held_out import choose_image
from pages.shared.naming import title
from pages.shared.trained import data_of, offer_again, vae_of
from vae_core.data import Dataset
from vae_core.errors import CheckpointError, DataError
from vae_core.lessons.latent import MOST_IMAGES, Codes, held_out_codes
from vae_core.model import VAE
from vae_core.runs.engine import Engine
from vae_core.spec import RunSpec

KEPT = 8  # runs, some 3 MB each: the six that ship, which a class finds computed, and two of its own
HELD = ["at an image's code", "at 0"]
IMAGE_SETTINGS = {
    "held": choice(HELD, HELD[0]),
    "image": whole(0, MOST_IMAGES - 1, 0),
    "other": whole(0, MOST_IMAGES - 1, 1),
}


@dataclass(frozen=True)
class LatentRun:
    spec: RunSpec
    vae: VAE
    data: Dataset
    codes: Codes

    @property
    def name(self) -> str:
        return title(self.spec)


def open_runs(specs: list[RunSpec], engine: Engine) -> list[LatentRun]:
    """Those whose weights and data can be read; for each other, why not, and the offer to train it again."""
    runs = []
    for spec in specs:
        try:
            vae, data = vae_of(spec, engine.store), data_of(spec.dataset)
            runs.append(_opened(spec.id, id(vae), spec, vae, data))
        except CheckpointError as error:
            offer_again(spec, error, engine)
        except DataError as error:
            st.error(str(error), icon=":material/broken_image:")
    return runs


# What is kept by the `id` of a network keeps the network too: no other can have that `id` meanwhile.


@st.cache_resource(max_entries=KEPT, show_spinner="Encoding the held-out images")
def _opened(spec_id: str, loaded: int, _spec: RunSpec, _vae: VAE, _data: Dataset) -> LatentRun:
    return LatentRun(_spec, _vae, _data, held_out_codes(_vae, _data))


def hidden(run: LatentRun) -> int:
    """How many latents a plane of two does not show."""
    return max(0, run.spec.latent_dim - 2)


def subscript(latent: int) -> str:
    """A latent by its number, from 1: z₁ is latent 0."""
    return "z" + str(latent + 1).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def held_image(run: LatentRun, settings: PageSettings) -> tuple[int | None, str]:
    """Draw the choice of where the latents that do not move are held: at an image's code, or None for at 0; and that
    place in words."""
    held = settings.one_of("held", "The other latents")
    if held == HELD[1]:
        return None, "at 0"
    image = choose_image(settings, run.codes.labels)
    return image, f"at the code m of held-out image {image}"
