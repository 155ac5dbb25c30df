"""The page One pixel without a browser: links, typed numbers, words, and the core's numbers on it."""

from __future__ import annotations

import json

import pytest

from pages.one_pixel.questions import QUESTIONS, SHOW
from vae_core.lessons.one_pixel import one_pixel
from vae_core.likelihoods import LIKELIHOODS

PAGE = "one_pixel"
NAMES = ("question", "decoder", "a", "log_var", "log_scale", "v", "sigma", "scale", "levels", "x", "z", "activation")


def values(page) -> dict:
    return {name: page.session_state[f"{PAGE}.{name}"] for name in NAMES}


def picture(page) -> dict:
    """What the page gives its picture."""
    (drawn,) = [one.proto for one in page.get("bidi_component") if "one_pixel" in one.proto.component_name]
    return json.loads(drawn.json)


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
        ("mu", "1", "question, decoder, a, log_var, log_scale, v, sigma, scale, levels, x, z, activation"),
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
        page.session_state[f"{PAGE}.{name}"] = value  # as the picture sets it
    page.run()
    seen = one_pixel(decoder, 0.8, 0.3, -1.0, sigma=0.5, scale=0.25, levels=4)
    code = next(block.value for block in page.code if "LIKELIHOODS" in block.value)
    for number in (seen.log_prob, seen.mean, seen.stddev, *seen.slopes):
        assert f"{number:.6f}" in code
    scope: dict = {}
    exec("import torch\nfrom vae_core import LIKELIHOODS\n" + code, scope)  # the lines shown run as they stand
    assert scope["log_prob"].item() == pytest.approx(seen.log_prob)


def test_only_the_decoders_own_numbers_are_asked_and_kept(open_page) -> None:
    kinds = picture(open_page(PAGE))["kinds"]
    own = {"gaussian_identity": {"sigma"}, "laplace": {"scale"}, "bernoulli": set(), "continuous_bernoulli": set()}
    own |= {"discretized_logistic": {"levels"}, "categorical": {"levels"}}
    own |= {"gaussian_learned": set(), "gaussian_shared": set()}
    assert {key: set(kind["given"]) for key, kind in kinds.items()} == own
    second = {"gaussian_learned": "log_var", "gaussian_shared": "log_var", "discretized_logistic": "log_scale"}
    assert {key: kind["second"] for key, kind in kinds.items() if kind["second"]} == second | {"categorical": "v"}
    assert [key for key, kind in kinds.items() if kind["shared"]] == ["gaussian_shared"]


def test_each_question_has_its_words_and_its_states(open_page) -> None:
    page = open_page(PAGE)
    for number, question in enumerate(QUESTIONS):
        assert page.selectbox(key=f"{PAGE}.question").value == question
        text = "\n".join(element.value for element in page.markdown)
        assert "still to be written" not in text
        if question != "softmax":  # that has a picture of its own
            presets = picture(page)["bar"]["presets"]
            assert {one["label"]: one["values"] for one in presets} == SHOW.get(question, {})
            for one in presets:  # each is a link, and opens what it says
                link = {name: str(value) for name, value in one["values"].items()}
                opened = open_page(PAGE, question=question, **link)
                assert not opened.warning and values(opened).items() >= one["values"].items()
        next(button for button in page.button if button.label == "Next question").click().run()
        assert number == len(QUESTIONS) - 1 or page.query_params["question"] != [question]
    assert page.selectbox(key=f"{PAGE}.question").value == "chain"
    assert not page.exception


def test_every_part_is_written_and_every_term_is_known(open_page) -> None:
    page = open_page(PAGE)
    text = "\n".join(element.value for element in [*page.markdown, *page.caption])
    assert "still to be written" not in text and "[[" not in text
    assert "Kingma & Welling 2013" in text and "What you just saw" not in text
