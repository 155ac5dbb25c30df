"""The page One pixel without a browser: links, typed numbers, words, and the core's numbers on it."""

from __future__ import annotations

import pytest

from vae_core.lessons.one_pixel import one_pixel
from vae_core.likelihoods import LIKELIHOODS

PAGE = "one_pixel"


def values(page) -> dict:
    inputs = {widget.key.split(".")[1]: widget.value for widget in page.number_input}
    return inputs | {control.key.split(".")[1]: control.value for control in page.segmented_control}


@pytest.mark.parametrize(
    ("link", "opened"),
    [
        ({"decoder": "gaussian_identity", "a": "0.5"}, {"a": 0.5, "sigma": 1.0, "x": 1.0}),
        ({"decoder": "bernoulli", "x": "0.5"}, {"x": 0.5, "a": 0.5}),
        ({"decoder": "gaussian_learned", "log_var": "-6"}, {"log_var": -6.0}),
        ({"decoder": "laplace", "scale": "0.3"}, {"scale": 0.3}),
        ({"decoder": "gaussian_shared", "log_var": "-3"}, {"log_var": -3.0}),
        ({"decoder": "continuous_bernoulli", "a": "-2"}, {"a": -2.0}),
        ({"decoder": "discretized_logistic", "log_scale": "-3", "levels": "17"}, {"log_scale": -3.0, "levels": 17}),
        ({"decoder": "categorical", "v": "2"}, {"v": 2.0, "levels": 5}),
        ({"decoder": "bernoulli", "activation": "gelu"}, {"activation": "gelu"}),
        ({"z": "-1.25", "a": "-0.123456"}, {"decoder": "bernoulli", "z": -1.25, "a": -0.123456}),
    ],
)
def test_a_link_opens_its_state_and_stays_in_the_address(open_page, link: dict, opened: dict) -> None:
    page = open_page(PAGE, **link)
    assert not page.warning
    assert values(page).items() >= opened.items()
    again = open_page(PAGE, **page.query_params)
    assert values(again) == values(page)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("a", "7", "a number from -6 to 6"),
        ("a", "nan", "a number from -6 to 6"),
        ("x", "1.01", "a number from 0 to 1"),
        ("sigma", "0", "a number from 0.03 to 3"),
        ("log_var", "tiny", "a number from -8 to 2"),
        ("z", "1e999", "a number from -3 to 3"),
        ("scale", "9", "a number from 0.03 to 3"),
        ("decoder", "cauchy", ", ".join(LIKELIHOODS)),
        ("activation", "tanh", "sigmoid, relu, gelu"),
        ("levels", "1", "a whole number from 2 to 32"),
        ("log_scale", "-8", "a number from -7 to 1"),
        ("mu", "1", "decoder, a, log_var, log_scale, v, sigma, scale, levels, x, z, activation"),
    ],
)
def test_what_a_link_may_not_say_is_told_and_the_rest_holds(open_page, name: str, value: str, allowed: str) -> None:
    page = open_page(PAGE, **{"z": "1.5", name: value})
    assert f"allowed: {allowed}" in page.warning[0].value.replace("\\", "")
    if name != "z":
        assert values(page)["z"] == 1.5
    else:
        assert values(page)["z"] == 0.5


@pytest.mark.parametrize("decoder", LIKELIHOODS)
def test_the_core_speaks_for_the_typed_numbers(open_page, decoder: str) -> None:
    page = open_page(PAGE, decoder=decoder)
    typed = {
        "a": 0.8,
        "x": 0.3,
        "log_var": -1.0,
        "log_scale": -1.0,
        "v": -1.0,
        "sigma": 0.5,
        "scale": 0.25,
        "levels": 4,
    }
    for name, value in typed.items():
        if any(widget.key == f"one_pixel.{name}" for widget in page.number_input):
            page.number_input(key=f"one_pixel.{name}").set_value(value).run()
    seen = one_pixel(decoder, 0.8, 0.3, -1.0, sigma=0.5, scale=0.25, levels=4)
    code = next(block.value for block in page.code if "LIKELIHOODS" in block.value)
    for number in (seen.log_prob, seen.mean, seen.stddev, *seen.slopes):
        assert f"{number:.6f}" in code
    scope: dict = {}
    exec("import torch\nfrom vae_core import LIKELIHOODS\n" + code, scope)  # the lines shown run as they stand
    assert scope["log_prob"].item() == pytest.approx(seen.log_prob)


def test_only_the_decoders_own_numbers_are_asked_and_kept(open_page) -> None:
    page = open_page(PAGE, decoder="gaussian_learned", log_var="-6")
    control = page.segmented_control(key="one_pixel.decoder")
    control.set_value("gaussian_identity").run()
    own = {"sigma", "log_var", "scale", "log_scale", "v", "levels"}
    asked = {"laplace": {"scale"}, "bernoulli": set(), "continuous_bernoulli": set(), "gaussian_shared": {"log_var"}}
    asked |= {"discretized_logistic": {"log_scale", "levels"}, "categorical": {"v", "levels"}}
    assert {"sigma"} == set(values(page)) & own
    for decoder, names in asked.items():
        control.set_value(decoder).run()
        assert names == set(values(page)) & own
    control.set_value("gaussian_learned").run()
    assert values(page)["log_var"] == -6.0


def test_the_second_output_has_the_decoders_own_name(open_page) -> None:
    labels = lambda decoder: {box.label for box in open_page(PAGE, decoder=decoder).number_input}
    assert "ln σ², 2nd output" in labels("gaussian_learned")
    assert "ln σ², a weight" in labels("gaussian_shared")
    assert "ln s, 2nd output" in labels("discretized_logistic")
    assert "v, 2nd output" in labels("categorical")


def test_buttons_open_what_the_words_speak_of(open_page) -> None:
    page = open_page(PAGE)
    press = lambda label: next(button for button in page.button if button.label == label).click().run()
    press("A pixel under N(μ, 1)")
    assert values(page).items() >= {"decoder": "gaussian_identity", "a": 0.5, "sigma": 1.0, "x": 0.5}.items()
    press("Two peaks")
    assert values(page).items() >= {"decoder": "categorical", "v": 1.5, "levels": 5, "x": 0.75}.items()
    press("GELU")
    assert values(page)["activation"] == "gelu"
    press("On the floor")
    assert values(page).items() >= {"decoder": "gaussian_learned", "log_var": -8.0}.items()
    assert not page.exception


def test_every_part_is_written_and_every_term_is_known(open_page) -> None:
    page = open_page(PAGE)
    text = "\n".join(element.value for element in [*page.markdown, *page.caption])
    assert "still to be written" not in text and "[[" not in text
    assert "Kingma & Welling 2013" in text and "What you just saw" not in text
