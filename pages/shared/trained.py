"""Which trained decoders a page looks into: those that ship with the app, or one's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared.address import PageSettings, Setting, plain
from pages.shared.links import page_link
from pages.shared.naming import label, title
from pages.shared.run_panel import ASKED, train
from pages.shared.train_link import TRAIN, link_to, open_on_train
from pages.shared.word import ask_for_word, has_word, need_word
from vae_core.data import Dataset, load_dataset
from vae_core.errors import CheckpointError, SpecError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.runs import kept
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store
from vae_core.shipped import SPECS, WITH_WEIGHTS, shipped_weights
from vae_core.spec import RunSpec
from vae_core.values import shown

if TYPE_CHECKING:
    from vae_core.model import VAE


def read_run(name: str, texts: list[str]) -> str:
    if len(texts[-1]) != 16 or not set(texts[-1]) <= set("0123456789abcdef"):
        raise SpecError(name, f"run is {shown(texts[-1])}; allowed: the 16 hex digits that name a run.")
    return texts[-1]


def read_spec(name: str, texts: list[str]) -> str:
    try:
        values = json.loads(texts[-1])
        return RunSpec.from_dict(values).canonical_json
    except (ValueError, TypeError, RecursionError, AttributeError) as error:
        reason = error if isinstance(error, SpecError) else "it is not JSON of a run's settings"
        raise SpecError(name, f"spec is refused: {reason}") from error


SHIPPED_LABEL = "Shipped with the app: three decoders, black-and-white digits"
# For a page's settings: an own run by its id, and with all its settings, so that it can be trained where it is not.
RUN_SETTINGS = {"run": Setting("", read_run), "spec": Setting("", read_spec)}


def choose_runs(settings: PageSettings, engine: Engine) -> list[RunSpec]:
    """Draw the choice and return the specs to show: the shipped decoders, or a run of one's own with those siblings
    that differ in p(x|z,w) alone. Empty where a link names a run that is not here; the page then offers to train it."""
    own = {run.id: run.spec for run in engine.store.trained()}
    known = own | {spec.id: spec for spec in WITH_WEIGHTS.values()}
    lead_to_own(settings, own)
    asked = settings["run"] or (RunSpec.from_dict(json.loads(settings["spec"])).id if settings["spec"] else "")
    settings["run"] = asked
    st.selectbox(
        "Trained decoders",
        ["", *own] + [asked] * (asked not in own and asked != ""),
        format_func=lambda run_id: (
            label(known[run_id]) if run_id in known else f"Run {run_id}" if run_id else SHIPPED_LABEL
        ),
        help="Those that ship with the app, or what you trained on the Train page.",
        on_change=lambda: settings.__setitem__("spec", ""),
        **settings.keep("run"),
    )
    if not asked:
        return list(SPECS.values())
    if asked not in known:
        offer(asked, _described(settings), engine)
        return []
    settings["spec"] = known[asked].canonical_json
    return siblings(known[asked], list(known.values()))


def asked_for(own: Mapping[str, RunSpec]) -> list[RunSpec]:
    """Of the runs kept here, those that this visitor asked for when he last pressed to train."""
    return [own[run_id] for run_id in st.session_state.get(ASKED, []) if run_id in own]


def lead_to_own(settings: PageSettings, own: Mapping[str, RunSpec]) -> None:
    """On a page that shows the shipped decoders: one press shows the visitor's own, once they are ready."""
    ready = asked_for(own)
    if ready and not settings["run"] and not settings["spec"]:
        look = lambda: settings.__setitem__("run", ready[0].id)
        label = f"Your {named(ready)} ready: look at {'it' if len(ready) == 1 else 'them'}"
        st.button(label, key="own runs", on_click=look, icon=":material/check_circle:", type="primary")


def named(specs: Sequence[RunSpec]) -> str:
    """`run of Bernoulli is`, or how many runs are."""
    return f"run of {title(specs[0])} is" if len(specs) == 1 else f"{len(specs)} runs are"


