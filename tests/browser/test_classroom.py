"""The teacher's page by a presenter's keys, and its QR code as a camera reads it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from pages.classroom.sharing import qr_code
from pages.shared.path import steps
from tests.browser.conftest import Server


def at(page: Page, place: int) -> None:
    slide = page.locator(".slide")
    expect(slide.get_by_role("status")).to_have_text(f"{place} of {len(steps())}")
    expect(slide.get_by_role("heading")).to_have_text(steps()[place - 1].name)
    expect(page).to_have_url(re.compile(rf"/classroom\?step={place}$" if place > 1 else "/classroom$"))


def test_a_class_by_a_presenters_keys(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{server.url}/mse?image=3")
    expect(page.get_by_role("heading", name="MSE is")).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()
    page.get_by_role("link", name="Class", exact=True).click()
    at(page, 1)
    for place, key in ((2, "PageDown"), (3, "ArrowRight"), (2, "PageUp"), (1, "ArrowLeft"), (1, "PageUp")):
        page.keyboard.press(key)
        at(page, place)
    assert page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollTop") == 0
    for _ in range(len(steps()) + 2):  # faster than the server hears, and beyond the last
        page.keyboard.press("PageDown")
    at(page, len(steps()))
    size = page.locator(".slide .words").evaluate("(words) => parseFloat(getComputedStyle(words).fontSize)")
    assert size >= 24
    link = page.locator("[data-testid=stCode] code")
    expect(link).to_have_text(f"{server.url}/mse?image=0&tour={len(steps())}")
    expect(page.get_by_text("works on this computer only")).to_be_visible()
    code = page.get_by_role("img", name=re.compile("^QR code"))
    expect(code).to_have_attribute("src", str(qr_code(f"{server.url}/mse?image=0&tour={len(steps())}")))
    came = page.get_by_role("radio", name="the page I came from, as I left it")
    came.focus()
    page.keyboard.press("ArrowLeft")  # in another's widget, this turns no slide
    expect(page.locator(".slide").get_by_role("status")).to_have_text(f"{len(steps())} of {len(steps())}")
    came.click()
    expect(link).to_have_text(f"{server.url}/mse?image=3")
    expect(page.get_by_text(re.compile("windows? (is|are) open, 0 train, 0 wait"))).to_be_visible()
    page.get_by_role("link", name="Open the page").click()
    expect(page).to_have_url(re.compile(r"/mse\?image=0$"))
    expect(page.locator(".slide")).to_have_count(0)
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()
    page.go_back()
    expect(page.locator(".slide").get_by_role("status")).to_have_text(f"{len(steps())} of {len(steps())}")
    page.get_by_role("link", name="Open the page").click()
    expect(page.get_by_role("heading", name="MSE is")).to_be_visible()
    expect(page.locator(".slide")).to_have_count(0)
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()
    page.keyboard.press("PageUp")  # nothing listens any more
    expect(page).to_have_url(re.compile(r"/mse\?image=0$"))
