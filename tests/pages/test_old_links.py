"""Links that yesterday's app gave lead where they led: each names the runs of the ids that it had then."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared.stage import show
from pages.shared.train_link import TRAIN_SETTINGS, link_to
from tests.pages.conftest import ROOT
from vae_core.catalogue import BINARIZE
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store
from vae_core.shipped import DECODERS
from vae_core.spec import RunSpec

EARLIER = ROOT / "tests" / "runs" / "earlier"
LINKS: dict[str, list[tuple[str, list[str]]]] = json.loads((EARLIER / "facts.json").read_text("utf-8"))["links"]


@pytest.fixture
def earlier_runs(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The engine's store is yesterday's, but for the run in line: nothing is to be trained here."""
    store = Store(Path(shutil.copytree(EARLIER, tmp_path / "earlier")))
    with closing(sqlite3.connect(store.path)) as db, db:
        db.execute("DELETE FROM runs WHERE status = 'queued'")
    monkeypatch.setattr(engine, "store", store)
    return store


@pytest.fixture
def open_train(open_page, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[RunSpec]]:
    """The specs that the Train page shows lanes for, opened by a link that it takes whole."""

    def open_train(link: str) -> list[RunSpec]:
        shown: list[RunSpec] = []
        monkeypatch.setattr(show, "_lane", lambda name, spec, look: shown.append(spec))
        assert not open_page("train", **parse_qs(link)).warning
        return shown

    return open_train


@pytest.mark.parametrize(("link", "ids"), [(link, ids) for link, ids in LINKS["train"] if link])
def test_train_links(open_train, link: str, ids: list[str]) -> None:
    assert [spec.id for spec in open_train(link)] == ids


def test_the_bare_train_page_has_new_settings_and_its_old_runs_a_link(open_train) -> None:
    (ids,) = [ids for link, ids in LINKS["train"] if not link]
    assert [spec.id for spec in open_train("binarize=none")] == ids
    assert [replace(spec, binarize="none").id for spec in open_train("")] == ids
    assert {spec.binarize for spec in open_train("")} == {"threshold"}


# Links to Train, by what they mean --------------------------------------------------------------------------------


def link_of(**settings: Any) -> str:
    specs = [RunSpec(likelihood=key, **settings) for key in DECODERS]
    return urlencode(link_to(specs), doseq=True)


@pytest.mark.parametrize("settings", [{}, {"epochs": 5}, {"hidden": (20, 10), "dataset": "digits"}])
@pytest.mark.parametrize("binarize", BINARIZE)
def test_a_link_opens_what_it_was_made_of(open_train, settings: dict[str, Any], binarize: str) -> None:
    specs = [RunSpec(likelihood=key, binarize=binarize, **settings) for key in DECODERS]
    link = link_of(binarize=binarize, **settings)
    assert open_train(link) == specs
    if link:  # and in an app of before, in which what a link leaves out is as in RunSpec
        told = {name: texts[-1] for name, texts in parse_qs(link).items()}
        assert told.get("binarize", RunSpec.binarize) == binarize


def test_only_what_must_be_said_is_said() -> None:
    assert link_of(binarize="threshold") == ""  # a fresh page
    assert link_of(binarize="none") == "binarize=none"
    assert link_of(binarize="none", epochs=5) == "epochs=5"
    assert link_of(binarize="threshold", epochs=5) == "epochs=5&binarize=threshold"


@pytest.mark.parametrize("link", ["", "epochs=5", "epochs=5&binarize=threshold", "binarize=none", "units=bits"])
def test_the_address_of_an_open_page_opens_the_same(open_page, link: str) -> None:
    """As a reload, and the browser's back button, ask for it."""

    def settings(page: AppTest) -> dict[str, Any]:
        return {name: page.session_state[f"train.{name}"] for name in TRAIN_SETTINGS.settings}

    page = open_page("train", **parse_qs(link))
    address = dict(page.query_params)
    again = open_page("train", **address)
    assert settings(again) == settings(page)
    assert dict(again.query_params) == address
    if "units" not in link:  # a link as this page writes it stays as it is: no second entry in the browser's history
        assert urlencode(address, doseq=True) == link


def test_a_link_of_which_nothing_is_known_leaves_the_page_fresh(open_page) -> None:
    page = open_page("train", fbclid="x")
    assert page.warning
    assert page.session_state["train.binarize"] == "threshold"


def test_a_run_reopens_by_its_id_with_its_own_pixels(open_page, earlier_runs: Store) -> None:
    for run_id in ("0282b86c051cbd3f", "29632a2240c70475"):  # grey, tossed
        run = earlier_runs.run(run_id)
        assert run is not None
        page = open_page("train", run=run_id)
        assert page.session_state["train.binarize"] == run.spec.binarize
        assert page.session_state["train.decoders"] == [run.spec.likelihood]


@pytest.mark.parametrize(("link", "ids"), LINKS["latent"])
def test_latent_links(open_page, earlier_runs: Store, link: str, ids: list[str]) -> None:
    address: dict[str, Any] = parse_qs(link)
    page = open_page("latent", **address)
    assert [page.session_state["latent.run"]] == ids == address["run"]
    run = earlier_runs.run(ids[0])
    assert run is not None
    assert json.loads(page.session_state["latent.spec"]) == json.loads(address["spec"][0]) == run.spec.to_dict()
    assert page.session_state["latent.view"] == address["view"][0]
    assert page.session_state["latent.decoder"] == run.spec.likelihood
    assert not page.warning
    assert not page.error
