"""Compare in a real browser: the prediction, the choice of runs, and measurements that run and stop."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, at_rest
from vae_core.lessons.compare_verdict import score
from vae_core.shipped import SPECS, measured

BERNOULLI, LEARNED = SPECS["bernoulli"], SPECS["gaussian_learned"]
TWO = f"run={BERNOULLI.id}&run={LEARNED.id}"


def open_page(page: Page, server: Server, query: str = "") -> None:
    page.goto(f"{server.url}/compare{query}")
    expect(page.get_by_text("The glossary")).to_be_attached()
    expect(page.get_by_text("What each one's own objective shows")).to_be_visible()
    at_rest(page)


def bits(page: Page) -> str:
    """The alt text of the chart of bits, which says who gives the most."""
    found = page.get_by_label(re.compile("^Bits per pixel: "))
    expect(found.first).to_be_visible()
    return found.first.get_attribute("aria-label") or ""


def test_the_prediction_by_keyboard(page: Page, server: Server) -> None:
    open_page(page, server)
    expect(page.get_by_label(re.compile("^Each run.s own number in nats, not comparable"))).to_be_visible()
    expect(page.get_by_text("What the image itself gets")).to_have_count(0)
    page.get_by_role("radio", name="Gaussian, learned variance").focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("You said: Gaussian, learned variance.")).to_be_visible()
    known = measured(BERNOULLI)
    assert known is not None
    found = score(known.means, BERNOULLI.n_pixels)
    assert found is not None
    assert f"Bernoulli gives the images the most probability, {found.bits:.3f}" in bits(page)
    expect(page).to_have_url(re.compile(f"guess={LEARNED.id}"))
    expect(page.get_by_text("1,444.0 nats")).to_be_visible()
    expect(page.get_by_label(re.compile("^Rate against distortion: "))).to_be_visible()


def test_runs_are_left_out_and_taken_in(page: Page, server: Server) -> None:
    open_page(page, server, f"?{TWO}&guess=skip")
    assert "Bernoulli gives" in bits(page)
    page.get_by_role("button", name=re.compile("Remove Bernoulli")).click()
    expect(page.get_by_label(re.compile("^Bits per pixel: Gaussian, learned variance gives"))).to_be_visible()
    expect(page).to_have_url(re.compile(f"compare.run={LEARNED.id}"))
    choice = page.get_by_role("combobox", name="Runs")
    choice.click()
    choice.fill("σ = 0.25")
    expect(page.get_by_role("option").first).to_have_text("Gaussian, fixed σ = 0.25 · shipped")
    page.keyboard.press("Enter")
    expect(page.get_by_label(re.compile("^Bits per pixel: Gaussian, fixed σ = 0.25 gives"))).to_be_visible()
    expect(page).to_have_url(re.compile(rf"run={LEARNED.id}&(compare\.)?run="))  # told last
    page.reload()
    expect(page.get_by_label(re.compile("^Bits per pixel: Gaussian, fixed σ = 0.25 gives"))).to_be_visible()


def test_the_ladder_climbs_and_the_noise_is_measured(page: Page, server: Server) -> None:
    open_page(page, server, f"?{TWO}&guess=skip&k=50&images=20")
    page.get_by_role("button", name="Climb").click()
    expect(page.get_by_label(re.compile("^The bound rises with k under every run"))).to_be_visible()
    expect(page.get_by_text("Bound with k draws, nats")).to_be_visible()
    page.get_by_role("button", name="Measure the noise").click()
    expect(page.get_by_label(re.compile("^PIT of Bernoulli: "))).to_be_visible()
    expect(page.get_by_label(re.compile("^(Bernoulli|Gaussian).*leaves the most correlation between"))).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)


def test_stop_stops(page: Page, server: Server) -> None:
    open_page(page, server, f"?{TWO}&guess=skip&k=5000&images=1000")
    page.get_by_role("button", name="Climb").click()
    expect(page.get_by_text(re.compile(r"^Bernoulli: (\d+% · .*so far|in line)")).first).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped: ")).to_be_visible()
    expect(page.get_by_role("button", name="Climb")).to_be_visible()
    draws = page.get_by_role("spinbutton", name="Draws k")
    draws.fill("2")
    draws.press("Enter")
    expect(page.get_by_text("Stopped: ")).to_have_count(0)  # it is another question
    page.get_by_role("button", name="Climb").click()
    expect(page.get_by_label(re.compile("^The bound rises with k under every run"))).to_be_visible()


def test_what_cannot_be_compared_is_told(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/compare?run={BERNOULLI.id}&run={'f' * 16}&k=6000")
    expect(page.get_by_text("k is 6000; allowed: a whole number from 1 to 5000.")).to_be_visible()
    expect(page.get_by_text("its link does not say its settings")).to_be_visible()
    expect(page.get_by_text("What each one's own objective shows")).to_be_visible()  # the other is


def test_it_fits_a_telephone(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.emulate_media(color_scheme="dark")
    open_page(page, server, "?guess=skip")
    expect(page.get_by_label(re.compile("^Rate against distortion: "))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for chart in page.locator("[data-testid=stVegaLiteChart], [data-testid=stPlotlyChart]").all():
        box = chart.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
