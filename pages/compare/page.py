"""Which decoder gives the images the most probability? One currency for all, and what stands behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.compare.asking import Question, answers
from pages.compare.ladder import show_ladder
from pages.compare.noise import ask_noise
from pages.compare.ranking import say, show_bits, show_own
from pages.compare.rates import show_rates
from pages.compare.runs import CHOICE, choose, means_of, opened, short_names
from pages.shared.address import PageSettings, Setting, whole
from pages.shared.path import show_opening
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.tour import show_title
from pages.shared.trained import read_run
from pages.shared.words import ending, page_words
from vae_core.errors import DataError, StoreError
from vae_core.lessons.compare import Baselines, baselines, comparable, levels_allowed, rate_distortion
from vae_core.lessons.compare_measures import MOST_K, scored
from vae_core.lessons.compare_verdict import Score, score
from vae_core.runs.engine import Engine
from vae_core.spec import RunSpec

SKIP = "skip"
SETTINGS = PageSettings(
    "compare",
    {
        **CHOICE,
        "levels": whole(0, 256, 0),  # 0: as many as the pixels have
        "guess": Setting(None, lambda name, texts: SKIP if texts[-1] == SKIP else read_run(name, texts)),
        "k": whole(1, MOST_K, 1000),
        "images": whole(2, 30_000, 100),
    },
)


@st.cache_data(max_entries=32, show_spinner="Counting pixels")
def known(canonical_json: str, levels: int, _spec: RunSpec) -> Baselines:
    return baselines(_spec, levels)


def choose_levels(specs: Sequence[RunSpec]) -> int:
    """How many grey levels are scored: a choice where the pixels have more than two."""
    most = specs[0].n_levels
    if most == 2:
        SETTINGS["levels"] = 0
        return 2
    allowed = levels_allowed(specs)
    if SETTINGS["levels"] > most:
        st.warning(f"levels is {SETTINGS['levels']}; allowed: 2 to {most}, as many as the pixels have.")
    if not 2 <= SETTINGS["levels"] <= most:
        SETTINGS["levels"] = most
    some = f"All of these runs can be scored on at most {allowed[-1]}." if allowed else ""
    return SETTINGS.number("levels", "Grey levels scored", high=most, help=f"{some} 0 in the address means all:")


def measured_here(engine: Engine, specs: Sequence[RunSpec], levels: int) -> dict[str, Mapping[str, Any]]:
    """By id: what each run measured of itself, where that is on these levels."""
    found = {spec.id: means_of(spec, engine) for spec in specs if spec.n_levels == levels}
    return {run_id: means for run_id, means in found.items() if means and means.get("log_mass") is not None}


def all_means(
    engine: Engine, specs: Sequence[RunSpec], names: Mapping[str, str], levels: int
) -> dict[str, Mapping[str, Any]]:
    """The same of every run; those that did not score these levels are asked about."""
    found = measured_here(engine, specs, levels)
    missing = [spec for spec in specs if spec.id not in found]
    if missing:
        st.markdown(words["Not scored yet"])
        asked = Question("score", f"Score on {levels} levels", scored, {"levels": levels})
        for run_id, one in answers(engine, asked, missing, names).items():
            found[run_id] = one | {"elbo": one["objective"]}
    return found


def predict(specs: Sequence[RunSpec], names: Mapping[str, str]) -> str | None:
    options = [*(spec.id for spec in specs), SKIP]
    if SETTINGS["guess"] not in options:
        SETTINGS["guess"] = None  # of a run that is not among these
    return st.pills(
        "Predict first: which decoder gives the images the highest probability?",
        options,
        format_func=lambda run_id: names.get(run_id, "Just show me"),
        wrap=True,
        **SETTINGS.keep("guess"),
    )


def show(engine: Engine, specs: Sequence[RunSpec], first: DeltaGenerator) -> None:
    """The figures above the choice of runs, in `first`, and what follows them below it."""
    levels = choose_levels(specs)
    if sentence := comparable(specs, levels):
        st.warning(sentence, icon=":material/compare_arrows:")
        return
    names = short_names(specs)
    means = all_means(engine, specs, names, levels)
    scored_specs = [spec for spec in specs if spec.id in means]
    if not scored_specs:
        return
    scores = {names[spec.id]: one for spec in scored_specs if (one := score(means[spec.id], spec.n_pixels)) is not None}
    with first:
        first_screen(scored_specs, names, scores, levels)
    if SETTINGS["guess"] is None:
        return
    lines = known(specs[0].canonical_json, levels, specs[0])
    show_ladder(SETTINGS, engine, scored_specs, names, levels, words)
    ends = {spec.id: end for spec in scored_specs if (end := rate_distortion(means[spec.id], spec.n_pixels))}
    show_rates(engine, scored_specs, names, ends, lines, levels, words)
    ask_noise(engine, scored_specs, names, levels, words)


def first_screen(specs: Sequence[RunSpec], names: Mapping[str, str], scores: Mapping[str, Score], levels: int) -> None:
    figures = st.container()
    guess = predict(specs, names)
    if guess is None:
        with figures:
            show_own(specs, names, scores, sorted(scores, key=lambda name: -scores[name].own))
        st.caption("Choose one, and the probabilities appear. Nothing is counted.")
        return
    order = sorted(scores, key=lambda name: scores[name].bits)
    lines = known(specs[0].canonical_json, levels, specs[0])
    left, right = figures.columns(2, gap="medium")
    with left:
        show_bits(specs, names, scores, order, lines)
    with right:
        show_own(specs, names, scores, order)
    say(specs, levels, scores, lines, names.get(guess, ""), words)


@st.fragment(key="compare")
def show_page() -> None:
    first = st.container()
    st.markdown(words[""])
    try:
        chosen = choose(SETTINGS, engine)
        if chosen:
            show(engine, chosen, first)
        else:
            st.info("Choose at least one run that is here.", icon=":material/info:")
    except (StoreError, DataError) as error:
        st.error(str(error), icon=":material/hard_drive:")
    SETTINGS.mirror()


# The page ------------------------------------------------------------------------------------------------------------

SETTINGS.follow(opened)
engine = get_engine()
words = page_words("compare")
show_title("compare", "Which decoder gives the image the most probability?")
show_opening("compare")
show_page()
ending(words)
show_engine_state(engine)
