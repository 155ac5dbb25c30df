"""The linear VAE in a browser: σ² is dragged through the eigenvalues, the numbers are the core's, and it trains."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Server, at_rest
from tests.waiting import wait_until
from vae_core.lessons import exact, linear
from vae_core.spec import RunSpec

BARS = "σ², the noise assumed"


@pytest.fixture(scope="module")
def eigenvalues() -> np.ndarray:
    return exact.eigenvalues(linear.parts(RunSpec(dataset="digits"))[0])


def open_page(page: Page, server: Server, query: str = "guess=skip") -> Locator:
    page.goto(f"{server.url}/linear?{query}")
    expect(page.get_by_text("The glossary")).to_be_attached()
    bars = page.get_by_role("slider", name=BARS)
    expect(bars).to_have_attribute("aria-valuenow", re.compile("."))  # drawn
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    at_rest(page)
    return bars


def numbers(page: Page) -> dict[str, float]:
    read = "all => Object.fromEntries(all.map(one => [one.classList[0], Number(one.dataset.value)]))"
    return page.locator("[data-value]").evaluate_all(read)


def check(page: Page, eigenvalues: np.ndarray, latents: int = 10) -> float:
    """Every number of the widget, by the core; its σ²."""
    seen = numbers(page)
    found = exact.linear_vae(eigenvalues, latents, seen["variance"])
    assert seen["active"] == found.active
    assert seen["kl"] == pytest.approx(found.kl, abs=1e-6)
    assert seen["reconstruction"] == pytest.approx(found.reconstruction, abs=1e-6)
    assert seen["evidence-number"] == pytest.approx(found.log_likelihood, abs=1e-6)
    assert seen["best"] == pytest.approx(exact.best_variance(eigenvalues, latents), rel=1e-9)
    assert page.locator(".bar.kept").count() == found.active
    assert page.locator(".bar.collapsed").count() == latents - found.active
    return seen["variance"]


def test_drag_keys_and_box(page: Page, server: Server, eigenvalues: np.ndarray) -> None:
    bars = open_page(page, server)
    assert check(page, eigenvalues) == 0.3
    box = bars.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    seen = []
    page.mouse.move(box["x"] + box["width"] * 0.5, y)
    page.mouse.down()
    for share in (0.3, 0.45, 0.6, 0.75, 0.95, 0.55):
        page.mouse.move(box["x"] + box["width"] * share, y, steps=4)
        seen.append(check(page, eigenvalues))
        assert "variance=" not in page.url  # the server hears nothing on the way
    page.mouse.up()
    assert seen[:5] == sorted(seen[:5])
    expect(page).to_have_url(re.compile(f"variance={seen[-1]:g}"))
    expect(page.get_by_text(f"at σ² = {seen[-1]:g}.")).to_be_visible()
    bars.focus()
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowLeft"):
        page.keyboard.press(key)
        check(page, eigenvalues)
    assert check(page, eigenvalues) < seen[-1]
    typed = page.get_by_role("spinbutton", name=BARS)
    typed.fill("0.02")
    assert check(page, eigenvalues) == 0.02
    for wrong in ("0", "-3", ""):  # the last good state stays
        typed.fill(wrong)
        assert check(page, eigenvalues) == 0.02
    page.get_by_role("button", name="Best σ²").click()
    assert check(page, eigenvalues) == pytest.approx(exact.best_variance(eigenvalues, 10), rel=0.01)
    page.get_by_role("button", name="σ² = 1", exact=True).click()
    assert check(page, eigenvalues) == 1
    expect(page.get_by_text("0 of 10 at σ² = 1.")).to_be_visible()


def test_predict_then_see(page: Page, server: Server, eigenvalues: np.ndarray) -> None:
    open_page(page, server, "")
    said = page.locator("b.active")
    expect(said).to_have_text("?")
    page.get_by_role("radio", name="All of them").click()
    expect(said).to_have_text("4 of 10")
    expect(page.get_by_text("You said: all of them. 4 of 10")).to_be_visible()
    page.get_by_role("button", name="Another σ²: predict again").click()
    expect(said).to_have_text("?")
    expect(page.get_by_text("noise of σ² = 1 at every pixel")).to_be_visible()
    page.get_by_role("radio", name="None").click()
    expect(page.get_by_text("As you said: 0 of 10")).to_be_visible()
    check(page, eigenvalues)


def test_train_to_and_fro(page: Page, server: Server) -> None:
    """A quick one: the lines stand before, the curve comes, and after another σ² and back all is there at once."""
    open_page(page, server, "guess=skip&variance=0.5&latent_dim=2")
    expect(page.get_by_text("Dashed: exactly")).to_be_visible()
    page.get_by_role("button", name="Train a linear VAE").click()
    lane = page.locator('.lane[aria-label="Linear"]')
    expect(lane).to_contain_text("done: 1,600 steps")
    expect(page.get_by_text("On the training images the ELBO is")).to_be_visible()
    short = page.get_by_text("On the training images the ELBO is").inner_text()
    found = re.search(r"ELBO is (\d+\.\d+) nats short", short)
    assert found and float(found[1]) < 0.5
    dots = page.locator(".js-plotly-plot .scatterlayer .trace").nth(1).locator("path.point")
    expect(dots).to_have_count(359)
    typed = page.get_by_role("spinbutton", name=BARS)
    typed.fill("0.4")
    typed.press("Enter")
    expect(page.get_by_role("button", name="Train a linear VAE")).to_be_enabled()
    expect(page.locator(".js-plotly-plot")).to_have_count(0)
    typed.fill("0.5")
    typed.press("Enter")
    expect(dots).to_have_count(359)
    expect(page.get_by_text(short)).to_be_visible()


def test_a_learned_variance_is_not_dragged(page: Page, server: Server, eigenvalues: np.ndarray) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    bars = open_page(page, server, "guess=skip&noise=learned&latent_dim=4")
    best = exact.best_variance(eigenvalues, 4)
    assert check(page, eigenvalues, 4) == pytest.approx(best)
    expect(bars).to_have_attribute("aria-disabled", "true")
    bars.focus()
    page.keyboard.press("ArrowRight")
    assert check(page, eigenvalues, 4) == pytest.approx(best)
    wait_until(lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
