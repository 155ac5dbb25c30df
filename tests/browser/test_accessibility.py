"""What axe finds on every page, light and dark (https://dequeuniversity.com/rules/axe): nothing serious, and no heading
that skips a level."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app import PAGES
from tests.browser.conftest import Server
from tests.browser.test_first_screens import has_scheme

# What Streamlit draws and no page can mend, by theme and rule, as a part of the element's place or source.
# A formula or line of code wider than its box scrolls, and takes no focus.
WIDE = {"scrollable-region-focusable": ("katex", "stExpander", "stCode")}
# A chosen segment, pill or tab is written in the primary colour on a tint of it. On dark pages no colour is light
# enough for that and dark enough for the white letters of a primary button, which people press more.
STREAMLITS = {"light": WIDE, "dark": WIDE | {"color-contrast": ("data-selected", "data-focused", "stTab")}}

# What a page's own widget has once it is drawn.
DRAWN = {
    "one_pixel": ".surface[aria-valuenow]",
    "one_image": ".pixel-map .panel canvas",
    "two_pixels": ".handle[aria-valuenow]",
    "mse": ".curve[aria-valuenow]",
    "linear": ".bars[aria-valuenow]",
    "train": ".shared[aria-valuenow]",
    "latent": ".where:not(:empty)",
    "classroom": ".slide h2:not(:empty)",
}


def test_axe_finds_nothing_serious(page: Page, server: Server) -> None:
    found, seen = [], set()
    for name in PAGES:
        page.goto(f"{server.url}/{'' if name == 'start' else name}")
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()
        drawn = page.locator(DRAWN.get(name, "h1")).first
        expect(drawn).to_be_attached()
        if name in DRAWN:  # a button with no name beside it, to be found if axe looks inside the widget at all
            drawn.evaluate("(one) => { one.parentNode.appendChild(document.createElement('button')).id = 'nameless'; }")
        for scheme in STREAMLITS:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            has_scheme(page, scheme)
            for rule in Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]:
                if rule["impact"] not in ("serious", "critical") and rule["id"] != "heading-order":
                    continue
                for node in rule["nodes"]:
                    text = f"{node['target']} {node['html']}"
                    if "nameless" in text and rule["id"] == "button-name":
                        seen.add((name, scheme))
                    elif not any(part in text for part in STREAMLITS[scheme].get(rule["id"], ())):
                        found.append(f"{name}, {scheme}: {rule['id']}: {text[:160]} {node['failureSummary'][:160]}")
    assert not found, "\n".join(found)
    assert seen == {(name, scheme) for name in DRAWN for scheme in STREAMLITS}
