"""For a teacher before a class: the tour's steps in large type, a link for everybody, and what the class does now."""

import streamlit as st

from pages.classroom.figures import slide
from pages.classroom.now import show_now, stop_all_button
from pages.classroom.sharing import address_of, only_here, qr_code
from pages.shared.address import MIRRORED, TOUR, Address, PageSettings, choice, whole
from pages.shared.path import steps
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.tour import show_title
from pages.shared.widget import sent, widget
from pages.shared.words import page_words, show_glossary

SLIDE = widget("classroom", "slide", "svg", "likelihoods", "density")
WIDGET, CAME = "classroom.slide", "classroom.came"
engine, words, tour = get_engine(), page_words("classroom"), steps()
LINKS = {"step": "this step, on the tour", "came": "the page I came from, as I left it", "start": "the start"}
SETTINGS = PageSettings("classroom", {"step": whole(1, max(1, len(tour)), 1), "link": choice(LINKS, "step")})


def turn() -> None:
    """The widget has shown another step."""
    at = sent(WIDGET, "at")
    if at in range(1, len(tour) + 1):
        SETTINGS["step"] = int(at)


def linked() -> tuple[str, Address]:
    """The page that the class is to open, and its settings."""
    if SETTINGS["link"] == "came" and CAME in st.session_state:
        page, settings = st.session_state[CAME]
        return page, settings
    if SETTINGS["link"] == "start" or not tour:
        return "start", {}
    to = tour[SETTINGS["step"] - 1].to
    return to.page, to.query | {TOUR: [str(SETTINGS["step"])]}


def show_link() -> None:
    st.header("For the class", anchor="link")
    SETTINGS.one_of("link", "The link opens")
    if SETTINGS["link"] == "came" and CAME not in st.session_state:
        st.caption("You came from no page of the app: this is the link of the step.")
    here = st.context.url
    if not here:
        st.caption("The browser has not said at which address it reaches the app.")
        return
    address = address_of(here, *linked())
    if only_here(address):
        st.warning(words["Only here"], icon=":material/wifi_off:")
    st.code(address, language=None, wrap_lines=True)
    if code := qr_code(address):
        st.image(code, width=420, alt=f"QR code of {address}")
    else:
        st.caption("This address is too long for a QR code that cameras read well.")


if st.session_state.get(MIRRORED, ("classroom",))[0] != "classroom":
    st.session_state[CAME] = st.session_state[MIRRORED]
SETTINGS.follow()
show_title("classroom", "Class")
if tour:
    SLIDE(
        key=WIDGET,
        data={"slides": [slide(step) for step in tour], "at": SETTINGS["step"]},
        on_at_change=turn,
        height="content",
    )
    to = tour[SETTINGS["step"] - 1].to
    st.page_link(to.script, label="Open the page", icon=":material/open_in_new:", query_params=to.query)
else:
    st.caption("The tour has no steps: they stand in assets/path.md.")
left, right = st.columns(2, gap="large")
with left:
    show_link()
with right:
    st.header("Now", anchor="now")
    show_now()
    stop_all_button(engine)
SETTINGS.mirror()
st.caption(words["How it works"])
show_glossary()
show_engine_state(engine)
