"""By keyboard alone: what has the focus in a widget is seen, light and dark, and what changed is heard."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.test_contrast import THEME, channels, contrast

# The element that has the focus, in whatever shadow root; the ring around it, or around what stands for it; and the
# colour on which the ring is drawn.
FOCUSED = """() => {
  let one = document.activeElement;
  while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  const inside = one.getRootNode() !== document;
  const name = one.getAttribute('aria-label') ?? one.name ?? one.textContent.trim();
  const ringed = getComputedStyle(one).opacity === '0' ? one.parentElement : one;
  const ring = getComputedStyle(ringed);
  let below = ringed;
  let ground = 'rgba(0, 0, 0, 0)';
  while (ground === 'rgba(0, 0, 0, 0)') {
    below = below.parentElement ?? below.getRootNode().host;
    ground = getComputedStyle(below).backgroundColor;
  }
  const [style, width, colour] = [ring.outlineStyle, parseFloat(ring.outlineWidth), ring.outlineColor];
  return { inside, name: name || one.tagName, style, width, colour, ground };
}"""
SURFACES = ".surface, .frame svg, svg.shared, .sketch"
# A page's first thing in its widget that takes the focus, and how many follow at least.
WIDGETS = {
    "train": ('[role="application"][aria-label^="Held-out images x"]', 9),
    "latent": ('[role="application"]', 8),
    "one_pixel": (".chip input >> nth=0", 8),
    "one_image": (".frame svg >> nth=0", 4),
    "mse": ('[role="slider"]', 4),
}


def hexadecimal(colour: str) -> str:
    red, green, blue = re.findall(r"\d+", colour)[:3]
    return f"#{int(red):02x}{int(green):02x}{int(blue):02x}"


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(round(255 * channel)) for channel in channels(colour))})"


def walk(page: Page, key: str) -> list[dict[str, Any]]:
    """What has the focus, from where it is until it leaves the widgets."""
    seen = []
    while (found := page.evaluate(FOCUSED))["inside"]:
        seen.append(found)
        page.keyboard.press(key)
        assert len(seen) < 200, f"a trap: {seen[-3:]}"
    return seen


@pytest.mark.parametrize("name", WIDGETS)
def test_what_has_the_focus_is_seen(page: Page, server: Server, name: str) -> None:
    first, least = WIDGETS[name]
    faint = []
    schemes: list[Literal["light", "dark"]] = ["light", "dark"]
    page.emulate_media(color_scheme="light")
    page.goto(f"{server.url}/{name}")
    expect(page.get_by_text("The glossary")).to_be_attached()
    start = page.locator(first).first
    expect(start).to_be_attached()
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)  # Streamlit follows
        expect(page.get_by_test_id("stApp")).to_have_css("background-color", rgb(THEME[scheme]["backgroundColor"]))
        start.focus()
        found = walk(page, "Tab")
        assert len(found) >= least, found
        for one in found:
            clear = contrast(hexadecimal(one["colour"]), hexadecimal(one["ground"]))
            if one["style"] != "solid" or one["width"] < 2 or clear < 3:  # WCAG 2.2: 2.4.13, 1.4.11
                faint.append(f"{scheme}: {one} {clear:.2f}:1")
    assert not faint, "\n".join(faint)
    select = page.locator(SURFACES).evaluate_all("(all) => all.map((one) => getComputedStyle(one).userSelect)")
    assert select and set(select) == {"none"}


def test_sigma_is_heard_once_it_rests(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/mse")
    curve = page.get_by_role("slider", name="σ, the assumed noise")
    expect(curve).to_have_attribute("aria-valuenow", re.compile("."))
    curve.focus()
    heard = page.locator("p.heard")
    expect(heard).to_be_empty()
    page.keyboard.down("ArrowRight")
    sigma = curve.get_attribute("aria-valuenow")
    expect(heard).to_be_empty()
    page.keyboard.up("ArrowRight")
    expect(heard).to_have_text(re.compile(rf"^σ {sigma}, [\d,.−-]+ nats; the least is at"))
    page.locator("button.again").click()
    expect(heard).to_have_text(re.compile(r"^Sample 2: [\d.]+ % of its pixels outside 0 to 1"))
