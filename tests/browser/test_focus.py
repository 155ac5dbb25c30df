"""By keys alone: what has the focus in a widget shows it, light and dark, and lets it go; a drag selects no words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.test_contrast import THEME, channels, contrast

LEAST = 3  # WCAG 2.2, success criterion 1.4.11
# The element that has the focus, in whatever shadow root; the ring around it, or around what stands for it; and the
# colour on which the ring is drawn.
FOCUSED = """() => {
  let one = document.activeElement;
  while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  const inside = one.getRootNode() !== document;
  const ringed = getComputedStyle(one).opacity === '0' ? one.parentElement : one;
  const ring = getComputedStyle(ringed);
  let [below, ground] = [ringed, 'rgba(0, 0, 0, 0)'];
  while (ground === 'rgba(0, 0, 0, 0)') {
    below = below.parentElement ?? below.getRootNode().host;
    ground = getComputedStyle(below).backgroundColor;
  }
  const [style, width, colour] = [ring.outlineStyle, parseFloat(ring.outlineWidth), ring.outlineColor];
  return { inside, what: one.outerHTML.slice(0, 90), style, width, colour, ground };
}"""
# Of each page's widget: what takes the focus first, how many things do at least, and a surface that is dragged.
WIDGETS = {
    "one_pixel": (".chip input >> nth=0", 8, "[data-panel=network]"),
    "one_image": (".frame svg >> nth=0", 4, ".frame svg >> nth=0"),
    "two_pixels": (".choices input >> nth=0", 14, "[data-panel=plane]"),
    "mse": ("svg.curve", 4, "svg.curve"),
    "linear": ("svg.bars", 4, "svg.bars"),
    "latent": ("svg.surface", 8, "svg.surface"),
    "train": (".strip[tabindex]", 9, "svg.shared"),
}


def hexadecimal(colour: str) -> str:
    return "#" + "".join(f"{int(channel):02x}" for channel in re.findall(r"\d+", colour)[:3])


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(round(255 * channel)) for channel in channels(colour))})"


def walk(page: Page) -> list[dict[str, Any]]:
    """What Tab reaches, from where the focus is until it leaves the widgets."""
    seen: list[dict[str, Any]] = []
    while (found := page.evaluate(FOCUSED))["inside"]:
        assert len(seen) < 200, f"a trap: {seen[-3:]}"
        seen.append(found)
        page.keyboard.press("Tab")
    return seen


def faint(ring: dict[str, Any]) -> bool:
    seen = contrast(hexadecimal(ring["colour"]), hexadecimal(ring["ground"])) >= LEAST
    return ring["width"] < 2 or ring["style"] != "solid" or not seen


@pytest.mark.parametrize("name", WIDGETS)
def test_focus_is_seen_and_a_drag_selects_nothing(page: Page, server: Server, name: str) -> None:
    first, least, dragged = WIDGETS[name]
    page.goto(f"{server.url}/{name}")
    surface = page.locator(dragged)
    expect(surface).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    for share in (0.5, 0.8, 1.1):  # and out of it, over the words beside and below
        page.mouse.move(box["x"] + share * box["width"], box["y"] + (share + 0.2) * box["height"])
    page.mouse.up()
    assert page.evaluate("() => getSelection().toString()") == ""
    expect(surface).to_have_css("user-select", "none")
    page.keyboard.press("Tab")  # from here on, focus is shown as by keys
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # Streamlit follows
        expect(page.get_by_test_id("stApp")).to_have_css("background-color", rgb(THEME[scheme]["backgroundColor"]))
        page.locator(first).focus()
        rings = walk(page)
        assert len(rings) >= least
        assert not [ring for ring in rings if faint(ring)]
