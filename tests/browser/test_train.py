"""The Train page as a person meets it: press Train, the stage moves; scrub, point, refresh, stop, continue."""

from __future__ import annotations

import re
from functools import partial

import psutil
import pytest
import torch
from playwright.sync_api import BrowserContext, Locator, Page, WebSocket, expect

from tests.browser.conftest import Server
from tests.waiting import SECONDS, wait_until
from vae_core import LIKELIHOODS, RunSpec, load_dataset
from vae_core.checkpoint import load_vae
from vae_core.data import split

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


def test_train_refresh_stop_continue(page: Page, context: BrowserContext, server: Server) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    open_train(page, server, "epochs=40&seed=7")
    expect(lane(page, "bernoulli")).to_be_visible()
    page.evaluate(SHIFTS)
    button(page, "Train").click()
    for key in LANES:
        wait_until(lambda: picture(page, key, "mean"))  # noqa: B023  it is called here
        wait_until(partial(passed, page, key, 0))

    # All of it on the first screen, and it changes in place: nothing moves, no canvas is another one.
    bottom = page.locator(".shared").bounding_box()
    assert bottom and bottom["y"] + bottom["height"] <= 800
    canvases = page.locator(".strip canvas")
    canvases.evaluate_all("all => all.forEach(one => { one.marked = true })")
    before, earlier = picture(page, "bernoulli", "mean"), shown(page)
    wait_until(lambda: shown(page) > earlier)
    wait_until(lambda: picture(page, "bernoulli", "mean") != before)
    assert canvases.evaluate_all("all => all.every(one => one.marked)"), "an element was replaced"
    assert page.evaluate("window.shifted") < 0.02

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

    button(page, "Stop").click()
    expect(button(page, "Continue")).to_be_visible()
    for key in LANES:
        expect(lane(page, key)).to_contain_text("stopped: Stopped at step")
    stopped = step(page, "gaussian_learned") or 1
    button(page, "Continue").click()
    wait_until(lambda: step(page, "gaussian_learned") > stopped)
    for key in LANES:
        expect(lane(page, key)).to_contain_text("done: 1,280 steps")
    expect(page.get_by_text("not on one axis")).to_be_visible()
    expect(page.locator(".remarks")).to_contain_text("σ")


