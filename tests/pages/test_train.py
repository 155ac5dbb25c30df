"""What the Train page gives its stage, and what it says below it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared.naming import label, title
from tests.pages.test_pages import finish, press, text
from vae_core.errors import StoreError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.runs.engine import Engine
from vae_core.spec import RunSpec

EVERY = {"dataset": "digits", "hidden": "8", "epochs": "2", "latent_dim": "2", "decoders": list(LIKELIHOODS)}
NOT_SCORED = "Bernoulli: asked for the probability of one of 17 grey levels"


def spec_of(likelihood: str, **changes: Any) -> RunSpec:
    return RunSpec(dataset="digits", hidden=(8,), epochs=2, latent_dim=2, likelihood=likelihood, **changes)


def test_a_lane_for_each_decoder_says_what_it_is(open_page, stages: list[dict[str, Any]]) -> None:
    open_page("train", **EVERY)
    (given,) = stages
    lanes = {lane["key"]: lane for lane in given["lanes"]}
    assert list(lanes) == list(LIKELIHOODS)
    for key, kind in LIKELIHOODS.items():
        assert lanes[key]["run"] == spec_of(key).id
        assert lanes[key]["clipped"] == (kind.support.name == "REAL")
        assert lanes[key]["kind"] == ("loss" if key == "bernoulli" else kind.kind)
        assert lanes[key]["title"] == title(spec_of(key))
    assert lanes["bernoulli"]["without_bits"].startswith(NOT_SCORED)
    assert lanes["gaussian_learned"]["settings"] == {"variance_floor": spec_of("gaussian_learned").variance_floor}
    assert (given["side"], given["total_steps"]) == (8, 24)
    assert given["uniform_bits"] == pytest.approx(math.log2(17))


def test_a_linear_run_is_told_apart_from_the_network(open_page, stages: list[dict[str, Any]], page_links) -> None:
    page = open_page("train", **EVERY | {"decoders": ["gaussian_identity", "bernoulli"], "decoder": "linear"})
    linear = [spec_of(key, decoder="linear") for key in ("bernoulli", "gaussian_identity")]
    assert [lane["run"] for lane in stages[-1]["lanes"]] == [spec.id for spec in linear]
    assert [lane["title"] for lane in stages[-1]["lanes"]] == [title(spec) for spec in linear]
    assert title(linear[1]) == "Gaussian, identity covariance, linear"
    assert page.query_params["decoder"] in ("linear", ["linear"])
    assert label(linear[0]) == "Bernoulli, linear · Small digits 8×8, 1,797 · 2 latents · As they are (grey) · " + (
        "2 epochs · seed 0"
    )
    assert [link for link in page_links if link["page"] == "pages/linear/page.py"]
    assert page.selectbox(key="train.decoder").options == ["ReLU networks", "Linear, no hidden layer"]


def test_the_units_are_kept_in_the_address(open_page, stages: list[dict[str, Any]]) -> None:
    page = open_page("train", **EVERY, units="bits")
    assert stages[-1]["bits"] is True
    page = open_page("train", **EVERY)
    assert stages[-1]["bits"] is False
    assert "units" not in page.query_params


def test_what_may_be_compared_is_said_of_these_decoders(open_page) -> None:
    def said(*decoders: str, **more: str) -> str:
        return text(open_page("train", **EVERY | {"decoders": list(decoders)} | more))

    grey = said("bernoulli", "laplace")
    assert "not on one axis" in grey
    assert "A Bernoulli on grey pixels gives a **loss only**" in grey and "log of a **mass**" not in grey
    assert "**loss only**" not in said("bernoulli", "laplace", binarize="threshold")
    assert "not on one axis" in said("bernoulli", "discretized_logistic")  # both masses, but one is none here
    assert "not on one axis" not in said("bernoulli", "discretized_logistic", binarize="threshold")
    assert "not on one axis" not in said("laplace", "gaussian_learned")
    assert "Two densities do not rank their decoders" in said("laplace", "gaussian_learned")
    assert "Two densities" not in said("laplace", "categorical")
    assert "one of 17 levels each" in grey
    assert "A uniform guess over the levels costs 4.09 bits" in grey  # log2 17
    assert "costs 1 bits" in said("bernoulli", binarize="threshold")


def test_fewer_levels_than_the_pixels_have_are_told(open_page) -> None:
    rounded = "pixels rounded to the nearest of 17 levels; stored, they have 256."
    assert rounded in text(open_page("train", decoders="categorical"))
    for more in ({"dataset": "digits"}, {"binarize": "threshold"}):
        assert "rounded to the nearest" not in text(open_page("train", decoders="categorical", **more))


def test_what_noise_on_pixels_is_for_is_said(open_page) -> None:
    bound = (
        "ln of the width of each pixel's bin bounds ln P(x|w) from below, on average over the noise. A bin is 1/16 wide"
    )
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
    press(open_page("train", binarize="none", hidden="8", dataset="digits", epochs="1"), "Train")
    for run in engine.store.unfinished():
        assert run.spec.binarize == "none"
        finish(engine, run.id)


def test_a_refused_setting_is_mended(open_page) -> None:
    page = open_page("train", hidden="8192", mc_samples="64")  # neither alone is too much
    assert "GiB" in page.error[0].value
    page.number_input(key="train.mc_samples").set_value(1).run()
    assert not page.exception and not page.error
    assert not next(button for button in page.button if button.label == "Train").disabled


def test_what_is_wrong_with_the_workers_is_told_beside_a_refused_setting(open_page, monkeypatch) -> None:
    monkeypatch.setattr(Engine, "problem", "No worker can begin.")
    page = open_page("train", hidden="8192", mc_samples="64")
    assert "GiB" in page.error[0].value
    assert [one.value for one in page.warning] == ["No worker can begin."]


def test_words_follow_what_is_chosen_while_a_setting_is_refused(open_page) -> None:
    def refused(**address: str) -> AppTest:
        page = open_page("train", **address, dataset="digits", hidden="8192", mc_samples="64", binarize="none")
        assert "GiB" in page.error[0].value
        return page

    page = refused(decoders="categorical")
    assert "one of 17 levels each" in text(page) and "a loss here" not in text(page)
    page.selectbox(key="train.binarize").set_value("threshold").run()
    assert "GiB" in page.error[0].value and "one of 2 levels each" in text(page)
    page = refused(decoders="categorical")
    page.button_group(key="train.decoders").set_value(["Bernoulli"]).run()
    assert "a loss here" in text(page) and not page.exception
    page = refused(decoders="categorical")
    page.button_group(key="train.decoders").set_value([]).run()
    assert page.error[0].value == "Choose at least one decoder to train." and "levels each" not in text(page)


def test_chosen_decoders_are_shown_once_the_store_can_be_read_again(
    open_page, stages: list[dict[str, Any]], monkeypatch
) -> None:
    def fails(*_: Any) -> None:
        raise StoreError("The database is locked.")

    with monkeypatch.context() as patch:
        patch.setattr("vae_core.runs.store.Store.run", fails)
        page = open_page("train", **EVERY)
        assert [one.value for one in page.error] == ["The database is locked."] and not stages
    page.button_group(key="train.decoders").set_value(["Laplace"]).run()
    assert not page.error and not page.exception
    assert [lane["run"] for lane in stages[-1]["lanes"]] == [spec_of("laplace").id]


def test_a_long_wish_is_told_before_it_is_begun(open_page, stages: list[dict[str, Any]]) -> None:
    said = lambda page: [one.value for one in page.caption if "while others wait" in one.value]
    assert said(open_page("train", decoders="bernoulli", seed="81")) == []
    assert stages[-1]["ahead"] == ""
    page = open_page("train", decoders="bernoulli", seed="81", epochs="9000")
    (among_the_settings,) = said(page)
    assert among_the_settings.endswith(stages[-1]["ahead"]) and "goes on later" in stages[-1]["ahead"]
    button = [one for one in page.button if one.label == "Train"]
    assert button and not button[0].disabled  # told, and not refused
