"""Pick a pixel on the pictures: its own p(x_d|z,w) at once, without the server, and with the core's numbers."""

from __future__ import annotations

import math
import re

import pytest
import torch
from playwright.sync_api import Locator, Page, WebSocket, expect

from tests.browser.conftest import Server
from tests.waiting import wait_until
from vae_core.checkpoint import load_vae
from vae_core.data import load_dataset
from vae_core.lessons.one_image import Pixels, held_out_image, latent_of, pixels_at
from vae_core.shipped import SIGMA_SPECS, SPECS, shipped_weights

TITLES = ("Bernoulli", "Gaussian, identity covariance", "Gaussian, learned variance")


def open_image(page: Page, server: Server, query: str = "", panels: int = 3) -> None:
    page.goto(f"{server.url}/one_image?{query}")
    expect(page.locator(".pixel-map .panel")).to_have_count(panels)


def choose_digit(page: Page, digit: str) -> None:
    page.get_by_role("combobox", name="The first of digit").click()
    page.get_by_role("option", name=digit, exact=True).click()
    expect(page.get_by_role("option")).to_have_count(0)


def panel(page: Page, title: str) -> Locator:
    return page.locator(f".pixel-map .panel[aria-label='{title}']")


def value(text: str) -> float:
    """A number as the page writes it."""
    digits, _, power = text.replace("−", "-").partition(" × 10")
    return float(digits) * 10 ** int(power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")) or 0)


def numbers(text: str) -> list[float]:
    found = re.findall(r"−?\d[\d.]*(?: × 10[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)?", text)
    return [value(one) for one in found]


def core(number: int) -> list[Pixels]:
    x = held_out_image(SPECS["bernoulli"], load_dataset("mnist"), number)
    vaes = [load_vae(shipped_weights(spec) or b"") for spec in SPECS.values()]
    return [pixels_at(vae, x, latent_of(vae, x, None)) for vae in vaes]


def picked(page: Page) -> int:
    text = page.locator(".pixel-map .where").inner_text()
    found = re.search(r"= (\d+): row (\d+), column (\d+)", text)
    assert found
    assert int(found[1]) == 28 * int(found[2]) + int(found[3])
    return int(found[1])


def expect_pixel(page: Page, pixel: int) -> None:
    expect(page.locator(".pixel-map .where")).to_contain_text(f"= {pixel}: row {pixel // 28}, column {pixel % 28},")


@pytest.mark.parametrize("pixel", [0, 5 * 28 + 14, 14 * 28 + 10, 21 * 28 + 18])
def test_the_numbers_of_a_pixel_are_the_cores(page: Page, server: Server, pixel: int) -> None:
    open_image(page, server, f"pixel={pixel // 28},{pixel % 28}&image=7")
    views = core(7)
    expect_pixel(page, pixel)
    for title, seen in zip(TITLES, views):
        lines = panel(page, title).locator(".numbers > *")
        expect(lines).to_have_count(3)
        log_prob = float(seen.log_prob[pixel])
        assert numbers(lines.nth(2).inner_text())[0] == pytest.approx(
            log_prob, rel=6e-3 if abs(log_prob) < 1e-3 else 6e-4
        )
        shown, height = numbers(lines.nth(0).inner_text().replace("²", "")), numbers(lines.nth(1).inner_text())[-1]
        assert height == pytest.approx(math.exp(log_prob), rel=6e-3)
        assert shown[0] == pytest.approx(float(seen.mean[pixel]), rel=6e-3)
        if title == "Bernoulli":
            bars = panel(page, title).locator("svg rect[fill-opacity]")
            heights = [float(bars.nth(i).get_attribute("height") or 0) / 101 for i in (0, 1)]
            assert heights == pytest.approx([1 - seen.mean[pixel], seen.mean[pixel]], abs=1e-6)
        else:
            assert shown[1] == pytest.approx(float(seen.stddev[pixel]), rel=6e-4)


def test_the_sums_and_the_maps_are_the_cores(page: Page, server: Server) -> None:
    open_image(page, server, "image=3")
    views = core(3)
    expect_pixel(page, views[0].costliest)  # until one is picked
    for title, seen in zip(TITLES, views):
        total = f"{seen.total:,.1f} nats".replace("-", "−")
        expect(panel(page, title).locator(".total")).to_contain_text(total)
        levels = (
            panel(page, title)
            .locator("canvas")
            .last.evaluate("c => [...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 1)")
        )
        worst, best = seen.log_prob.argmin(), seen.log_prob.argmax()
        assert (levels[worst], levels[best]) == (253, 0)  # the ends of the scale: what costs most is the brightest
        order = torch.tensor(levels).double()[torch.tensor(seen.log_prob).argsort(descending=True)]
        assert (order.diff() >= -1).all()


def test_picking_answers_in_the_browser_and_tells_the_server_on_release(page: Page, server: Server) -> None:
    told: list[str | bytes] = []  # what the widget sends; other parts of the page may ask for their own news meanwhile

    def sent(frame: str | bytes) -> None:
        if b'"pixel"' in (frame if isinstance(frame, bytes) else frame.encode()):
            told.append(frame)

    def connected(socket: WebSocket) -> None:
        socket.on("framesent", sent)

    page.on("websocket", connected)
    open_image(page, server)
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(6)
    source = page.locator(".source svg")
    source.scroll_into_view_if_needed()
    box = source.bounding_box()
    assert box is not None
    cell = box["width"] / 28
    at = lambda row, column: (box["x"] + (column + 0.5) * cell, box["y"] + (row + 0.5) * cell)
    marker = panel(page, TITLES[2]).locator("figure svg .over").last

    page.mouse.move(*at(4, 6))
    page.mouse.down()
    expect_pixel(page, 4 * 28 + 6)
    page.mouse.move(*at(20, 11), steps=20)
    expect_pixel(page, 20 * 28 + 11)
    assert (marker.get_attribute("x"), marker.get_attribute("y")) == ("11", "20")  # the same pixel on every picture
    assert not told, "a message to the server while dragging"
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"pixel=20%2C11"))
    assert told

    page.reload()
    expect_pixel(page, 20 * 28 + 11)


