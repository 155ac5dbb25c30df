"""Four pixels beside One pixel: a softmax makes them compete, four sigmoids do not; and who hears the page hears it."""

from __future__ import annotations

import json

import pytest
import torch
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.test_one_pixel import open_page


def test_a_softmax_makes_pixels_compete(page: Page, server: Server) -> None:
    open_page(page, server, "question=softmax", ".four-pixels[data-numbers]")
    four = page.locator(".four-pixels")
    four.scroll_into_view_if_needed()
    read = lambda: json.loads(four.get_attribute("data-numbers") or "")
    before = read()
    slider = four.get_by_role("slider").first
    slider.focus()
    for _ in range(10):
        slider.press("ArrowRight")
    after = read()
    assert after["a"][0] > before["a"][0]
    spoken, text = four.get_by_role("status"), lambda: four.get_by_role("status").text_content()
    expect(spoken).to_have_count(1)  # an <output> would be one as well, and speak at every step of a drag
    said, box = text(), slider.bounding_box()
    assert said and "softmax: Sum 1.00" in said and box
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    for share in (0.7, 0.6, 0.5):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        assert text() == said
    dragged = read()["sigmoid"]
    page.mouse.up()
    expect(spoken).to_contain_text(f"sigmoid: Sum {sum(dragged):.2f}")
    assert after["sigmoid"][1:] == before["sigmoid"][1:]
    assert all(now < then for now, then in zip(after["softmax"][1:], before["softmax"][1:]))
    for seen in (before, after):
        a = torch.tensor(seen["a"], dtype=torch.float64)
        sigmoid, softmax = torch.sigmoid(a).tolist(), torch.softmax(a, dim=0).tolist()
        assert seen["sigmoid"] == pytest.approx(sigmoid, abs=1e-9)
        assert seen["softmax"] == pytest.approx(softmax, abs=1e-9)
