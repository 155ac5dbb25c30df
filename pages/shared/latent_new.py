"""New images: z drawn from the prior, and beside them z drawn from the aggregate posterior."""

from __future__ import annotations

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from pages.shared.address import PageSettings
from pages.shared.explain import Parts
from pages.shared.figures import nats
from pages.shared.latent_run import LatentRun
from pages.shared.sheet import sheet
from vae_core.latent import (
    at_own_code,
    decoded,
    draw_aggregate,
    draw_prior,
    log_aggregate,
    log_prior,
    nearest_training,
    stretched,
)
from vae_core.pictures import grey

N = 8
SHOWN = (-2.0, 3.0)  # what a sample may be before it is clipped for display; the same for all decoders and draws


def new_images(run: LatentRun, settings: PageSettings, words: Parts) -> None:
    st.markdown(words["New images"])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        draw = st.number_input(
            "Draw number", 0, 9999, step=1, width=170, help="Same number, same z.", **settings.keep("draw")
        )
    usual = _usual(run.spec.id, id(run.vae), run)
    generator = torch.Generator().manual_seed(draw)
    places = {
        "the prior": (draw_prior(N, run.spec.latent_dim, generator), None),
        "the aggregate posterior": draw_aggregate(N, run.codes, generator),
    }
    for column, (name, (z, own)) in zip(st.columns(2), places.items()):
        with column:
            _show(run, name, z, own, generator)
    st.markdown(
        f"What distance is usual? The means at the codes of held-out images, which no training has seen, lie "
        f"{usual:.2f} from their nearest training image (the median). New images that lie much nearer may be copies."
    )
    st.markdown(words["Nearest training image"])


def _show(run: LatentRun, name: str, z: Tensor, own: Tensor | None, generator: torch.Generator) -> None:
    st.subheader(f"z from {name}")
    images = decoded(run.vae, z, generator)
    nearest = nearest_training(run.vae, run.data, images.mean)
    low, high = images.sample_range
    rows = {"mean": grey(images.mean)}
    if run.vae.likelihood.kind == "mass":
        rows["sample"] = grey(images.sample)
    else:
        rows["sample, −2 (black) to 3"] = stretched(images.sample, *SHOWN)
        rows["sample, clipped"] = grey(images.sample)
    rows["nearest in training"] = grey(nearest.x)
    sheet(
        f"latent.new {name}",
        rows,
        alt=f"{N} new images from {name}: mean, sample, and nearest training image",
        width=640,
    )
    unclipped = run.vae.likelihood.kind == "density"
    differences = ", ".join(f"{value:.2f}" for value in nearest.rmse)
    st.caption(
        "Mean of p(x|z,w), clipped to [0,1]; a sample from it"
        + (", shown with −2 as black and 3 as white, then clipped to [0,1] for display" if unclipped else "")
        + "; the training image nearest to the mean. "
        f"{images.outside:.0%} of the samples' pixels lie outside [0,1]; they reach from {nats(low)} to {nats(high)}. "
        f"Root mean squared difference a pixel between mean and nearest training image: {differences}. "
        f"Averages over the {N}: ln p(z) = {nats(log_prior(z).mean())} nats under the prior, "
        f"ln q(z) = {nats(log_aggregate(z, run.codes, own).mean())} nats under the average of q(z|x) over the "
        f"{len(run.codes):,} held-out images" + (", its own image left out for each z." if own is not None else ".")
    )


@st.cache_resource(max_entries=12, show_spinner="Looking for nearest training images")
def _usual(spec_id: str, vae: int, _run: LatentRun) -> float:
    """From the mean at a held-out image's code to its nearest training image: the median of 200."""
    images = at_own_code(_run.vae, _run.codes.x[:200], torch.Generator().manual_seed(0))
    return float(np.median(nearest_training(_run.vae, _run.data, images.mean).rmse))
