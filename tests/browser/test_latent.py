"""The latent page in a browser: what is drawn is what torch says, and nothing is sent while z is moved."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Server
from tests.waiting import wait_until
from vae_core.checkpoint import load_vae
from vae_core.data import load_dataset
from vae_core.lessons.latent import Codes, held_out_codes, log_prior, means
from vae_core.model import VAE
from vae_core.shipped import SPECS, shipped_weights

SEEN = {  # each view by its name, and something that it shows
    "Walk": ".where",
    "Traversals": ".sheet img",
    "From an image": ".sketch",
    "Between two images": ".js-plotly-plot",
    "New images": ".sheet img",
    "Side by side": ".surface",
}
Z = "() => [...document.querySelectorAll('*')].find((one) => one.dataset.z).dataset.z.split(' ').map(Number)"
GREY = """(canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: data.length / 4 }, (_, d) => data[4 * d]);
}"""


@pytest.fixture(scope="module")
def learned() -> tuple[VAE, Codes]:
    weights = shipped_weights(SPECS["gaussian_learned"])
    assert weights is not None
    vae = load_vae(weights)
    return vae, held_out_codes(vae, load_dataset("mnist"))


def open_latent(page: Page, server: Server, query: str = "") -> None:
    page.goto(f"{server.url}/latent?{query}")
    expect(page.get_by_role("heading", name="The latent space")).to_be_visible()


def z_of(page: Page) -> list[float]:
    return page.evaluate(Z)


def drag(page: Page, selector: str, start: tuple[float, float], end: tuple[float, float], steps: int = 8) -> None:
    """From one place to another, in shares of the surface, without letting go."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    place = lambda share: (box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"])
    page.mouse.move(*place(start))
    page.mouse.down()
    page.mouse.move(*place(end), steps=steps)


def number(text: str, before: str) -> float:
    found = re.search(re.escape(before) + r"(−?[\d.]+)", text)
    assert found, text
    return float(found[1].replace("−", "-"))


def test_walk(page: Page, server: Server, learned: tuple[VAE, Codes]) -> None:
    vae, codes = learned
    sent: list[str | bytes] = []
    received: list[str | bytes] = []

    def watch(socket) -> None:
        socket.on("framesent", lambda frame: sent.append(frame))
        socket.on("framereceived", lambda frame: received.append(frame))

    page.on("websocket", watch)
    open_latent(page, server, "decoder=gaussian_learned")
    where = page.locator(".where")
    expect(where).to_contain_text("nats")
    np.testing.assert_allclose(z_of(page), codes.m[0].numpy(), atol=1e-4)  # the code of held-out image 0
    weights = 4 * sum(parameter.numel() for parameter in vae.decoder.parameters())
    assert sum(map(len, received)) > weights
    expect(page.get_by_text("warming up")).to_have_count(0)  # that line asks the server every second
    expect(page.locator("[data-testid=stStatusWidget]")).to_have_count(0)

    # Dragging decodes here and sends nothing; letting go tells the address, and no weights come again.
    first, quiet, before = z_of(page), len(sent), sum(map(len, received))
    drag(page, ".surface", (0.3, 0.3), (0.6, 0.7))
    wait_until(lambda: z_of(page) != first)
    assert len(sent) == quiet
    page.mouse.up()
    expect(page).to_have_url(re.compile("z="))
    wait_until(lambda: len(sent) > quiet)
    assert sum(map(len, received)) - before < 100_000

    # What is drawn at this z is torch's mean, and the density is the core's.
    z = torch.tensor([z_of(page)])
    shown = np.array(page.locator("canvas[aria-label^='mean of']").evaluate(GREY))
    assert np.abs(shown - means(vae, z)[0].astype(int).ravel()).max() <= 1
    assert number(where.inner_text(), "ln p(z) = ") == pytest.approx(float(log_prior(z)[0]), abs=0.06)

    # The address reopens the same place.
    page.reload()
    expect(where).to_contain_text("nats")
    np.testing.assert_allclose(z_of(page), z[0].numpy(), atol=2e-4)


