"""The words of the pages: Markdown below `assets/`, which a teacher may edit while the app runs."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from pages.shared.path import show_next
from pages.shared.widget import widget
from vae_core.folders import ASSETS

_MEANINGS = widget("shared", "terms")
IN_A_LANE = ("The symbol", "The code", "What to watch")


class Parts(dict[str, str]):
    """A Markdown file by its `## ` headings; the text before the first is under "". A part that an edit has lost is
    named on the page instead of breaking it."""

    def __init__(self, path: Path):
        self.path = path
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""  # however it was saved
        first, *rest = re.split(r"^## ", text, flags=re.MULTILINE)
        super().__init__({"": first.strip()})
        for part in rest:
            heading, _, body = part.partition("\n")
            self[heading.strip()] = body.strip()

    def __missing__(self, heading: str) -> str:
        return f"*The part “{heading}” is still to be written, in {self.path.relative_to(ASSETS.parent)}.*"


def page_words(page: str) -> Parts:
    """`assets/pages/<page>.md`; each [[term]] tells its meaning where it stands, where `show_glossary` is called."""
    return _linked(Parts(ASSETS / "pages" / f"{page}.md"))


def decoder_words(key: str) -> Parts:
    """`assets/explanations/<key>.md`, likewise: what the pages say of one decoder, a part for each page."""
    return _linked(Parts(ASSETS / "explanations" / f"{key}.md"))


def explanation(key: str) -> tuple[str, str]:
    """What a lane always shows of a decoder, and what it shows on demand."""
    parts = decoder_words(key)
    plain = parts[""] or f"*Its explanation is still to be written, in {parts.path.name}.*"
    return plain, "\n\n".join(f"### {heading}\n{parts[heading]}" for heading in IN_A_LANE if heading in parts)


def _linked(parts: Parts) -> Parts:
    terms = glossary()
    for heading, body in parts.items():
        parts[heading] = with_terms(body, terms)
    return parts


def with_terms(text: str, terms: dict[str, str]) -> str:
    link = lambda found: _term(found[1], found[2] or found[1], terms)
    return re.sub(r"\[\[([^\]|]+)(?:\|([^\]]+))?\]\]", link, text)


def glossary() -> dict[str, str]:
    parts = Parts(ASSETS / "glossary.md")
    parts.pop("")
    return parts


def _term(term: str, text: str, terms: dict[str, str]) -> str:
    if term not in terms:
        return text
    meaning = terms[term] if text.lower() == term.lower() else f"{term}: {terms[term]}"
    return '[{}](#words "{}")'.format(text, meaning.replace('"', "”").replace("\n", " "))


def ending(words: Parts) -> None:
    """How each page ends: what was just seen, what comes next, its source, and the line of code; and the glossary."""
    st.divider()
    st.markdown(words["What you just saw"])
    show_next(words.path.stem)
    st.caption(words["Source and code"])
    show_glossary()


def show_glossary() -> None:
    """Once on each page: the glossary as a whole, and what shows the meaning of a term where it stands."""
    st.header("Words", anchor="words")  # where the terms of a page lead without JavaScript
    with st.expander("The glossary", icon=":material/menu_book:"):
        st.markdown("\n\n".join(f"**{term}**: {meaning}" for term, meaning in glossary().items()))
    _MEANINGS(key="meanings", height="content")
