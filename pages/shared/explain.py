"""The words of the pages: Markdown below `assets/`, which a teacher may edit while the app runs."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from vae_core.data import ASSETS


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


def explanation(key: str) -> tuple[str, str]:
    """What a lane always shows of `assets/explanations/<key>.md`, and what it shows on demand."""
    parts = Parts(ASSETS / "explanations" / f"{key}.md")
    plain = parts.pop("") or f"*Its explanation is still to be written, in {parts.path.name}.*"
    return plain, "\n\n".join(f"#### {heading}\n{body}" for heading, body in parts.items())


def page_words(page: str) -> Parts:
    """`assets/pages/<page>.md`, with each [[term]] linked to its meaning in the glossary, shown on hover."""
    parts, terms = Parts(ASSETS / "pages" / f"{page}.md"), glossary()
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
    meaning = terms[term].replace('"', "”").replace("\n", " ")
    return f'[{text}](#words "{meaning}")'


def ending(words: Parts) -> None:
    """How each page ends: what was just seen, its source, and the line of code; and the glossary."""
    st.divider()
    st.markdown(words["What you just saw"])
    st.caption(words["Source and code"])
    show_glossary()


def show_glossary() -> None:
    st.subheader("Words", anchor="words")  # where the terms of a page lead
    with st.expander("The glossary", icon=":material/menu_book:"):
        st.markdown("\n\n".join(f"**{term}**: {meaning}" for term, meaning in glossary().items()))
