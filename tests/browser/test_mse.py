"""The sigma that is dragged: its numbers are the core's, the server hears of it on release alone."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Server
from tests.waiting import wait_until
from vae_core.checkpoint import load_vae
from vae_core.lessons.mse import Fit, fit, held_out, reconstruct, share_outside
from vae_core.shipped import SPECS, shipped_weights

SPEC = SPECS["gaussian_identity"]
IMAGE = 7


@pytest.fixture(scope="module")
def mu() -> torch.Tensor:
    weights = shipped_weights(SPEC)
    assert weights is not None
    return reconstruct(load_vae(weights), held_out(SPEC).x[IMAGE])


@pytest.fixture(scope="module")
def found(mu: torch.Tensor) -> Fit:
    return fit(held_out(SPEC).x[IMAGE].double() - mu.double())


def open_page(page: Page, server: Server, query: str = "") -> Locator:
    page.goto(f"{server.url}/mse?image={IMAGE}{query}")
    expect(page.get_by_text("The glossary")).to_be_attached()
    curve = page.get_by_role("slider", name="σ, the assumed noise")
    expect(curve).to_have_attribute("aria-valuenow", re.compile("."))  # drawn
    return curve


def numbers(page: Page) -> dict[str, float]:
    read = "all => Object.fromEntries(all.map(one => [one.classList[0], Number(one.dataset.value)]))"
    return page.locator("[data-value]").evaluate_all(read)


def number(page: Page, name: str) -> float:
    return numbers(page)[name]


def sigma_box(page: Page) -> Locator:
    return page.locator("input[aria-label='σ, the noise assumed']")


def check(page: Page, found: Fit, mu: torch.Tensor) -> float:
    """Every number of the widget, by the core; its sigma."""
    seen = numbers(page)
    sigma = seen["sigma"]
    expected = {
        "nll": found.nll(sigma),
        "best": found.best_sigma,
        "expected-outside": share_outside(mu, sigma),
        "mean-outside": share_outside(mu, 0),
    }
    assert {name: seen[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    assert seen["excess"] == pytest.approx(found.excess(sigma), rel=1e-6, abs=1e-6)
    return sigma


def sample(mu: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """The draw that the widget shows: mulberry32 and Box and Muller, written again."""

    def uniforms():
        state = seed
        while True:
            state = (state + 0x6D2B79F5) % 2**32
            t = (state ^ (state >> 15)) * (state | 1) % 2**32
            t = ((t + (t ^ (t >> 7)) * (t | 61)) % 2**32) ^ t
            yield ((t ^ (t >> 14)) + 0.5) / 2**32

    u = np.fromiter(uniforms(), float, 2 * mu.size)
    return mu + sigma * np.sqrt(-2 * np.log(u[::2])) * np.cos(2 * np.pi * u[1::2])


def pixels(page: Page, name: str) -> np.ndarray:
    read = """canvas => [...canvas.getContext("2d").getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)"""
    return np.array(page.locator(f"canvas.{name}").evaluate(read))


def test_the_numbers_are_those_of_the_core(page: Page, server: Server, found: Fit, mu: torch.Tensor) -> None:
    curve = open_page(page, server)
    assert number(page, "sigma") == 1.0
    check(page, found, mu)
    for key in ("Shift+ArrowLeft", "ArrowLeft", "ArrowUp", "Shift+ArrowDown", "Shift+ArrowDown"):
        before = number(page, "sigma")
        curve.press(key)
        assert check(page, found, mu) != before
    page.get_by_role("button", name="σ = √MSE", exact=True).click()
    expect(page.locator(".heard")).to_have_text(re.compile(r"^σ 0\.\d+, [\d,.−-]+ nats; the least is at 0\.\d+$"))
    assert number(page, "sigma") == float(f"{found.best_sigma:.3g}")
    assert number(page, "excess") < 0.1
    page.get_by_role("button", name="σ = 1, identity").click()
    assert number(page, "excess") == pytest.approx(found.excess(1.0), rel=1e-6)


def test_the_sample_is_a_draw_and_the_mean_stays(page: Page, server: Server, mu: torch.Tensor) -> None:
    open_page(page, server, "&sigma=0.3&draw=5")
    mean = mu.double().numpy()
    for draw in (5, 6):
        expected = sample(mean, 0.3, draw)
        expect(page.get_by_label("A draw from N(μ, σ²I) at σ 0.3")).to_be_visible()
        assert number(page, "sample-outside") == ((expected < 0) | (expected > 1)).mean()
        assert np.abs(pixels(page, "sample") - 255 * expected.clip(0, 1)).max() <= 0.51
        assert np.abs(pixels(page, "mean") - 255 * mean.clip(0, 1)).max() <= 0.51
        page.get_by_role("button", name="Draw again").click()
        expect(page.locator(".heard")).to_have_text(
            re.compile(rf"^Another draw: {100 * number(page, 'sample-outside'):.1f} %")
        )
    expect(page).to_have_url(re.compile("draw=7"))
    lit = re.compile(r"\blit\b")
    page.locator('.numbers i[data-lights="mean"]').hover()  # a symbol lights its figure, and the other way round
    expect(page.locator("canvas.mean")).to_have_class(lit)
    expect(page.locator("canvas.x")).not_to_have_class(lit)
    inside = page.locator("canvas.mean").evaluate(
        "one => [getComputedStyle(one)].map(s => [s.outlineWidth, s.outlineOffset])[0]"
    )
    assert inside == ["3px", "-3px"]  # a frame that ends where its picture does touches no neighbour
    page.locator("canvas.x").hover()
    expect(page.locator('.numbers i[data-lights="x"]')).to_have_class(lit)
    page.locator('.numbers i[data-lights="sigma"]').hover()
    expect(page.locator("svg.curve")).to_have_class(lit)
    assert (pixels(page, "x") == 255 * held_out(SPEC).x[IMAGE].numpy()).all()


def test_dragging_asks_nothing_of_the_server(page: Page, server: Server, found: Fit, mu: torch.Tensor) -> None:
    open_page(page, server)
    expect(page.get_by_text("warming up")).to_have_count(0)
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    curve = open_page(page, server)  # anew: while it told of the warming up, the page looked every second
    curve.scroll_into_view_if_needed()
    box = curve.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_load_state("networkidle")
    page.mouse.down()
    sent.clear()
    seen = set()
    for step in range(30):
        page.mouse.move(box["x"] + (0.8 - 0.01 * step) * box["width"], box["y"] + 0.5 * box["height"])
        seen.add(sigma := check(page, found, mu))
        assert sigma_box(page).input_value() == f"{sigma:g}"  # one number, at every step
    assert len(seen) == 30
    assert sent == []
    assert "sigma" not in page.url
    page.mouse.up()
    sigma = number(page, "sigma")
    expect(page).to_have_url(re.compile(f"sigma={sigma:g}(&|$)"))
    expect(sigma_box(page)).to_have_value(f"{sigma:g}")
    assert number(page, "sigma") == sigma


def test_touch_drags_too(browser: Browser, server: Server, found: Fit, mu: torch.Tensor) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    curve = open_page(page, server)
    curve.scroll_into_view_if_needed()
    box = curve.bounding_box()
    assert box is not None
    touch = context.new_cdp_session(page)
    y = box["y"] + 0.5 * box["height"]
    for kind, share in (("touchStart", 0.8), ("touchMove", 0.7), ("touchMove", 0.6), ("touchMove", 0.5)):
        points = [{"x": box["x"] + share * box["width"], "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait_until(lambda: number(page, "sigma") < 0.3)
    check(page, found, mu)
    expect(page).to_have_url(re.compile("sigma=0"))
    context.close()


def test_the_number_typed_moves_the_widget(page: Page, server: Server, found: Fit, mu: torch.Tensor) -> None:
    curve = open_page(page, server, "&sigma=0.1")
    assert number(page, "sigma") == 0.1
    sigma_box(page).fill("0.25")
    sigma_box(page).press("Enter")
    wait_until(lambda: number(page, "sigma") == 0.25)
    check(page, found, mu)
    expect(page).to_have_url(re.compile("sigma=0.25"))
    sigma_box(page).fill("7")  # refused, and gone when it is left
    assert number(page, "sigma") == 0.25
    sigma_box(page).press("Tab")
    expect(sigma_box(page)).to_have_value("0.25")
    sigma_box(page).press("ArrowUp")
    expect(page).to_have_url(re.compile("sigma=0.3(&|$)"))
    for _ in range(2):  # back to where the widget has been before: its own echo must not hold it there
        page.get_by_role("button", name="σ = 1, identity").click()
        expect(sigma_box(page)).to_have_value("1")
        sigma_box(page).fill("2")
        sigma_box(page).press("Enter")
        wait_until(lambda: number(page, "sigma") == 2)
    expect(curve).to_have_attribute("aria-valuenow", "2")


def test_quick_keys_are_not_lost(page: Page, server: Server) -> None:
    curve = open_page(page, server, "&sigma=0.5")
    curve.focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    expected = 0.5
    for _ in range(12):
        expected = float(f"{expected * 1.01:.3g}")
    expect(page).to_have_url(re.compile(rf"sigma={expected:g}(&|$)"))
    assert number(page, "sigma") == expected
    assert sigma_box(page).input_value() == f"{expected:g}"


def test_predict_then_reveal_and_open_a_run(page: Page, server: Server) -> None:
    open_page(page, server)
    expect(page.get_by_text("Active latents")).to_have_count(0)
    page.get_by_role("radio", name="It grows").click()
    expect(page.get_by_text("As you said:")).to_be_visible()
    expect(page.get_by_text("Active latents")).to_be_visible()
    expect(page).to_have_url(re.compile("guess=grows"))
    expect(page.get_by_alt_text("A draw from p(x|z,w) for each input, clipped for display, σ = 0.25")).to_be_visible()
    page.get_by_role("link", name="On the Train page").nth(2).click()
    expect(page.get_by_role("heading", name="Train decoders side by side")).to_be_visible()
    expect(page).to_have_url(re.compile("sigma=0.25"))
    expect(page.get_by_role("heading", name="Gaussian, fixed σ = 0.25")).to_be_visible()
