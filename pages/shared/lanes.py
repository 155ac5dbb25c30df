"""The live view: a lane per decoder, then what may be compared on one axis. Reads the store; trains nothing."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages.shared.explain import explanation
from pages.shared.figures import coloured, enlarged, lane_chart, nats, shared_chart
from vae_core.likelihoods import LIKELIHOODS
from vae_core.runs.store import Run, Store
from vae_core.spec import RunSpec

KIND = {
    "mass": ":blue-badge[ln of a probability mass, nats]",
    "density": ":violet-badge[ln of a probability density, nats]",
}


def show_lanes(store: Store, specs: dict[str, RunSpec], share: int, prior: str) -> None:
    """Every lane as it stood after `share` per cent of its run; 100 is the newest. `prior` is mean or sample."""
    runs = {key: store.run(spec.id) for key, spec in specs.items()}
    histories = {key: store.history(spec.id) if runs[key] else [] for key, spec in specs.items()}
    for (key, spec), column in zip(specs.items(), st.columns(len(specs))):
        with column, st.container(border=True, key=f"lane_{key}"):
            _show_lane(store, key, spec, runs[key], histories[key], share, prior)
    if any(histories.values()):
        _compare(specs, histories)


def _show_lane(
    store: Store, key: str, spec: RunSpec, run: Run | None, history: list[dict[str, Any]], share: int, prior: str
) -> None:
    heading(spec)
    _progress(store, run, spec)
    if history:
        assert run is not None
        _pictures(store, run, at_share(history, share, run.total_steps), prior)
        _curves(store, key, run, history)
    plain, rest = explanation(key)
    st.markdown(plain)
    with st.expander("Symbol, code and what to watch"):
        st.markdown(rest)


def show_run(store: Store, lane: str, spec: RunSpec) -> None:
    """A run as far as it is now, in a lane of that name: two lanes may hold the same likelihood."""
    run = store.run(spec.id)
    _progress(store, run, spec)
    history = store.history(spec.id) if run else []
    if run and history:
        _pictures(store, run, history[-1], "mean")
        _curves(store, lane, run, history)


def heading(spec: RunSpec) -> None:
    """The distribution by name and formula, and what its log is the log of."""
    likelihood = LIKELIHOODS[spec.likelihood]
    badge = ":orange-badge[a loss here, not ln p: grey pixels]" if loss_only(spec) else KIND[likelihood.kind]
    st.markdown(f"#### {title(spec)}\n{badge}")
    st.latex(rf"\begin{{gathered}}{likelihood.symbol}\\ {likelihood.link}\end{{gathered}}")


def title(spec: RunSpec) -> str:
    """The likelihood's name, with the values that are part of it where they are not the usual ones."""
    likelihood = LIKELIHOODS[spec.likelihood]
    if "sigma" in likelihood.settings and spec.sigma != 1:
        return f"Gaussian, covariance σ²I, σ = {spec.sigma:.4g}"  # no identity covariance any more
    if "scale" in likelihood.settings and spec.scale != 1:
        return f"{likelihood.name}, b = {spec.scale:.4g}"
    return likelihood.name


def loss_only(spec: RunSpec) -> bool:
    """A mass of 0s and 1s at grey pixels is a usable loss, and the log of nothing."""
    return LIKELIHOODS[spec.likelihood].kind == "mass" and spec.binarize == "none"


def at_share(history: list[dict[str, Any]], share: int, total_steps: int) -> dict[str, Any]:
    """The newest snapshot no later than `share` per cent of the run; the first where there is none so early."""
    if share >= 100:
        return history[-1]
    return next((seen for seen in reversed(history) if seen["step"] <= total_steps * share / 100), history[0])


def _progress(store: Store, run: Run | None, spec: RunSpec) -> None:
    if run is None:
        st.progress(0.0, text=f"Not trained yet: {spec.total_steps:,} steps")
        return
    pace = f" · {run.images_per_second:,.0f} images/s" if run.images_per_second else ""
    text = f"Step {run.step:,} of {run.total_steps:,}{pace}"
    if run.status == "queued":
        before = sum(other.created < run.created for other in store.unfinished() if other.status == "queued")
        text = f"In line, {before} before it" if before else "Starting"
    elif run.status == "running" and run.seconds_left is not None:
        text += f" · {max(1, round(run.seconds_left))} s left"
    elif run.status == "done":
        text = f"Done: {run.total_steps:,} steps in {run.seconds:.1f} s{pace}"
    st.progress(min(1.0, run.step / run.total_steps), text=text)
    if run.status in ("diverged", "failed"):
        st.error(run.message, icon=":material/error:")
    elif run.message:
        st.caption(run.message)


