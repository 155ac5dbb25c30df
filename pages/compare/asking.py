"""A question to the workers: its button, how far each run is, Stop, and the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.shared.learner import learner
from pages.shared.runtime import show_new_problem
from pages.shared.word import WordError, ask_for_word, has_word, need_word
from vae_core.errors import StoreError
from vae_core.runs.engine import Engine
from vae_core.runs.measure import Measure, Measurement
from vae_core.shipped import SHIPPED, shipped_weights
from vae_core.spec import RunSpec

ASKED = "compare.asked"  # in session state: the engine's key of what was asked, by question and run
REFUSED = "compare.refused"  # a sentence for each run that could not be asked about


@dataclass(frozen=True)
class Question:
    key: str  # tells the widgets of one section from another's
    button: str
    measure: Measure
    arguments: Mapping[str, Any]
    so_far: Callable[[Any], str] = lambda found: ""  # in words, of what is known before the end

    def of(self, spec: RunSpec) -> str:
        return json.dumps([self.measure.__name__, dict(self.arguments), spec.id], sort_keys=True)


def answers(engine: Engine, question: Question, specs: Sequence[RunSpec], names: Mapping[str, str]) -> dict[str, Any]:
    """Draw the button, or what has become of the question; what is known of each run, by its id: the result, or where
    it was stopped, what was known by then."""
    now = _states(engine, question, specs)
    active = [run_id for run_id, one in now.items() if one.active]
    without = [spec for spec in specs if not _has_weights(engine, spec)]
    idle = [spec for spec in specs if spec.id not in now or now[spec.id].status in ("stopped", "failed")]
    idle = [spec for spec in idle if spec not in without]
    if active:
        asked = [question.of(spec) for spec in specs if spec.id in active]
        st.button("Stop", key=f"{question.key} stop", icon=":material/stop:", on_click=_stop, args=(engine, asked))
        _watch(engine, question, specs, names)
        return {}
    if idle and not has_word():
        ask_for_word(question.key)
    elif idle:
        label = question.button if len(idle) == len(specs) - len(without) else f"{question.button}: the rest"
        how: dict[str, Any] = {"icon": ":material/play_arrow:", "type": "primary"}
        st.button(label, key=f"{question.key} ask", on_click=_ask, args=(engine, question, idle, names), **how)
    if without:
        them = "; ".join(names[spec.id] for spec in without)
        st.caption(f"No weights are kept of {them}, so this needs training on the Train page first.")
    for sentence in st.session_state.pop(f"{REFUSED} {question.key}", []):
        st.error(sentence, icon=":material/broken_image:")
    engine.store.watch(now)
    for run_id, one in now.items():
        if one.status == "failed":
            st.error(f"{names[run_id]}: {one.message}", icon=":material/error:")
    stopped = [names[run_id] for run_id, one in now.items() if one.status == "stopped"]
    if stopped:
        st.info(f"Stopped: {'; '.join(stopped)}.", icon=":material/stop_circle:")
    return {run_id: one.found for run_id, one in now.items() if one.found is not None and one.status != "failed"}


def _has_weights(engine: Engine, spec: RunSpec) -> bool:
    return spec in SHIPPED.values() or engine.store.has_weights(spec.id)


def _states(engine: Engine, question: Question, specs: Sequence[RunSpec]) -> dict[str, Measurement]:
    asked = st.session_state.setdefault(ASKED, {})
    keys = {spec.id: asked[question.of(spec)] for spec in specs if question.of(spec) in asked}
    return {run_id: engine.measurements.get(key) for run_id, key in keys.items()}


def _ask(engine: Engine, question: Question, specs: Sequence[RunSpec], names: Mapping[str, str]) -> None:
    refused = []
    for spec in specs:
        try:
            need_word()
            weights = shipped_weights(spec) or engine.store.load_weights(spec.id)
        except (StoreError, WordError) as error:
            refused.append(str(error))
            continue
        if weights is None:
            refused.append(f"{names[spec.id]}: no weights are kept of this run; train it on the Train page first.")
        else:
            key = engine.measurements.ask(question.measure, weights, question.arguments, learner())
            st.session_state[ASKED][question.of(spec)] = key
    st.session_state[f"{REFUSED} {question.key}"] = refused


def _stop(engine: Engine, asked: Sequence[str]) -> None:
    """For this visitor; what others want goes on, and he may ask for it again."""
    goes_on = [one for one in asked if engine.measurements.stop(st.session_state[ASKED][one], learner())]
    for one in goes_on:
        del st.session_state[ASKED][one]
    if goes_on:
        st.toast("Others want this measurement too, so it goes on without you.", icon=":material/group:")


def _watch(engine: Engine, question: Question, specs: Sequence[RunSpec], names: Mapping[str, str]) -> None:
    @st.fragment(run_every=0.5, key=f"{question.key} watch")
    def moving() -> None:
        now = _states(engine, question, specs)
        if not any(one.active for one in now.values()):
            st.rerun()
        show_new_problem(engine)
        for run_id, one in now.items():
            st.progress(one.share, text=f"{names[run_id]}: {_how_far(one, question)}")

    moving()


def _how_far(one: Measurement, question: Question) -> str:
    if one.status == "waiting":
        return "in line"
    if one.status != "running":
        return {"done": "done", "stopped": "stopped", "failed": "failed"}[one.status]
    left = f"{max(1, round(one.seconds_left))} s left" if one.seconds_left is not None else ""
    return " · ".join(filter(None, [f"{one.share:.0%}", left, question.so_far(one.found)]))