def test_the_keyboard_alone(page: Page, server: Server) -> None:
    open_image(page, server, "pixel=3,3")
    page.locator(".source svg").focus()
    for key, pixel in [
        ("ArrowRight", (3, 4)),
        ("ArrowDown", (4, 4)),
        ("Shift+ArrowDown", (14, 4)),
        ("ArrowUp", (13, 4)),
    ]:
        page.keyboard.press(key)
        expect_pixel(page, 28 * pixel[0] + pixel[1])
    page.keyboard.press("Shift+ArrowLeft")
    expect_pixel(page, 13 * 28)  # at the edge, and no further
    expect(page.locator(".pixel-map .heard")).to_contain_text(re.compile(r"Row 13, column 0\. Bernoulli: .* nats"))
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect_pixel(page, 13 * 28 + 1)
    expect(page).to_have_url(re.compile(r"pixel=13%2C1"))


def test_each_decoder_shows_its_costliest_pixel(page: Page, server: Server) -> None:
    open_image(page, server, "pixel=0,0")
    views = core(0)
    for title, seen in zip(TITLES, views):
        panel(page, title).get_by_role("button", name="Show its costliest pixel").click()
        expect_pixel(page, seen.costliest)


def test_a_pixel_stays_while_the_image_changes(page: Page, server: Server) -> None:
    open_image(page, server, "pixel=9,9")
    totals = page.locator(".pixel-map .total")
    before = totals.all_inner_texts()
    choose_digit(page, "7")
    expect(totals.first).not_to_have_text(before[0])
    expect_pixel(page, 9 * 28 + 9)
    page.get_by_text("one draw from q(z|x)").click()
    expect(page).to_have_url(re.compile("z=draw"))
    expect_pixel(page, 9 * 28 + 9)


def test_other_decoders_leave_nothing_of_the_last_ones(page: Page, server: Server) -> None:
    open_image(page, server, f"pixel=9,9&run={SIGMA_SPECS[0.1].id}", panels=4)
    expect(panel(page, "Gaussian, fixed σ = 0.1")).to_be_visible()
    page.get_by_role("combobox", name="Trained decoders").click()
    page.get_by_role("option", name="Shipped with the app").first.click()
    expect(panel(page, TITLES[1])).to_be_visible()
    fresh = page.context.new_page()
    open_image(fresh, server, "pixel=9,9")
    seen = lambda one: one.locator(".pixel-map .panels").evaluate("panels => panels.innerHTML")
    wait_until(lambda: seen(page) == seen(fresh))


# Of each chart: how many points of its line fall into the box of the word "observed".
STRUCK = """charts => charts.map((svg) => {
  const word = svg.parts.observed.getBBox(), line = svg.parts.line;
  if (!line || !word.width) return 0;
  const length = line.getTotalLength();
  return Array.from({ length: 1500 }, (_, i) => line.getPointAtLength((length * i) / 1499)).filter(({ x, y }) =>
    x > word.x && x < word.x + word.width && y > word.y && y < word.y + word.height).length;
})"""


def test_no_line_strikes_the_word_observed(page: Page, server: Server) -> None:
    open_image(page, server, "pixel=9,14")
    charts = page.locator(".pixel-map .chart svg")
    words = "charts => charts.filter((svg) => svg.parts.observed.textContent).length"
    page.locator(".source svg").focus()
    for digit in ("2", "7"):
        choose_digit(page, digit)
        page.locator(".source svg").focus()
        for key in ["ArrowRight"] * 6 + ["ArrowDown"] * 8 + ["Shift+ArrowLeft"]:
            page.keyboard.press(key)
            assert charts.evaluate_all(words) >= 2
            assert charts.evaluate_all(STRUCK) == [0, 0, 0], (digit, key, picked(page))


def test_a_symbol_lights_its_picture_and_the_other_way_round(page: Page, server: Server) -> None:
    open_image(page, server)
    own = panel(page, TITLES[2])
    lit = lambda: page.locator(".pixel-map .lit").evaluate_all("all => all.map((one) => one.dataset.lights)")
    own.locator(".formula [data-lights=sigma]").hover()
    assert set(lit()) == {"sigma"}
    expect(own.locator("figure[data-lights=sigma]")).to_have_class("lit")
    own.locator("figure[data-lights=mean]").hover()
    assert set(lit()) == {"mean"}
    assert lit().count("mean") >= 2 * len(TITLES)  # a symbol and a picture under each decoder
    page.locator(".source svg").focus()
    page.keyboard.press("ArrowRight")
    assert "x" in lit()
    page.locator(".how").hover()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out(page: Page, server: Server, width: int, scheme) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    open_image(page, server, "L=1000")
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(6)
    assert page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0
    chart = page.get_by_test_id("stVegaLiteChart").first  # what is drawn again, and where that is seen, share a screen
    page.get_by_role("button", name="Draw again").evaluate("one => one.scrollIntoView({ block: 'start' })")
    assert (box := chart.bounding_box()) and box["y"] + box["height"] < 800
    for one in page.locator(".pixel-map .panel").all():
        assert one.evaluate("panel => panel.scrollWidth - panel.clientWidth") <= 0