def _pictures(store: Store, run: Run, seen: dict[str, Any], prior: str) -> None:
    name = title(run.spec)
    pictures = store.pictures(run.id, seen["step"])
    terms = ("−BCE", "−BCE − KL") if loss_only(run.spec) else ("reconstruction", "ELBO")
    st.markdown(
        f"After step {seen['step']:,}, held out: {terms[0]} **{nats(seen['reconstruction'])}**, "
        f"KL **{nats(seen['kl'])}**, {terms[1]} **{nats(seen['elbo'])}** nats per image; "
        f"MSE **{seen['mse']:.4f}** per pixel; **{seen['active_latents']}** of {run.spec.latent_dim} latents active."
    )
    if not pictures:
        return  # thinned away between two readings of the store
    st.caption("Held-out **input** x")
    st.image(enlarged(pictures["input"]), width="stretch", alt="Six held-out images, the input")
    st.caption("**Mean** of p(x|z,w) at z = m, the mean of q(z|x)")
    st.image(enlarged(pictures["mean"]), width="stretch", alt=f"The mean of p(x|z,w) for each input under {name}")
    st.caption("One **sample** from that p(x|z,w), clipped to [0,1] for display")
    st.image(enlarged(pictures["sample"]), width="stretch", alt=f"A draw from p(x|z,w) for each input under {name}")
    what = {"mean": "means of p(x|z,w)", "sample": "samples from p(x|z,w), clipped for display"}[prior]
    st.caption(f"**New images**: z from the prior, {what}")
    st.image(enlarged(pictures[f"prior_{prior}"]), width="stretch", alt=f"36 new images under {name}: {what}")
    if "sigma" in pictures:
        sigma = seen["sigma"]
        st.caption(f"**σ** of each pixel: dark is the floor, {sigma['floor']:.3g}; light is 1 or more")
        st.image(coloured(pictures["sigma"]), width="stretch", alt="How unsure the decoder is of each pixel")
        st.caption(
            f"Largest σ {sigma['largest']:.3g}, median {sigma['median']:.3g} (of the first 125 images). At the floor: "
            f"{sigma['pixels_on_floor']:.0f} of {run.spec.n_pixels} pixels of an image, on average."
        )
    collapsed = run.spec.latent_dim - seen["active_latents"]
    if collapsed and seen["step"]:
        st.caption(
            f":material/info: {collapsed} of {run.spec.latent_dim} latents have a KL below 0.01 nats: collapsed onto "
            "the prior, they tell the decoder almost nothing about x."
        )


def _curves(store: Store, lane: str, run: Run, history: list[dict[str, Any]]) -> None:
    training = store.curve(run.id)
    reconstruction = "−BCE" if loss_only(run.spec) else "E[ln p(x|z,w)]"
    name = title(run.spec)
    titles = {"reconstruction": f"Reconstruction, {reconstruction}, nats per image", "kl": "KL, nats per image"}
    for column, (part, label) in enumerate(titles.items(), start=1):
        rows = [(point[0], "training", point[column]) for point in training]
        rows += [(seen["step"], "held out", seen[part]) for seen in history]
        st.vega_lite_chart(
            pd.DataFrame(rows, columns=["step", "part", "value"]),
            lane_chart(run.spec.likelihood, label, run.total_steps),
            height=240,
            key=f"{part}_{lane}",
            alt=f"{label} under {name}, over training steps",  # a new alt would draw the chart anew
        )


def _compare(specs: dict[str, RunSpec], histories: dict[str, list[dict[str, Any]]]) -> None:
    st.subheader("What may be compared")
    names = {key: title(spec) for key, spec in specs.items() if histories[key]}
    total_steps = max(spec.total_steps for spec in specs.values())
    for column, part, quantity in zip(
        st.columns(2),
        ("kl", "mse"),
        ("KL to the prior, nats per image, held out", "Mean squared error per pixel, held out"),
    ):
        rows = [(seen["step"], names[key], seen[part]) for key in names for seen in histories[key]]
        column.vega_lite_chart(
            pd.DataFrame(rows, columns=["step", "decoder", "value"]),
            shared_chart(names, quantity, total_steps),
            height=300,
            key=f"shared_{part}",
            alt=f"{quantity}, of all decoders over training steps",
        )
    kinds = [LIKELIHOODS[key].kind for key in names]
    if len(set(kinds)) > 1:
        st.markdown(
            ":orange-badge[not on one axis] Reconstruction terms stay in their own lanes. One is the log of a "
            "**mass** (on grey pixels a loss only), the other the log of a **density**, and a difference between them"
            " means nothing."
        )
    if kinds.count("density") > 1:
        st.markdown(
            "Densities of the same grey levels may be compared by their ELBOs, though only a floor on σ² keeps that of "
            "a learned variance bounded."
        )
    st.markdown(
        "The KL measures q(z|x) against the same prior under every decoder, and the MSE the same pixels. A small KL "
        "is no merit (0 is collapse), and the MSE judges only means, each at a drawn z."
    )
