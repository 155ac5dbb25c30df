"""The page Two pixels without a browser: links, refusals, words, and the core's numbers on it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pages.two_pixels.fit import FIT
from tests.pages.conftest import ROOT
from vae_core.lessons import two_pixels
from vae_core.lessons.two_pixels import CURVES, SIGMA, Bernoulli, Gaussian, Q, best_q, elbo, gap, log_evidence
from vae_core.lessons.two_pixels_fit import preset

PAGE = "two_pixels"
NAMES = ("likelihood", "curve", "noise", "sigma", "b", "x1", "x2", "corner", "z", "m", "s", "follows", "k", "draw")
FIT_NAMES = tuple(FIT)


def values(page) -> dict:
    return {name: page.session_state[f"{PAGE}.{name}"] for name in NAMES}


def picture(page) -> dict:
    """What the page gives its picture."""
    (drawn,) = [one.proto for one in page.get("bidi_component") if "two_pixels_picture" in one.proto.component_name]
    return json.loads(drawn.json)


@pytest.mark.parametrize(
    ("link", "opened"),
    [
        ({}, {"likelihood": "gaussian", "follows": "no"}),
        ({"curve": "hairpin", "x1": "-1", "x2": "0.1", "sigma": "0.3"}, {"x1": -1.0, "x2": 0.1, "sigma": 0.3}),
        ({"likelihood": "bernoulli", "corner": "01", "curve": "line"}, {"corner": "01"}),
        ({"noise": "changes", "b": "-0.75"}, {"b": -0.75}),
        ({"m": "-1.23456789", "s": "0.0123456789"}, {"m": -1.23456789, "s": 0.0123456789}),
        ({"k": "64", "draw": "17", "follows": "yes"}, {"k": 64, "draw": 17, "follows": "yes"}),
    ],
)
def test_a_link_opens_its_state_and_stays_in_the_address(open_page, link: dict, opened: dict) -> None:
    page = open_page(PAGE, **link)
    assert not page.warning
    assert values(page).items() >= opened.items()
    assert picture(page)["values"] == values(page)
    assert values(open_page(PAGE, **page.query_params)) == values(page)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("sigma", "0", "a number from 0.05 to 1.5"),
        ("sigma", "nan", "a number from 0.05 to 1.5"),
        ("x1", "3.01", "a number from -3 to 3"),
        ("x2", "far", "a number from -3 to 3"),
        ("z", "1e999", "a number from -4 to 4"),
        ("m", "-4.5", "a number from -4 to 4"),
        ("s", "-1", "a number from 0.003 to 3"),
        ("b", "1", "a number from -0.8 to 0.8"),
        ("curve", "circle", "line, arc, hairpin, loop"),
        ("corner", "2", "00, 01, 10, 11"),
        ("k", "3", "1, 2, 4, 8, 16, 32, 64, 128"),
        ("draw", "0", "a whole number from 1 to 1000"),
        ("likelihood", "laplace", "gaussian, bernoulli"),
        ("mu", "1", ", ".join(NAMES + FIT_NAMES)),
    ],
)
def test_what_a_link_may_not_say_is_told_and_the_rest_holds(open_page, name: str, value: str, allowed: str) -> None:
    page = open_page(PAGE, **{"x1": "-0.5", "z": "1.5", name: value})
    assert f"allowed: {allowed}" in page.warning[0].value.replace("\\", "")
    for other, held in (("x1", -0.5), ("z", 1.5)):
        if other != name:
            assert values(page)[other] == held
    assert values(page)["sigma"] == 0.4


@pytest.mark.parametrize(
    ("link", "decoder", "x"),
    [
        ({"curve": "loop", "noise": "changes", "b": "0.5", "x1": "-1.5"}, Gaussian("loop", 0.4, 0.5), (-1.5, 0.6)),
        ({"curve": "loop", "b": "0.7"}, Gaussian("loop", 0.4), (1.2, 0.6)),
        ({"likelihood": "bernoulli", "corner": "10"}, Bernoulli("arc"), (1.0, 0.0)),
    ],
)
def test_the_core_speaks_for_what_is_set(open_page, link: dict, decoder, x: tuple[float, float]) -> None:
    page = open_page(PAGE, m="0.3", s="0.8", **link)
    (code,) = [block.value for block in page.code]
    q = Q(0.3, 0.8)
    evidence, bound, left = (
        log_evidence(decoder, np.array(x)),
        elbo(decoder, np.array(x), q),
        gap(decoder, np.array(x), q),
    )
    for number in (evidence, bound.reconstruction, bound.kl, bound.elbo, left):
        assert f"{number:.6f}" in code
    scope: dict = {**vars(two_pixels)}
    *lines, quadrature, _, last = code.split("\n")
    exec("\n".join(lines), scope)  # the lines shown run as they stand
    assert eval(quadrature, scope) == pytest.approx(evidence, abs=1e-9)
    assert eval(last, scope) == pytest.approx(left, abs=1e-9)


def test_where_q_follows_the_core_finds_the_best_itself(open_page) -> None:
    (code,) = [block.value for block in open_page(PAGE, follows="yes", m="3").code]
    decoder, x = Gaussian("arc", 0.4), np.array([1.2, 0.6])
    assert f"{gap(decoder, x, best_q(decoder, x)):.6f}" in code


def test_the_picture_is_given_the_cores_curves_and_limits(open_page) -> None:
    given = picture(open_page(PAGE))
    assert given["given"]["curves"] == json.loads(json.dumps(CURVES))
    assert given["limits"]["sigma"] == list(SIGMA)
    assert [box["name"] for box in given["controls"]["boxes"]] == ["corner", "x1", "x2", "sigma", "b", "z", "m", "s"]


@pytest.mark.parametrize(
    ("link", "chosen"),
    [
        ({}, {"points": "ring", "noise": "learned", "at": 0.3, "width": "12"}),
        ({"fit_points": "drawn", "fit_width": "0"}, {"points": "drawn", "width": "0"}),
        ({"fit_noise": "fixed", "fit_at": "1"}, {"noise": "fixed", "at": 1.0}),
    ],
)
def test_a_link_says_what_is_to_be_fitted(open_page, link: dict, chosen: dict) -> None:
    page = open_page(PAGE, **link)
    (drawn,) = [one.proto for one in page.get("bidi_component") if "two_pixels_fit" in one.proto.component_name]
    given = json.loads(drawn.json)
    assert given["values"].items() >= chosen.items()
    assert page.query_params == link
    assert given["presets"]["ring"] == preset("ring").tolist()


@pytest.mark.parametrize(
    ("name", "value"), [("fit_at", "0"), ("fit_at", "wide"), ("fit_points", "square"), ("fit_width", "3")]
)
def test_what_is_no_fit_is_told(open_page, name: str, value: str) -> None:
    page = open_page(PAGE, **{name: value})
    assert "allowed: " in page.warning[0].value
    assert page.session_state[f"{PAGE}.{name}"] == FIT[name].default


def test_every_part_is_written_and_every_term_is_known(open_page) -> None:
    page = open_page(PAGE)
    text = "\n".join(element.value for element in [*page.markdown, *page.caption])
    assert "still to be written" not in text and "[[" not in text and "TODO" not in text
    assert "Burda" in text
    words = (ROOT / "assets" / "pages" / f"{PAGE}.md").read_text(encoding="utf-8")
    buttons = (ROOT / "pages" / PAGE / "picture.html").read_text(encoding="utf-8")
    for named in ("Best q", "q follows"):
        assert f"*{named}*" in words and named in buttons