# What has moved, without a person's doing, since this was run (https://web.dev/cls).
SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((one) => { window.shifted += one.value }))
    .observe({ type: 'layout-shift' });
}"""


@pytest.fixture(scope="module")
def trained(server: Server) -> str:
    """The address of a training that has ended; made by the first test that needs it."""
    return "dataset=digits&epochs=30&binarize=threshold&seed=1"


def open_trained(page: Page, server: Server, query: str) -> None:
    open_train(page, server, query)
    expect(page.get_by_role("button", name=re.compile("^(Train|Continue)$"))).to_be_enabled()
    if button(page, "Train").count():
        button(page, "Train").click()
    for key in LANES:
        expect(lane(page, key)).to_contain_text("done: 360 steps")
    expect(button(page, "Continue")).to_be_visible()


def test_the_playhead_moves_all_lanes_with_no_word_to_the_server(page: Page, server: Server, trained: str) -> None:
    sent: list[str | bytes] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: sent.append(frame))

    page.on("websocket", listen)
    open_trained(page, server, trained)
    asked: list[str] = []
    wait_until(lambda: shown(page) == 360)
    newest = {key: picture(page, key, "mean") for key in LANES}
    page.on("request", lambda request: asked.append(request.url))
    sent.clear()
    drag(page, 0.3)
    middle = shown(page)
    assert 60 < middle < 180
    page.wait_for_function(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
    )
    for key in LANES:
        assert picture(page, key, "mean") != newest[key]
    expect(page.locator(".step")).to_have_text(f"step {middle} of 360")
    expect(page.locator(".heard")).to_contain_text(f"Step {middle}. Bernoulli: ELBO")
    page.keyboard.press("ArrowRight")
    wait_until(lambda: shown(page) > middle)
    page.keyboard.press("Home")
    wait_until(lambda: shown(page) == 0)
    page.keyboard.press("Space")  # plays to the end, and stays there
    wait_until(lambda: shown(page) == 360)
    assert {key: picture(page, key, "mean") for key in LANES} == newest
    page.keyboard.press("Home")
    page.keyboard.press("End")
    wait_until(lambda: shown(page) == 360)
    assert not sent and not asked, "scrubbing told the server"

    # What happened, and when: a press leads there.
    first = page.locator(".remarks button").last
    when = int(first.inner_text().removeprefix("step "))
    first.click()
    wait_until(lambda: shown(page) == when)


def test_a_symbol_lights_its_figure_and_an_image_is_marked_everywhere(page: Page, server: Server, trained: str) -> None:
    open_trained(page, server, trained)
    learned = lane(page, "gaussian_learned")
    learned.locator('.formula [data-lights="sigma"]').hover()
    expect(learned.locator('.strip[data-lights="sigma"]')).to_have_class(re.compile("lit"))
    expect(learned.locator('.strip[data-lights="mean"]')).not_to_have_class(re.compile("lit"))
    learned.locator('.strip[data-lights="mean"]').hover()
    expect(learned.locator('.formula [data-lights="mean"]').first).to_have_class(re.compile("lit"))
    learned.locator('.terms [data-lights="kl"]').hover()
    expect(page.locator('.shared [data-lights="kl"]')).to_have_class(re.compile("lit"))
    box = learned.locator('.strip[data-lights="sample"]').bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 2.5 / 6, box["y"] + box["height"] / 2)
    marks = page.locator('.strip[data-kind="held"] .mark:visible')
    expect(marks).to_have_count(1 + 2 * len(LANES) + 1)  # x; mean and sample of each; σ of one
    assert {mark.evaluate("one => one.style.left") for mark in marks.all()} == {"33.3333%"}
    expect(page.locator('.strip[data-kind="new"] .mark:visible')).to_have_count(0)


def test_a_pixel_opens_under_every_decoder_by_pointer_and_by_keys(page: Page, server: Server, trained: str) -> None:
    open_trained(page, server, trained)
    box = page.locator('.strip[data-lights="x"]').bounding_box()
    assert box
    column, row = 3, 2  # of the third image
    place = (2 + (column + 0.5) / 8) / 6, (row + 0.5) / 8
    page.mouse.click(box["x"] + box["width"] * place[0], box["y"] + box["height"] * place[1])
    inspector = page.get_by_role("dialog", name="One pixel under each decoder")
    expect(inspector).to_contain_text("Held-out image 3 of 6, pixel d = 19 (row 2, column 3, counted from 0)")
    said = inspector.locator("b")
    for index, key in enumerate(LANES):
        spec = RunSpec(dataset="digits", epochs=30, binarize="threshold", seed=1, likelihood=key)
        vae = load_vae((server.home / "weights" / f"{spec.id}.safetensors").read_bytes())
        x = torch.from_numpy(load_dataset("digits").scaled(split(spec)[1][:6])).gt(0.5).float()[2:3]
        with torch.no_grad():
            p = vae.likelihood.distribution(vae.decode(vae.encode(x)[0]))
            expected = p.log_prob(x).reshape(-1)[19].item()
        expect(said.nth(index)).to_contain_text("ln p(x|z,w) of this pixel = ")
        text = said.nth(index).inner_text()
        found = re.search(r"= (−?[\d.]+)(?: × 10([⁻\d]+))? nats", text)
        assert found, text
        assert float(found[1].replace("−", "-")) == pytest.approx(expected, rel=2e-3, abs=2e-3), key
    last = said.nth(0).inner_text()
    drag(page, 0.2)
    wait_until(lambda: said.nth(0).inner_text() != last)  # at the step shown
    page.keyboard.press("Escape")
    expect(inspector).to_be_hidden()
    page.keyboard.press("ArrowRight")  # x has the focus now
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(inspector).to_contain_text("Held-out image 3 of 6, pixel d = 28 (row 3, column 4")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(inspector).to_be_hidden()


def test_bits_per_pixel_and_samples(page: Page, server: Server, trained: str) -> None:
    open_trained(page, server, trained)
    bernoulli = lane(page, "bernoulli")
    means = picture(page, "bernoulli", "z")
    button(page, "samples").click()
    wait_until(lambda: picture(page, "bernoulli", "z") != means)
    expect(lane(page, "gaussian_identity")).to_contain_text("new, z from the prior: samples, clipped")
    expect(bernoulli).to_contain_text("new, z from the prior: samples")
    expect(bernoulli).not_to_contain_text("clipped")
    expect(bernoulli.locator(".terms")).to_contain_text("ELBO")
    button(page, "bits per pixel").click()
    expect(bernoulli.locator(".terms")).to_contain_text("bits a pixel")
    expect(page.locator(".shared")).to_contain_text("with the KL, bits a pixel")
    page.wait_for_url("**units=bits*")
    page.reload()
    expect(page.locator(".shared")).to_contain_text("with the KL, bits a pixel")
    button(page, "nats").click()
    expect(page.locator(".shared")).to_contain_text("KL to the prior, nats")
    page.wait_for_url(lambda url: "units" not in url)


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
    page.goto(f"{server.url}/train?epochs=3")  # as an earlier app wrote it
    expect(lane(page, "bernoulli")).to_contain_text("a loss here, not ln p: grey pixels")
    assert page.url == f"{server.url}/train?epochs=3"


def test_eight_decoders_fit(page: Page, server: Server) -> None:
    """On a wide screen side by side, scrolled within the stage; on a phone one below the other, over the playhead."""
    decoders = "".join(f"&decoders={key}" for key in LIKELIHOODS)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 740})
        open_train(page, server, "dataset=digits" + decoders)
        expect(page.locator(".lane")).to_have_count(9)
        wider = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, width
        for formula in page.locator(".formula").all():
            assert formula.evaluate("one => one.scrollWidth - one.clientWidth") <= 0, (width, formula.inner_text())
    expect(page.locator(".shared")).to_be_in_viewport(ratio=0.95)
    page.locator(".lane").nth(5).scroll_into_view_if_needed()
    expect(page.locator(".shared")).to_be_in_viewport(ratio=0.95)


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
    button(page, "Settings").click()
    expect(page.locator("input[aria-label=Seed]")).to_have_value("3")


def test_too_large_is_told(page: Page, server: Server) -> None:
    open_train(page, server, "hidden=8192,8192,8192")
    expect(page.get_by_text("GiB")).to_be_visible()


def test_first_visitor_by_link_gets_the_whole_app(page: Page, tmp_path) -> None:
    fresh = Server(tmp_path / "home").start()
    try:
        open_train(page, fresh, "seed=5")
        expect(page.get_by_role("link", name="ln p(x|z,w)?")).to_be_visible()
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
        expect(page.get_by_text("No Dask scheduler answers at tcp://127.0.0.1:9")).to_be_visible()
        button(page, "Train").click()
        expect(lane(page, "bernoulli")).to_contain_text("starting")
        page.goto("about:blank")
    finally:
        lonely.stop()
