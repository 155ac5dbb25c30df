"""Links that yesterday's app gave lead where they led: each names the runs of the ids that it had then."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

import pages.train.lanes
from tests.pages.conftest import ROOT
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store
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


@pytest.mark.parametrize(("link", "ids"), LINKS["train"])
def test_train_links(open_page, monkeypatch: pytest.MonkeyPatch, link: str, ids: list[str]) -> None:
    shown: list[RunSpec] = []
    monkeypatch.setattr(pages.train.lanes, "show_lanes", lambda store, specs, *_: shown.extend(specs.values()))
    page = open_page("train", **parse_qs(link))
    assert [spec.id for spec in shown] == ids
    assert not page.warning


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
