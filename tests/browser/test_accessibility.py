"""What axe finds on every page, light and dark (https://dequeuniversity.com/rules/axe): nothing serious."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from app import PAGES
from tests.browser.conftest import Server
from tests.waiting import SECONDS

# What Streamlit draws and no page can mend, by rule, as a part of the element's place or source.
STREAMLITS = {
    # A chosen segment, pill or tab is written in the primary colour on a tint of it. On dark pages one colour cannot be
    # light enough for that and dark enough for the white letters of a primary button, which people press more.
    "color-contrast": ("data-selected", "data-focused", "stTab", "aria-disabled"),
    # A formula or line of code wider than its box scrolls, and takes no focus.
    "scrollable-region-focusable": ("katex", "stExpander", "stCode"),
}

# Whether the page's own widgets, in shadow roots, have been drawn: their sliders say where they stand.
DRAWN = """() => {
  const roots = [...document.querySelectorAll('*')].flatMap((one) => one.shadowRoot ?? []);
  const sliders = roots.flatMap((root) => [...root.querySelectorAll('[role=slider]')]);
  return sliders.every((one) => one.hasAttribute('aria-valuenow')) && roots.every((root) => root.childElementCount);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, server: Server, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    context.set_default_timeout(1000 * SECONDS)
    page = context.new_page()
    found = []
    for name in PAGES:
        page.goto(f"{server.url}/{'' if name == 'start' else name}")
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()
        page.wait_for_function(DRAWN)
        for rule in Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]:
            if rule["impact"] not in ("serious", "critical"):
                continue
            for node in rule["nodes"]:
                text = f"{node['target']} {node['html']}"
                if not any(part in text for part in STREAMLITS.get(rule["id"], ())):
                    found.append(f"{name}: {rule['id']}: {text[:160]} {node['failureSummary'][:160]}")
    context.close()
    assert not found, "\n".join(found)
