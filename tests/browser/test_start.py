"""The start page, at every width and in both themes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ROOT, Server


def test_digits_and_draws(page: Page, server: Server) -> None:
    page.goto(server.url)
    expect(page.get_by_role("heading", name="What exactly is ln p(x|z,w)?")).to_be_visible()
    expect(page.locator("img")).to_have_count(9)  # input, mean and sample under three decoders
    sample = page.get_by_alt_text("A draw from p(x|z,w) under Gaussian, identity covariance, clipped for display")
    first = sample.get_attribute("src")
    page.get_by_role("button", name="Draw another sample").click()
    expect(sample).not_to_have_attribute("src", first or "")
    page.get_by_text("7", exact=True).click()
    expect(page.get_by_alt_text("The held-out digit 7")).to_have_count(3)
    page.get_by_role("button", name="Train them yourself").click()
    expect(page.get_by_role("heading", name="Train decoders side by side")).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Epochs")).to_have_value("40")  # the settings of what was just seen
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("1")


PAGES = ["", *sorted(path.parent.name for path in (ROOT / "pages").glob("*/page.py") if path.parent.name != "start")]


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
@pytest.mark.parametrize("path", PAGES)
def test_nothing_sticks_out(browser: Browser, server: Server, path: str, width: int, scheme) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{server.url}/{path}")
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    expect(page.locator("[data-testid=stException]")).to_have_count(0)
    wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"the page is {wide} px wider than the window"
    background = page.evaluate("() => getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    red = int(background.split("(")[1].split(",")[0])
    assert (red < 128) == (scheme == "dark")
    context.close()
