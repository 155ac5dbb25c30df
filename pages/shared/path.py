"""The path through the app, `assets/path.md`: what each page adds, what comes after it, and the steps of the tour.

A teacher may edit it while the app runs. It names no glossary terms: the words of the pages stand on this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import streamlit as st

from pages.shared.edited import Stamp, read, stamp
from pages.shared.links import Target, page_link, target
from vae_core.folders import ASSETS

PATH = ASSETS / "path.md"


@dataclass(frozen=True)
class Chapter:
    """A page on the path."""

    name: str
    page: str  # a folder of pages/
    adds: str  # the first sentence on the page
    why: str  # said by the page before it


@dataclass(frozen=True)
class Step:
    """A step of the tour."""

    name: str
    to: Target
    minutes: int
    words: str


def chapters() -> list[Chapter]:
    return _path(PATH, stamp(PATH))[0]


def steps() -> list[Step]:
    return _path(PATH, stamp(PATH))[1]


@lru_cache(maxsize=2)
def _path(file: Path, _state: Stamp) -> tuple[list[Chapter], list[Step]]:
    text = read(file)
    path = [
        Chapter(name, _line(body, "Open"), _line(body, "Adds"), _line(body, "Why"))
        for name, body in _part(text, "path")
    ]
    tour = [
        Step(name, target(_line(body, "Open")), int(re.sub(r"\D", "", _line(body, "Minutes")) or 0), _line(body, "Do"))
        for name, body in _part(text, "tour")
    ]
    return path, tour


def end() -> Step | None:
    """What comes after the last step: a page to go on with, and the words beside its title."""
    (name, body), *_ = [*_part(read(PATH), "end of the tour"), ("", "")]
    return Step(name, target(_line(body, "Open")), 0, _line(body, "Say")) if name else None


def _part(text: str, name: str) -> list[tuple[str, str]]:
    """What stands below `# The <name>`: heading and body of each `## `."""
    found = re.search(rf"^# The {name}$(.*?)(?=^# |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    entries = re.split(r"^## ", found[1] if found else "", flags=re.MULTILINE)[1:]
    return [(heading.strip(), body) for heading, _, body in (entry.partition("\n") for entry in entries)]


def _line(body: str, name: str) -> str:
    """The paragraph that begins with `name:`; a lost one is told where it would stand."""
    found = re.search(rf"^{name}: *(.+)$", body, flags=re.MULTILINE)
    return found[1].strip() if found else f"*“{name}:” is still to be written, in assets/path.md.*"


def adds(page: str) -> str:
    """The sentence on what this page adds."""
    return next((chapter.adds for chapter in chapters() if chapter.page == page), "")


def show_opening(page: str, rest: str = "") -> None:
    """Below the title: what this page adds, and the rest of its introduction."""
    st.markdown(f"{adds(page)} {rest}".strip())


def show_next(page: str) -> None:
    """At the end of a page: the one that comes next, and why. After the last one the path begins again."""
    path = chapters()
    at = next((place for place, chapter in enumerate(path) if chapter.page == page), None)
    if at is None:
        return
    after = path[(at + 1) % len(path)]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        page_link(target(after.page).script, f"Next: {after.name}", ":material/arrow_forward:")
        st.markdown(after.why, width="content")
