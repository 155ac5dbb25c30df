"""The page's numbers are the core's, its link is checked, and a run that cannot be read is told."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.one_image.estimate import charted
from pages.shared.naming import title
from tests.pages.test_pages import press, text
from tests.pages.test_trained import keep
from vae_core.checkpoint import load_vae
from vae_core.data import load_dataset, split
from vae_core.lessons.one_image import MOST_DRAWS, Estimate, estimate, held_out_image, latent_of, pixels_at, running
from vae_core.runs.engine import Engine
from vae_core.shipped import SIGMA_SPECS, SPECS, shipped_weights
from vae_core.spec import RunSpec

DIGITS = RunSpec(dataset="digits", epochs=1, hidden=(8,), seed=41, likelihood="bernoulli")


def drawn(page: AppTest) -> dict:
    """What the widget is given."""
    (element,) = [one for one in page.get("bidi_component") if "one_image" in one.proto.component_name]
    return json.loads(element.proto.json)


def rows(data: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(data["arrays"]), "<f4").reshape(-1, data["side"] ** 2)


def two(value: float) -> str:
    return f"{value:,.2f}".replace("-", "−")


@pytest.fixture
def trained(engine: Engine) -> RunSpec:
    keep(engine.store, DIGITS)
    return DIGITS


@pytest.mark.parametrize("z", ["mean", "draw"])
def test_the_numbers_are_the_cores(open_page, z: str) -> None:
    page = open_page("one_image", image="12", z=z, L="7", draw="3")
    data = drawn(page)
    for panel, (key, spec) in zip(data["decoders"], SPECS.items(), strict=True):
        vae = load_vae(shipped_weights(spec) or b"")
        x = held_out_image(spec, load_dataset("mnist"), 12)
        seen = pixels_at(vae, x, latent_of(vae, x, 3 if z == "draw" else None))
        assert (rows(data)[0] == x.numpy()).all()
        assert (panel["key"], panel["settings"]) == (
            key,
            {name: getattr(spec, name) for name in vae.likelihood.settings},
        )
        np.testing.assert_allclose(rows(data)[panel["log_prob"]], seen.log_prob, rtol=1e-6)
        np.testing.assert_allclose(rows(data)[panel["outputs"]], seen.outputs, rtol=1e-6)
        for image in panel["images"]:
            np.testing.assert_allclose(rows(data)[image["row"]], getattr(seen, image["name"]), rtol=1e-6)
        assert f"{seen.total:,.1f} nats".replace("-", "−") in panel["total"]
        assert panel["kind"] == ("mass" if key == "bernoulli" else "density")
        found = estimate(vae, x, 7, 3)
        for shown in (found.mean, found.elbo):
            assert f"**{two(shown)}** ± {found.error:.2f}" in text(page)
        assert f"**−\u00a0{found.kl:.2f}**" in text(page)
    assert page.selectbox(key="one_image.image class").value == load_dataset("mnist").labels[split(spec)[1]][12]


def test_which_pictures_a_decoder_has(open_page) -> None:
    """A parameter that is the same at every pixel is no picture."""
    names = [[image["name"] for image in panel["images"]] for panel in drawn(open_page("one_image"))["decoders"]]
    assert names == [["mean", "log_prob"], ["mean", "log_prob"], ["mean", "stddev", "log_prob"]]


def test_images_by_number_and_by_digit(open_page) -> None:
    page = open_page("one_image")
    labels = load_dataset("mnist").labels[split(SPECS["bernoulli"])[1]]
    page.selectbox(key="one_image.image class").set_value(7).run()
    number = page.number_input(key="one_image.image").value
    assert labels[number] == 7
    assert 7 not in labels[:number]
    assert page.query_params["image"] == str(number)
    page.number_input(key="one_image.image").set_value(0).run()
    assert page.selectbox(key="one_image.image class").value == labels[0]
    assert "image" not in page.query_params


def test_more_draws(open_page) -> None:
    page = open_page("one_image", L="1")
    assert "±" not in "\n".join(table for table in text(page).split("\n") if table.startswith("| their mean"))
    press(page, "4 × L")
    assert page.number_input(key="one_image.L").value == 4
    assert text(page).count("±") >= 6
    page.number_input(key="one_image.L").set_value(600).run()
    press(page, "4 × L")
    assert page.number_input(key="one_image.L").value == 1000
    before = text(page)
    press(page, "Draw again")
    assert page.query_params["draw"] == "1"
    assert text(page) != before


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("image", "-1", "image is -1; allowed: a whole number from 0 to 29999."),
        ("image", "1000", "Held-out image is 1000; allowed: a whole number from 0 to 999. 0 is shown."),
        ("z", "median", "z is `'median'`; allowed: mean, draw."),
        ("pixel", "28,0", "pixel is `'28,0'`; allowed: row,column, each from 0 to 27."),
        ("pixel", "1;DROP", "allowed: row,column, each from 0 to 27."),
        ("L", "0", "L is 0; allowed: a whole number from 1 to 1000."),
        ("L", "1e3", "allowed: a whole number from 1 to 1000."),
        ("draw", "10000", "allowed: a whole number from 0 to 9999."),
        ("decoder", "x", "`'decoder'` is not a setting; allowed: run, spec, image, z, pixel, L, draw."),
    ],
)
def test_each_bad_part_of_a_link_is_told_and_the_rest_holds(open_page, name: str, value: str, sentence: str) -> None:
    page = open_page("one_image", **{"run": SIGMA_SPECS[0.1].id, name: value})
    assert sentence in page.warning[0].value.replace("\\", "")
    assert drawn(page)["decoders"]
    assert page.session_state["one_image.run"] == SIGMA_SPECS[0.1].id


def test_the_pixel_of_the_link_is_marked(open_page) -> None:
    assert drawn(open_page("one_image", pixel="5,14"))["pixel"] == 5 * 28 + 14
    data = drawn(open_page("one_image"))
    assert data["pixel"] == -1
    assert data["start"] == rows(data)[data["decoders"][0]["log_prob"]].argmin()


def test_an_own_run_on_grey_pixels_is_a_loss(open_page, trained: RunSpec) -> None:
    page = open_page("one_image", run=trained.id, pixel="9,9")
    assert "pixel is 9,9; these images have rows and columns 0 to 7." in page.warning[0].value
    (panel,) = drawn(page)["decoders"]
    assert panel["kind"] == "loss"
    assert panel["total"].startswith("−BCE = ")
    assert "a loss here, not ln p" in text(page)
    assert "= −BCE − KL" in text(page)
    assert "ELBO |" not in text(page)
    assert "a coin has no grey side" in text(page)


def test_a_shipped_run_opens_by_its_id(open_page) -> None:
    page = open_page("one_image", run=SIGMA_SPECS[0.1].id)
    data = drawn(page)
    assert [panel["title"] for panel in data["decoders"]][1] == "Gaussian, fixed σ = 0.1"
    assert "pays more for each error" in text(page)
    best = rows(data)[data["decoders"][1]["log_prob"]].max()
    assert best == pytest.approx(-math.log(0.1 * math.sqrt(2 * math.pi)), abs=1e-3)


def test_damaged_weights_are_told_and_the_others_stay(open_page, engine: Engine, trained: RunSpec) -> None:
    other = replace(trained, likelihood="gaussian_identity", seed=42)
    siblings = [other, replace(other, likelihood="laplace")]
    for spec in siblings:
        keep(engine.store, spec)
    path = engine.store.weights_path(other.id)
    path.write_bytes(path.read_bytes()[:-99])
    page = open_page("one_image", run=other.id)
    assert f"{title(other)}: The saved weights cannot be read" in page.error[0].value
    assert [panel["title"] for panel in drawn(page)["decoders"]] == ["Laplace"]
    path.unlink()
    page = open_page("one_image", run=other.id)
    assert "The weights of this run are missing" in page.warning[0].value
    assert not [one for one in page.get("bidi_component") if "one_image" in one.proto.component_name]
    assert page.selectbox(key="one_image.run").value == other.id


def test_an_unknown_run_is_told(open_page) -> None:
    page = open_page("one_image", run="0" * 16)
    assert "No run 0000000000000000 is kept here" in page.warning[0].value
    page.selectbox(key="one_image.run").set_value("").run()
    assert len(drawn(page)["decoders"]) == 3


def test_what_the_charts_of_the_estimate_draw() -> None:
    values = np.random.default_rng(3).normal(-100, 5, 40)
    rows = charted(Estimate(values, 1.0, *running(values))).to_pandas()
    for n in (2, 17, 40):
        row, error = rows.iloc[n - 1], values[:n].std(ddof=1) / math.sqrt(n)
        assert [row.L, row.draw, row.error] == pytest.approx([n, values[n - 1], error], rel=1e-5)
        assert [row.low, row["mean"], row.high] == pytest.approx(values[:n].mean() + error * np.arange(-1, 2), rel=1e-5)
    last = rows.iloc[-1]
    assert [last["first"], last["last"]] == pytest.approx(last.error * np.sqrt([40, 40 / MOST_DRAWS]), rel=1e-5)
    assert rows.error.isna().tolist() == [True] + 39 * [False]  # one draw tells of no error
    alike = np.full(4, 7.25)
    assert (
        charted(Estimate(alike, 1.0, *running(alike)))
        .to_pandas()[["error", "low", "first", "last"]]
        .isna()
        .all(axis=None)
    )
