"""How the app feels, in a real browser: `make bench`. Times are wall-clock on this machine, medians where repeated."""

from __future__ import annotations

import os
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import streamlit as st
from playwright.sync_api import Page, expect, sync_playwright
from streamlit.testing.v1 import AppTest

from tests.browser import chromium
from tests.browser.conftest import ROOT, Server
from tests.waiting import wait_until

FIRST_PICTURE = """() => new Promise((done) => {
  const button = [...document.querySelectorAll('button')].find((one) => one.innerText.includes('Train'));
  const stage = [...document.querySelectorAll('*')].find((one) => one.shadowRoot?.querySelector('.stage')).shadowRoot;
  const started = performance.now();
  button.click();
  const look = () => [...stage.querySelectorAll('.strip canvas')].some((one) => one.style.visibility === 'visible')
    ? done(performance.now() - started) : requestAnimationFrame(look);
  look();
})"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.perf_counter()
        server = Server(Path(folder)).start()
        page.goto(server.url)
        expect(page.locator("h1")).to_be_visible()
        report("command to first text of the start page", time.perf_counter() - began, "s", "3")
        try:
            measure(page, server)
        finally:
            server.stop()
        for lanes, query in {"three empty lanes": {"epochs": "1"}, "three lanes full": {}}.items():
            report(f"the script of a rerun without browser, {lanes}", script_times(folder, query), "ms", "50")


@patch.object(st, "page_link", lambda *_, **how: None)  # the page by itself knows no other
def script_times(folder: str, query: dict[str, str], times: int = 20) -> list[float]:
    """Milliseconds of the Train page's script and its messages: what the server does of a control's rerun."""
    os.environ["VAE_HOME"] = folder
    page = AppTest.from_file(str(ROOT / "pages/train/page.py"), default_timeout=60)
    for name, text in query.items():
        page.query_params[name] = text
    page.run()
    assert not page.exception
    seed = page.number_input(key="train.seed")  # of the whole page: a rerun has what it drew again alone
    found = []
    for turn in range(times):
        began = time.perf_counter()
        seed.set_value(turn % 2 * 5).run()
        found.append(1000 * (time.perf_counter() - began))
    return found[::2] if not query else found  # seed 0 is the one trained


def open_warm(page: Page, url: str) -> None:
    """The Train page, once all workers are there."""
    with page.expect_response("**/runs/news*"):  # which tells of the warming up
        page.goto(url)
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_enabled()
    wait_until(lambda: page.get_by_text("warming up").count() == 0, 120)


def measure(page: Page, server: Server) -> None:
    open_warm(page, f"{server.url}/train?epochs=1")
    report("a control's rerun, idle, three empty lanes", pill_times(page), "ms", "50")
    page.goto(f"{server.url}/train")
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_enabled()
    expect(page.locator(".lane")).to_have_count(4)
    report("click on Train to first picture", page.evaluate(FIRST_PICTURE), "ms", "500")
    began = time.perf_counter()
    expect(page.get_by_role("button", name="Continue", exact=True)).to_be_visible(timeout=300_000)
    report("the three default lanes to finish", time.perf_counter() - began, "s", "15")
    report("a control's rerun, idle, three lanes full", pill_times(page), "ms", "")
    page.goto(f"{server.url}/train?epochs=400&decoders=bernoulli&decoders=gaussian_identity")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator(".strip canvas:visible").nth(6)).to_be_visible(timeout=60_000)
    report("a control's rerun, two runs training", pill_times(page), "ms", "200")
    app, *children = server.family()
    workers = [child for child in children if child.memory_info().rss > 100e6]
    report("memory of the app process", app.memory_info().rss / 1e6, "MB", "450")
    report("memory of the largest worker", max(one.memory_info().rss for one in workers) / 1e6, "MB", "400")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Continue", exact=True)).to_be_visible()


def pill_times(page: Page, times: int = 10) -> list[float]:
    """Milliseconds from taking a decoder out, or putting it back, to the page without or with its words."""
    words = "It says, for each pixel, how likely"
    page.get_by_role("button", name=re.compile(r"\d decoders?$")).click()
    expect(page.get_by_role("button", name="Bernoulli", exact=True)).to_be_visible()
    return [click_time(page, "Bernoulli", words, there) for _ in range(times) for there in (False, True)]


def click_time(page: Page, label: str, text: str, there: bool = True) -> float:
    found = page.evaluate(CLICK, [label, text, there])
    assert found is not None, f"{label!r} brought no {text!r}"
    page.wait_for_timeout(400)
    return found


# By the browser's own clock, looking whenever the page changes; null after ten seconds without it.
CLICK = """([label, text, there]) => new Promise((done) => {
  const button = [...document.querySelectorAll('button')].find((one) => one.innerText.trim() === label);
  const started = performance.now();
  const end = (value) => { watch.disconnect(); done(value); };
  const watch = new MutationObserver(() => {
    if (document.body.textContent.includes(text) === there) end(performance.now() - started);
  });
  watch.observe(document.body, {subtree: true, childList: true, characterData: true});
  setTimeout(() => end(null), 10000);
  button.click();
})"""


def report(what: str, measured: Any, unit: str, target: str) -> None:
    values = measured if isinstance(measured, list) else [measured]
    spread = f" ({min(values):.0f} to {max(values):.0f}, {len(values)} times)" if len(values) > 1 else ""
    goal = f", asked: under {target} {unit}" if target else ""
    print(f"{what}: {statistics.median(values):.4g} {unit}{spread}{goal}", flush=True)


if __name__ == "__main__":
    main()
