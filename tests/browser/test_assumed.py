"""Which σ² did your loss assume, as a person meets it: a report's click fills the form, and both runs go live."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, at_rest


def open_assumed(page: Page, server: Server, query: str) -> None:
    page.goto(f"{server.url}/assumed?{query}")
    expect(page.get_by_role("heading", name="Which σ² did your loss assume?")).to_be_visible()
    expect(page.get_by_role("heading", name="Words")).to_be_visible()
    expect(page.get_by_text("warming up")).to_have_count(0)  # that line goes, and all below it moves up
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    expect(page.locator(".katex").first).to_be_visible()  # formulas take their room when their fonts have come
    at_rest(page)


def test_a_report_fills_the_form_and_the_address(page: Page, server: Server) -> None:
    """And what it changed is in view: the form, what is told of it, and the noise above."""
    open_assumed(page, server, "dataset=digits")
    expect(page.locator("[data-testid=stVegaLiteChart]").first).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Take a loss from a real report").click()
    card = page.get_by_text("AntixK/PyTorch-VAE, issue 56", exact=True)
    expect(card).to_have_attribute("href", "https://github.com/AntixK/PyTorch-VAE/issues/56")
    at_rest(page)
    page.get_by_role("button", name="Set the form to this").first.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    told = page.get_by_text("The form has the loss of AntixK/PyTorch-VAE, issue 56")
    expect(told).to_contain_text("Changed: Weight c of the KL: 0.00025")
    expect(told).to_be_in_viewport()
    weight = page.get_by_role("spinbutton", name="Weight c of the KL")
    expect(weight).to_have_value("0.00025")
    expect(weight).to_be_in_viewport()
    expect(page.get_by_text("Every pixel is μ plus Gaussian noise")).to_be_in_viewport()
    expect(page.get_by_text("loss = error + 0.00025 * kl.sum(1).mean()")).to_be_visible()
    page.wait_for_url("**/assumed?weight=0.00025")


def test_both_runs_go_live_side_by_side(page: Page, server: Server) -> None:
    open_assumed(page, server, "dataset=digits&batch_size=512")
    page.get_by_role("button", name="Run it").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    wrote, corrected = (page.locator(f'.lane[aria-label="{name}"]') for name in ("What you wrote", "Corrected"))
    for lane in (wrote, corrected):
        expect(lane.locator(".strip canvas:visible").first).to_be_visible()
        expect(lane).to_contain_text("done: 120 steps")
    expect(wrote).to_contain_text("· 0 of 10 latents active")
    expect(corrected).not_to_contain_text("· 0 of 10 latents")
    expect(page.get_by_role("button", name="Run it")).to_be_disabled()


def test_a_narrow_screen_needs_no_scrolling_sideways(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    open_assumed(page, server, "dataset=digits&loss=bce_grey")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
