"""The questions: a guess or a skip shows the answer, the search finds, and every link opens its page's state."""

from __future__ import annotations

import re

import pytest
import torch
from streamlit.testing.v1 import AppTest

from pages.questions.figures import FIGURES
from pages.questions.quiz import RIGHT, RIGHT_GUESS, WRONG_GUESS, Question, questions
from pages.questions.which_decoder import kinds
from pages.shared.words import glossary, page_words
from tests.pages.conftest import ROOT
from vae_core.checkpoint import load_vae
from vae_core.data import load_dataset
from vae_core.elbo import elbo_terms, importance_weighted_bound
from vae_core.feed import Feed
from vae_core.lessons.questions import neighbours
from vae_core.model import VAE
from vae_core.shipped import SPECS, shipped_weights

QUESTIONS, (_, KINDS) = questions(), kinds()
LINKS = [link for links in [*(one.links for one in QUESTIONS), *(kind.links for kind in KINDS)] for link in links]
every_question = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.key)


@every_question
def test_a_question_is_whole(question: Question) -> None:
    assert question.predict.endswith(("?", "."))
    assert 2 <= len(question.options) <= 4
    assert question.right in question.options
    assert question.figure in ["", *FIGURES]
    assert question.answer
    assert question.links
    assert 1 <= len(re.findall(r"[.?!](?=\s|$)", question.answer)) <= 6  # a few sentences


def test_no_two_share_a_name() -> None:
    assert len({question.key for question in QUESTIONS}) == len(QUESTIONS) >= 24


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link.to.page} {link.to.query}")
def test_every_link_opens_its_state(open_page, link) -> None:
    """No part of it is refused, and each is what the page then holds."""
    page = open_page(link.to.page, **link.to.query)
    assert not [warning.value for warning in page.warning if warning.value.startswith("From the link")]
    for name, texts in link.to.settings.items():
        assert holds(page.session_state[f"{link.to.page}.{name}"], texts), name


def holds(value: object, texts: list[str]) -> bool:
    if isinstance(value, list):
        return value == texts
    return float(texts[-1]) == value if isinstance(value, int | float) else texts[-1] == value


def test_a_guess_or_a_skip_shows_the_answer(open_page) -> None:
    first, second = QUESTIONS[:2]
    page = open_page("questions", question=first.key)
    assert first.answer not in [one.value for one in page.markdown]
    page.radio(key=f"questions.guess.{first.key}").set_value(first.options[0]).run()
    assert first.answer in [one.value for one in page.markdown]

    page = open_page("questions", question=second.key)
    page.radio(key=f"questions.guess.{second.key}").set_value("Just show me").run()
    assert second.answer in [one.value for one in page.markdown]


def test_guess_and_answer_stay_marked_and_what_is_open_stays_open(open_page) -> None:
    first, second = QUESTIONS[2:4]
    page = open_page("questions", question=[first.key, second.key])
    assert [box.label for box in page.expander if box.proto.expanded] == [first.label, second.label]
    wrong = next(option for option in first.options if option != first.right)
    radio = page.radio(key=f"questions.guess.{first.key}").set_value(wrong).run()
    page.text_input(key="questions.search").set_value("zebra").run()
    assert not page.radio
    page.text_input(key="questions.search").set_value("").run()
    radio = page.radio(key=f"questions.guess.{first.key}")
    assert radio.value == wrong
    marks = dict(zip(radio.options, radio.proto.captions))
    assert {option: mark for option, mark in marks.items() if mark} == {wrong: WRONG_GUESS, first.right: RIGHT}
    assert page.query_params["question"] == [first.key, second.key]
    radio.set_value(first.right).run()
    assert [mark for mark in page.radio(key=f"questions.guess.{first.key}").proto.captions if mark] == [RIGHT_GUESS]


def test_every_figure_stands_in_an_answer(open_page) -> None:
    assert {one.figure for one in QUESTIONS} - {""} == {*FIGURES}
    page = open_page("questions", question=[one.key for one in QUESTIONS])
    for one in QUESTIONS:
        page.session_state[f"questions.guess.{one.key}"] = one.right
    page.run()
    assert not page.exception
    charts, images = page.get("vega_lite_chart"), page.image
    assert len(charts) + len(images) >= len([one for one in QUESTIONS if one.figure])
    assert all(chart.proto.alt for chart in charts)


def test_beliefs_are_marked_as_such() -> None:
    for question in QUESTIONS:
        asked = question.belief.endswith("?")
        assert question.label.startswith(":blue-badge[People ask] " if asked else ":orange-badge[People say] “")
        assert asked or question.label.endswith("”")


def beliefs(page: AppTest) -> list[str]:
    return [box.label for box in page.expander if box.label in {one.label for one in QUESTIONS}]


