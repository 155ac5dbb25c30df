"""What the Train page says of each decoder, and how it puts them all on one axis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import pages.train.compare as compare
from pages.shared.naming import label
from tests.pages.test_pages import finish, press, text
from vae_core.likelihoods import LIKELIHOODS
from vae_core.runs.engine import Engine
from vae_core.spec import RunSpec

EVERY = {"dataset": "digits", "hidden": "8", "epochs": "2", "latent_dim": "2", "decoders": list(LIKELIHOODS)}
NOT_SCORED = "Bernoulli: asked for the probability of one of 17 grey levels"


def spec_of(likelihood: str, **changes: Any) -> RunSpec:
    return RunSpec(dataset="digits", hidden=(8,), epochs=2, latent_dim=2, likelihood=likelihood, **changes)


@pytest.fixture
def trained(open_page, engine: Engine) -> None:
    """All decoders, on grey and on black-and-white pixels."""
    specs = [spec_of(key, binarize=binarize) for key in LIKELIHOODS for binarize in ("none", "threshold")]
    for spec in specs:
        engine.submit(spec)
    for spec in specs:
        finish(engine, spec.id)


@pytest.fixture
def charts(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[Any]]]:
    """The rows of the charts on one axis, by part."""
    drawn: dict[str, list[Any]] = {}
    chart = compare._chart

    def watched(place: Any, part: str, quantity: str, specs: Any, rows: Any, *more: Any) -> None:
        drawn[part] = rows
        chart(place, part, quantity, specs, rows, *more)

    monkeypatch.setattr(compare, "_chart", watched)
    yield drawn


def lines(rows: list[Any], title: str) -> dict[int, float]:
    return {step: value for step, name, value in rows if name == title}


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(("binarize", "levels"), [("none", 17), ("threshold", 2)])
def test_bits_of_every_decoder_are_on_one_axis(
    open_page, engine: Engine, charts: dict[str, list[Any]], binarize: str, levels: int
) -> None:
    page = open_page("train", **EVERY, binarize=binarize, units="bits")
    scored = {key for key in LIKELIHOODS if (key, levels) != ("bernoulli", 17)}
    assert {name for _, name, _ in charts["bits"]} == {compare.UNIFORM} | {
        compare.title(spec_of(key, binarize=binarize)) for key in scored
    }
    for key in scored:
        spec = spec_of(key, binarize=binarize)
        history = engine.store.history(spec.id)
        assert history
        for part, kl in (("bits", 0.0), ("bound", 1.0)):
            wanted = {one["step"]: (kl * one["kl"] - one["log_mass"]) / (64 * math.log(2)) for one in history}
            assert lines(charts[part], compare.title(spec)) == pytest.approx(wanted)
        if LIKELIHOODS[key].kind == "mass":  # there the two currencies are one
            assert history[-1]["log_mass"] == pytest.approx(history[-1]["reconstruction"], rel=1e-4)
    assert set(lines(charts["bits"], compare.UNIFORM).values()) == {math.log2(levels)}
    assert (NOT_SCORED in text(page)) == (levels == 17)
    newest = {key: lines(charts["bound"], compare.title(spec_of(key, binarize=binarize))) for key in scored}
    best = min(scored, key=lambda key: newest[key][24])
    assert f"With the KL, newest: {compare.title(spec_of(best, binarize=binarize))} **" in text(page)
    assert "may be compared by their ELBOs" not in text(page)


@pytest.mark.usefixtures("trained")
def test_the_switch_is_kept_in_the_address(open_page, charts: dict[str, list[Any]]) -> None:
    page = open_page("train", **EVERY)
    assert charts.keys() == {"kl", "mse"}
    assert "not on one axis" in text(page)
    assert "(a Bernoulli on grey pixels: a loss only)" in text(page)
    assert "Two densities do not rank their decoders" in text(page)
    page.segmented_control(key="train.units").set_value("bits").run()
    assert not page.exception
    assert charts.keys() == {"kl", "mse", "bits", "bound"}
    assert "not on one axis" not in text(page)
    assert page.query_params["units"] == "bits"
    page.segmented_control(key="train.units").set_value("own").run()
    assert "units" not in page.query_params


@pytest.mark.usefixtures("trained")
def test_runs_of_an_earlier_app_say_that_they_have_no_bits(open_page, engine: Engine, monkeypatch, charts) -> None:
    read = engine.store.history
    without = lambda run: [{k: v for k, v in one.items() if k != "log_mass"} for one in read(run)]
    monkeypatch.setattr(engine.store, "history", without)
    page = open_page("train", **EVERY | {"decoders": ["laplace", "bernoulli"]}, units="bits")
    assert "No line: Laplace was trained by an earlier version" in text(page)
    assert NOT_SCORED in text(page)
    assert not charts
    monkeypatch.setattr(engine.store, "history", lambda run: without(run)[:1] + read(run)[1:])  # continued since
    page = open_page("train", **EVERY | {"decoders": ["laplace"]}, units="bits")
    assert "earlier version" not in text(page)
    assert min(lines(charts["bound"], "Laplace")) > 0


@pytest.mark.usefixtures("trained")
def test_a_lane_says_what_its_decoder_does(open_page) -> None:
    def lane(key: str) -> str:
        page = open_page("train", **EVERY | {"decoders": key})
        return text(page)

    one = "**σ** of every pixel, one learned weight: "
    assert one in lane("gaussian_shared")
    assert one not in lane("gaussian_learned")
    for key, kind in LIKELIHOODS.items():
        assert ("clipped to [0,1]" in lane(key)) == (kind.support.name == "REAL"), key


def test_fewer_levels_than_the_pixels_have_are_told(open_page) -> None:
    rounded = "pixels rounded to the nearest of 17 levels; stored, they have 256."
    assert rounded in text(open_page("train", decoders="categorical"))
    for more in ({"dataset": "digits"}, {"binarize": "threshold"}):
        assert "rounded to the nearest" not in text(open_page("train", decoders="categorical", **more))


@pytest.mark.usefixtures("trained")
def test_what_noise_on_pixels_is_for_is_said(open_page, engine: Engine) -> None:
    spec = spec_of("gaussian_shared", dequantize="uniform")
    engine.submit(spec)
    finish(engine, spec.id)
    bound = "ln of the width of each pixel's bin bounds ln P(x|w) from below. A bin is 1/16 wide"
    noisy: AppTest = open_page("train", **EVERY | {"decoders": "gaussian_shared", "dequantize": "uniform"})
    assert bound in text(noisy)
    assert bound not in text(open_page("train", **EVERY | {"decoders": "gaussian_shared"}))


def test_new_settings_tell_runs_apart_once() -> None:
    assert "noise" not in label(spec_of("laplace"))
    assert label(spec_of("laplace", dequantize="uniform")).count("Uniform noise, one level wide") == 1
    assert label(spec_of("categorical", levels=5)).count("levels") == 1
    assert label(spec_of("categorical", levels=5)) != label(spec_of("categorical"))


def test_the_default_trains_black_and_white_pixels(open_page, engine: Engine) -> None:
    page = open_page("train")
    assert page.selectbox(key="train.binarize").value == "threshold"
    assert "a loss here" not in text(page)
    page.selectbox(key="train.binarize").set_value("none").run()
    assert "a loss here, not ln p: grey pixels" in text(page)
    assert page.query_params["binarize"] == "none"
    page.text_input(key="train.hidden").set_value("8").run()
    page.selectbox(key="train.dataset").set_value("digits").run()
    page.number_input(key="train.epochs").set_value(1).run()
    press(page, "Train")
    for run in engine.store.unfinished():
        assert run.spec.binarize == "none"
        finish(engine, run.id)
