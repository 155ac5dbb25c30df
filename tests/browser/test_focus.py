"""What takes the focus in a widget shows it, and what is dragged there selects no words."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.test_contrast import contrast

LEAST = 3  # WCAG 2.2, success criterion 1.4.11
# Of each thing in the widgets that keys reach: its name, its ring's width, and the colours of ring and page.
RINGS = """() => {
  const hex = (rgb) => `#${rgb.match(/[\\d.]+/g).map((one) => Number(one).toString(16).padStart(2, '0')).join('')}`;
  const roots = [...document.querySelectorAll('[data-testid^=stBidiComponent]')].map((one) => one.shadowRoot ?? one);
  const all = roots.flatMap((root) => [...root.querySelectorAll('button, input, select, a[href], [tabindex="0"]')]);
  return all.filter((one) => one.checkVisibility() && !one.disabled).map((one) => {
    one.focus();
    const rings = [one, one.closest('label')].filter(Boolean).map((each) => getComputedStyle(each));
    const ring = rings.find((style) => style.outlineStyle === 'solid') ?? rings[0];
    const page = hex(getComputedStyle(document.querySelector('.stApp')).backgroundColor);
    return [one.outerHTML.slice(0, 90), parseFloat(ring.outlineWidth), ring.outlineStyle, hex(ring.outlineColor), page];
  });
}"""
DARK = """(dark) => dark ===
  (Number(getComputedStyle(document.querySelector('.stApp')).backgroundColor.match(/\\d+/)[0]) < 128)"""
# A surface that is dragged, on each page that has one.
DRAGGED = {
    "one_pixel": "[data-panel=network]",
    "one_image": ".frame svg >> nth=0",
    "mse": "svg.curve",
    "latent": "svg.surface",
    "train": "svg.shared",
}


def rings_are_seen(page: Page) -> None:
    page.keyboard.press("Tab")  # from here on, focus is shown as by keys
    rings = page.evaluate(RINGS)
    assert rings
    faint = [ring for ring in rings if ring[1] < 2 or ring[2] != "solid" or contrast(ring[3], ring[4]) < LEAST]
    assert not faint


@pytest.mark.parametrize("name", DRAGGED)
def test_focus_is_seen_and_a_drag_selects_nothing(page: Page, server: Server, name: str) -> None:
    page.goto(f"{server.url}/{name}")
    surface = page.locator(DRAGGED[name])
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
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(DARK, arg=scheme == "dark")
        rings_are_seen(page)
