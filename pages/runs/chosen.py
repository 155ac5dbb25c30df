"""The run that is chosen: its means, where it can be opened, and what may be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.shared.address import plain
from pages.shared.figures import enlarged
from pages.shared.learner import learner
from pages.shared.links import page_link
from pages.shared.naming import label, title
from pages.shared.run_panel import trouble_kept
from pages.shared.runtime import get_engine
from pages.shared.train_link import TRAIN, link_to
from pages.shared.word import ask_for_word, has_word, need_word
from vae_core.errors import KeptError
from vae_core.runs import kept
from vae_core.runs.engine import Engine
from vae_core.runs.kept import Kept
from vae_core.runs.store import Run
from vae_core.shipped import SPECS, pictures
from vae_core.tiles import png

NOT_YOURS = "Others asked for this run, so its name, its pin and its end are theirs."
CAPTIONS = {"input": "Held-out images x", "mean": "Under each the mean of p(x|z,w)"}


def show_chosen(engine: Engine, chosen: Sequence[Kept]) -> None:
    """The first of them, and links to all. Raises StoreError."""
    one = chosen[0]
    run = one.run
    seen = engine.store.pictures(run.id, run.step)
    if "mean" in seen:
        _show_pictures(seen["input"], seen["mean"], title(run.spec))
    if run.name:
        st.text(run.name)  # Markdown would make a link of an address in it
    st.markdown(f"**{title(run.spec)}**{label(run.spec).removeprefix(title(run.spec))}")
    if len(chosen) > 1:
        st.caption(f"The first of {len(chosen)} that are ticked.")
    if run.message:
        st.caption(plain(run.message))
    _links(engine, [each.run for each in chosen])
    _changes(one)


def show_example() -> None:
    """Where there is no run yet: one that ships."""
    spec = SPECS["bernoulli"]
    found = pictures(spec)
    if found is not None:
        _show_pictures(png(found["input"][:6]), png(found["mean"][:6]), title(spec))
    st.caption("This one ships with the app: its pictures are here, and it can be trained again.")
    page_link(TRAIN, "Train decoders side by side", ":material/model_training:")


def _show_pictures(inputs: bytes, means: bytes, name: str) -> None:
    for part, picture in {"input": inputs, "mean": means}.items():
        st.image(enlarged(picture), alt=f"{CAPTIONS[part]}, {name}", width="stretch")
    st.caption(". ".join(CAPTIONS.values()) + ".")


def _links(engine: Engine, runs: Sequence[Run]) -> None:
    whole = [run.id for run in runs if not run.active and engine.store.has_weights(run.id)]
    with st.container(horizontal=True):
        page_link(TRAIN, "Open on Train", ":material/model_training:", link_to([runs[0].spec]))
        if runs[0].id in whole:
            walk = {"run": whole[:1]}
            page_link("pages/latent/page.py", "Walk through its latent space", ":material/scatter_plot:", walk)
        if whole:
            those = "Compare it" if len(whole) == 1 else f"Compare these {len(whole)}"
            page_link("pages/compare/page.py", those, ":material/leaderboard:", {"run": whole})


# What may be done with it --------------------------------------------------------------------------------------------


def _changes(one: Kept) -> None:
    run = one.run
    if one.may_change and not has_word():
        ask_for_word("runs.change", "To name or delete")
        return
    name, pinned = f"runs.name {run.id}", f"runs.pinned {run.id}"
    st.session_state[name], st.session_state[pinned] = run.name, run.pinned  # another may have changed them
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Name", icon=":material/edit:", disabled=not one.may_change):
            st.text_input(
                "What you call it", key=name, max_chars=kept.LONGEST_NAME, on_change=_rename, args=(run.id, name)
            )
        st.toggle("Pinned", key=pinned, on_change=_pin, args=(run.id, pinned), disabled=not one.may_change)
        with st.popover("Delete", icon=":material/delete:", disabled=not one.may_remove):
            st.markdown("Its pictures, numbers and weights go, for everybody. Training it again gives the same.")
            st.button("Delete this run", key=f"runs.delete {run.id}", type="primary", on_click=_delete, args=(run.id,))
    if not one.may_change:
        st.caption(NOT_YOURS)
    elif run.active:
        st.caption("It waits in line or trains: stop it on Train, then it can be deleted.")
    elif not one.may_remove:
        st.caption("Others asked for this run too, so it is not yours alone to delete.")


def _rename(run_id: str, key: str) -> None:
    name = st.session_state[key]
    _change(run_id, lambda one: one.may_change, lambda: kept.rename(get_engine().store, run_id, name))


def _pin(run_id: str, key: str) -> None:
    pinned = st.session_state[key] is True
    _change(run_id, lambda one: one.may_change, lambda: kept.pin(get_engine().store, run_id, pinned))


def _delete(run_id: str) -> None:
    def delete() -> None:
        kept.remove(get_engine().store, run_id)
        st.session_state["runs.run"] = [one for one in st.session_state["runs.run"] if one != run_id]

    _change(run_id, lambda one: one.may_remove or one.run.active, delete)


def _change(run_id: str, may: Callable[[Kept], bool], change: Callable[[], None]) -> None:
    """A browser may ask for what its page does not offer, or somebody else has asked for the run meanwhile."""
    with trouble_kept():
        need_word()
        for one in kept.those(get_engine().store, [run_id], learner()):
            if not may(one):
                raise KeptError(NOT_YOURS)
            change()
