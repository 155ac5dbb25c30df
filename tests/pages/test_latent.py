"""The latent page without a browser."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.GifImagePlugin import GifImageFile
from streamlit.testing.v1 import AppTest

from pages.latent.pack import as_bytes
from pages.latent.pad import read, written
from pages.latent.run import LatentRun, subscript
from pages.latent.traverse import _movie, _sheet
from pages.shared.naming import title
from tests.pages.test_pages import finish
from tests.pages.test_trained import keep
from vae_core.data import load_dataset
from vae_core.lessons.latent import along, held_out_codes, means
from vae_core.model import VAE
from vae_core.runs.engine import Engine
from vae_core.shipped import SIGMA_SPECS
from vae_core.spec import RunSpec

VIEWS = ["walk", "traversals", "image", "between", "new", "compare"]


def text(page: AppTest) -> str:
    shown = [element.value for element in [*page.title, *page.markdown, *page.caption]]
    return "\n".join(one for one in shown if "warming up" not in one)  # how far the workers are is not the page's


@pytest.fixture(scope="module")
def trained(engine: Engine):
    """Own runs on small images: with one latent, and with sixty-four."""

    def trained(latent_dim: int) -> RunSpec:
        spec = RunSpec(dataset="digits", latent_dim=latent_dim, hidden=(16,), epochs=1, likelihood="gaussian_learned")
        engine.submit(spec)
        finish(engine, spec.id)
        run = engine.store.run(spec.id)
        assert run is not None
        assert run.status == "done"
        return spec

    return trained


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_draws(open_page, view: str) -> None:
    page = open_page("latent", view=view)
    assert not page.error and not page.warning
    assert "still to be written" not in text(page)


@pytest.mark.parametrize("latent_dim", [1, 64])
def test_one_latent_and_sixty_four(open_page, trained, latent_dim: int) -> None:
    spec = trained(latent_dim)
    for view in VIEWS:
        page = open_page("latent", view=view, run=spec.id)
        assert not page.error and not page.warning
        assert page.segmented_control(key="latent.decoder").value == "gaussian_learned"
        if view == "traversals" and latent_dim == 64:
            page.toggle(key="latent.all").set_value(True).run()
            assert not page.exception


def test_a_run_by_its_id_opens_every_view_with_its_siblings(open_page, engine: Engine) -> None:
    """Of the same settings alone: neither the run with other settings nor the shipped ones are among them."""
    spec = RunSpec(dataset="digits", latent_dim=2, hidden=(8,), epochs=1, seed=91, likelihood="laplace")
    sibling = replace(spec, likelihood="bernoulli")
    for one in (spec, sibling, replace(spec, likelihood="gaussian_identity", hidden=(9,))):
        keep(engine.store, one)
    for view in VIEWS:
        page = open_page("latent", view=view, run=spec.id)
        assert not page.error and not page.warning
        decoder = page.segmented_control(key="latent.decoder")
        assert decoder.value == "laplace"
        assert decoder.options == [title(sibling), title(spec)]
        assert page.query_params["run"] == spec.id


def test_ones_own_runs_are_a_press_away_and_not_in_a_popover(open_page, engine: Engine) -> None:
    """Nothing else of the page asks to be opened first."""
    spec = RunSpec(dataset="digits", latent_dim=2, hidden=(8,), epochs=1, seed=92)
    keep(engine.store, spec)
    page = open_page("latent")
    assert [one.proto.popover.label for one in popovers(page)] == ["Trained decoders: shipped, two latents"]
    page.session_state["asked for"] = [spec.id]  # as the press on Train leaves it
    page.run()
    assert not popovers(page)
    page.button(key="own runs").click().run()
    assert page.session_state["latent.run"] == spec.id
    assert [one.proto.popover.label for one in popovers(page)] == ["Trained decoders: a run with 2 latents"]


def popovers(page: AppTest) -> list[Any]:
    def below(block: Any) -> Iterator[Any]:
        for child in getattr(block, "children", {}).values():
            yield child
            yield from below(child)

    return [one for one in below(page.main) if getattr(one, "type", "") == "popover"]


def test_paths_end_at_the_images_chosen(open_page) -> None:
    page = open_page("latent", view="between", image="3", other="5")
    half_way = next(element.value for element in page.markdown if "half-way: linear" in element.value)
    page.number_input(key="latent.other").set_value(3).run()
    same = next(element.value for element in page.markdown if "half-way: linear" in element.value)
    assert half_way != same
    linear, spherical = same.split("linear: ")[1].split("; spherical: ")
    assert linear == spherical.removesuffix(".")  # a path from an image to itself stays there


def test_draws_repeat_by_their_number(open_page) -> None:
    page = open_page("latent", view="new", draw="7")
    first = text(page)
    page.number_input(key="latent.draw").set_value(8).run()
    assert text(page) != first
    page.number_input(key="latent.draw").set_value(7).run()
    assert text(page) == first


def test_an_image_that_is_not_there_is_told(open_page) -> None:
    page = open_page("latent", view="between", image="4000")
    assert "is 4000; allowed: a whole number from 0 to 999" in page.warning[0].value
    assert page.number_input(key="latent.image").value == 0


@pytest.mark.parametrize(
    "z",
    ["1:0.5,1:2", "0:1", "1:nan", "1:1e9", "100:1", "1:1,2:2,3:3", "image:-1", "image:99999", "here", "1:" + "9" * 400],
)
def test_a_bad_z_in_a_link_is_told(open_page, z: str) -> None:
    for name in ("z", "at"):  # as an earlier app called it, and as it is called now
        page = open_page("latent", **{name: z})
        assert f": {name} is " in page.warning[0].value and "allowed: up to two latents" in page.warning[0].value


def test_z_in_a_link_is_read_as_written() -> None:
    for at in (
        {"axes": [9, 4], "z": [0.5, -1.25], "image": 17},
        {"axes": [0], "z": [0.0001], "image": -1},
        {"axes": [63, 0], "z": [-20, 0], "image": 0},
    ):
        assert read(written(at)) == at


def test_another_run_that_is_not_here(open_page) -> None:
    page = open_page("latent", view="compare", beside="0123456789abcdef")
    assert "The other run of this link is not kept here" in page.warning[0].value


def test_two_runs_side_by_side(open_page) -> None:
    page = open_page("latent", view="compare", latents="10", decoder="gaussian_identity", beside=SIGMA_SPECS[0.1].id)
    assert not page.warning
    headings = [element.value for element in page.markdown if element.value.startswith("### ")]
    assert headings == ["### Gaussian, identity covariance", "### Gaussian, fixed σ = 0.1"]


def test_a_network_too_large_for_the_browser_is_told(open_page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.latent.pack.MOST_WEIGHTS", 600_000)
    for view in ("walk", "image", "compare"):
        page = open_page("latent", view=view)
        assert "too many to walk through in the browser" in page.info[0].value


def test_damaged_weights_are_told_and_training_is_offered(open_page, trained, engine: Engine) -> None:
    spec = trained(2)
    engine.store.weights_path(spec.id).write_bytes(b"no weights")
    page = open_page("latent", run=spec.id)
    assert "cannot be read" in page.error[0].value
    assert any("again" in button.label for button in page.button)


def test_exports() -> None:
    spec = RunSpec(dataset="digits", latent_dim=3, hidden=(8,))
    vae, data = VAE(spec), load_dataset("digits")
    run = LatentRun(spec, vae, data, held_out_codes(vae, data))
    with GifImageFile(io.BytesIO(_movie(run, 0, [2, 0, 1]))) as movie:
        assert movie.n_frames == 48  # 25 places from −3 to 3, and back to the second
        assert movie.size == (3 * 26, 3 * 8)
    rows = means(vae, along(run.codes.m[0], [2, 0], torch.linspace(-3, 3, 5)))
    with Image.open(io.BytesIO(_sheet(rows))) as picture:
        assert picture.size == (44, 17)
        np.testing.assert_array_equal(np.asarray(picture)[9:, 36:], rows[1, 4])


def test_subscripts() -> None:
    assert [subscript(latent) for latent in (0, 9, 63)] == ["z₁", "z₁₀", "z₆₄"]


def test_bytes_lie_where_the_head_says() -> None:
    data = as_bytes({"n": 3, "a": b"12345", "b": b"\x00\x01\x02\x03", "c": b""})
    head_length = int.from_bytes(data[:4], "little")
    head, body = json.loads(data[4 : 4 + head_length]), data[4 + head_length :]
    assert head["n"] == 3 and head_length % 4 == 0
    parts = {name: body[start : start + length] for name, (start, length) in head["parts"].items()}
    assert parts == {"a": b"12345", "b": b"\x00\x01\x02\x03", "c": b""}
    assert all(start % 4 == 0 for start, _ in head["parts"].values())
