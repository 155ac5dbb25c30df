"""One panel for every page that trains: its buttons, what goes wrong behind them, and the runs as they move."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import streamlit as st

from pages.shared.runtime import get_engine, seconds_between_looks, show_new_problem
from vae_core.errors import SpecError, StoreError
from vae_core.runs.engine import Engine
from vae_core.runs.store import Run, Store
from vae_core.spec import RunSpec


def run_panel(
    engine: Engine,
    specs: Sequence[RunSpec],
    first: str = "Train",
    longer: Callable[[Sequence[RunSpec]], None] | None = None,
    more: str = "",
) -> None:
    """The buttons for the runs of these specs: `first` (as the page calls it), Stop, Continue. `longer` asks for more
    epochs once all have ended, and `more` says how many. Raises StoreError."""
    runs = found(engine.store, specs)
    active = [run for run in runs if run.active]
    ended = {run.id for run in runs if run.status in ("done", "diverged")}
    idle = [spec for spec in specs if spec.id not in ended | {run.id for run in active}]
    if active:
        st.button("Stop", on_click=stop, args=(active,), icon=":material/stop:", type="primary")
        if idle:
            st.button("Train the rest", on_click=train, args=(idle,), icon=":material/play_arrow:")
    elif runs and not idle and longer:
        st.button("Continue", on_click=longer, args=(specs,), help=more, icon=":material/play_arrow:", type="primary")
    else:
        st.button(
            "Continue" if idle and any(run.step for run in runs) else first,
            on_click=train,
            args=(idle,),
            disabled=not idle,
            help="Already trained: same settings, same result." if runs and not idle else None,
            icon=":material/play_arrow:",
            type="primary",
        )


def live(engine: Engine, specs: Sequence[RunSpec], show: Callable[[], None], key: str, when_idle: bool = False) -> None:
    """Call `show` again and again while one of these runs moves, and draw the whole page again when one begins or ends:
    here, or, with `when_idle`, in another tab while nothing moves here. Raises StoreError."""
    drawn = statuses(engine.store, specs)
    active = bool({"queued", "running"} & set(drawn))

    @st.fragment(run_every=seconds_between_looks() if active else None, key=key)
    def moving() -> None:
        try:
            show_new_problem(engine)
            show()
        except StoreError as error:
            st.error(str(error), icon=":material/hard_drive:")

    @st.fragment(run_every=1.0 if active or when_idle else None, key=f"{key} watch")
    def watch() -> None:
        with suppress(StoreError):  # the other fragment tells it
            if statuses(engine.store, specs) != drawn:
                st.rerun()

    moving()
    watch()


def found(store: Store, specs: Iterable[RunSpec]) -> list[Run]:
    return [run for spec in specs if (run := store.run(spec.id))]


def statuses(store: Store, specs: Iterable[RunSpec]) -> list[str]:
    """Of each spec's run; empty where there is none."""
    runs = [store.run(spec.id) for spec in specs]
    return [run.status if run else "" for run in runs]


# Behind the buttons -------------------------------------------------------------------------------------------------


@contextmanager
def trouble_kept() -> Iterator[None]:
    """What goes wrong behind a button is told by `show_trouble` at the next run of the page."""
    try:
        yield
    except (StoreError, SpecError) as error:
        st.session_state["trouble"] = str(error)


def show_trouble() -> None:
    if trouble := st.session_state.pop("trouble", ""):
        st.error(trouble, icon=":material/hard_drive:")


def train(specs: Iterable[RunSpec]) -> None:
    with trouble_kept():
        for spec in specs:
            get_engine().submit(spec)


def stop(runs: Iterable[Run]) -> None:
    with trouble_kept():
        for run in runs:
            get_engine().stop(run.id)
