"""The Train page as a person meets it: press Train, the stage moves; scrub, point, refresh, stop, continue."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

import psutil
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Server
from tests.browser.stages import LANES, button, lane, open_train, passed, picture, shown, stands_whole, step
from tests.runs.stores import ended
from tests.waiting import SECONDS, wait_until
from vae_core.runs import kept
from vae_core.runs.forecast import MEASURED
from vae_core.runs.store import Store


def test_train_refresh_stop_continue(page: Page, context: BrowserContext, server: Server) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    open_train(page, server, "epochs=24&seed=7")
    expect(lane(page, "bernoulli")).to_be_visible()
    page.evaluate(SHIFTS)
    button(page, "Train").press("Enter")
    expect(button(page, "Stop")).to_be_focused()  # where the reader was
    for key in LANES:
        wait_until(lambda: picture(page, key, "mean"))  # noqa: B023  it is called here
        wait_until(partial(passed, page, key, 0))

    # All of it on the first screen, and it changes in place: nothing moves, no canvas is another one.
    stands_whole(page)
    canvases = page.locator(".strip canvas")
    canvases.evaluate_all("all => all.forEach(one => { one.marked = true })")
    before, earlier = picture(page, "bernoulli", "mean"), shown(page)
    wait_until(lambda: shown(page) > earlier)
    wait_until(lambda: picture(page, "bernoulli", "mean") != before)
    assert canvases.evaluate_all("all => all.every(one => one.marked)"), "an element was replaced"
    nothing_moved(page)

    # A refresh, and a second tab on the same link, show the same run, still moving.
    earlier = step(page, "bernoulli")
    page.reload()
    expect(button(page, "Stop")).to_be_visible()
    second = context.new_page()
    second.goto(page.url)
    for view in (page, second):
        wait_until(partial(passed, view, "bernoulli", earlier - 1))
        wait_until(partial(passed, view, "bernoulli", step(view, "bernoulli")))
    second.close()

    button(page, "Stop").press("Enter")
    expect(button(page, "Continue")).to_be_focused()
    for key in LANES:
        expect(lane(page, key)).to_contain_text("stopped: Stopped at step")
    stopped = step(page, "gaussian_learned") or 1
    button(page, "Continue").click()
    wait_until(lambda: step(page, "gaussian_learned") > stopped)
    for key in LANES:
        expect(lane(page, key)).to_contain_text("done: 768 steps")
    expect(page.get_by_text("not on one axis")).to_be_visible()
    expect(page.locator(".remarks")).to_contain_text("σ")


def test_what_runs_take_comes_and_goes_and_nothing_moves(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    open_train(page, server, "decoders=gaussian_learned&epochs=8&seed=23")
    expect(page.locator(".ahead")).to_be_empty()
    store = Store(server.home)
    slow = [ended(store, seed, 1000.0) for seed in range(4000, 4000 + MEASURED)]
    try:
        page.evaluate(SHIFTS)
        button(page, "Train").press("Enter")
        expect(page.locator(".ahead")).to_contain_text("This takes long, about")
        expect(lane(page, "gaussian_learned")).to_contain_text("done:")
        expect(page.locator(".ahead")).to_be_empty()
        nothing_moved(page)
    finally:
        for spec in slow:
            kept.remove(store, spec.id)


# What has moved, without a person's doing, since this was run (https://web.dev/cls): how much, and each time what.
SHIFTS = """() => {
  window.shifted = 0;
  window.moves = [];
  new PerformanceObserver((list) => list.getEntries().forEach((one) => {
    window.shifted += one.value;
    const moved = one.sources.map(({ node, previousRect: from, currentRect: to }) =>
      `${node?.className || node?.nodeName} "${node?.textContent?.slice(0, 40)}" ${from.y} to ${to.y}`);
    window.moves.push(`${one.value}: ${moved.join("; ")}`);
  })).observe({ type: 'layout-shift' });
}"""


def nothing_moved(page: Page) -> None:
    assert page.evaluate("window.shifted") < 0.02, page.evaluate("window.moves")


def test_grey_is_a_click_away_and_back_leads_back(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/questions")
    expect(page.get_by_role("heading", name="Questions").first).to_be_visible()
    page.get_by_role("link", name="Train", exact=True).click()
    expect(lane(page, "bernoulli")).to_contain_text("ln of a probability mass")
    assert page.url == f"{server.url}/train"
    page.go_back()  # a fresh page has no address of its own to go back to
    expect(page.get_by_role("heading", name="Questions").first).to_be_visible()
    page.go_forward()
    expect(lane(page, "bernoulli")).to_contain_text("ln of a probability mass")

    button(page, "Settings").click()
    page.get_by_role("combobox", name="Pixels", exact=True).click()
    page.get_by_role("option", name="As they are (grey)").click()
    expect(lane(page, "bernoulli")).to_contain_text("a loss here, not ln p: grey pixels")
    page.wait_for_url("**/train?binarize=none")
    page.reload()
    expect(lane(page, "bernoulli")).to_contain_text("a loss here, not ln p: grey pixels")

    # One name in the list and over the lane, whatever its σ is.
    expect(lane(page, "gaussian_identity").locator("h2")).to_have_text("Gaussian, identity covariance")
    button(page, "Settings").click()
    page.get_by_role("spinbutton", name="Fixed σ").fill("0.1")
    page.keyboard.press("Enter")
    expect(lane(page, "gaussian_identity").locator("h2")).to_have_text("Gaussian, fixed σ = 0.1")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="3 decoders").click()
    chosen = page.get_by_role("button", name="Gaussian, fixed σ = 0.1", exact=True)
    chosen.click()
    expect(lane(page, "gaussian_identity")).to_have_count(0)
    expect(lane(page, "gaussian_learned")).to_be_visible()
    chosen.click()
    expect(lane(page, "gaussian_identity").locator("h2")).to_have_text("Gaussian, fixed σ = 0.1")

    page.goto(f"{server.url}/train?epochs=3")  # as an earlier app wrote it
    expect(lane(page, "bernoulli")).to_contain_text("a loss here, not ln p: grey pixels")
    assert page.url == f"{server.url}/train?epochs=3"


def test_a_link_is_checked(page: Page, server: Server) -> None:
    marked = ":red[a] $a^2$ `b` **c** <i>d</i> :smile:"
    strange = urlencode({"latent_dim": marked, "www.evil.example": "", "run": "http://evil.example a@evil.example"})
    open_train(page, server, f"beta=nan&hidden=999999&{strange}&decoders=bernoulli&seed=3")
    for sentence in (
        "beta is nan; allowed: a number from 0 to 1000.",
        f"latent_dim is '{marked}'; allowed: a whole number from 1 to 64.",
        "hidden is [999999]; allowed: 1 to 4 layer sizes",
        "'www.evil.example' is not a setting",
        "No run 'http://evil.example a@evil.example' is kept here",
    ):
        expect(page.get_by_text(sentence)).to_be_visible()
    expect(page.locator("a[href*=evil]")).to_have_count(0)  # bare addresses are as they were typed too
    expect(lane(page, "bernoulli")).to_be_visible()
    expect(lane(page, "gaussian_identity")).to_have_count(0)
    button(page, "Settings").click()
    expect(page.locator("input[aria-label=Seed]")).to_have_value("3")


def test_too_large_is_told(page: Page, server: Server) -> None:
    open_train(page, server, "hidden=8192,8192,8192")
    expect(page.get_by_text("GiB")).to_be_visible()


def test_first_visitor_by_link_gets_the_whole_app(page: Page, tmp_path) -> None:
    fresh = Server(tmp_path / "home").start()
    try:
        open_train(page, fresh, "seed=5")
        expect(page.get_by_role("link", name="Start", exact=True)).to_be_visible()
        button(page, "Settings").click()
        expect(page.locator("input[aria-label=Seed]")).to_have_value("5")
    finally:
        fresh.stop()


def test_killed_server_leaves_nothing_and_loses_nothing(page: Page, tmp_path) -> None:
    first = Server(tmp_path / "home").start()
    open_train(page, first, "dataset=digits&epochs=5&decoders=bernoulli")
    button(page, "Train").click()
    expect(lane(page, "bernoulli")).to_contain_text("done: 60 steps")
    page.goto("about:blank")
    family = first.family()
    assert len(family) >= 5  # the server, its cluster, three workers
    family[0].kill()
    _, alive = psutil.wait_procs(family, timeout=SECONDS)
    assert not alive
    second = Server(tmp_path / "home").start()
    try:
        open_train(page, second, "dataset=digits&epochs=5&decoders=bernoulli")
        expect(lane(page, "bernoulli")).to_contain_text("done: 60 steps")
    finally:
        page.goto("about:blank")
        second.stop()


def test_nobody_answers_at_the_scheduler(page: Page, tmp_path) -> None:
    lonely = Server(tmp_path / "home", {"DASK_SCHEDULER_ADDRESS": "tcp://127.0.0.1:9"}).start()
    try:
        open_train(page, lonely, "dataset=digits")
        trouble = page.get_by_text("No Dask scheduler answers at tcp://127.0.0.1:9")
        expect(trouble).to_have_count(1)  # told once, and whole, where the reader looks
        expect(trouble).to_have_class("trouble")
        whole = "one => one.getBoundingClientRect().bottom <= one.parentElement.getBoundingClientRect().bottom + 1"
        assert trouble.evaluate(whole)
        button(page, "Train").click()
        for key in ("bernoulli", "gaussian_learned"):
            expect(lane(page, key)).to_contain_text("waiting for a worker, and 2 more; learners take turns")
        expect(trouble).to_have_count(1)
        page.goto("about:blank")
    finally:
        lonely.stop()
