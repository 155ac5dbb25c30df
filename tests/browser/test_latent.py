"""The walk through latent space by pointer, keys and touch: what is drawn is what torch says, and nothing is sent."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, Response, Route, expect

from tests.browser.conftest import Server
from tests.browser.latents import GREY, drag, number, open_latent, opened, z_of
from tests.waiting import wait_until
from vae_core.data import load_dataset
from vae_core.lessons.latent import Codes, log_prior, means
from vae_core.lessons.one_image import held_out_image
from vae_core.model import VAE
from vae_core.shipped import SPECS, TWO_LATENTS

# How the classes' colours stand out from the two colours that lie under their numerals: the least contrast, by WCAG.
CONTRAST = """() => {
  const root = [...document.querySelectorAll('*')].find((one) => one.dataset.z).shadowRoot;
  const dot = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const luminance = (colour) => {
    dot.fillStyle = colour;
    dot.fillRect(0, 0, 1, 1);
    const linear = (one) => (one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4);
    const [red, green, blue] = [...dot.getImageData(0, 0, 1, 1).data].map(linear);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const pad = getComputedStyle(root.querySelector('.pad'));
  const under = ['--st-background-color', '--st-secondary-background-color']
    .map((name) => luminance(pad.getPropertyValue(name)));
  const inks = [...root.querySelectorAll('.key span')]
    .filter((one) => one.style.color).map((one) => luminance(one.style.color));
  return [inks.length, Math.min(...inks.flatMap((ink) => under.map((ground) => contrast(ink, ground))))];
}"""
FOCUSED = """() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at?.name || at?.className?.baseVal || '';
}"""


@pytest.fixture(scope="module")
def learned() -> tuple[VAE, Codes]:
    return opened(SPECS["gaussian_learned"])


@pytest.fixture(scope="module")
def flat() -> tuple[VAE, Codes]:
    return opened(TWO_LATENTS["gaussian_learned"])


def on_first_screen(page: Page) -> None:
    """The plane, and what is decoded there, are in the window before any scrolling."""
    size = page.viewport_size
    assert size is not None
    for selector in (".plane", "canvas[aria-label^='mean of']"):
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["y"] >= 0 and box["y"] + box["height"] <= size["height"], (selector, box)


def test_networks_that_are_no_longer_kept_are_offered_again(context: BrowserContext, server: Server) -> None:
    """As when the process that made the page has died, and another serves its visitor."""
    page, refused = context.new_page(), list[str]()  # of its own: a browser logs an answer of 404 as an error

    def once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=404, json={"error": "These networks are no longer kept here."})

    page.route("**/runs/networks/*", once)
    open_latent(page, server, "decoder=bernoulli")
    expect(page.locator(".where")).to_contain_text("the log density of the prior")
    assert refused


def test_walk(page: Page, server: Server, flat: tuple[VAE, Codes]) -> None:
    """On all of z: the shipped runs with two latents."""
    vae, codes = flat
    sent: list[str | bytes] = []
    received: list[str | bytes] = []

    def watch(socket) -> None:
        socket.on("framesent", lambda frame: sent.append(frame))
        socket.on("framereceived", lambda frame: received.append(frame))

    fetched: list[Response] = []
    page.on("websocket", watch)
    page.on("response", lambda response: fetched.append(response) if "/runs/networks/" in response.url else None)
    page.set_viewport_size({"width": 1280, "height": 800})
    open_latent(page, server, "decoder=gaussian_learned")
    where, spoken = page.locator(".where"), page.locator(".spoken")
    expect(where).to_have_text(
        f"ln p(z) = −{math.log(2 * math.pi):.1f} nats, the log density of the prior."
    )  # all of z
    assert z_of(page) == [0, 0]
    weights = 4 * sum(parameter.numel() for parameter in vae.decoder.parameters())
    (networks,) = fetched
    assert len(networks.body()) > weights > sum(map(len, received))
    expect(page.get_by_text("warming up")).to_have_count(0)  # that line asks the server every second
    expect(page.locator("[data-testid=stStatusWidget]")).to_have_count(0)
    on_first_screen(page)
    n, least = page.evaluate(CONTRAST)
    assert n == 10 and least >= 4.5

    # Dragging decodes here and sends nothing, also beyond the edge; letting go tells the address and the listener, and
    # no weights come again.
    quiet, before = len(sent), sum(map(len, received))
    drag(page, ".surface", (0.3, 0.3), (1.4, 0.7))
    wait_until(lambda: z_of(page)[codes.order[0]] == codes.reach)
    assert len(sent) == quiet
    expect(spoken).to_have_text("")
    page.mouse.move(640, 700, steps=4)
    assert page.evaluate("() => getSelection().toString()") == ""
    page.mouse.up()
    expect(page).to_have_url(re.compile("at="))
    expect(spoken).to_contain_text(re.compile(r"^z. = .*, z. = .*\. ln p\(z\) = −"))
    assert len(sent) > quiet
    assert sum(map(len, received)) - before < 20_000
    assert len(fetched) == 1

    # What is drawn at this z is torch's mean, and the density is the core's.
    z = torch.tensor([z_of(page)])
    shown = np.array(page.locator("canvas[aria-label^='mean of']").evaluate(GREY))
    assert np.abs(shown - means(vae, z)[0].astype(int).ravel()).max() <= 1
    assert number(where.inner_text(), "ln p(z) = ") == pytest.approx(float(log_prior(z)[0]), abs=0.06)

    # The address reopens the same place.
    page.reload()
    expect(where).to_contain_text("nats")
    np.testing.assert_allclose(z_of(page), z[0].numpy(), atol=2e-4)

    # The runs with ten latents are a choice away; a place of the other space is left.
    page.get_by_role("button", name="Trained decoders: shipped, two latents").click()
    page.get_by_role("radio", name="Ten: planes through z").click()
    expect(where).to_contain_text("The other 8 latents are held at the code m of held-out image 0.")
    expect(page).to_have_url(re.compile("latents=10"))
    expect(page.locator(".told")).to_have_text("")


def test_walk_by_keyboard_and_by_typing(page: Page, server: Server, learned: tuple[VAE, Codes]) -> None:
    vae, codes = learned
    across, up = codes.order[:2]
    open_latent(page, server, "latents=10&decoder=gaussian_learned")
    surface, told = page.locator(".surface"), page.locator(".told")
    expect(page.locator(".where")).to_contain_text("The other 8 latents")
    np.testing.assert_allclose(z_of(page), codes.m[0].numpy(), atol=1e-4)  # the code of held-out image 0

    # Tab goes through the pad and out of it, Shift+Tab back.
    stops = ["surface", "across", "up", "x", "y", "origin", "image", "go", "draw", "behind", "points"]
    surface.focus()
    for stop in stops:
        assert page.evaluate(FOCUSED) == stop
        page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) not in stops
    for stop in reversed(stops):
        page.keyboard.press("Shift+Tab")
        assert page.evaluate(FOCUSED) == stop

    start = z_of(page)
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    wait_until(lambda: abs(z_of(page)[across] - (start[across] - 0.9)) < 1e-3)
    assert z_of(page)[up] == pytest.approx(start[up] + 0.1, abs=1e-3)
    expect(page.locator(".spoken")).to_contain_text(f"= {start[across] - 0.9:.2f}".replace("-", "−"))
    assert surface.evaluate("(one) => getComputedStyle(one).outlineWidth") != "0px"  # where the focus is

    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.type("99")
    page.keyboard.press("Enter")
    expect(told).to_contain_text(f"z is kept within ±{codes.reach:g}")  # clamped, and said so
    assert z_of(page)[across] == codes.reach
    page.keyboard.press("Control+A")
    page.keyboard.type("1.5")
    page.keyboard.press("Enter")
    expect(told).to_have_text("")
    wait_until(lambda: z_of(page)[across] == 1.5)

    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.type("5000")
    page.keyboard.press("Enter")
    expect(told).to_contain_text("Held-out images are numbered 0 to 999.")
    assert z_of(page)[across] == 1.5  # the last good state stays
    page.keyboard.press("Control+A")
    page.keyboard.type("17")
    page.keyboard.press("Enter")
    wait_until(lambda: np.allclose(z_of(page), codes.m[17].numpy(), atol=1e-4))
    held = np.array(page.locator(".held canvas").evaluate(GREY))
    x = held_out_image(vae.spec, load_dataset("mnist"), 17)
    np.testing.assert_array_equal(held, (255 * x).numpy())
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")  # z = 0
    wait_until(lambda: not any(z_of(page)))

    page.locator("[name=up]").select_option(str(codes.order[5]))
    for behind, said in {
        "grid": "decoded grid: the mean of p(x|z,w)",
        "ratio": "codes rarer than the prior says",
        "entropy": "where the decoder is least sure",
    }.items():
        page.locator("[name=behind]").select_option(behind)
        expect(page.locator(".key")).to_contain_text(said)
    page.get_by_role("radio", name="Gaussian, identity covariance").click()
    entropy = 784 * 0.5 * math.log(2 * math.pi * math.e)  # of 784 normals with σ = 1
    expect(page.locator(".key")).to_contain_text(f"{entropy:.1f} nats everywhere")


SPENT = """() => new Promise((done) => {
  const plane = [...document.querySelectorAll('*')].map((one) => one.shadowRoot?.querySelector('.plane')).find(Boolean);
  let [last, still] = [NaN, 0];
  const look = () => {
    const { top } = plane.getBoundingClientRect();
    [still, last] = [top === last ? still + 1 : 0, top];
    if (still < 20) requestAnimationFrame(look);
    else done();
  };
  look();
})"""


def finger(cdp: CDPSession, kind: str, *place: float) -> None:
    points = [{"x": place[0], "y": place[1]}] if place else []
    cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_by_touch_a_swipe_scrolls_and_a_drag_drags(browser: Browser, server: Server) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, color_scheme="dark"
    )
    page = context.new_page()
    open_latent(page, server)
    expect(page.locator(".where")).to_contain_text("nats")
    on_first_screen(page)
    n, least = page.evaluate(CONTRAST)
    assert n == 10 and least >= 4.5
    cdp = context.new_cdp_session(page)
    top = lambda: page.locator(".plane").evaluate("(one) => one.getBoundingClientRect().top")
    place = lambda right, down: (
        (box := page.locator(".plane").evaluate("(one) => one.getBoundingClientRect().toJSON()"))["x"]
        + right * box["width"],
        box["y"] + down * box["height"],
    )

    # Up: the page scrolls, and z is where it was.
    before, (x, y) = top(), place(0.8, 0.5)
    finger(cdp, "touchStart", x, y)
    for step in range(1, 12):
        finger(cdp, "touchMove", x, y - 20 * step)
    finger(cdp, "touchEnd")
    wait_until(lambda: top() < before - 100)
    wait_until(lambda: z_of(page) == [0, 0])
    expect(page.locator(".spoken")).to_have_text("")

    # Sideways, then wherever: the page stays, z moves. Not before the swipe's own momentum is spent.
    page.evaluate(SPENT)
    before = top()
    finger(cdp, "touchStart", *place(0.5, 0.3))
    for right, down in ((0.6, 0.3), (0.7, 0.3), (0.7, 0.5), (0.7, 0.7)):
        finger(cdp, "touchMove", *place(right, down))
    finger(cdp, "touchEnd")
    wait_until(lambda: z_of(page)[0] > 1 and z_of(page)[1] < -1)
    assert top() == before
    expect(page).to_have_url(re.compile("at="))

    # Up after a rest: the same.
    finger(cdp, "touchStart", *place(0.3, 0.8))
    expect(page.locator(".surface")).to_have_class(re.compile("rested"))
    for down in (0.7, 0.5, 0.3, 0.2):
        finger(cdp, "touchMove", *place(0.3, down))
    finger(cdp, "touchEnd")
    wait_until(lambda: z_of(page)[0] < -1 and z_of(page)[1] > 1)
    assert top() == before
    context.close()
