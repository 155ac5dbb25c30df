"""The runs that were tried here: to look at, open, compare, name, pin and delete."""

from __future__ import annotations

import streamlit as st

from pages.runs.chosen import show_chosen, show_example
from pages.runs.table import show_table
from pages.shared.address import PageSettings, Setting, free_text, whole
from pages.shared.learner import learner
from pages.shared.run_panel import show_trouble
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.tour import show_title
from pages.shared.trained import offer, read_run
from pages.shared.words import ending, page_words
from vae_core.errors import SpecError, StoreError
from vae_core.runs import kept

MOST_PAGES = 10_000
MOST = 12  # runs chosen at once, as many as Compare takes


def _read_runs(name: str, texts: list[str]) -> list[str]:
    if len(texts) > MOST:
        raise SpecError(name, f"{name} names {len(texts)} runs; allowed: at most {MOST}.")
    return list(dict.fromkeys(read_run(name, [text]) for text in texts))


SETTINGS = PageSettings(
    "runs", {"search": free_text(), "page": whole(1, MOST_PAGES, 1), "run": Setting([], _read_runs, list)}
)
engine = get_engine()
words = page_words("runs")


def first_page() -> None:
    SETTINGS["page"] = 1
    st.session_state.pop("runs.part", None)


def show_runs() -> None:
    """Raises StoreError."""
    store, me, wanted = engine.store, learner(), SETTINGS["run"]
    found, many = kept.search(store, SETTINGS["search"], me, (SETTINGS["page"] - 1) * kept.ON_A_PAGE)
    if not found and SETTINGS["page"] > 1:
        first_page()
        found, many = kept.search(store, SETTINGS["search"], me)
    chosen = kept.those(store, wanted, me)
    picture, listed = st.columns([1, 2], gap="medium")
    with picture:
        for run_id in [one for one in wanted if one not in {each.run.id for each in chosen}]:
            offer(run_id, None, engine)
        show_trouble()
        shown = chosen or [one for one in found if one.run.step] or found
        if shown:
            show_chosen(engine, chosen or shown[:1])
        else:
            show_example()
    with listed:
        if found:
            show_table(found, [one.run.id for one in chosen], choose)
            pages = -(-many // kept.ON_A_PAGE)
            if pages > 1:
                st.pagination(pages, default=SETTINGS["page"], key="runs.part", on_change=turn)
            st.caption(f"{many} runs." if many != 1 else "1 run.")
        else:
            st.info(
                "No run has all these words in its name, data set or decoder."
                if SETTINGS["search"].strip()
                else "Nothing has been trained here yet. What you train is listed here.",
                icon=":material/search_off:",
            )


def turn() -> None:
    SETTINGS["page"] = min(max(1, st.session_state["runs.part"]), MOST_PAGES)


def choose(run_ids: list[str]) -> None:
    SETTINGS["run"] = run_ids[:MOST]


SETTINGS.follow()
show_title("runs", "Runs")
st.text_input(
    "Search: data set, decoder or name",
    placeholder="for example: fashion gaussian",
    icon=":material/search:",
    max_chars=200,
    on_change=first_page,
    **SETTINGS.keep("search"),
)
try:
    show_runs()
except StoreError as error:
    st.error(str(error), icon=":material/hard_drive:")
    st.stop()
SETTINGS.mirror()
show_engine_state(engine)
st.markdown(words[""])
st.header("How long runs are kept", anchor="kept")
st.markdown(words["How long runs are kept"])
ending(words)
