"""One pixel under one decoder after another: nothing of the last one's picture stays."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.test_one_pixel import numbers, open_page, panel
from tests.waiting import wait_until
from vae_core.likelihoods import LIKELIHOODS

# What can be seen of the picture: which panels, their drawings to the last attribute, and every word.
SEEN = """(root) => ({
  style: root.getAttribute('style'),
  words: [...root.querySelectorAll("section")].map((section) => section.innerText),
  worked: root.querySelector('.worked').innerHTML,
  badge: root.querySelector('.badge').className,
  panels: [...root.querySelectorAll('svg')].filter((svg) => svg.checkVisibility()).map((svg) => svg.outerHTML),
})"""


def seen(page: Page) -> dict:
    return page.locator(".one-pixel").evaluate(SEEN)


def switch(page: Page, key: str) -> None:
    page.get_by_role("radio", name=LIKELIHOODS[key].name, exact=True).click()
    wait_until(lambda: numbers(page)["decoder"] == key and f"decoder={key}" in f"{page.url}&decoder=bernoulli")


def walks() -> dict[str, list[str]]:
    """To and fro among all, and, on another x, in leaps: all ordered pairs would be 56 steps of a page each."""
    keys = list(LIKELIHOODS)
    leaps = [keys[3 * step % len(keys)] for step in range(len(keys))]
    assert set(leaps) == set(keys)
    return {"0.5": [*keys, *reversed(keys[:-1])], "1": [*leaps, keys[0]]}


@pytest.mark.parametrize(("x", "walk"), walks().items())
def test_a_switched_picture_is_a_fresh_one(page: Page, server: Server, x: str, walk: list[str]) -> None:
    query = f"a=0.5&x={x}&log_var=-3&sigma=0.4&scale=0.2&log_scale=-2.5&v=1&levels=4"
    fresh = {}
    for key in LIKELIHOODS:
        open_page(page, server, f"{query}&decoder={key}")
        fresh[key] = seen(page)
    assert len({str(one["panels"]) for one in fresh.values()}) == len(LIKELIHOODS)
    open_page(page, server, query)
    for key in walk[1:]:
        switch(page, key)
        assert seen(page) == fresh[key]


def test_a_switch_counts_while_something_is_held(page: Page, server: Server) -> None:
    open_page(page, server, "decoder=gaussian_learned&a=0.5&x=0.5")
    panel(page, "link").focus()
    page.keyboard.down("ArrowRight")  # and not let go
    assert numbers(page)["a"] == 0.55
    switch(page, "bernoulli")
    expect(page).to_have_url(re.compile("a=0.55"))
    assert numbers(page)["a"] == 0.55
    page.keyboard.up("ArrowRight")
    other = page.context.new_page()
    open_page(other, server, page.url.split("?")[1])
    assert seen(page) == seen(other)


def test_other_levels_leave_no_bars_behind(page: Page, server: Server) -> None:
    query = "decoder=categorical&a=0.5&x=1&v=1"
    open_page(page, server, f"{query}&levels=9")
    box = page.get_by_role("spinbutton", name="n, grey levels")
    box.fill("3")
    box.press("Enter")
    wait_until(lambda: numbers(page)["settings"]["levels"] == 3 and "levels=3" in page.url)
    other = page.context.new_page()
    open_page(other, server, f"{query}&levels=3")
    assert seen(page) == seen(other)
