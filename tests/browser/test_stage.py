"""The stage: all decoders at one step, scrubbed, pointed at and asked about a pixel, in the browser alone."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request

import pytest
import torch
from playwright.sync_api import Page, WebSocket, expect

from tests.browser.conftest import Server
from tests.browser.stages import LANES, button, drag, lane, open_train, picture, shown
from tests.waiting import wait_until
from vae_core import LIKELIHOODS, RunSpec, load_dataset
from vae_core.checkpoint import load_vae
from vae_core.data import split


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
    polled = [
        url for url in asked if "/runs/news?" in url and url.count(":360&") == len(LANES)
    ]  # waits for what is new
    assert not sent and asked == polled, f"scrubbing told the server: {sent}, {asked}"

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
        strips = page.locator(
            ".lane .strip:visible"
        )  # empty as yet: they keep their room where they stand side by side
        expect(strips).to_have_count(0 if width == 360 else 1 + 4 * len(LIKELIHOODS))
        expect(page.get_by_text("Each decoder shows here, once it trains")).to_be_visible(visible=width == 360)
    expect(page.locator(".shared")).to_be_in_viewport(ratio=0.95)
    page.locator(".lane").nth(5).scroll_into_view_if_needed()
    expect(page.locator(".shared")).to_be_in_viewport(ratio=0.95)


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("news?run=0123456789abcdef:-1&since=-1", 200, ""),
        ("news?since=0", 400, "for at most 16 runs"),
        ("news?run=0123456789abcdef:-1", 400, "for at most 16 runs"),
        ("news?run=../../etc:0&since=0", 400, "for at most 16 runs"),
        ("news?run=0123456789abcdef:-2&since=0", 400, "for at most 16 runs"),
        ("news?" + "run=0123456789abcdef:0&" * 17 + "since=0", 400, "for at most 16 runs"),
        ("pixel?run=0123456789abcdef&image=0&pixel=0", 404, "no such run"),
        ("pixel?run=0123456789abcdef&image=0", 400, "Ask as"),
        ("pixel?run=0123456789abcdef&image=-1&pixel=0", 400, "Ask as"),
        ("pixel?run='%20OR%201=1&image=0&pixel=0", 400, "Ask as"),
    ],
)
def test_what_is_asked_over_http_is_checked(server: Server, asked: str, status: int, said: str) -> None:
    try:
        reply = urllib.request.urlopen(f"{server.url}/runs/{asked}", timeout=30)
    except urllib.error.HTTPError as error:
        assert error.code == status
        assert said in json.loads(error.read())["error"]
    else:
        assert reply.status == status == 200
        assert "access-control-allow-origin" not in reply.headers  # other sites' pages may not read it
