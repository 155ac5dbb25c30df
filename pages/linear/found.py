"""What the trained linear VAE has come to: its numbers beside the exact ones, and each held-out image's gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.linear.known import answer, held_out_evidence
from pages.linear.runs import table
from pages.shared.figures import COLOURS, QUIET, readable
from pages.shared.naming import BADGES
from pages.shared.numbers import nats
from pages.shared.train_link import open_on_train
from pages.shared.trained import offer_again, vae_of
from pages.shared.words import Parts
from vae_core.errors import CheckpointError
from vae_core.lessons import linear
from vae_core.measures import ACTIVE_KL
from vae_core.runs.engine import Engine
from vae_core.spec import RunSpec

if TYPE_CHECKING:
    from vae_core.model import VAE


@st.cache_resource(show_spinner="Working out ln p(x|w) of each image", max_entries=6)
def _trained(spec_id: str, loaded: int, _vae: VAE) -> tuple[linear.Trained, VAE]:
    """With the network, so that no other can have its `id` while this is kept."""
    return linear.trained(_vae), _vae


def trained(spec: RunSpec, engine: Engine) -> linear.Trained | None:
    """What a run that is done has come to; None where its weights are lost, and the offer to train it again. Raises
    StoreError."""
    try:
        vae = vae_of(spec, engine.store)
    except CheckpointError as error:
        offer_again(spec, error, engine)
        return None
    return _trained(spec.id, id(vae), vae)[0]


def show_found(spec: RunSpec, found: linear.Trained, words: Parts) -> None:
    known = answer(spec, spec.id)
    train, latents = found.train, spec.latent_dim
    rows = {
        "σ²": [f"{known.variance:.4g}", f"{found.variance:.4g}"],
        f"latents above {ACTIVE_KL:g} nats": [f"{known.active} of {latents}", f"{found.active} of {latents}"],
        "KL, nats": [nats(known.vae.kl, 2), nats(train.kl.sum(1).mean(), 2)],
        "reconstruction, nats": [nats(known.vae.reconstruction, 2), nats(train.reconstruction.mean(), 2)],
        "ELBO, nats": [nats(known.vae.log_likelihood, 2), nats(train.elbo.mean(), 2)],
        "ln p(x|w), nats": [nats(known.vae.log_likelihood, 2), nats(train.log_evidence.mean(), 2)],
        "ln p(x|w), nats, held-out images": [
            nats(held_out_evidence(spec, spec.id), 2),
            nats(found.held_out.log_evidence.mean(), 2),
        ],
    }
    st.markdown(BADGES["density"])
    table(rows, ["Exactly", "Trained"], "The trained linear VAE beside its exact answer, means over images")
    since_q, since_weights = found.short_of(known)
    st.markdown(
        f"On the training images the ELBO is **{nats(since_q + since_weights, 2)} nats** short of ln p(x|w) under the "
        f"best weights: {nats(since_q, 2)} because q(z|x) is not the posterior, {nats(since_weights, 2)} because these "
        f"weights are not the best ones. {words['Why short']}"
    )
    open_on_train(spec)
    st.header("Each image's ELBO beside its ln p(x|w)", anchor="images")
    st.markdown(words["Each image"])
    _scatter(found.held_out, spec.id)
    gap, evidence = found.held_out.gap, found.held_out.log_evidence
    st.markdown(
        f"{len(gap):,} held-out images: the gap is **{nats(gap.mean(), 2)} nats** on average, from "
        f"{nats(gap.min(), 2)} to {nats(gap.max(), 2)}. ln p(x|w) itself runs from {nats(evidence.min(), 0)} to "
        f"{nats(evidence.max(), 0)} nats."
    )


def _scatter(of: linear.Bound, run_id: str) -> None:
    from plotly.graph_objects import Figure, Scatter  # not at the top: the first screen waits for no plotting library

    ends = [float(of.elbo.min()), float(of.log_evidence.max())]
    drawn = Figure(layout={"height": 380, "margin": {"l": 8, "r": 8, "t": 8, "b": 8}, "showlegend": False})
    drawn.update_xaxes(title_text="ln p(x|w), exactly, nats", automargin=True)
    drawn.update_yaxes(title_text="ELBO, nats", automargin=True)
    drawn.add_trace(Scatter(x=ends, y=ends, mode="lines", line={"color": QUIET, "dash": "dash"}, hoverinfo="skip"))
    look = {"color": COLOURS["gaussian_identity"], "size": 5, "opacity": 0.7}
    tip = "ln p(x|w) %{x:.1f}, ELBO %{y:.1f} nats<extra>held-out image %{customdata}</extra>"
    numbers = np.arange(len(of.gap))
    points = Scatter(x=of.log_evidence, y=of.elbo, mode="markers", marker=look, customdata=numbers, hovertemplate=tip)
    drawn.add_trace(points)
    alt = "Each held-out image: its ELBO against its exact ln p(x|w), never above the diagonal, and near it"
    st.plotly_chart(
        readable(drawn), key=f"linear.images {run_id}", alt=alt, config={"displaylogo": False, "displayModeBar": False}
    )
