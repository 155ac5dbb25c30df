"""The latent page, as tests read it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from vae_core.checkpoint import load_vae
from vae_core.data import load_dataset
from vae_core.lessons.latent import Codes, held_out_codes
from vae_core.model import VAE
from vae_core.shipped import shipped_weights
from vae_core.spec import RunSpec

SEEN = {  # each view by its name, and something that it shows
    "Walk": ".where",
    "Traversals": ".sheet img",
    "From an image": ".sketch",
    "Paths": ".js-plotly-plot",
    "New images": ".sheet img",
    "Side by side": ".surface",
}
Z = "() => [...document.querySelectorAll('*')].find((one) => one.dataset.z).dataset.z.split(' ').map(Number)"
GREY = """(canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: data.length / 4 }, (_, d) => data[4 * d]);
}"""


def opened(spec: RunSpec) -> tuple[VAE, Codes]:
    weights = shipped_weights(spec)
    assert weights is not None
    vae = load_vae(weights)
    return vae, held_out_codes(vae, load_dataset("mnist"))


def open_latent(page: Page, server: Server, query: str = "") -> None:
    page.goto(f"{server.url}/latent?{query}")
    expect(page.get_by_role("heading", name="Latent space")).to_be_visible()


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
