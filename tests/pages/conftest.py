"""Each page file by itself under AppTest, on one engine of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.shared import runtime
from pages.shared.stage import show
from tests.waiting import SECONDS
from vae_core.runs.engine import Engine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_HOME", str(tmp_path_factory.mktemp("home")))
        engine = runtime._engine()
        yield engine
        engine.close()


@pytest.fixture(autouse=True)
def page_links(monkeypatch) -> list[dict[str, Any]]:
    """The links a page draws. One run by itself knows no other page, and st.page_link would refuse."""
    links: list[dict[str, Any]] = []
    monkeypatch.setattr(st, "page_link", lambda page, **how: links.append({"page": page, **how}))
    return links


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each stage was given, the newest last."""
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(show, "_STAGE", lambda **how: given.append(how["data"]))
    return given


@pytest.fixture
def open_page(engine: Engine):
    def open_page(name: str, **address: str | list[str]) -> AppTest:
        page = AppTest.from_file(str(ROOT / "pages" / name / "page.py"), default_timeout=SECONDS)
        for key, value in address.items():
            page.query_params[key] = value
        page.run()
        assert not page.exception
        return page

    return open_page
