"""The guided tour of `assets/path.md`: a bar at the top of each page. Its place is in the address, as `tour=<step>`."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from pages.shared.address import TOUR, plain
from pages.shared.path import Step, steps
from vae_core.errors import SpecError
from vae_core.values import Whole, read

REFUSED, LEFT = "tour refused", "tour left"


def show_tour(page: str) -> None:
    """Call before the page is drawn. `page` is the folder of the page that is open."""
    tour = steps()
    place = _place(page, tour) if tour else None
    if place is None:
        return
    step = tour[place - 1]
    here = step.to.page == page
    with st.container(border=True, key="tour"):
        said, pressed = st.columns([3, 1], vertical_alignment="center")
        if here:
            at = f"**Tour, step {place} of {len(tour)}** (about {step.minutes} min): **{step.name}.**"
            said.markdown(f"{at} {step.words}")
        else:
            said.markdown(f"**The tour waits at step {place} of {len(tour)}**: {step.name}.")
        with pressed, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
            if here:
                _button("Back", "secondary", place - 1)
                _button("Next", "primary", place + 1)
            else:
                _button("Go on with it", "primary", place)
            last = here and place == len(tour)
            st.button("Finish" if last else "Leave", key="tour.leave", on_click=_leave)


def on_tour() -> bool:
    return TOUR in st.session_state


def tour_begun() -> int:
    """The step at which the tour was left; the first where it was not begun, or was gone through."""
    left: int = st.session_state.get(LEFT, 1)
    return left if left < len(steps()) else 1


def go_to(place: int) -> None:
    """Open a step of the tour, counted from 1, with its settings."""
    to = steps()[place - 1].to
    st.switch_page(to.script, query_params=to.query | {TOUR: str(place)})


def minutes() -> int:
    return sum(step.minutes for step in steps())


def _button(label: str, kind: Literal["primary", "secondary"], place: int) -> None:
    if 1 <= place <= len(steps()) and st.button(label, key=f"tour.{label}", type=kind):
        go_to(place)


def _leave() -> None:
    st.session_state[LEFT] = st.session_state.pop(TOUR, 1)
    st.query_params.pop(TOUR, None)


def _place(page: str, tour: list[Step]) -> int | None:
    """Where the tour stands, or None. What the address says counts; where it says nothing, as after a press in the
    menu, the tour stays where it was, and the address gets it."""
    state, address = st.session_state, st.query_params
    if state.get(REFUSED, ("", ""))[0] != page:
        state.pop(REFUSED, None)
    if TOUR in address:
        try:
            _arrive(read(Whole(1, len(tour)), TOUR, address[TOUR]), page, tour)
        except SpecError as error:
            del address[TOUR]
            state[REFUSED] = page, str(error)
    if REFUSED in state:
        told = plain(state[REFUSED][1])
        st.warning(f"From the link: {told} What it says there is left out.", icon=":material/link_off:")
    place: int | None = state.get(TOUR)
    if place is not None and place > len(tour):  # a teacher has shortened it
        place = state[TOUR] = len(tour)
    if place is not None and address.get(TOUR) != str(place):
        address[TOUR] = str(place)
    return place


def _arrive(place: int, page: str, tour: list[Step]) -> None:
    if place == st.session_state.get(TOUR):
        return
    st.session_state[TOUR] = place
    to = tour[place - 1].to
    if to.page == page:
        st.session_state.pop("page", None)  # it may be the page of the step before: its link is to be read again
        if list(st.query_params) == [TOUR]:
            for name, texts in to.settings.items():
                st.query_params[name] = texts
