"""Which decoder for my data: the kinds of `assets/which_decoder.md`, each with its decoder, why, and its lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import streamlit as st

from pages.questions.quiz import Link, links_in, paragraphs
from pages.shared.edited import Stamp, stamp
from pages.shared.words import Parts
from vae_core.folders import ASSETS
from vae_core.likelihoods import LIKELIHOODS

FILE = ASSETS / "which_decoder.md"


@dataclass(frozen=True)
class Kind:
    """A kind of data."""

    title: str
    decoder: str
    why: str
    lines: str  # of PyTorch: -ln p(x|z,w)
    links: list[Link]  # to what this app shows of it

    def matches(self, search: str) -> bool:
        """Whether every word searched for is somewhere in it."""
        text = " ".join([self.title, self.decoder, self.why, self.lines]).lower()
        return all(word in text for word in search.lower().split())


def kinds() -> tuple[str, list[Kind]]:
    """What is said before them, and all in the order of the file, which a teacher may edit while the app runs."""
    return _kinds(stamp(FILE))


@lru_cache(maxsize=2)
def _kinds(_state: Stamp) -> tuple[str, list[Kind]]:
    parts = Parts(FILE)
    return parts.pop(""), [_kind(title, body) for title, body in parts.items()]


def _kind(title: str, body: str) -> Kind:
    lines = re.search(r"^```python\n(.*?)^```", body, flags=re.MULTILINE | re.DOTALL)
    has = lambda link: set(link.to.settings.get("decoders", [])) <= LIKELIHOODS.keys()
    return Kind(
        title=title,
        decoder=" ".join(paragraphs(body, "Decoder")),
        why=" ".join(paragraphs(body, "Why")),
        lines=lines[1].rstrip() if lines else "",
        links=[link for link in links_in(body) if has(link)],  # to decoders that this app has
    )


def show_kinds(intro: str, found: list[Kind], open: bool) -> None:
    st.header("Which decoder for my data?", anchor="which-decoder")
    st.markdown(intro)
    for kind in found:
        with st.expander(kind.title, expanded=open):
            st.markdown(f"{kind.decoder}\n\n{kind.why}")
            st.code(kind.lines, language=None, wrap_lines=True)
            for link in kind.links:
                link.show()
            if not kind.links:
                st.caption("This app does not show it.")
