"""The questions people bring: predict, then see the answer and open the page that shows it; and which decoder when."""

import streamlit as st

from pages.questions.figures import FIGURES, at_the_top
from pages.questions.quiz import Question, questions
from pages.questions.which_decoder import kinds, show_kinds
from pages.shared.address import PageSettings, Setting, free_text
from pages.shared.path import show_opening
from pages.shared.tour import show_title
from pages.shared.words import ending, page_words
from vae_core.values import Choice, read

SHOW = "Just show me"
asked = questions()
intro, data = kinds()
words = page_words("questions")


def _known(name: str, texts: list[str]) -> list[str]:
    return [read(Choice([one.key for one in asked]), name, text) for text in texts]


SETTINGS = PageSettings("questions", {"search": free_text(), "question": Setting([], _known, list)})  # those open
SETTINGS.follow()


def show(one: Question) -> None:
    # Showing it is one of the choices: a button below them would move while they appear.
    choices, key = [*one.options, SHOW], f"questions.guess.{one.key}"
    marks = one.marks(st.session_state.get(key))
    guess = st.radio(one.predict, choices, index=None, captions=marks, key=key, persist_state="session")
    if guess is None:
        return
    st.markdown(one.answer)
    if one.figure in FIGURES:
        FIGURES[one.figure]()
    for link in one.links:
        link.show()


def moved(key: str) -> None:
    """A question was opened or closed: kept apart from its box, which is gone while a search hides it."""
    others = [other for other in SETTINGS["question"] if other != key]
    SETTINGS["question"] = [*others, key] if st.session_state[key] else others


show_title("questions", "Questions")
show_opening("questions", words[""])
at_the_top()


@st.fragment(key="questions")
def listed() -> None:
    st.text_input(
        "Search questions and kinds of data", type="search", live=True, max_chars=200, **SETTINGS.keep("search")
    )
    search = SETTINGS["search"] or ""
    found = [one for one in asked if one.matches(search)]
    fitting = [kind for kind in data if kind.matches(search)]
    st.caption(f"{len(found)} of {len(asked)} questions, {len(fitting)} of {len(data)} kinds of data")
    if not found and not fitting:
        st.info("Nothing here has all these words. Try fewer.", icon=":material/search_off:")
    for one in found:
        expanded = one.key in SETTINGS["question"]
        box = st.expander(one.label, expanded, key=one.key, on_change=moved, args=(one.key,))
        if box.open:
            with box:
                show(one)
    if fitting:
        show_kinds(intro, fitting, open=bool(search.strip()))
    SETTINGS.mirror()


listed()
ending(words)
