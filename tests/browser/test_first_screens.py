"""Each page, loaded once, at every size: a figure on the first screen, formulas whole, the menu in reach."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from pages.shared.path import steps
from tests.browser.conftest import ROOT, Server
from tests.browser.stages import stands_whole
from tests.browser.test_focus import hexadecimal
from tests.test_contrast import LEAST as LEAST_CONTRAST, THEME, contrast
from tests.waiting import wait_until

PAGES = sorted(path.parent.name for path in (ROOT / "pages").glob("*/page.py"))
TOUR = {step.to.page: place for place, step in reversed(list(enumerate(steps(), 1)))}
# A loss whose formula has all the factors there are.
QUERY = {"assumed": "weight=0.00025&pixels=mean&latents=mean&pixel_range=0..255&batch=sum"}
SIZES = [(1280, 800), (1024, 800), (768, 800), (641, 800), (360, 740)]
LEAST = 120  # pixels of the first figure; of a smaller one, all

DRAWN = "img, [data-testid=stVegaLiteChart], [data-testid=stPlotlyChart], [data-testid^=stBidiComponent]"

FIRST = """(selector) => {
  const boxes = [...document.querySelectorAll(`[data-testid=stMain] :is(${selector})`)]
    .map((one) => one.getBoundingClientRect()).filter((box) => box.height > 20 && box.width > 20);
  const top = Math.min(...boxes.map((box) => box.top));
  const first = boxes.find((box) => box.top === top);
  return first ? [first.top, first.height, Math.min(first.bottom, innerHeight) - Math.max(first.top, 0)] : null;
}"""

# Formulas with ink outside the text that they stand in, or outside the window; a phantom has none.
CUT = """() => [...document.querySelectorAll('.katex')].filter((formula) => {
  const room = formula.closest('[data-testid=stMarkdownContainer]').getBoundingClientRect();
  const ink = [...formula.querySelectorAll('.katex-html *')]
    .filter((one) => !one.children.length && one.textContent.trim())
    .filter((one) => getComputedStyle(one).color !== 'rgba(0, 0, 0, 0)')
    .map((one) => one.getBoundingClientRect());
  return room.width && ink.some((box) => box.right > Math.min(room.right, innerWidth) + 1 || box.left < room.left - 1);
}).map((formula) => formula.querySelector('annotation').textContent)"""

LABELS = ".role-axis-label text, .xtick text, .ytick text, .x2tick text, .y2tick text"

# In which colours the charts write on their axes and in their legends.
LETTERS = """() => [...new Set([...document.querySelectorAll(
  '.js-plotly-plot :is([class*=tick], [class*=title], .legendtext), :is([class*=role-axis], [class*=role-leg]) text')]
  .map((one) => one.closest('text') ?? one.querySelector('text')).filter((text) => text?.textContent.trim())
  .map((text) => getComputedStyle(text.querySelector('tspan') ?? text).fill))]"""


def first_figure_shows(page: Page) -> None:
    def shows() -> bool:
        return first() is not None and first()[2] >= min(LEAST, first()[1]) - 1

    first = lambda: page.evaluate(FIRST, DRAWN)
    wait_until(shows, how=lambda: f"top, height, height in view: {first()} at {page.viewport_size}")


def everything_fits(page: Page) -> None:
    def fits() -> bool:
        wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        return wide <= 0 and not page.evaluate(CUT)

    wait_until(fits, how=lambda: f"formulas cut: {page.evaluate(CUT)} at {page.viewport_size}")


def has_scheme(page: Page, scheme: str) -> None:
    red = "() => Number(getComputedStyle(document.querySelector('.stApp')).backgroundColor.match(/\\d+/)[0])"
    wait_until(lambda: (page.evaluate(red) < 128) == (scheme == "dark"))

    ground = THEME[scheme]["backgroundColor"]  # charts that stand already change with it
    faint = lambda: [one for one in page.evaluate(LETTERS) if contrast(hexadecimal(one), ground) < LEAST_CONTRAST]
    wait_until(lambda: not faint(), how=lambda: f"letters too faint: {faint()}")


def at_each_size(page: Page, first_screen: bool = True) -> None:
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        everything_fits(page)
        if first_screen and (width, height) in (SIZES[0], SIZES[-1]):
            first_figure_shows(page)
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})


@pytest.mark.parametrize("name", PAGES)
def test_a_page_at_every_size(page: Page, server: Server, name: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    tour = f"tour={TOUR[name]}" if name in TOUR else ""
    page.goto(f"{server.url}/{'' if name == 'start' else name}?{QUERY.get(name, '')}&{tour}")
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    if name in TOUR:
        expect(page.locator(".st-key-tour")).to_contain_text(f"step {TOUR[name]} of")
        first_figure_shows(page)
        if name == "train":
            stands_whole(page)
        page.get_by_role("button", name="Leave").click()
        expect(page.locator(".st-key-tour")).to_have_count(0)
    box = page.locator("h1").bounding_box()
    assert box and box["y"] + box["height"] < 140
    at_each_size(page)
    if name == "train":
        stands_whole(page)
    skip = page.get_by_role("radio", name="Just show me")
    if skip.count():  # what comes after the prediction
        skip.first.click()
        expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
        at_each_size(page, first_screen=False)
    labels = page.locator(LABELS).all_text_contents()
    numbers = [label for label in labels if re.fullmatch(r"[−-]?[\d.,]+", label)]
    assert not [label for label in numbers if len(label) > 7]
    has_scheme(page, "light")
    page.emulate_media(color_scheme="dark")
    has_scheme(page, "dark")


def test_every_page_is_in_the_menu_or_one_press_away(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{server.url}/questions")
    menu = page.get_by_test_id("stTopNav")
    links = menu.get_by_role("link")
    expect(links).to_have_count(len(PAGES))
    assert len({link.evaluate("(one) => one.getBoundingClientRect().top") for link in links.all()}) == 1  # one row
    page.set_viewport_size({"width": 1024, "height": 800})
    expect(menu.get_by_role("link", name="Train", exact=True)).to_be_visible()
    page.set_viewport_size({"width": 768, "height": 800})
    expect(links).to_have_count(6)
    menu.get_by_role("button", name=f"{len(PAGES) - 6} more").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem")).to_have_count(len(PAGES) - 6)
    items = page.get_by_role("menuitem")
    for _ in range(items.all_inner_texts().index("Train")):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Train decoders side by side")).to_be_visible()
    page.set_viewport_size({"width": 641, "height": 800})
    page.get_by_test_id("stExpandSidebarButton").focus()
    page.keyboard.press("Enter")
    train = page.get_by_test_id("stSidebar").get_by_role("link", name="Train", exact=True)
    expect(train).to_be_visible()
    page.get_by_test_id("stSidebar").get_by_role("link", name="Latent space", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Latent space")).to_be_visible()
