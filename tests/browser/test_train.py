"""The Train page as a person meets it: press Train, three lanes move, refresh, stop, continue."""

from __future__ import annotations

import re
from functools import partial

import psutil
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import Server
from tests.waiting import SECONDS, wait_until
from vae_core.likelihoods import LIKELIHOODS

LANES = ("bernoulli", "gaussian_identity", "gaussian_learned")


def lane(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-lane_{key}")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def step(page: Page, key: str) -> int:
    """The step that a lane's progress line tells; 0 while it has none."""
    found = re.search(r"Step ([\d,]+) of|Done: ([\d,]+) steps", lane(page, key).inner_text())
    return int((found[1] or found[2]).replace(",", "")) if found else 0


def passed(page: Page, key: str, earlier: int) -> bool:
    return step(page, key) > earlier


def open_train(page: Page, server: Server, query: str) -> None:
    page.goto(f"{server.url}/train?{query}")
    expect(page.get_by_role("heading", name="Train decoders side by side")).to_be_visible()


def test_train_refresh_stop_continue(page: Page, context: BrowserContext, server: Server) -> None:
    open_train(page, server, "epochs=40&seed=7")
    button(page, "Train").click()
    for key in LANES:
        expect(lane(page, key).locator("img").first).to_be_visible()
        wait_until(partial(passed, page, key, 0))

    # Live pictures and curves change in place: the same elements, later, with other contents.
    images = lane(page, "bernoulli").locator("img")
    charts = page.locator("[data-testid=stVegaLiteChart] svg.marks, [data-testid=stVegaLiteChart] canvas")
    expect(charts).to_have_count(8)
    mean = images.nth(1)
    before = mean.get_attribute("src")
    for marked in (images, charts):
        marked.evaluate_all("all => all.forEach(one => { one.marked = true })")
    page.evaluate(BLANK_WATCH)
    wait_until(lambda: mean.get_attribute("src") != before)
    earlier = step(page, "bernoulli")
    wait_until(lambda: step(page, "bernoulli") > earlier)
    for marked in (images, charts):
        assert marked.evaluate_all("all => all.every(one => one.marked)"), "an element was replaced"
    assert page.evaluate("window.blanks") == [], "an image was blank for a frame"

    # A refresh, and a second tab on the same link, show the same run, still moving.
    page.reload()
    expect(button(page, "Stop")).to_be_visible()
    second = context.new_page()
    second.goto(page.url)
    for view in (page, second):
        wait_until(partial(passed, view, "bernoulli", earlier - 1))
        wait_until(partial(passed, view, "bernoulli", step(view, "bernoulli")))
    second.close()

    button(page, "Stop").click()
    expect(button(page, "Continue")).to_be_visible()
    for key in LANES:
        expect(lane(page, key)).to_contain_text("Stopped at step")
    stopped = step(page, "gaussian_learned")
    assert 0 < stopped < 1280
    button(page, "Continue").click()
    wait_until(lambda: step(page, "gaussian_learned") > stopped)
    for key in LANES:
        expect(lane(page, key)).to_contain_text("Done: 1,280 steps")
    for chart in ("KL to the prior", "Mean squared error"):
        expect(page.get_by_text(chart, exact=False).first).to_be_attached()
    expect(page.get_by_text("not on one axis")).to_be_visible()


# Counts frames in which an image that had pixels has none.
BLANK_WATCH = """() => {
  window.blanks = [];
  const look = () => {
    for (const image of document.querySelectorAll('[class*=st-key-lane_] img'))
      if (!image.naturalWidth || !image.getBoundingClientRect().height)
        window.blanks.push([image.alt, image.naturalWidth, image.getBoundingClientRect().height]);
    requestAnimationFrame(look);
  };
  look();
}"""


def test_back_in_time_and_samples(page: Page, server: Server) -> None:
    open_train(page, server, "dataset=digits&epochs=30")
    button(page, "Train").click()
    expect(lane(page, "gaussian_identity")).to_contain_text("Done: 360 steps")
    expect(button(page, "Continue")).to_be_visible()
    newest = lane(page, "gaussian_identity").locator("img").nth(1).get_attribute("src")
    expect(lane(page, "gaussian_identity")).to_contain_text("After step 360")
    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("Home")
    expect(lane(page, "gaussian_identity")).to_contain_text("After step 0,")
    assert lane(page, "gaussian_identity").locator("img").nth(1).get_attribute("src") != newest
    slider.press("End")
    expect(lane(page, "gaussian_identity")).to_contain_text("After step 360")

    grid = lane(page, "bernoulli").locator("img").nth(3)
    means = grid.get_attribute("src")
    page.get_by_role("radio", name="sample").click()
    expect(lane(page, "gaussian_identity")).to_contain_text("samples from p(x|z,w), clipped for display")
    expect(lane(page, "bernoulli")).to_contain_text("z from the prior, samples from p(x|z,w)")
    expect(lane(page, "bernoulli")).not_to_contain_text("clipped")
    assert grid.get_attribute("src") != means

    button(page, "Continue").click()  # ten more epochs, from the last weights
    expect(lane(page, "bernoulli")).to_contain_text("Done: 480 steps")
    assert "epochs=40" in page.url


def test_bits_per_pixel_of_all_lanes_while_they_train(page: Page, server: Server) -> None:
    keys = ("gaussian_shared", "discretized_logistic", "categorical")  # as many as there are workers
    decoders = "".join(f"&decoders={key}" for key in keys)
    open_train(page, server, f"dataset=digits&epochs=4000&seed=5&binarize=threshold{decoders}")
    button(page, "Train").click()
    for key in keys:
        wait_until(partial(passed, page, key, 0))
    page.get_by_role("radio", name="Reconstruction and ELBO, in bits per pixel").click()
    newest = page.get_by_text("With the KL, newest:")
    expect(newest).to_be_visible()
    page.wait_for_url("**units=bits*")
    charts = page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg.marks")
    first = newest.inner_text()
    wait_until(lambda: newest.inner_text() != first)  # by then the charts of the other choice are gone
    expect(charts).to_have_count(2 * len(keys) + 2)
    charts.evaluate_all("all => all.forEach(one => { one.marked = true })")
    before = newest.inner_text()
    wait_until(lambda: newest.inner_text() != before)
    assert charts.evaluate_all("all => all.every(one => one.marked)"), "a chart was replaced"

    page.reload()
    expect(newest).to_be_visible()
    page.get_by_role("radio", name="KL and MSE").click()
    expect(page.get_by_text("not on one axis")).to_be_visible()
    expect(newest).to_have_count(0)
    expect(page.get_by_text("Continue")).to_have_count(0)  # all of it beside the training
    button(page, "Stop").click()
    expect(button(page, "Continue")).to_be_visible()


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

    page.get_by_role("combobox", name="Pixels").click()
    page.get_by_role("option", name="As they are (grey)").click()
    expect(lane(page, "bernoulli")).to_contain_text("a loss here, not ln p: grey pixels")
    page.wait_for_url("**/train?binarize=none")
    page.reload()
    expect(lane(page, "bernoulli")).to_contain_text("a loss here, not ln p: grey pixels")
    page.goto(f"{server.url}/train?epochs=3")  # as an earlier app wrote it
    expect(lane(page, "bernoulli")).to_contain_text("a loss here, not ln p: grey pixels")
    assert page.url == f"{server.url}/train?epochs=3"


def test_eight_decoders_fit(page: Page, server: Server) -> None:
    """No lane is narrower than its formula, on a wide screen and on a phone."""
    keys = list(LIKELIHOODS)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 900})
        open_train(page, server, "dataset=digits" + "".join(f"&decoders={key}" for key in keys))
        for key in keys:
            formula = lane(page, key).locator(".katex-html").first
            expect(formula).to_be_visible()
            expect(lane(page, key).get_by_test_id("stProgress")).to_be_visible()
            assert formula.evaluate(OVERHANG) <= 0, (width, key)


