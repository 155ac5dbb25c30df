"""Runs side by side: the same z under each, and the same held-out image at each one's own code."""

from __future__ import annotations

import streamlit as st

from pages.latent.pad import latent_pad
from pages.latent.run import LatentRun, open_runs
from pages.latent.sheet import sheet
from pages.shared.address import PageSettings
from pages.shared.columns import columns
from pages.shared.held_out import choose_image, image_of
from pages.shared.naming import label, title
from pages.shared.words import Parts, decoder_words
from vae_core.lessons.latent import at_own_code
from vae_core.likelihoods import Support
from vae_core.pictures import grey, log_scale
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store
from vae_core.shipped import WITH_WEIGHTS
from vae_core.spec import RunSpec

SIGMA_BLACK = 0.03


def side_by_side(run: LatentRun, specs: list[RunSpec], engine: Engine, settings: PageSettings, words: Parts) -> None:
    runs = open_runs(_chosen(run, specs, engine.store, settings), engine)
    latent_pad(runs, settings)
    st.markdown(words["Side by side"])
    st.header("The same image under each")
    st.markdown(words["One image under each"])
    image = choose_image(settings, run.codes.labels)
    for column, one in zip(columns(len(runs)), runs):
        with column:
            _show(one, run, image, words)


def _chosen(run: LatentRun, specs: list[RunSpec], store: Store, settings: PageSettings) -> list[RunSpec]:
    """The decoders of the choice above, or this run and one other."""
    comparable = lambda spec: (spec.latent_dim, spec.n_pixels) == (run.spec.latent_dim, run.spec.n_pixels)
    known = [*WITH_WEIGHTS.values(), *(kept.spec for kept in store.trained())]
    others = {spec.id: spec for spec in known if comparable(spec) and spec != run.spec}
    if settings["beside"] and settings["beside"] not in others:
        st.warning(
            "The other run of this link is not kept here, or has another latent size; the first choice is shown."
        )
        settings["beside"] = ""
    together = "; ".join(title(spec) for spec in specs) if len(specs) > 1 else ""
    beside = st.selectbox(
        f"{run.name}, and beside it",
        [""] * (len(specs) > 1 or not others) + list(others),
        format_func=lambda run_id: label(others[run_id]) if run_id else together or "nothing else is trained",
        help="Runs with as many latents, on images of the same size.",
        **settings.keep("beside"),
    )
    return [run.spec, others[beside]] if beside else specs


def _show(one: LatentRun, first: LatentRun, image: int, words: Parts) -> None:
    """One held-out image of the first run, at its code under this one."""
    x = image_of(first.spec, image)[None]  # (1, n_pixels)
    found = at_own_code(one.vae, x, seed=image)
    st.markdown(f"### {one.name}")
    real = one.vae.likelihood.support is Support.REAL
    rows = {
        "x": grey(x),
        "mean": grey(found.mean),
        "sample, clipped" if real else "sample": grey(found.sample),
        f"standard deviation, black {SIGMA_BLACK} to white 1 or more": grey(log_scale(found.sigma, SIGMA_BLACK)),
    }
    sheet(
        f"latent.beside {one.spec.id}",
        rows,
        f"Image {image} under {one.name}: x, mean, sample, standard deviation",
        width=260,
    )
    low, high = found.sigma_range
    coin = ", that of a coin: √(λ(1−λ)), at most 0.5" if one.vae.likelihood.support is Support.BOOLEAN else ""
    st.caption(
        f"KL {one.codes.total_kl:.1f} nats per image, held out. Mean squared error here, at z = m, {found.mse(x):.4f} "
        f"a pixel; {found.outside:.0%} of the sample's pixels outside [0,1]; standard deviation of a pixel from "
        f"{low:.3f} to {high:.3f}{coin}."
    )
    st.markdown(decoder_words(one.spec.likelihood)["Latent space"])
