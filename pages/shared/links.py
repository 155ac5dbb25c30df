"""Links between pages as Markdown has them, `mse?sigma=0.1#training`: they open the page at that very heading."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import streamlit as st

from pages.shared.address import AT, TOUR, Address

# Streamlit drops the # of an address when it changes pages, so the place to land at travels in the query. The page
# grows while its figures load: a heading low on the screen is brought to its top, and held there until the reader does
# something.
LAND = """<script>
let held = false;
const seek = () => {
  const heading = document.getElementById(%s);
  held ||= heading?.getBoundingClientRect().top > 0.6 * innerHeight;
  if (held) heading.scrollIntoView();
};
const watch = new ResizeObserver(seek);
const done = () => watch.disconnect();
for (const act of ["wheel", "touchstart", "pointerdown", "keydown"]) window.addEventListener(act, done, { once: true });
watch.observe(document.querySelector("[data-testid=stMainBlockContainer]"));
setTimeout(done, 5000);
</script>"""


@dataclass(frozen=True)
class Target:
    page: str  # a folder of pages/
    settings: Address
    anchor: str  # of a heading; "" for the top

    @property
    def script(self) -> str:
        return f"pages/{self.page}/page.py"

    @property
    def query(self) -> Address:
        return self.settings | ({AT: [self.anchor]} if self.anchor else {})


def target(address: str) -> Target:
    parts = urlsplit(address)
    return Target(parts.path, parse_qs(parts.query), parts.fragment)


def page_link(script: str, label: str, icon: str, query: Address | None = None) -> None:
    """A link to a page of the app. While the tour is on it holds the tour's place, for a tab of its own."""
    place = st.session_state.get(TOUR)
    on_tour = {} if place is None else {TOUR: [str(place)]}
    st.page_link(script, label=label, icon=icon, query_params=(query or {}) | on_tour)


def land() -> None:
    """Call after the page is drawn: scrolls to the heading that the link named, once."""
    if anchor := st.session_state.pop(AT, None):
        st.html(LAND % json.dumps(anchor), unsafe_allow_javascript=True)