def leads_on(specs: Sequence[RunSpec]) -> None:
    """For a page on which these runs have ended: links to the pages that look into them, opened on them."""
    ids = [spec.id for spec in specs]
    what = "its latent space" if len(ids) == 1 else "their latent spaces"
    with st.container(horizontal=True):
        page_link("pages/latent/page.py", f"Walk through {what}", ":material/scatter_plot:", {"run": ids[:1]})
        label = "Compare by the probability of the image"
        page_link("pages/compare/page.py", label, ":material/leaderboard:", {"run": ids})


def siblings(spec: RunSpec, others: list[RunSpec]) -> list[RunSpec]:
    """The spec and those equal to it but for the likelihood and its own settings, one a likelihood."""
    common = lambda other: replace(other, likelihood="bernoulli").canonical_json
    found = {other.likelihood: other for other in reversed(others) if common(other) == common(spec)}
    found[spec.likelihood] = spec
    return [found[key] for key in LIKELIHOODS if key in found]


def offer(run_id: str, described: RunSpec | None, engine: Engine) -> None:
    """Say what has become of a run that a link names, and offer to train it where its settings are known."""
    run = engine.store.run(run_id)  # its weights may be gone, or not written yet
    spec = run.spec if run else described or kept.removed(engine.store, run_id)
    if spec is None:
        st.warning(
            f"No run {plain(run_id)} is kept here, and its link does not say its settings. Choose another, or "
            "train one.",
            icon=":material/link_off:",
        )
        page_link(TRAIN, "Open the Train page", ":material/model_training:")
        return
    if run is not None and run.active:
        st.info(f"This run is being trained: step {run.step:,} of {run.total_steps:,}.", icon=":material/hourglass:")
    else:
        what = "The weights of this run are missing" if run else "This run is not kept here"
        st.warning(f"{what}: {label(spec)}. It can be trained.", icon=":material/link_off:")
        if not has_word():
            ask_for_word(run_id)
        elif st.button("Train it", key=f"train {run_id}", icon=":material/play_arrow:", type="primary"):
            train([spec])
            st.switch_page(TRAIN, query_params=link_to([spec]))
    open_on_train(spec)


def _described(settings: PageSettings) -> RunSpec | None:
    """The spec that a link holds, if it is that of the run it names."""
    spec = RunSpec.from_dict(json.loads(settings["spec"])) if settings["spec"] else None
    return spec if spec and spec.id == settings["run"] else None


def vae_of(spec: RunSpec, store: Store) -> VAE:
    """The trained VAE. Raises CheckpointError, a sentence for the page, where its weights are missing or damaged."""
    run = store.run(spec.id)
    store.watch([spec.id])
    return _load(spec.canonical_json, run.step if run else 0, store)


@st.cache_resource(max_entries=12, show_spinner="Loading the decoder")  # all that ship, and two of a class's own
def _load(canonical_json: str, step: int, _store: Store) -> VAE:
    from vae_core.checkpoint import load_vae

    spec = RunSpec.from_dict(json.loads(canonical_json))
    data = shipped_weights(spec) or _store.load_weights(spec.id)
    if data is None:
        raise CheckpointError("The weights of this run are missing; train it again on the Train page.")
    return load_vae(data)


def offer_again(spec: RunSpec, error: CheckpointError, engine: Engine) -> None:
    """Tell that a run's weights cannot be read, and offer to train it again in their place."""
    st.error(f"{title(spec)}: {error}", icon=":material/broken_image:")
    if spec in WITH_WEIGHTS.values():
        return
    if not has_word():
        ask_for_word(spec.id)
    elif st.button(f"Train {title(spec)} again", key=f"again {spec.id}"):
        need_word()
        engine.store.set_weights_aside(spec.id)
        train([spec])
        st.switch_page(TRAIN, query_params=link_to([spec]))


@st.cache_resource(max_entries=3, show_spinner="Reading the images")  # those that ship
def data_of(dataset: str) -> Dataset:
    """A run's data set. Raises DataError, a sentence for the page."""
    return load_dataset(dataset)
