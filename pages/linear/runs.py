"""The linear VAE in training, beside the lines where it must end; and the same with the networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from pages.linear.known import SETTINGS, answer, held_out_evidence, variance
from pages.shared.figures import COLOURS, VEGA_TEXT
from pages.shared.learner import learner
from pages.shared.naming import BADGES
from pages.shared.numbers import nats
from pages.shared.run_panel import run_panel, show_ends, show_trouble
from pages.shared.sections import by_clock
from pages.shared.stage.show import stage
from pages.shared.train_link import open_on_train
from pages.shared.words import Parts
from vae_core.lessons.linear import Answer, Trained, run_spec
from vae_core.measures import ACTIVE_KL
from vae_core.runs.engine import Engine
from vae_core.runs.forecast import forecast
from vae_core.spec import RunSpec

ABOVE, BELOW = 2.0, 25.0  # nats around the exact line that the chart shows
LINEAR, NETWORK = "Linear", "Network"
EXACT = "#D55E00"


def spec_of() -> RunSpec:
    """The linear run that these settings ask for."""
    fixed = None if SETTINGS["noise"] == "learned" else variance()
    return run_spec(SETTINGS["dataset"], SETTINGS["latent_dim"], fixed)


def panel(engine: Engine, spec: RunSpec, first: str) -> list[str]:
    """Its button, and how long it takes; the status of its run. Raises StoreError."""
    with st.container(horizontal=True, vertical_alignment="center"):
        drawn = run_panel(engine, [spec], first=first)
        if not any(drawn):
            st.caption(" ".join(forecast(engine.store, [spec], learner())))
    show_trouble()
    return drawn


def show_stage(engine: Engine, name: str, spec: RunSpec, drawn: list[str]) -> None:
    """Raises StoreError."""
    if any(drawn):
        stage({name: spec}, drawn, f"linear.stage {name}", "Each step of the training.")
        show_ends(engine.store, {name: spec})


# On the way -----------------------------------------------------------------------------------------------------------


def watch(engine: Engine, spec: RunSpec, live: bool, found: Trained | None) -> None:
    """The exact lines, and the training beside them; `live`: drawn again each second; `found`: what it has come to.
    Raises StoreError."""
    by_clock("linear.watch", live)

    @st.fragment(run_every=1.0 if live else None, key="linear.watch")
    def moving() -> None:
        known, history = answer(spec, spec.id), engine.store.history(spec.id)
        left, right = st.columns(2)
        with left:
            _elbo_chart(engine.store.curve(spec.id), known, spec)
        with right:
            if found is not None:
                _kl_chart(found.kl_of_each.tolist(), "training", known)
            else:
                _kl_chart(history[-1]["kl_per_latent"] if history else [], "held-out", known)

    st.markdown(BADGES["density"])
    moving()


def _elbo_chart(curve: list[tuple[int, float, float]], known: Answer, spec: RunSpec) -> None:
    exact = known.vae.log_likelihood
    rows = [{"step": step, "elbo": reconstruction - kl} for step, reconstruction, kl in curve]
    frame = {"domain": [exact - BELOW, exact + ABOVE], "nice": False, "zero": False}
    y = {"type": "quantitative", "scale": frame, "title": None}
    x = {"field": "step", "type": "quantitative", "title": "step", "scale": {"domain": [0, spec.total_steps]}}
    line = {
        "mark": {"type": "line", "clip": True, "color": COLOURS["gaussian_identity"], "strokeWidth": 2},
        "encoding": {"x": x, "y": {**y, "field": "elbo"}},
    }
    rule = {
        "data": {"values": [{"exact": exact}]},
        "mark": {"type": "rule", "color": EXACT, "strokeDash": [6, 3], "strokeWidth": 2},
        "encoding": {"y": {**y, "field": "exact"}},
    }
    alt = f"The ELBO through training, beside the exact line at {nats(exact)} nats"
    _chart("ELBO of the training images, nats", rows or [{"step": 0, "elbo": None}], [line, rule], alt)
    st.caption(
        f"Dashed: exactly {nats(exact, 2)} nats. Line: training images since the point before, at "
        "drawn z; so it scatters, and may cross the dashed one, as the ELBO of all training images does not."
    )


def _kl_chart(each: list[float], of: str, known: Answer) -> None:
    """`of`: which images `each` is a mean over."""
    names = [str(place + 1) for place in range(len(known.kl_of_each))]
    x = {"field": "latent", "type": "nominal", "sort": names, "title": "latents, sorted", "axis": {"labelAngle": 0}}
    top = max(0.5, 1.3 * float(known.kl_of_each.max()))
    y = {"type": "quantitative", "scale": {"domain": [0, top], "nice": False}, "title": None}
    rows = [{"latent": name, "kl": kl} for name, kl in zip(names, sorted(each, reverse=True))]
    bars = {
        "mark": {"type": "bar", "clip": True, "color": COLOURS["gaussian_identity"], "opacity": 0.8},
        "encoding": {"x": x, "y": {**y, "field": "kl"}},
    }
    ticks = {
        "data": {"values": [{"latent": name, "exact": float(kl)} for name, kl in zip(names, known.kl_of_each)]},
        "mark": {"type": "tick", "color": EXACT, "thickness": 3},
        "encoding": {"x": x, "y": {**y, "field": "exact"}},
    }
    active = sum(kl > ACTIVE_KL for kl in each)
    alt = f"The KL of each latent, sorted, beside the exact ones: {active} active, exactly {known.vae.active}"
    _chart("KL of each latent, nats per image", rows or [{"latent": names[0], "kl": 0.0}], [bars, ticks], alt)
    now = f"Bars: {of} images; {active} of {len(names)} latents above {ACTIVE_KL:g} nats. " if each else ""
    st.caption(f"Ticks: exactly, of the training images; {known.vae.active} of {len(names)} in use. {now}")


def _chart(title: str, rows: list[dict[str, Any]], layer: list[dict[str, Any]], alt: str) -> None:
    heading = {"text": title, "fontSize": 13, "anchor": "start"}
    st.vega_lite_chart(
        pd.DataFrame(rows), {"title": heading, "layer": layer} | VEGA_TEXT, height=240, key=f"linear.{title}", alt=alt
    )


# The same with the networks -------------------------------------------------------------------------------------------


def show_network(engine: Engine, linear: RunSpec, words: Parts) -> None:
    """Raises StoreError."""
    spec = replace(linear, decoder="network")
    show_stage(engine, NETWORK, spec, panel(engine, spec, "Train the network"))
    run = engine.store.run(spec.id)
    if run is None or run.status != "done" or run.result is None:
        return
    known, means, held_out = answer(linear, linear.id), run.result["train"], run.result["held_out"]
    rows = {
        f"latents above {ACTIVE_KL:g} nats (network: held-out images)": [
            f"{known.active} of {spec.latent_dim}",
            f"{run.result['active_latents']} of {spec.latent_dim}",
        ],
        "KL, nats, training images": [nats(known.vae.kl, 2), nats(means["kl"], 2)],
        "reconstruction, nats, training images": [nats(known.vae.reconstruction, 2), nats(means["reconstruction"], 2)],
        "ELBO, nats, training images": [nats(known.vae.log_likelihood, 2), nats(means["elbo"], 2)],
        "ELBO, nats, held-out images": [nats(held_out_evidence(linear, linear.id), 2), nats(held_out["elbo"], 2)],
    }
    st.markdown(BADGES["density"])
    table(
        rows, ["Linear, exactly", "Network, trained"], "What the network came to, beside the forecast for a linear VAE"
    )
    st.markdown(words["The network, read"])
    open_on_train(spec)


def table(rows: dict[str, list[str]], columns: list[str], alt: str) -> None:
    st.table(pd.DataFrame.from_dict(rows, orient="index", columns=columns), alt=alt)