# How far what is seen of the formula reaches beyond what is below it, where it is cut off.
OVERHANG = """(formula) => {
  const inked = (one) => !one.children.length && one.textContent.trim() &&
    getComputedStyle(one).color !== 'rgba(0, 0, 0, 0)';
  const ends = [...formula.querySelectorAll('*')].filter(inked).map((one) => one.getBoundingClientRect().right);
  const bar = formula.closest('[class*=st-key-lane_]').querySelector('[data-testid=stProgress]');
  return Math.max(...ends) - bar.getBoundingClientRect().right;
}"""


def test_a_link_is_checked(page: Page, server: Server) -> None:
    open_train(page, server, "beta=nan&latent_dim=2.5&hidden=999999&colour=red&run=0123&decoders=bernoulli&seed=3")
    for sentence in (
        "beta is nan; allowed: a number from 0 to 1000.",
        "latent_dim is '2.5'; allowed: a whole number from 1 to 64.",
        "hidden is [999999]; allowed: 1 to 4 layer sizes",
        "'colour' is not a setting",
        "No run '0123' is kept here",
    ):
        expect(page.get_by_text(sentence)).to_be_visible()
    expect(lane(page, "bernoulli")).to_be_visible()
    expect(lane(page, "gaussian_identity")).to_have_count(0)
    expect(page.locator("input[aria-label=Seed]")).to_have_value("3")


def test_too_large_is_told(page: Page, server: Server) -> None:
    open_train(page, server, "hidden=8192,8192,8192")
    expect(page.get_by_text("GiB")).to_be_visible()


def test_first_visitor_by_link_gets_the_whole_app(page: Page, tmp_path) -> None:
    fresh = Server(tmp_path / "home").start()
    try:
        open_train(page, fresh, "seed=5")
        expect(page.get_by_role("link", name="ln p(x|z,w)?")).to_be_visible()
        expect(page.locator("input[aria-label=Seed]")).to_have_value("5")
    finally:
        fresh.stop()


def test_killed_server_leaves_nothing_and_loses_nothing(page: Page, tmp_path) -> None:
    first = Server(tmp_path / "home").start()
    open_train(page, first, "dataset=digits&epochs=5&decoders=bernoulli")
    button(page, "Train").click()
    expect(lane(page, "bernoulli")).to_contain_text("Done: 60 steps")
    page.goto("about:blank")
    family = first.family()
    assert len(family) >= 5  # the server, its cluster, three workers
    family[0].kill()
    _, alive = psutil.wait_procs(family, timeout=SECONDS)
    assert not alive
    second = Server(tmp_path / "home").start()
    try:
        open_train(page, second, "dataset=digits&epochs=5&decoders=bernoulli")
        expect(lane(page, "bernoulli")).to_contain_text("Done: 60 steps")
    finally:
        page.goto("about:blank")
        second.stop()


def test_nobody_answers_at_the_scheduler(page: Page, tmp_path) -> None:
    lonely = Server(tmp_path / "home", {"DASK_SCHEDULER_ADDRESS": "tcp://127.0.0.1:9"}).start()
    try:
        open_train(page, lonely, "dataset=digits")
        expect(page.get_by_text("No Dask scheduler answers at tcp://127.0.0.1:9")).to_be_visible()
        button(page, "Train").click()
        expect(lane(page, "bernoulli")).to_contain_text("Starting")
        page.goto("about:blank")
    finally:
        lonely.stop()
