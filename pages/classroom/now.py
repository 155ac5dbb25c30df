"""What the class does now: who is here, what trains, and the end of all of it."""

from __future__ import annotations

import streamlit as st

from pages.shared.naming import title
from pages.shared.run_panel import show_trouble, trouble_kept
from pages.shared.runtime import get_engine
from pages.shared.word import ask_for_word, has_word, need_word
from vae_core.catalogue import DATASETS
from vae_core.errors import StoreError
from vae_core.runs import line, present
from vae_core.runs.engine import Engine
from vae_core.runs.present import Training

MOST_SHOWN = 12
SECONDS = 2.0


@st.fragment(run_every=SECONDS, key="class now")
def show_now() -> None:
    engine = get_engine()
    try:
        waiting, running = line.counts(engine.store)
        runs = present.training(engine.store, MOST_SHOWN)
        # This process counts its own at once; the store hears of them within seconds.
        here = max(present.here(engine.store), engine.presence.count())
    except StoreError as error:
        st.error(str(error), icon=":material/hard_drive:")
        return
    st.markdown(
        f"**{here}** {'windows are' if here != 1 else 'window is'} open, **{running}** train, **{waiting}** wait."
    )
    lines = [f"- {_said(one)}" for one in runs]
    if more := waiting + running - len(runs):
        lines.append(f"- and {more} more")
    st.markdown("\n".join(lines))


def _said(one: Training) -> str:
    how = f"step {one.step:,} of {one.total_steps:,}" if one.running else "in line"
    by = f"{one.learners} {'want' if one.learners != 1 else 'wants'} it" if one.learners else "being stopped"
    return f"{title(one.spec)}, {DATASETS[one.spec.dataset].title}: {how}, {by}"


def stop_all_button(engine: Engine) -> None:
    if not has_word():
        ask_for_word("stop all", "To stop all runs")
        return
    with st.popover("Stop all runs", icon=":material/stop:"):
        st.markdown("Ends every run that trains or waits, for everybody. What each has so far is kept.")
        st.button("Yes, stop them all", type="primary", key="stop all", on_click=_stop_all, args=(engine,))
    show_trouble()


def _stop_all(engine: Engine) -> None:
    with trouble_kept():
        need_word()
        engine.stop_all()
