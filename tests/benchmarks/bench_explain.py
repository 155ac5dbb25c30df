"""How the explaining pages feel, in a real browser: `make bench`. Wall-clock, medians where repeated."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright

from tests.benchmarks.bench_page import open_warm, report
from tests.browser import chromium
from tests.browser.conftest import Server

# The name in the menu, and what is drawn when the page is there.
DRAWN = {
    "One pixel": ".one-pixel[data-numbers]",
    "One image": ".panels .panel",
    "Two pixels": ".two-pixels[data-numbers]",
    "MSE": "svg.curve path",
    "Which σ²?": ".katex",
    "Compare": "[data-testid=stVegaLiteChart] :is(canvas, svg)",
    "Experiments": "[data-testid=stVegaLiteChart] :is(canvas, svg)",
    "Latent space": "canvas",
    "Questions": "[data-testid=stExpander]",
}
DRAGGED = {
    "One pixel": "one_pixel?decoder=gaussian_learned",
    "Two pixels": "two_pixels?follows=yes",
    "MSE": "mse",
    "Latent space": "latent?decoder=gaussian_learned",
}
# From a click on the link to the first frame in which this selector, shadow roots included, finds something.
ENTER = """([name, selector]) => new Promise((done) => {
  const find = (root) => root.querySelector(selector)
    || [...root.querySelectorAll('*')].map((one) => one.shadowRoot && find(one.shadowRoot)).find(Boolean);
  const link = [...document.querySelectorAll('a')].find((one) => one.innerText.trim().endsWith(name));
  const title = () => document.querySelector('h1')?.textContent;
  const before = title(), started = performance.now();
  const look = () => title() && title() !== before && find(document.querySelector('[data-testid=stMain]'))
    ? done(performance.now() - started) : requestAnimationFrame(look);
  link.click();
  look();
})"""
FRAMES = """() => { window.frames_seen = 0; const one = () => { window.frames_seen += 1; requestAnimationFrame(one); };
  requestAnimationFrame(one); }"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        server = Server(Path(folder)).start()
        try:
            open_warm(page, f"{server.url}/train")
            for turn in ("first visit", "second visit"):
                for name, selector in DRAWN.items():
                    page.wait_for_timeout(500)
                    report(f"entering {name}, {turn}", page.evaluate(ENTER, [name, selector]), "ms", "1000")
            controls(page, server)
            for name, address in DRAGGED.items():
                drag(page, server, name, address)
            report("memory of the app process, all pages visited", server.family()[0].memory_info().rss / 1e6, "MB", "")
        finally:
            server.stop()


def controls(page: Page, server: Server) -> None:
    """Milliseconds from a click to what the server sends back for it."""
    page.goto(f"{server.url}/one_image")
    page.get_by_role("button", name="Draw again").wait_for()
    page.wait_for_timeout(2000)
    report(
        "One image, Draw again, 100 draws", [changed(page, "Draw again", r"Set \d+") for _ in range(10)], "ms", "200"
    )
    page.goto(f"{server.url}/mse")
    page.locator("svg.curve").wait_for()
    page.wait_for_timeout(2000)
    times = [changed(page, "Draw again", r"draw=\d+") for _ in range(10)]
    report("MSE, Draw again", times, "ms", "200")


CHANGED = """([label, pattern]) => new Promise((done) => {
  const roots = [...document.querySelectorAll('*')].map((one) => one.shadowRoot).filter(Boolean);
  const button = [document, ...roots].flatMap((root) => [...root.querySelectorAll('button')])
    .find((one) => one.innerText.trim().endsWith(label));
  const now = () => ((document.body.textContent + location.href).match(new RegExp(pattern)) || [''])[0];
  const before = now(), started = performance.now();
  const look = () => now() === before ? requestAnimationFrame(look) : done(performance.now() - started);
  button.click();
  look();
})"""


def changed(page: Page, label: str, pattern: str) -> float:
    found = page.evaluate(CHANGED, [label, pattern])
    page.wait_for_timeout(400)
    return found


def drag(page: Page, server: Server, name: str, address: str, seconds: float = 3.0) -> None:
    """Frames a second while the mouse moves over the page's first surface, and messages sent meanwhile."""
    page.goto(f"{server.url}/{address}")
    surface: Locator = page.locator("svg.surface").first
    surface.wait_for()
    page.wait_for_timeout(2000)
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    assert box is not None
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda _: sent.append(socket.url)))
    page.evaluate(FRAMES)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    began = page.evaluate("() => [performance.now(), window.frames_seen]")
    step = 0
    while page.evaluate("() => performance.now()") - began[0] < 1000 * seconds:
        step += 1
        across, down = 0.5 + 0.3 * ((step % 40) / 20 - 1), 0.5 + 0.3 * ((step % 26) / 13 - 1)
        page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
    ended = page.evaluate("() => [performance.now(), window.frames_seen]")
    page.mouse.up()
    frames = 1000 * (ended[1] - began[1]) / (ended[0] - began[0])
    report(f"{re.sub(' .*', '', name)}: frames while dragging ({step} moves)", frames, "a second", "")


if __name__ == "__main__":
    main()
