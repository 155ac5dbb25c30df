"""Each decoder, trained for a moment, on One image and in the latent space: what is drawn is what torch says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from pages.shared.naming import label, title
from tests.browser.conftest import Server
from tests.browser.latents import GREY, SEEN, z_of
from tests.browser.test_one_image import numbers, panel
from tests.pages.test_trained import keep
from vae_core.checkpoint import load_vae
from vae_core.data import load_dataset
from vae_core.lessons.latent import means
from vae_core.lessons.one_image import held_out_image, latent_of, pixels_at
from vae_core.likelihoods import LIKELIHOODS, Support
from vae_core.model import VAE
from vae_core.runs.store import Store
from vae_core.spec import RunSpec

SPECS = {key: RunSpec(dataset="digits", likelihood=key, latent_dim=2, hidden=(16,), epochs=4) for key in LIKELIHOODS}
ON_TWO_LEVELS = replace(SPECS["discretized_logistic"], binarize="threshold")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, VAE]]]:
    """A server on whose store each decoder has been trained."""
    home = tmp_path_factory.mktemp("every decoder")
    store = Store(home)
    for spec in (*SPECS.values(), ON_TWO_LEVELS):
        keep(store, spec)
    vaes = {key: load_vae(store.load_weights(spec.id) or b"") for key, spec in SPECS.items()}
    server = Server(home).start()
    yield server, vaes
    server.stop()


def test_one_image(page: Page, trained: tuple[Server, dict[str, VAE]]) -> None:
    server, vaes = trained
    page.goto(f"{server.url}/one_image?run={SPECS['categorical'].id}&image=3&pixel=2,3")
    expect(page.locator(".pixel-map .panel")).to_have_count(len(SPECS))
    for key, spec in SPECS.items():
        x = held_out_image(spec, load_dataset("digits"), 3)
        seen = pixels_at(vaes[key], x, latent_of(vaes[key], x, None))
        own, pixel = panel(page, title(spec)), 2 * 8 + 3
        lines = own.locator(".numbers > *")
        expect(lines).to_have_count(3)
        log_prob = float(seen.log_prob[pixel])
        assert numbers(lines.nth(2).inner_text())[0] == pytest.approx(log_prob, rel=6e-3)
        height = numbers(lines.nth(1).inner_text())[-1]
        if key != "bernoulli":  # a coin has no height on grey
            assert height == pytest.approx(math.exp(log_prob), rel=6e-3)
        names = [image.get_attribute("aria-label") or "" for image in own.locator("figure svg").all()]
        expect(own.locator("figure")).to_have_count(len(names))
        assert any(name.startswith("σ") for name in names) == (len(seen.outputs) > 1 and key != "gaussian_shared")
        if LIKELIHOODS[key].support is Support.LEVELS:
            bars = own.locator(".chart rect[fill-opacity]")
            heights = np.array([float(bar.get_attribute("height") or 0) for bar in bars.all()])
            with torch.inference_mode():
                levels = vaes[key].likelihood.distribution(vaes[key].decode(latent_of(vaes[key], x, None)))
                masses = levels.log_prob(levels.enumerate_support(expand=False)).exp()[:, pixel].numpy()  # (17,)
            np.testing.assert_allclose(heights / heights.max(), masses / masses.max(), atol=1e-4)
            assert heights.max() > 101 / 3, "the axis fits the bars"


def test_side_by_side(page: Page, trained: tuple[Server, dict[str, VAE]]) -> None:
    server, vaes = trained
    page.goto(f"{server.url}/latent?view=compare&run={SPECS['categorical'].id}&z=1:0.5,2:-1")
    drawn = page.locator("canvas[aria-label^='mean of']")
    expect(drawn).to_have_count(len(SPECS))
    z = torch.tensor([z_of(page)])
    for index, vae in enumerate(vaes.values()):
        shown = np.array(drawn.nth(index).evaluate(GREY))
        assert np.abs(shown - means(vae, z)[0].astype(int).ravel()).max() <= 1
    with torch.inference_mode():
        sigma = math.exp(0.5 * float(vaes["gaussian_shared"].decode(z)[0, -1]))
    expect(page.get_by_text("at every pixel and z")).to_contain_text(f"σ = {sigma:.3f}")
    clipped = sum(kind.support is Support.REAL for kind in LIKELIHOODS.values())
    expect(page.locator(".run figcaption", has_text="clipped for display")).to_have_count(clipped)


@pytest.mark.parametrize("key", ["gaussian_shared", "categorical"])  # a weight beside the network; a plane a level
def test_every_view_of_the_latent_space(page: Page, trained: tuple[Server, dict[str, VAE]], key: str) -> None:
    server, _ = trained
    page.goto(f"{server.url}/latent?run={SPECS[key].id}&decoder={key}")
    expect(page.locator(".where")).to_contain_text("nats")
    for view, seen in SEEN.items():
        page.get_by_role("radio", name=view, exact=True).click()
        expect(page.locator(seen).first).to_be_visible()


def test_other_levels_leave_no_bars_behind(page: Page, trained: tuple[Server, dict[str, VAE]]) -> None:
    """A discretised logistic of 17 levels and one of 2 have one name, and not one picture."""
    server, _ = trained
    drawn = lambda tab: tab.locator(".pixel-map .panels").evaluate("panels => panels.innerHTML")
    page.goto(f"{server.url}/one_image?run={SPECS['discretized_logistic'].id}&pixel=2,3")
    expect(page.locator(".pixel-map .panel")).to_have_count(len(SPECS))
    page.get_by_role("combobox", name="Trained decoders").click()
    page.get_by_role("option", name=label(ON_TWO_LEVELS)).click()
    expect(page.locator(".pixel-map .panel")).to_have_count(1)
    bars = page.locator(".pixel-map .panel .chart rect[fill-opacity]")
    expect(bars).to_have_count(2)
    fresh = page.context.new_page()
    fresh.goto(f"{server.url}/one_image?run={ON_TWO_LEVELS.id}&pixel=2,3")
    expect(fresh.locator(".pixel-map .panel")).to_have_count(1)
    assert drawn(page) == drawn(fresh)
