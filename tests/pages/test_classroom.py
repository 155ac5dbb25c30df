"""The teacher's page: its slides, the link for the class, what trains now, and the end of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.classroom import sharing
from pages.classroom.figures import slide
from pages.shared import reach
from pages.shared.address import MIRRORED
from pages.shared.links import target
from pages.shared.path import Step, steps
from tests.pages.conftest import ROOT
from tests.runs.conftest import small
from tests.waiting import wait_until
from vae_core.runs.engine import Engine
from vae_core.runs.present import say


def step(address: str) -> Step:
    return Step("A step", target(address), 1, "Look.")


# Slides --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", steps(), ids=lambda one: one.name)
def test_each_step_has_its_figure(one: Step) -> None:
    shown = slide(one)
    assert (shown["name"], shown["words"]) == (one.name, one.words)
    assert shown.get("rows") or shown.get("pixel")
    assert shown["caption"].endswith(".")


def test_a_pixels_figure_is_that_of_its_address() -> None:
    pixel = slide(step("one_pixel?decoder=laplace&a=-1.5&scale=0.25&x=0.75"))["pixel"]
    assert (pixel["key"], pixel["a"], pixel["x"], pixel["settings"]) == ("laplace", -1.5, 0.75, {"scale": 0.25})
    # F.mse_loss, a mean over 784 pixels, and the KL summed: 784 * SSE / 784 + KL has 1 / (2 sigma^2) = 1 / 784.
    assert slide(step("assumed?pixels=mean"))["pixel"]["settings"]["sigma"] == pytest.approx((784 / 2) ** 0.5)
    assert slide(step("assumed?half=yes&pixels=sum"))["pixel"]["settings"]["sigma"] == pytest.approx(1)


@pytest.mark.parametrize(
    "address",
    [
        "start?digit=11",
        "one_pixel?a=nan",
        "one_pixel?decoder=nobody",
        "one_pixel?decoder=gaussian_learned",
        "assumed?loss=absolute",
        "assumed?weight=3",
        "assumed?pixels=both",
        "latent?decoder=laplace",
        "questions",
        "nowhere",
    ],
)
def test_a_step_that_no_figure_fits_has_none(address: str) -> None:
    assert slide(step(address)) == {"name": "A step", "words": "Look."}


def test_the_slide_is_in_the_address(open_page, page_links) -> None:
    page = open_page("classroom", step="3")
    to = steps()[2].to
    assert not page.warning
    assert {"page": to.script, "query_params": to.query}.items() <= page_links[0].items()
    page = open_page("classroom", step="99")
    assert f"step is 99; allowed: a whole number from 1 to {len(steps())}" in page.warning[0].value


def test_a_tour_without_steps(open_page, monkeypatch, tmp_path) -> None:
    from pages.shared import path

    monkeypatch.setattr(path, "PATH", tmp_path / "path.md")
    assert "no steps" in open_page("classroom").caption[0].value


# The link ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "page", "query", "address"),
    [
        ("https://vae.example/classroom", "start", {}, "https://vae.example/"),
        ("http://10.0.0.7:8501/classroom", "mse", {"image": ["0"]}, "http://10.0.0.7:8501/mse?image=0"),
        ("https://a.b/c/classroom", "start", {"tour": ["1"], "digit": ["3"]}, "https://a.b/c/?tour=1&digit=3"),
        ("http://h/classroom", "train", {"d": ["a", "b &"]}, "http://h/train?d=a&d=b+%26"),
    ],
)
def test_the_address_for_the_class(here: str, page: str, query: dict[str, list[str]], address: str) -> None:
    assert sharing.address_of(here, page, query) == address


@pytest.mark.parametrize(
    ("address", "alone"),
    [
        ("http://127.0.0.1:8501/", True),
        ("http://127.8.8.8/", True),
        ("http://localhost:8501/mse", True),
        ("http://[::1]:8501/", True),
        ("http://192.168.0.7:8501/", False),
        ("https://localhost.example/", False),
        ("https://vae.example/?h=127.0.0.1", False),
    ],
)
def test_an_address_that_no_one_else_can_open(address: str, alone: bool) -> None:
    assert sharing.only_here(address) == alone


def test_an_address_too_long_for_a_camera_has_no_code() -> None:
    assert sharing.qr_code("https://vae.example/mse?image=0")
    assert sharing.qr_code("https://vae.example/?" + 1000 * "a") is None
    assert sharing.qr_code("https://vae.example/?" + 9000 * "a") is None


def shared_link(page: AppTest) -> str:
    return page.code[0].value


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(st.context), "url", "https://vae.example/classroom")


def test_the_link_is_that_of_the_step_or_of_where_the_teacher_was(open_page, reached) -> None:
    page = open_page("classroom", step="2")
    to = steps()[1].to
    assert shared_link(page) == sharing.address_of("https://vae.example/classroom", to.page, to.query | {"tour": ["2"]})
    assert not page.warning
    page.segmented_control(key="classroom.link").set_value("came").run()
    assert any("came from no page" in one.value for one in page.caption)
    mse = open_page("mse", image="3")
    page.session_state[MIRRORED] = mse.session_state[MIRRORED]
    page.run()
    assert shared_link(page) == "https://vae.example/mse?image=3"
    page.run()  # it stays, though this page has been drawn since
    assert shared_link(page) == "https://vae.example/mse?image=3"
    page.segmented_control(key="classroom.link").set_value("start").run()
    assert shared_link(page) == "https://vae.example/"


def test_a_link_that_works_on_this_machine_only_is_told(open_page, monkeypatch) -> None:
    monkeypatch.setattr(type(st.context), "url", "http://127.0.0.1:8501/classroom")
    assert "nobody else can open it" in open_page("classroom").warning[0].value


# Now -----------------------------------------------------------------------------------------------------------------


def said(page: AppTest) -> str:
    return "\n".join(one.value for one in page.markdown)


def test_what_trains_and_the_end_of_it(open_page, engine: Engine) -> None:
    say(engine.store, "another process", 4)
    spec = small(epochs=9000, seed=95)
    engine.submit(spec, "ann")
    engine.submit(spec, "bob")
    page = open_page("classroom")
    assert "**4** windows are open" in said(page)
    assert "Bernoulli, scikit-learn digits" in said(page) or "2 want it" in said(page)
    assert "2 want it" in said(page)
    (button,) = [button for button in page.button if button.key == "stop all"]
    button.click().run()
    assert not page.exception
    wait_until(lambda: not engine.store.unfinished(), how=lambda: str(engine.store.unfinished()))
    assert "**0** train, **0** wait" in said(page.run())


def test_all_runs_are_stopped_with_the_word_alone(open_page, engine: Engine, monkeypatch) -> None:
    page = open_page("classroom")
    asked: list[Any] = []
    monkeypatch.setattr(engine, "stop_all", lambda: asked.append("stop"))
    monkeypatch.setenv("VAE_WORD", "a word")
    (button,) = [button for button in page.button if button.key == "stop all"]
    button.click().run()
    assert not asked
    assert "stop all" not in [button.key for button in open_page("classroom").button]


def test_only_this_page_stops_all() -> None:
    files = {path for path in (ROOT / "pages").rglob("*.py") if "stop_all" in path.read_text("utf-8")}
    assert {path.parent.name for path in files} == {"classroom"}


# Who can reach the app -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "word", "told"),
    [
        ("127.0.0.1", "", ""),
        ("localhost", "", ""),
        ("0.0.0.0", "", "Anybody can train: set VAE_WORD so that only"),
        ("192.168.0.7", "secret", "VAE_WORD is set, so only who knows that word can train."),
        (None, "", "every address of this machine"),
    ],
)
def test_an_app_that_others_reach_says_so_as_it_starts(monkeypatch, caplog, address, word: str, told: str) -> None:
    monkeypatch.setattr(st, "get_option", {"server.address": address}.get)
    monkeypatch.setenv("VAE_WORD", word)
    with caplog.at_level(logging.WARNING):
        reach.warn_of_visitors()
    assert bool(caplog.messages) == bool(told)
    assert told in caplog.text
    assert "secret" not in caplog.text
    assert not told or "TLS" in caplog.text
