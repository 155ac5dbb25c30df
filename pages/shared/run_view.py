"""A run as it stands: its distribution, progress, numbers, pictures and curves. Reads the store; trains nothing."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages.shared.figures import COLOURS, coloured, enlarged
from pages.shared.naming import badge, title
from pages.shared.numbers import nats
from vae_core.likelihoods import LIKELIHOODS, Support
from vae_core.runs.store import Run, Store
from vae_core.spec import RunSpec

PARTS = ["training", "held out"]  # of a run's images, as its curves name them


def show_run(store: Store, lane: str, spec: RunSpec) -> None:
    """A run as far as it is now, in a lane of that name: two lanes may hold the same likelihood."""
    run = store.run(spec.id)
    progress(store, run, spec)
    history = store.history(spec.id) if run else []
    if run and history:
        pictures(store, run, history[-1], "mean")
        curves(store, lane, run, history)


def heading(spec: RunSpec) -> None:
    """The distribution by name and formula, and what its log is the log of."""
    likelihood = LIKELIHOODS[spec.likelihood]
    st.markdown(f"#### {title(spec)}\n{badge(spec)}")
    st.latex(rf"\begin{{gathered}}{likelihood.symbol}\\ {likelihood.link}\end{{gathered}}")


def progress(store: Store, run: Run | None, spec: RunSpec) -> None:
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


def pictures(store: Store, run: Run, snapshot: dict[str, Any], prior: str) -> None:
    name = title(run.spec)
    images = store.pictures(run.id, snapshot["step"])
    terms = ("−BCE", "−BCE − KL") if run.spec.loss_only else ("reconstruction", "ELBO")
    st.markdown(
        f"After step {snapshot['step']:,}, held out: {terms[0]} **{nats(snapshot['reconstruction'])}**, "
        f"KL **{nats(snapshot['kl'])}**, {terms[1]} **{nats(snapshot['elbo'])}** nats per image; "
        f"MSE **{snapshot['mse']:.4f}** per pixel; **{snapshot['active_latents']}** of {run.spec.latent_dim} latents "
        "active."
    )
    if not images:
        return  # thinned away between two readings of the store
    st.caption("Held-out **input** x")
    st.image(enlarged(images["input"]), width="stretch", alt="Six held-out images, the input")
    st.caption("**Mean** of p(x|z,w) at z = m, the mean of q(z|x)")
    st.image(enlarged(images["mean"]), width="stretch", alt=f"The mean of p(x|z,w) for each input under {name}")
    clipped = LIKELIHOODS[run.spec.likelihood].support is Support.REAL  # else every draw is within [0,1]
    st.caption(f"One **sample** from that p(x|z,w){', clipped to [0,1] for display' * clipped}")
    st.image(enlarged(images["sample"]), width="stretch", alt=f"A draw from p(x|z,w) for each input under {name}")
    what = {"mean": "means of p(x|z,w)", "sample": "samples from p(x|z,w)" + ", clipped for display" * clipped}[prior]
    st.caption(f"**New images**: z from the prior, {what}")
    st.image(enlarged(images[f"prior_{prior}"]), width="stretch", alt=f"36 new images under {name}: {what}")
    if "sigma" in images:
        sigma = snapshot["sigma"]
        st.caption(f"**σ** of each pixel: dark is the floor, {sigma['floor']:.3g}; light is 1 or more")
        st.image(coloured(images["sigma"]), width="stretch", alt="How unsure the decoder is of each pixel")
        st.caption(
            f"Largest σ {sigma['largest']:.3g}, median {sigma['median']:.3g} (of the first 125 images). At the floor: "
            f"{sigma['pixels_on_floor']:.0f} of {run.spec.n_pixels} pixels of an image, on average."
        )
    elif LIKELIHOODS[run.spec.likelihood].n_shared:
        sigma = snapshot["sigma"]
        on_floor = ", its floor: it would be smaller" if sigma["pixels_on_floor"] else ""
        st.caption(f"**σ** of every pixel, one learned weight: {sigma['median']:.3g}{on_floor}")
    collapsed = run.spec.latent_dim - snapshot["active_latents"]
    if collapsed and snapshot["step"]:
        st.caption(
            f":material/info: {collapsed} of {run.spec.latent_dim} latents have a KL below 0.01 nats: collapsed onto "
            "the prior, they tell the decoder almost nothing about x."
        )


def curves(store: Store, lane: str, run: Run, history: list[dict[str, Any]]) -> None:
    training = store.curve(run.id)
    reconstruction = "−BCE" if run.spec.loss_only else "E[ln p(x|z,w)]"
    name = title(run.spec)
    titles = {"reconstruction": f"Reconstruction, {reconstruction}, nats per image", "kl": "KL, nats per image"}
    for column, (part, label) in enumerate(titles.items(), start=1):
        rows = [(point[0], PARTS[0], point[column]) for point in training]
        rows += [(snapshot["step"], PARTS[1], snapshot[part]) for snapshot in history]
        st.vega_lite_chart(
            pd.DataFrame(rows, columns=["step", "part", "value"]),
            _run_chart(run.spec.likelihood, label, run.total_steps),
            height=240,
            key=f"{part}_{lane}",
            alt=f"{label} under {name}, over training steps",  # a new alt would draw the chart anew
        )


def _run_chart(key: str, title: str, total_steps: int) -> dict[str, Any]:
    """Training (thin) and held out (thick, dashed) over steps; data columns: step, part, value."""
    by_part = lambda ends: {"field": "part", "type": "nominal", "scale": {"domain": PARTS, "range": ends}}
    dashes = by_part([[1, 0], [5, 3]]) | {"legend": {"title": None, "orient": "top", "offset": 2}}
    opacity = by_part([0.55, 1]) | {"legend": None}
    return step_chart(title, total_steps, {"color": {"value": COLOURS[key]}, "strokeDash": dashes, "opacity": opacity})


def step_chart(title: str, total_steps: int, encoding: dict[str, Any]) -> dict[str, Any]:
    """Lines over steps in a frame that stays; data columns: step, value, and what `encoding` names."""
    number = {"type": "quantitative", "axis": {"tickCount": 4}}
    steps = {"domain": [0, total_steps], "nice": False}  # fixed, so that a run grows into its frame
    x = {"field": "step", "title": "step", "scale": steps, **number}
    y = {"field": "value", "title": None, "scale": {"zero": False}, **number}
    return {
        "title": {"text": title, "fontSize": 13, "anchor": "start", "offset": 4},
        "mark": {"type": "line", "clip": True, "strokeWidth": 2},
        "encoding": {"x": x, "y": y, **encoding},
    }