def kinds_of_data(page: AppTest) -> list[str]:
    return [box.label for box in page.expander if box.label in {kind.title for kind in KINDS}]


@pytest.mark.parametrize(
    ("search", "first"),
    [
        ("photographs", "Photographs and other 8-bit pictures"),
        ("counts", "Counts: gene expression, clicks, words in a document"),
        ("AUDIO", "Audio"),
        ("outliers", "Real values with outliers"),
        ("tokens", "Categories, tokens, classes"),
    ],
)
def test_kinds_of_data_are_found(open_page, search: str, first: str) -> None:
    page = open_page("questions", search=search)
    assert kinds_of_data(page)[0] == first
    assert not page.info
    assert next(kind for kind in KINDS if kind.title == first).lines in [block.value for block in page.code]


def test_what_the_app_does_not_show_is_said(open_page) -> None:
    page = open_page("questions", search="gene expression")
    assert "This app does not show it." in [caption.value for caption in page.caption]
    assert len(kinds_of_data(open_page("questions"))) == len(KINDS) == 9


def test_search(open_page) -> None:
    page = open_page("questions", search="softmax")
    assert len(beliefs(page)) == 1
    page.text_input(key="questions.search").set_value("GREY bce").run()
    assert 1 < len(beliefs(page)) < 10
    page.text_input(key="questions.search").set_value("zebra").run()
    assert beliefs(page) == kinds_of_data(page) == []
    assert "Try fewer" in page.info[0].value


def test_an_unknown_question_is_told(open_page) -> None:
    page = open_page("questions", question="<b>", search="x" * 999)
    assert "question is `'<b>'`" in page.warning[0].value
    assert "at most 200" in page.warning[1].value
    assert len(beliefs(page)) == len(QUESTIONS)


def vae_and_images(key: str) -> tuple[VAE, torch.Tensor]:
    vae = load_vae(shipped_weights(SPECS[key]) or b"")
    return vae, Feed(vae.spec, load_dataset("mnist")).held_out()


def test_what_is_said_of_neighbours() -> None:
    """P(x_b = 1) and P(x_b = 1 | x_a = 1) under p(x|w), by tosses of the pixels too."""
    answer = next(one.answer for one in QUESTIONS if one.belief.startswith("Independent given z"))
    said = [float(found) / 100 for found in re.findall(r"(\d+) %", answer)]
    assert list(neighbours().values()) == pytest.approx(said, abs=0.012)
    vae, _ = vae_and_images("bernoulli")
    with torch.inference_mode():
        generator = torch.Generator().manual_seed(2)
        drawn = vae.likelihood.sample(vae.decode(torch.randn((20_000, 10), generator=generator)), generator)
    left, right = drawn[:, 14 * 28 + 14 : 14 * 28 + 16].T
    assert [right.mean().item(), right[left == 1].mean().item()] == pytest.approx(said, abs=0.015)


@pytest.mark.parametrize(("key", "words"), [("bernoulli", "(\\d+) nats above"), ("gaussian_learned", "and (\\d+) for")])
def test_what_is_said_of_the_gap(key: str, words: str) -> None:
    vae, x = vae_and_images(key)
    with torch.inference_mode():
        g = torch.Generator().manual_seed(1)
        elbo = elbo_terms(vae, x, 20, g).elbo.mean().item()
        bounds = [importance_weighted_bound(vae, twenty, 500, g) for twenty in x.split(20)]
    found = re.search(words, next(one.answer for one in QUESTIONS if one.belief.startswith("ln p(x|w) is")))
    assert found and torch.cat(bounds).mean().item() - elbo == pytest.approx(float(found[1]), rel=0.15)


# The words of all pages ---


WORDS = {path.stem for path in (ROOT / "assets/pages").glob("*.md")} - {
    "classroom",
    "runs",
}  # which explain nothing themselves


@pytest.mark.parametrize("page", sorted(WORDS))
def test_pages_say_what_was_seen_and_where_it_is_from(page: str) -> None:
    words = page_words(page)
    for part in ("What you just saw", "Source and code"):
        assert "still to be written" not in words[part]
    for body in words.values():
        assert "[[" not in body


def test_terms_of_the_pages_are_in_the_glossary() -> None:
    terms = glossary()
    for path in (ROOT / "assets").rglob("*.md"):
        for term in re.findall(r"\[\[([^\]|]+)", path.read_text()):
            assert term in terms, f"{path.name} links {term!r}"


def test_code_named_on_the_pages_exists() -> None:
    for path in (ROOT / "assets").rglob("*.md"):
        for file in re.findall(r"`((?:vae_core|pages|assets)/[\w/.]+)`", path.read_text()):
            assert (ROOT / file).exists(), f"{path.name} names {file}"


def test_a_part_lost_in_an_edit_is_named() -> None:
    assert "assets/pages/questions.md" in page_words("questions")["No such part"]
