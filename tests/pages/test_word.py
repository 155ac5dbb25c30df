"""The class's word: without it all is there to be looked at, and nothing begins or ends, whatever is sent."""

from __future__ import annotations

import ast
from unittest.mock import Mock

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.state.session_state import SessionState
from streamlit.testing.v1 import AppTest

from pages.shared import word
from tests.pages.conftest import ROOT
from tests.pages.test_pages import press
from vae_core.runs.engine import Engine

WORD = "drei Würfel"


@pytest.fixture
def with_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_WORD", WORD)


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def give(page: AppTest, said: str) -> AppTest:
    (field,) = [field for field in page.text_input if field.label == "The class's word"]
    field.set_value(said).run()
    assert not page.exception
    return page


def test_no_word_is_asked_for_where_none_is_set(open_page) -> None:
    page = open_page("train")
    assert "Train" in labels(page)
    assert "The class's word" not in [field.label for field in page.text_input]


def test_the_word_once_for_all_pages(open_page, engine: Engine, with_word, monkeypatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(word.time, "monotonic", lambda: now[0])
    page = open_page("train", dataset="digits", epochs="1", decoders="bernoulli", seed="77")
    assert "Train" not in labels(page)
    give(page, "drei Wurfel")
    assert "Train" not in labels(page)
    give(page, WORD)  # at once: it is not even looked at
    assert "Train" not in labels(page)
    now[0] += word.WAIT_SECONDS
    give(page, WORD)
    assert WORD not in [field.value for field in page.text_input]
    assert WORD not in str(page.query_params)
    press(page, "Train")
    assert engine.store.run(next(iter(page.session_state["asked for"]))) is not None
    again = AppTest.from_file(str(ROOT / "pages" / "compare" / "page.py"), default_timeout=60)
    again.session_state[word.GIVEN] = page.session_state[word.GIVEN]
    again.run()
    assert "The class's word" not in [field.label for field in again.text_input]


def test_after_some_tries_no_word_helps(open_page, with_word, monkeypatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(word.time, "monotonic", lambda: now[0])
    page = open_page("train")
    for number in range(word.MOST_TRIES):
        give(page, f"wrong {number}")
        now[0] += 1000
    assert "The class's word" not in [field.label for field in page.text_input]
    assert f"{word.MOST_TRIES} wrong words" in page.warning[0].value
    assert not word.has_word()


@pytest.mark.parametrize("given", ["", "yes", 1, WORD])
def test_only_the_server_says_that_it_was_given(with_word, given) -> None:
    def script(given) -> None:
        import streamlit as st

        from pages.shared import word

        st.session_state[word.GIVEN] = given
        st.write(word.has_word())

    assert AppTest.from_function(script, args=(given,)).run().markdown[0].value == "`False`"


def test_no_widget_that_a_browser_makes_up_counts_as_the_word() -> None:
    state = SessionState()
    made_up = [WidgetState(id=name, bool_value=True) for name in (word.GIVEN, f"$$ID-0-{word.GIVEN}")]
    state.set_widgets_from_proto(WidgetStates(widgets=made_up))
    with pytest.raises(KeyError):
        state[word.GIVEN]


def test_callbacks_refuse_whatever_was_shown(open_page, engine: Engine, monkeypatch) -> None:
    """Buttons drawn before: their press comes to a server that has a word by now."""
    page = open_page("train", dataset="digits", epochs="9000", decoders="bernoulli", seed="78")
    before = engine.store.unfinished()
    (button,) = [button for button in page.button if button.label == "Train"]
    monkeypatch.setenv("VAE_WORD", WORD)
    button.click().run()
    assert "class's word" in page.error[0].value
    assert {run.id for run in engine.store.unfinished()} <= {run.id for run in before}


def test_compare_asks_workers_nothing_without_it(open_page, engine: Engine, monkeypatch) -> None:
    ask_workers = Mock(return_value="key")
    monkeypatch.setattr(engine.measurements, "ask", ask_workers)
    page = open_page("compare", guess="skip")
    ask = [button for button in page.button if (button.key or "").endswith(" ask")]
    assert ask
    monkeypatch.setenv("VAE_WORD", WORD)
    ask[0].click().run()
    ask_workers.assert_not_called()
    assert any("class's word" in error.value for error in page.error)
    assert not [button for button in open_page("compare", guess="skip").button if (button.key or "").endswith(" ask")]


def test_whatever_begins_or_ends_something_takes_the_word() -> None:
    """Every function of the pages that asks the engine for work needs it first."""
    work = {"submit", "stop_all", "set_weights_aside", "ask"}
    seen = 0
    for path in (ROOT / "pages").rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
            if work & {call.attr for call in calls if isinstance(call, ast.Attribute)}:
                seen += 1
                assert "need_word" in {call.id for call in calls if isinstance(call, ast.Name)}, (
                    f"{path}: {function.name}"
                )
    assert seen >= 4
