"""What the buttons of pages ask of the engine, and how what goes wrong with it is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import streamlit as st

from pages.shared.runtime import get_engine
from vae_core.errors import SpecError, StoreError
from vae_core.runs.store import Run, Store
from vae_core.spec import RunSpec


@contextmanager
def told() -> Iterator[None]:
    """What goes wrong behind a button is told by `show_trouble` at the next run of the page."""
    try:
        yield
    except (StoreError, SpecError) as error:
        st.session_state["trouble"] = str(error)


def show_trouble() -> None:
    if trouble := st.session_state.pop("trouble", ""):
        st.error(trouble, icon=":material/hard_drive:")


def train(specs: Iterable[RunSpec]) -> None:
    with told():
        for spec in specs:
            get_engine().submit(spec)


def stop(runs: Iterable[Run]) -> None:
    with told():
        for run in runs:
            get_engine().stop(run.id)


def statuses(store: Store, specs: Iterable[RunSpec]) -> list[str]:
    """Of each spec's run; empty where there is none."""
    found = [store.run(spec.id) for spec in specs]
    return [run.status if run else "" for run in found]
