"""The guided tour of `assets/path.md`: a bar beside each page's title. Its place is in the address, as `tour=<step>`;
after the last step it is `tour=end`, on the page that the tour ends on.

Each step is a link straight to its own address: a button that switches pages leaves two entries in the browser's
history, the old page with the new settings and then the new page, and Back would have to press through both.
"""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.address import TOUR, plain
from pages.shared.path import Step, end, steps
from vae_core.errors import SpecError
from vae_core.values import Whole, read

REFUSED, LEFT, END = "tour refused", "tour left", "end"


def follow_tour(page: str) -> None:
    """Call before the page is drawn. `page` is the folder of the page that is open. What the address says counts;
    where it says nothing, as after a press in the menu, the tour stays where it was, and the address gets it."""
    state, address, tour = st.session_state, st.query_params, steps()
    if not tour:
        return
    if state.get(REFUSED, ("", ""))[0] != page:
        state.pop(REFUSED, None)
    if _ended(page):
        state.pop(TOUR, None)
        state.pop(LEFT, None)
    elif TOUR in address:
        try:
            _arrive(read(Whole(1, len(tour)), TOUR, address[TOUR]), page, tour)
        except SpecError as error:
            del address[TOUR]
            state[REFUSED] = page, str(error)
    if REFUSED in state:
        told = plain(state[REFUSED][1])
        st.warning(f"From the link: {told} What it says there is left out.", icon=":material/link_off:")
    if TOUR in state:
        place = state[TOUR] = min(state[TOUR], len(tour))  # a teacher may have shortened it
        if address.get(TOUR) != str(place):
            address[TOUR] = str(place)


def show_title(page: str, title: str) -> None:
    """Call first on each page: its title and, while the tour is on, the tour's bar beside it."""
    tour, place, last = steps(), st.session_state.get(TOUR), end()
    if last and _ended(page):
        _beside(title, f"**The end of the tour.** {last.words}")
    elif place is None:
        st.title(title)
    elif tour[place - 1].to.page == page:
        step = tour[place - 1]
        at = f"**Tour, step {place} of {len(tour)}** (about {step.minutes} min): **{step.name}.**"
        with _beside(title, f"{at} {step.words}"):
            if place > 1:
                _link("Back", "arrow_back", tour[place - 2], place - 1)
            if place < len(tour):
                _link("**Next**", "arrow_forward", tour[place], place + 1)
            elif last:
                _link("**Finish**", "flag", last, END)
            _leave_button()
    else:
        with _beside(title, f"**The tour waits at step {place} of {len(tour)}**: {tour[place - 1].name}."):
            _link("**Go on with it**", "arrow_forward", tour[place - 1], place)
            _leave_button()


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


def _ended(page: str) -> bool:
    last = end()
    return last is not None and last.to.page == page and st.query_params.get(TOUR) == END


def _beside(title: str, words: str) -> DeltaGenerator:
    """The title, these words in small, and the place for what is to be pressed: no taller than the title, nearly."""
    titled, said, pressed = st.container(key="tour").columns([33, 49, 18], vertical_alignment="center")
    titled.title(title)
    said.markdown(f":small[{words}]")
    return pressed.container(horizontal=True, vertical_alignment="center", gap="xxsmall")


def _link(label: str, icon: str, step: Step, place: int | str) -> None:
    query = step.to.query | {TOUR: [str(place)]}
    st.page_link(step.to.script, label=label, icon=f":material/{icon}:", query_params=query)


def _leave_button() -> None:
    st.button("Leave", key="tour.leave", type="tertiary", on_click=_leave)


def _leave() -> None:
    st.session_state[LEFT] = st.session_state.pop(TOUR, 1)
    st.query_params.pop(TOUR, None)


def _arrive(place: int, page: str, tour: list[Step]) -> None:
    if place == st.session_state.get(TOUR):
        return
    st.session_state[TOUR] = place
    to, address = tour[place - 1].to, st.query_params
    if to.page == page:
        open_before = st.session_state.pop("page", None)  # it may be this page: its link is to be read again
        if list(address) == [TOUR] and to.settings:
            address.from_dict(to.settings | {TOUR: str(place)})
        elif open_before == page:  # a link to the page that is open leaves the browser's address as it was
            address[TOUR] = str(place)
