"""The start page: digits, draws, and on to training."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server


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
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_role("spinbutton", name="Epochs")).to_have_value("40")  # the settings of what was just seen
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("1")
