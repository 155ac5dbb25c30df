"""The stage in a real browser, part of `make bench`: frames while the playhead is dragged through 200 snapshots of four
decoders, and what ten runs, one after the other, leave in the tab's memory, over what one leaves."""

from __future__ import annotations

import re
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from pages.shared.train_link import link_to
from tests.benchmarks.bench_page import report
from tests.browser import chromium
from tests.browser.conftest import Server
from vae_core import RunSpec, Snapshot, load_dataset, train
from vae_core.runs.messages import Progress, numbers, pictures
from vae_core.runs.store import Store
from vae_core.runs.thinning import MAX_SNAPSHOTS
from vae_core.spec import snapshot_stride

DECODERS = ("bernoulli", "gaussian_identity", "gaussian_learned", "laplace")
TURNS = 10
USUAL = RunSpec()
EPOCHS = -(-(MAX_SNAPSHOTS - 2) * snapshot_stride(USUAL) // USUAL.steps_per_epoch)

# The times between frames in two seconds, while `every` moves the playhead at each of them, or while nothing does.
FRAMES = """(drag) => new Promise((done) => {
  const stage = [...document.querySelectorAll('*')].find((one) => one.shadowRoot?.querySelector('.stage')).shadowRoot;
  const shared = stage.querySelector('.shared');
  const box = shared.getBoundingClientRect();
  const point = (kind, share) => shared.dispatchEvent(new PointerEvent(kind,
    { clientX: box.left + box.width * share, clientY: box.top + 40, pointerId: 1, bubbles: true, composed: true }));
  shared.setPointerCapture = () => {};
  const times = [];
  const start = performance.now();
  const look = (now) => {
    times.push(now);
    if (drag) point('pointermove', 0.5 + 0.45 * Math.sin((now - start) / 200));
    if (now - start < 2000) requestAnimationFrame(look);
    else { if (drag) point('pointerup', 0.5); done(times.slice(1).map((time, index) => time - times[index])); }
  };
  if (drag) point('pointerdown', 0.5);
  requestAnimationFrame(look);
})"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        store = Store(Path(folder))
        seeds = [fill(store, seed) for seed in range(TURNS)]
        server = Server(Path(folder)).start()
        flags = [*chromium.FLAGS, "--enable-precise-memory-info"]
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        devtools = page.context.new_cdp_session(page)
        try:
            page.goto(f"{server.url}/train?{seeds[0]}")
            whole(page)
            idle, dragged = (page.evaluate(FRAMES, drag) for drag in (False, True))
            report("frames a second, idle", 1000 / statistics.median(idle), "", "")
            report("frames a second, dragging through 4 x 200 snapshots", 1000 / statistics.median(dragged), "", "")
            report("the slowest twentieth of its frames", sorted(dragged)[int(0.95 * len(dragged))], "ms", "17.5")
            heaps = []
            for link in seeds:
                page.goto("about:blank#" + link)
                page.goto(f"{server.url}/train?{link}")
                whole(page)
                heaps.append(heap(page, devtools))
            report("the tab's memory after ten pages, over one", heaps[-1] / heaps[0], "", "1.1")
            same_page(page, seeds)
            report("and after ten runs on one page, over one", heap(page, devtools) / heaps[-1], "", "1.1")
        finally:
            server.stop()


def fill(store: Store, seed: int) -> str:
    """A finished training with as many snapshots as are kept: the pictures of two of them, again and again."""
    specs = [replace(USUAL, likelihood=key, epochs=EPOCHS, seed=seed) for key in DECODERS]
    for spec in specs:
        store.queue(spec)
        short = train(replace(spec, dataset="mnist", epochs=1), load_dataset("mnist"), device="cpu")
        two = [next(short), next(short)]
        for step in [*range(0, spec.total_steps, snapshot_stride(spec)), spec.total_steps]:
            store.add_snapshot(spec, at(step, two[step % 3 > 0], spec))
        store.finish(spec.id, "done", "")
    return urlencode(link_to(specs), doseq=True)


def at(step: int, snapshot: Snapshot, spec: RunSpec) -> Progress:
    values = numbers(snapshot) | {"step": step}
    return Progress(
        run=spec.id,
        token="",
        numbers=values,
        pictures=pictures(snapshot),
        curve=[[step, -100.0, 9.0]],
        images_per_second=1.0,
    )


def whole(page: Page) -> None:
    """Wait until all snapshots have come."""
    expect(page.locator(".lane .state", has_text="done:")).to_have_count(len(DECODERS), timeout=120_000)
    page.wait_for_timeout(1500)


def same_page(page: Page, links: list[str]) -> None:
    """From one training to the next on the page itself, by its seed."""
    for seed in range(len(links)):
        page.get_by_role("button", name="Settings").click()
        box = page.locator("input[aria-label=Seed]")
        box.fill(str(seed))
        box.press("Enter")
        page.keyboard.press("Escape")
        page.wait_for_url(re.compile(f"seed={seed}" if seed else "/train"))
        whole(page)


def heap(page: Page, devtools: CDPSession) -> float:
    devtools.send("HeapProfiler.collectGarbage")
    return page.evaluate("performance.memory.usedJSHeapSize") / 1e6


if __name__ == "__main__":
    main()
