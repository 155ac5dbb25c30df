"""What the three experiments draw alike: the prediction, charts in frames that stay, pictures, and the runs again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from pages.shared.figures import VEGA_TEXT, enlarged
from pages.shared.naming import BADGES
from pages.shared.train_link import open_on_train
from vae_core.lessons.compare import Baselines, baselines
from vae_core.lessons.experiments import Row
from vae_core.shipped import pictures
from vae_core.spec import RunSpec
from vae_core.tiles import png

BADGES = BADGES | {
    "bits": ":blue-badge[−log₂ of a probability mass, bits]",
    "mse": ":gray-badge[squared error, no probability]",
}


@st.cache_data(max_entries=4, show_spinner="Counting pixels")
def _baseline(_spec: RunSpec, spec_id: str) -> Baselines:
    return baselines(_spec)


def baseline(spec: RunSpec) -> Baselines:
    """What a model that knows no z pays for the images of this run."""
    return _baseline(spec, spec.id)


@dataclass(frozen=True)
class Answer:
    """One of a question's answers, by whether it is what happened."""

    text: str
    right: bool


def told(guess: str, answers: Mapping[str, Answer]) -> str:
    """How the reveal begins, beside what the reader said; nothing where he did not guess."""
    if guess not in answers:
        return ""
    return "As you said: " if answers[guess].right else f"You said: {answers[guess].text}. "


def chart(rows: list[dict[str, Any]], layer: list[dict[str, Any]], key: str, alt: str) -> None:
    """Layers over the same rows, in a frame that stays where it is."""
    st.vega_lite_chart(pd.DataFrame(rows), {"layer": layer} | VEGA_TEXT, height=230, key=key, alt=alt)


def number(field: str, title: str, domain: Sequence[float], **scale: Any) -> dict[str, Any]:
    """A quantitative axis with fixed ends."""
    frame = {"domain": list(domain), "nice": False, "zero": False, **scale}
    return {"field": field, "type": "quantitative", "title": title, "scale": frame, "axis": {"tickCount": 5}}


def table(rows: Mapping[str, Sequence[str]], columns: Sequence[str], alt: str) -> None:
    st.table(pd.DataFrame.from_dict(dict(rows), orient="index", columns=list(columns)), alt=alt)


def show_pictures(rows: Mapping[str, Row], inputs: bool = True) -> None:
    """A card a run: what it saw, means, samples, and means of new images."""
    for (name, one), column in zip(rows.items(), st.columns(len(rows))):
        shown = pictures(one.spec)
        assert shown is not None
        with column, st.container(border=True):
            st.markdown(f"**{name}**")
            parts = {"mean": ("**Means** of p(x|z,w)", f"The mean of p(x|z,w) for six held-out inputs, {name}")}
            parts["sample"] = ("**Samples**, clipped for display", f"A draw from p(x|z,w) for each input, {name}")
            if inputs:
                parts = {
                    "input": ("**Inputs** x, as it sees them", f"Six held-out inputs as {name} sees them"),
                    **parts,
                }
            parts["prior_mean"] = ("**New images**: means at z from the prior", f"Twelve new means of {name}")
            for part, (caption, alt) in parts.items():
                st.caption(caption)
                st.image(enlarged(png(shown[part], columns=3)), width="stretch", alt=alt)
            open_on_train(one.spec, "On the Train page")
