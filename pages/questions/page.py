"""The questions people bring: predict, then see the answer and open the page that shows it; and which decoder when."""

import streamlit as st

from pages.questions.quiz import Question, questions
from pages.questions.which_decoder import kinds, show_kinds
from pages.shared.address import PageSettings, choice, free_text
from pages.shared.path import show_opening
from pages.shared.words import ending, page_words

asked = questions()
intro, data = kinds()
words = page_words("questions")
SETTINGS = PageSettings("questions", {"search": free_text(), "question": choice(["", *(one.key for one in asked)], "")})
SETTINGS.follow()


def show(one: Question) -> None:
    # Showing it is one of the choices: a button below them would move while they appear.
    choices = [*one.options, "Just show me"]
    if one.options and st.radio(one.predict, choices, index=None, key=f"questions.guess.{one.key}") is None:
        return
    st.markdown(one.answer)
    for link in one.links:
        link.show()


st.title("Questions")
show_opening("questions", words[""])


@st.fragment(key="questions")
def listed() -> None:
    st.text_input("Search questions and kinds of data", type="search", live=True, **SETTINGS.keep("search"))
    search = SETTINGS["search"] or ""
    found = [one for one in asked if one.matches(search)]
    fitting = [kind for kind in data if kind.matches(search)]
    st.caption(f"{len(found)} of {len(asked)} questions, {len(fitting)} of {len(data)} kinds of data")
    if not found and not fitting:
        st.info("Nothing here has all these words. Try fewer.", icon=":material/search_off:")
    for one in found:
        box = st.expander(one.belief, expanded=one.key == SETTINGS["question"], key=one.key, on_change="rerun")
        if box.open:
            with box:
                show(one)
    if fitting:
        show_kinds(intro, fitting, open=bool(search.strip()))
    SETTINGS.mirror()


listed()
ending(words)
