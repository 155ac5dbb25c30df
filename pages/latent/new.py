"""New images: z drawn from the prior, and beside them z drawn from the aggregate posterior."""

from __future__ import annotations

import streamlit as st

from pages.latent.run import KEPT, LatentRun
from pages.latent.sheet import sheet
from pages.shared.address import PageSettings
from pages.shared.numbers import nats
from pages.shared.words import Parts
from vae_core.lessons.latent import NewImages, new_images as draw_new, usual_distance
from vae_core.likelihoods import Support
from vae_core.model import VAE
from vae_core.pictures import grey, stretched

N = 8
SHOWN = (-2.0, 3.0)  # what a sample may be before it is clipped for display; the same for all decoders and draws


def new_images(run: LatentRun, settings: PageSettings, words: Parts) -> None:
    st.markdown(words["New images"])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        draw = settings.number("draw", "Draw number", width=170, help="Same number, same z.")
    usual, _ = _usual(run.spec.id, id(run.vae), run)
    prior, aggregate = st.columns(2)
    (from_prior, from_aggregate), _ = _drawn(run.spec.id, id(run.vae), draw, run)
    with prior:
        _show(run, "the prior", from_prior)
    with aggregate:
        _show(run, "the aggregate posterior", from_aggregate)
    st.markdown(
        f"What distance is usual? The means at the codes of held-out images, which no training has seen, lie "
        f"{usual:.2f} from their nearest training image (the median). New images that lie much nearer may be copies."
    )
    st.markdown(words["Nearest training image"])


def _show(run: LatentRun, name: str, found: NewImages) -> None:
    st.header(f"z from {name}")
    images, nearest = found.images, found.nearest
    low, high = images.sample_range
    rows = {"mean": grey(images.mean)}
    clipped = run.vae.likelihood.support is Support.REAL
    if clipped:
        rows["sample, −2 (black) to 3"] = stretched(images.sample, *SHOWN)
        rows["sample, clipped"] = grey(images.sample)
    else:
        rows["sample"] = grey(images.sample)
    rows["nearest in training"] = grey(nearest.x)
    sheet(
        f"latent.new {name}",
        rows,
        alt=f"{N} new images from {name}: mean, sample, and nearest training image",
        width=640,
    )
    differences = ", ".join(f"{value:.2f}" for value in nearest.rmse)
    st.caption(
        f"Mean of p(x|z,w){', clipped to [0,1]' * clipped}; a sample from it"
        + (", shown with −2 as black and 3 as white, then clipped to [0,1] for display" if clipped else "")
        + "; the training image nearest to the mean. "
        f"{images.outside:.0%} of the samples' pixels lie outside [0,1]; they reach from {nats(low)} to {nats(high)}. "
        f"Root mean squared difference a pixel between mean and nearest training image: {differences}. "
        f"ln p(z) under the prior, averaged over the {N}: {nats(found.log_prior)} nats."
    )


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _drawn(spec_id: str, loaded: int, draw: int, _run: LatentRun) -> tuple[tuple[NewImages, NewImages], VAE]:
    """Two times all training images are gone through; a class looks at draw 0."""
    return draw_new(_run.vae, _run.data, _run.codes, N, draw), _run.vae


@st.cache_resource(max_entries=KEPT, show_spinner="Looking for nearest training images")
def _usual(spec_id: str, loaded: int, _run: LatentRun) -> tuple[float, VAE]:
    return usual_distance(_run.vae, _run.data), _run.vae
