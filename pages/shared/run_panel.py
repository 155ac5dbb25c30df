"""One panel for every page that trains: its buttons, and what goes wrong behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from pages.shared.learner import learner
from pages.shared.runtime import get_engine
from pages.shared.word import WordError, ask_for_word, has_word, need_word
from vae_core.errors import LineError, SpecError, StoreError
from vae_core.runs import line
from vae_core.runs.engine import Engine
from vae_core.runs.store import Run, Store
from vae_core.spec import RunSpec

ASKED = "asked for"  # in this visitor's session: the runs of the last press


def run_panel(
    engine: Engine,
    specs: Sequence[RunSpec],
    first: str = "Train",
    longer: Callable[[Sequence[RunSpec]], None] | None = None,
    more: str = "",
) -> list[str]:
    """The buttons for the runs of these specs: `first` (as the page calls it), Stop, Continue. `longer` asks for more
    epochs once all have ended, and `more` says how many. Returns the status that each run had, "" where there is none,
    for a stage to compare with. Raises StoreError."""
    found = [engine.store.run(spec.id) for spec in specs]
    runs = [run for run in found if run is not None]
    # Who comes to a run that others want may want it too; until then it is not his to stop.
    wanted = line.wanted_by(engine.store, learner(), [run.id for run in runs])
    active = [run for run in runs if run.active and run.id in wanted]
    ended = {run.id for run in runs if run.status in ("done", "diverged")}
    idle = [spec for spec in specs if spec.id not in ended | {run.id for run in active}]
    # One button whatever it says, so that who pressed it by key has the focus still.
    one = f"panel {specs[0].with_epochs(1).id}" if specs else "panel"
    how: dict[str, Any] = {"icon": ":material/play_arrow:", "type": "primary", "key": one}
    if not has_word():
        ask_for_word(one)
    elif active:
        st.button("Stop", on_click=stop, args=(active,), **how | {"icon": ":material/stop:"})
        if idle:
            st.button("Train the rest", on_click=train, args=(idle,), icon=":material/play_arrow:")
    elif longer and not idle and any(run.status == "done" for run in runs):
        st.button("Continue", on_click=longer, args=(specs,), help=more, **how)
    else:
        begun = any(run.step for run in runs if not run.active and run.id not in ended)
        over = "Already ended: same settings, same result." if runs and not idle else None
        label = "Continue" if begun else first
        st.button(label, on_click=train, args=(idle,), disabled=not idle, help=over, **how)
    return _statuses(found)


def show_ends(store: Store, runs: Mapping[str, RunSpec]) -> None:
    """What there is to say of runs, by their names, that did not end well. Raises StoreError."""
    for name, spec in runs.items():
        run = store.run(spec.id)
        if run is not None and run.status in ("diverged", "failed"):
            st.error(f"{name}: {run.message}", icon=":material/error:")


def _statuses(runs: Iterable[Run | None]) -> list[str]:
    return [run.status if run else "" for run in runs]


# Behind the buttons -------------------------------------------------------------------------------------------------


@contextmanager
def trouble_kept() -> Iterator[None]:
    """What goes wrong behind a button is told by `show_trouble` at the next run of the page."""
    try:
        yield
    except (StoreError, SpecError, LineError, WordError) as error:
        st.session_state["trouble"] = str(error)


def show_trouble() -> None:
    if trouble := st.session_state.pop("trouble", ""):
        st.error(trouble, icon=":material/hard_drive:")


def train(specs: Sequence[RunSpec]) -> None:
    st.session_state[ASKED] = [spec.id for spec in specs]
    with trouble_kept():
        need_word()
        for spec in specs:
            get_engine().submit(spec, learner())


def stop(runs: Sequence[Run]) -> None:
    """For this visitor; what others want goes on."""
    engine = get_engine()
    with trouble_kept():
        need_word()
        for run in runs:
            engine.stop(run.id, learner())
        if any(line.is_wanted(engine.store, run.id) for run in runs):
            st.toast("Others want this run too, so it goes on without you.", icon=":material/group:")
