"""The views of the latent page besides the walk: what is drawn is what torch says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.latents import GREY, SEEN, drag, number, open_latent, opened, z_of
from tests.waiting import wait_until
from vae_core.checkpoint import load_vae
from vae_core.lessons.latent import Codes, means
from vae_core.model import VAE
from vae_core.shipped import SPECS, shipped_weights


@pytest.fixture(scope="module")
def learned() -> tuple[VAE, Codes]:
    return opened(SPECS["gaussian_learned"])


def test_from_an_image(page: Page, server: Server, learned: tuple[VAE, Codes]) -> None:
    vae, codes = learned
    across, up = codes.order[:2]
    open_latent(page, server, "latents=10&view=image&decoder=gaussian_learned&image=4")
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
def test_nothing_sticks_out(page: Page, server: Server, width: int, scheme) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    open_latent(page, server)
    for view, seen in SEEN.items():
        page.get_by_role("radio", name=view, exact=True).click()
        expect(page.locator(seen).first).to_be_visible()
        expect(page.locator("[data-stale=true]")).to_have_count(0)  # what the view before it drew is gone
        wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{view} is {wide} px wider than the window"
