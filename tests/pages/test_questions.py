"""The questions: a guess or a skip shows the answer, the search finds, and every link opens its page's state."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from pages.questions.quiz import Question, questions
from pages.shared.words import glossary, page_words
from tests.pages.conftest import ROOT

QUESTIONS = questions()
LINKS = [link for question in QUESTIONS for link in question.links]
every_question = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.key)


@every_question
def test_a_question_is_whole(question: Question) -> None:
    assert question.predict.endswith(("?", "."))
    assert 2 <= len(question.options) <= 4
    assert question.answer
    assert question.links
    assert 1 <= len(re.findall(r"[.?!](?=\s|$)", question.answer)) <= 6  # a few sentences


def test_no_two_share_a_name() -> None:
    assert len({question.key for question in QUESTIONS}) == len(QUESTIONS) >= 24


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link.page} {link.query}")
def test_every_link_opens_its_state(open_page, link) -> None:
    """No part of it is refused, and each is what the page then holds."""
    page = open_page(link.page, **link.query)
    assert not [warning.value for warning in page.warning if warning.value.startswith("From the link")]
    for name, texts in link.query.items():
        assert holds(page.session_state[f"{link.page}.{name}"], texts), name


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


def beliefs(page: AppTest) -> list[str]:
    return [box.label for box in page.expander][:-1]  # the last is the glossary


def test_search(open_page) -> None:
    page = open_page("questions", search="softmax")
    assert len(beliefs(page)) == 1
    page.text_input(key="questions.search").set_value("GREY bce").run()
    assert 1 < len(beliefs(page)) < 10
    page.text_input(key="questions.search").set_value("zebra").run()
    assert beliefs(page) == []
    assert "Try fewer" in page.info[0].value


def test_an_unknown_question_is_told(open_page) -> None:
    page = open_page("questions", question="<b>", search="x" * 999)
    assert "question is '\\<b>'" in page.warning[0].value
    assert "at most 200" in page.warning[1].value
    assert len(beliefs(page)) == len(QUESTIONS)


# The words of all pages ---


@pytest.mark.parametrize("page", sorted(path.stem for path in (ROOT / "assets/pages").glob("*.md")))
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
