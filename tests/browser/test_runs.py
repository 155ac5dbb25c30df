"""The list of runs by real keys: found, ticked, named, pinned, deleted."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from pages.shared.learner import COOKIE
from tests.browser.conftest import Server, at_rest
from tests.runs.stores import progress
from tests.waiting import wait_until
from vae_core import RunSpec
from vae_core.runs.store import Store
from vae_core.tiles import png

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 8, 8)).astype(np.uint8)


def keep(store: Store, seed: int, learner: str) -> RunSpec:
    spec = RunSpec(dataset="digits", epochs=1, hidden=(8,), seed=seed)
    store.queue(spec, learner)
    store.begin(spec.id, -1)
    shown = {"input": png(PICTURES), "mean": png(PICTURES)}
    store.add_snapshot(spec, progress(spec.total_steps, pictures=shown))
    store.finish(spec.id, "stopped", "Stopped.")
    return spec


@pytest.fixture
def mine(page: Page, server: Server) -> list[RunSpec]:
    page.goto(f"{server.url}/runs")
    expect(page.locator("h1")).to_be_visible()
    (name,) = [one["value"] for one in page.context.cookies() if one["name"] == COOKIE]
    store = Store(server.home)
    return [keep(store, seed, name) for seed in (8101, 8102)]


def test_by_keys(page: Page, server: Server, mine: list[RunSpec]) -> None:
    older, _ = mine
    page.reload()
    search = page.get_by_role("textbox", name="Search: data set, decoder or name")
    search.fill("digits bernoulli")
    search.press("Enter")
    page.wait_for_url("**search=digits+bernoulli**")
    expect(page.get_by_text("seed 8102")).to_be_visible()  # the newest of one's own
    expect(page.get_by_role("img", name="Under each the mean")).to_be_visible()

    search.focus()
    while page.evaluate("() => document.activeElement.tagName") != "CANVAS":  # the table
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Space")
    page.wait_for_url(f"**run={older.id}**")
    expect(page.get_by_text("seed 8101")).to_be_visible()

    page.get_by_role("button", name="Name").press("Enter")
    name = page.get_by_role("textbox", name="What you call it")
    name.fill("My *first* http://evil.example")
    name.press("Enter")
    expect(page.get_by_test_id("stText").get_by_text("My *first* http://evil.example")).to_be_visible()
    expect(page.locator("a[href*='evil']")).to_have_count(0)
    page.keyboard.press("Escape")
    store = Store(server.home)
    page.get_by_role("checkbox", name="Pinned").or_(page.get_by_role("switch", name="Pinned")).press("Space")
    wait_until(lambda: (run := store.run(older.id)) and run.pinned)

    page.reload()  # the address holds it
    expect(page.get_by_text("seed 8101")).to_be_visible()
    delete = page.get_by_role("button", name="Delete", exact=True)
    delete.press("Enter")
    at_rest(page)
    page.get_by_role("button", name="Delete this run").press("Enter")
    wait_until(lambda: store.run(older.id) is None)
    expect(page.get_by_text("seed 8102")).to_be_visible()
    page.goto(f"{server.url}/train?run={older.id}")
    expect(page.get_by_text("was removed; its settings are here")).to_be_visible()
    assert "seed=8101" in page.url
