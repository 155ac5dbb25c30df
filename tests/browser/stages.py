"""The stage of the Train page, as tests read it."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Server

LANES = ("bernoulli", "gaussian_identity", "gaussian_learned")


def lane(page: Page, key: str) -> Locator:
    return page.locator(f'.lane[data-key="{key}"]')


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def step(page: Page, key: str) -> int:
    """How far a lane says that its run is; 0 while it has not begun."""
    found = re.search(r"step ([\d,]+) of|done: ([\d,]+) steps", lane(page, key).locator(".state").inner_text())
    return int((found[1] or found[2]).replace(",", "")) if found else 0


def shown(page: Page) -> int:
    """The step at which the stage shows all lanes."""
    return int(page.locator(".shared").get_attribute("aria-valuenow") or 0)


def passed(page: Page, key: str, earlier: int) -> bool:
    return step(page, key) > earlier


def open_train(page: Page, server: Server, query: str) -> None:
    page.goto(f"{server.url}/train?{query}")
    expect(page.get_by_role("heading", name="Train decoders side by side")).to_be_visible()


def picture(page: Page, key: str, row: str) -> str:
    """What a strip of a lane shows, as data."""
    found = lane(page, key).locator(f'.strip[data-lights="{row}"] canvas')
    return found.evaluate("(canvas) => canvas.style.visibility === 'visible' ? canvas.toDataURL() : ''")


def drag(page: Page, to: float, steps: int = 12) -> None:
    """The playhead, to a share of the shared curves' width."""
    box = page.locator(".shared").bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.9, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * to, y, steps=steps)
    page.mouse.up()


def stands_whole(page: Page) -> None:
    """The stage and its shared curves end within a laptop's first screen, and its numbers on axes are short."""
    stage, shared = (page.locator(part).bounding_box() for part in (".stage", ".shared"))
    assert stage and shared
    assert stage["y"] + stage["height"] <= 800
    assert shared["y"] + shared["height"] <= 800
    numbers = page.locator(".stage svg text").all_text_contents()
    assert not [one for one in numbers if re.fullmatch(r"[−-]?[\d.,]+", one) and len(one) > 7]