def test_walk_by_keyboard_and_by_typing(page: Page, server: Server, learned: tuple[VAE, Codes]) -> None:
    _, codes = learned
    across, up = codes.order[:2]
    open_latent(page, server, "decoder=gaussian_learned")
    surface, told = page.locator(".surface"), page.locator(".told")
    surface.focus()
    start = z_of(page)
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowLeft"):
        surface.press(key)
    wait_until(lambda: abs(z_of(page)[across] - (start[across] - 0.9)) < 1e-3)
    assert z_of(page)[up] == pytest.approx(start[up] + 0.1, abs=1e-3)

    field = page.locator("[name=x]")
    field.fill("99")
    field.press("Enter")
    expect(told).to_contain_text(f"z is kept within ±{codes.reach:g}")  # clamped, and said so
    assert z_of(page)[across] == codes.reach
    field.fill("1.5")
    field.press("Enter")
    expect(told).to_have_text("")
    wait_until(lambda: z_of(page)[across] == 1.5)

    image = page.locator("[name=image]")
    image.fill("5000")
    page.locator("[name=go]").click()
    expect(told).to_contain_text("Held-out images are numbered 0 to 999.")
    assert z_of(page)[across] == 1.5  # the last good state stays
    image.fill("17")
    page.locator("[name=go]").click()
    wait_until(lambda: np.allclose(z_of(page), codes.m[17].numpy(), atol=1e-4))
    held = np.array(page.locator(".held canvas").evaluate(GREY))
    np.testing.assert_array_equal(held, (255 * codes.x[17]).numpy())
    page.locator("[name=origin]").click()
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


def test_from_an_image(page: Page, server: Server, learned: tuple[VAE, Codes]) -> None:
    vae, codes = learned
    across, up = codes.order[:2]
    open_latent(page, server, "view=image&decoder=gaussian_learned&image=4")
    value = lambda name: float(page.locator(f"[name={name}]").input_value())
    expect(page.locator("[name=m0]")).to_have_value(f"{float(codes.m[4, across]):.2f}")  # the encoder in JavaScript
    assert value("s1") == pytest.approx(float((0.5 * codes.log_var[4, up]).exp()), abs=0.006)
    q = torch.distributions.Normal(codes.m[4], (0.5 * codes.log_var[4]).exp())
    kl = float(torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum())
    assert number(page.locator(".where").inner_text(), "at this m and s: ") == pytest.approx(kl, abs=0.02)

    # ε is held: moving m moves every z by as much, moving s stretches z about m.
    place = lambda svg, point: [
        float(page.locator(f"{svg} circle[r='4']").nth(point).get_attribute(side) or 0) for side in ("cx", "cy")
    ]
    eps, z = place(".noise", 0), place(".surface", 0)
    mean = np.array([float(page.locator(".surface circle[r='7']").get_attribute(side) or 0) for side in ("cx", "cy")])
    s = page.locator("[name=s0]")
    s.fill(str(2 * value("s0")))
    s.press("Enter")
    wait_until(lambda: abs((place(".surface", 0)[0] - mean[0]) / (z[0] - mean[0]) - 2) < 0.1)
    assert place(".noise", 0) == eps
    page.locator("[name=noise]").click()
    wait_until(lambda: place(".noise", 0) != eps)

    # A digit drawn by hand is encoded as it is drawn.
    before = value("m0")
    page.locator("[name=clear]").click()
    blank = page.locator(".sketch").evaluate(GREY)
    assert not any(blank)
    drag(page, ".sketch", (0.5, 0.2), (0.5, 0.8), steps=20)
    page.mouse.up()
    drawn = np.array(page.locator(".sketch").evaluate(GREY))
    assert (drawn > 128).sum() > 20
    with torch.inference_mode():
        m, _ = vae.encode(torch.from_numpy((drawn > 127.5).astype(np.float32))[None])
    wait_until(lambda: abs(value("m0") - float(m[0, across])) < 0.006)
    assert value("m0") != before


def test_side_by_side_stands_on_one_z(page: Page, server: Server) -> None:
    open_latent(page, server, "view=compare&z=1:0.5,2:-1,image:3")
    means_shown = page.locator("canvas[aria-label^='mean of']")
    expect(means_shown).to_have_count(3)
    z = torch.tensor([z_of(page)])
    assert z[0, :2].tolist() == [0.5, -1.0]
    for index, spec in enumerate(SPECS.values()):
        weights = shipped_weights(spec)
        assert weights is not None
        shown = np.array(means_shown.nth(index).evaluate(GREY))
        assert np.abs(shown - means(load_vae(weights), z)[0].astype(int).ravel()).max() <= 1


def test_exports_are_downloads(page: Page, server: Server) -> None:
    open_latent(page, server, "view=traversals")
    for name, start in {"PNG": b"\x89PNG", "GIF: all latents": b"GIF89a"}.items():
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        assert download.value.path().read_bytes().startswith(start)


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_nothing_sticks_out(browser: Browser, server: Server, width: int, scheme) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    open_latent(page, server)
    for view, seen in SEEN.items():
        page.get_by_role("radio", name=view, exact=True).click()
        expect(page.locator(seen).first).to_be_visible()
        expect(page.locator("[data-stale=true]")).to_have_count(0)  # what the view before it drew is gone
        wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{view} is {wide} px wider than the window"
    context.close()
