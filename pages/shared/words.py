"""The words of the pages: Markdown below `assets/`, which a teacher may edit while the app runs."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import streamlit as st

from pages.shared.edited import Stamp, read, stamp
from pages.shared.path import show_next
from pages.shared.widget import widget
from vae_core.folders import ASSETS

_MEANINGS = widget("shared", "terms")
GLOSSARY = ASSETS / "glossary.md"
IN_A_LANE = ("The symbol", "The code", "What to watch")


class Parts(dict[str, str]):
    """A Markdown file by its `## ` headings; the text before the first is under "". A part that an edit has lost is
    named on the page instead of breaking it."""

    def __init__(self, path: Path):
        self.path = path
        super().__init__(_split(path, stamp(path)))

    def __missing__(self, heading: str) -> str:
        return f"*The part “{heading}” is still to be written, in {self.path.relative_to(ASSETS.parent)}.*"


@lru_cache(maxsize=64)
def _split(path: Path, _state: Stamp) -> dict[str, str]:
    first, *rest = re.split(r"^## ", read(path), flags=re.MULTILINE)
    parts = {"": first.strip()}
    for part in rest:
        heading, _, body = part.partition("\n")
        parts[heading.strip()] = body.strip()
    return parts


def page_words(page: str) -> Parts:
    """`assets/pages/<page>.md`; each [[term]] tells its meaning where it stands, where `show_glossary` is called."""
    return _linked(ASSETS / "pages" / f"{page}.md")


def decoder_words(key: str) -> Parts:
    """`assets/explanations/<key>.md`, likewise: what the pages say of one decoder, a part for each page."""
    return _linked(ASSETS / "explanations" / f"{key}.md")


def explanation(key: str) -> tuple[str, str]:
    """What a lane always shows of a decoder, and what it shows on demand."""
    parts = decoder_words(key)
    plain = parts[""] or f"*Its explanation is still to be written, in {parts.path.name}.*"
    return plain, "\n\n".join(f"### {heading}\n{parts[heading]}" for heading in IN_A_LANE if heading in parts)


def _linked(path: Path) -> Parts:
    parts = Parts(path)
    parts.update(_with_links(path, stamp(path), stamp(GLOSSARY)))
    return parts


@lru_cache(maxsize=64)
def _with_links(path: Path, _state: Stamp, _glossary: Stamp) -> dict[str, str]:
    terms = glossary()
    return {heading: with_terms(body, terms) for heading, body in Parts(path).items()}


def with_terms(text: str, terms: dict[str, str]) -> str:
    link = lambda found: _term(found[1], found[2] or found[1], terms)
    return re.sub(r"\[\[([^\]|]+)(?:\|([^\]]+))?\]\]", link, text)


def glossary() -> dict[str, str]:
    parts = Parts(GLOSSARY)
    parts.pop("")
    return parts


def _term(term: str, text: str, terms: dict[str, str]) -> str:
    if term not in terms:
        return text
    meaning = terms[term] if text.lower() == term.lower() else f"{term}: {terms[term]}"
    return '[{}](#words "{}")'.format(text, meaning.replace('"', "”").replace("\n", " "))


def ending(words: Parts) -> None:
    """How each page ends: what was just seen, what comes next, its source, and the line of code; and the glossary."""
    just_seen(words["What you just saw"])
    and_then(words)


def just_seen(what: str) -> None:
    st.divider()
    st.markdown(what)


def and_then(words: Parts) -> None:
    """The ending after what was just seen."""
    show_next(words.path.stem)
    st.caption(words["Source and code"])
    show_glossary()


def show_glossary() -> None:
    """Once on each page: the glossary as a whole, and what shows the meaning of a term where it stands."""
    st.header("Words", anchor="words")  # where the terms of a page lead without JavaScript
    with st.expander("The glossary", icon=":material/menu_book:"):
        st.markdown("\n\n".join(f"**{term}**: {meaning}" for term, meaning in glossary().items()))
    _MEANINGS(key="meanings", height="content")
