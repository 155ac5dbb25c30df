"""Traversals: the decoder along one latent at a time."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from pages.latent.run import LatentRun, held_image, subscript
from pages.latent.sheet import sheet
from pages.shared.address import PageSettings
from pages.shared.words import Parts
from vae_core.evaluation import ACTIVE_KL
from vae_core.lessons.latent import along, gif, held_code, means, steps_along, there_and_back
from vae_core.tiles import png

STEPS, MOST_ROWS = 13, 16
REACH = 3.0


def traversals(run: LatentRun, settings: PageSettings, words: Parts) -> None:
    st.markdown(words["Traversals"])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        image, where = held_image(run, settings)
        latents = run.codes.order
        if len(latents) > MOST_ROWS and not st.toggle(f"All {len(latents)} latents", key="latent.all"):
            latents = latents[:MOST_ROWS]
    base, values = held_code(run.codes, image), steps_along(REACH, STEPS)
    images = means(run.vae, along(base, latents, values))  # (rows, STEPS, side, side)
    sheet(
        "latent.traversals",
        {_name(run, latent): row for latent, row in zip(latents, images)},
        alt=f"The mean of p(x|z,w) along each latent from −3 to 3, most KL first. {_collapsed(run)}",
        columns=[f"{value:g}".replace("-", "−") for value in values.tolist()],
    )
    st.caption(f"Means of p(x|z,w), {run.name}{_held(run, where)}. KL in nats per image, over held-out images.")
    st.markdown(_collapsed(run))
    with st.container(horizontal=True):
        name = f"traversals_{run.spec.likelihood}"
        save = partial(st.download_button, on_click="ignore")
        save("PNG", partial(_sheet, images), f"{name}.png", "image/png", icon=":material/image:")
        movie, what = partial(_movie, run, image, latents), "GIF: all latents move at once, each in its own tile"
        save(what, movie, f"{name}.gif", "image/gif", icon=":material/gif_box:")


def _held(run: LatentRun, where: str) -> str:
    """How the latents that do not move are held, in words."""
    others = {1: "", 2: f"; the other latent is held {where}"}
    return others.get(run.spec.latent_dim, f"; the other latents are held {where}")


def _name(run: LatentRun, latent: int) -> str:
    kl = run.codes.kl[latent]
    return f"{subscript(latent)}: {'collapsed, ' if latent in run.codes.collapsed else ''}KL {kl:.2f}"


def _collapsed(run: LatentRun) -> str:
    collapsed, n = run.codes.collapsed, run.spec.latent_dim
    if not collapsed:
        return f"No latent is collapsed: each of the {n} has a KL above {ACTIVE_KL:g} nats." if n > 1 else ""
    return (
        f"**{len(collapsed)} of {n} latents collapsed** (KL at most {ACTIVE_KL:g} nats): moving them changes next to "
        "nothing, because the encoder puts next to nothing into them."
    )


def _sheet(images: np.ndarray) -> bytes:
    return png(images.reshape(-1, *images.shape[2:]), columns=images.shape[1])


def _movie(run: LatentRun, image: int | None, latents: list[int]) -> bytes:
    values = there_and_back(steps_along(REACH, 25))
    images = means(run.vae, along(held_code(run.codes, image), latents, values))  # (rows, frames, side, side)
    return gif(list(images.swapaxes(0, 1)), columns=min(8, len(latents)))
