"""The list of runs, without a browser: what it offers whom, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared.learner import COOKIE
from tests.pages.conftest import ROOT
from tests.pages.test_trained import OWN
from tests.runs.stores import progress
from tests.waiting import SECONDS
from vae_core.runs import kept
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store
from vae_core.spec import RunSpec
from vae_core.tiles import png

ME, YOU = "a" * 16, "b" * 16
PNG = png(np.zeros((6, 8, 8), np.uint8))


def keep(store: Store, seed: int, *learners: str) -> RunSpec:
    spec = replace(OWN, seed=seed)
    for learner in learners:
        store.queue(spec, learner)
    store.begin(spec.id, -1)
    store.add_snapshot(spec, progress(spec.total_steps, pictures={"input": PNG, "mean": PNG}))
    store.save_weights(spec.id, b"weights")
    store.finish(spec.id, "done", "")
    return spec


def open_runs(**address: str | list[str]) -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / "runs" / "page.py"), default_timeout=SECONDS)
    page.session_state[COOKIE] = ME
    for name, value in address.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def button(page: AppTest, label: str) -> Any:
    (found,) = [one for one in page.button if one.label == label]
    return found


def listed(page: AppTest) -> list[str]:
    return list(page.dataframe[0].value["State"])


def test_own_runs_come_first_and_the_newest_is_shown(engine: Engine, page_links: list[dict[str, Any]]) -> None:
    mine, yours = keep(engine.store, 901, ME), keep(engine.store, 902, YOU)
    page = open_runs()
    assert listed(page)[0] == "done, yours"
    assert listed(page).count("done, yours") == 1
    assert "seed 901" in page.markdown[0].value
    links = {link["label"]: link["query_params"] for link in page_links}
    assert links["Walk through its latent space"] == links["Compare it"] == {"run": [mine.id]}
    assert links["Open on Train"]["seed"] == ["901"]
    page_links.clear()
    page = open_runs(run=[yours.id, mine.id])
    assert "seed 902" in page.markdown[0].value
    assert {"run": [yours.id, mine.id]} in [link["query_params"] for link in page_links]
    assert page.query_params["run"] == [yours.id, mine.id]


def test_it_is_named_pinned_and_deleted(engine: Engine) -> None:
    spec = keep(engine.store, 903, ME)
    page = open_runs(run=spec.id)
    page.text_input(key=f"runs.name {spec.id}").set_value("http://evil [x](y)").run()
    assert [one.value for one in page.text] == ["http://evil [x](y)"]  # words, and no link
    page.toggle(key=f"runs.pinned {spec.id}").set_value(True).run()
    assert "done, pinned, yours" in listed(page)
    (one,) = kept.those(engine.store, [spec.id], ME)
    assert (one.run.name, one.run.pinned) == ("http://evil [x](y)", True)
    page.text_input(key=f"runs.name {spec.id}").set_value("a\x01").run()
    assert "cannot be shown" in page.error[0].value
    button(page, "Delete this run").click().run()
    assert not page.exception
    assert engine.store.run(spec.id) is None
    assert not engine.store.has_weights(spec.id)
    assert "run" not in page.query_params
    page = open_runs(run=spec.id)
    assert "This run is not kept here: Gaussian, learned variance" in page.warning[0].value
    assert button(page, "Train it")


@pytest.mark.parametrize(("learners", "said"), [((YOU,), "are theirs"), ((ME, YOU), "not yours alone")])
def test_what_others_asked_for_is_theirs(engine: Engine, learners: tuple[str, ...], said: str) -> None:
    spec = keep(engine.store, 904 + len(learners), *learners)
    page = open_runs(run=spec.id)
    assert any(said in one.value for one in page.caption)
    assert page.toggle(key=f"runs.pinned {spec.id}").disabled == (ME not in learners)
    button(page, "Delete this run").click().run()  # as another client may
    assert "are theirs" in page.error[0].value
    assert engine.store.run(spec.id) is not None


def test_with_a_word_nothing_is_changed_without_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, yours = keep(engine.store, 908, ME), keep(engine.store, 909, YOU)
    pages = [open_runs(run=mine.id) for _ in range(3)]  # drawn before there was a word
    monkeypatch.setenv("VAE_WORD", "a word")
    pages[0].text_input(key=f"runs.name {mine.id}").set_value("mine").run()
    pages[1].toggle(key=f"runs.pinned {mine.id}").set_value(True).run()
    button(pages[2], "Delete this run").click().run()
    for page in pages:
        assert "takes the class's word" in page.error[0].value
    (one,) = kept.those(engine.store, [mine.id], ME)
    assert (one.run.name, one.run.pinned) == ("", False)
    page = open_runs(run=mine.id)
    (field,) = [one for one in page.text_input if one.label == "The class's word"]
    assert not page.toggle and "Delete this run" not in [one.label for one in page.button]
    assert "The class's word" not in [one.label for one in open_runs(run=yours.id).text_input]  # it would not help
    field.set_value("a word").run()
    button(page, "Delete this run").click().run()
    assert engine.store.run(mine.id) is None


def test_a_run_in_line_is_stopped_first(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = keep(engine.store, 907, ME)
    monkeypatch.setattr(engine, "leads", False)  # nobody begins it
    monkeypatch.setattr(engine._dispatch, "_serve", lambda: None)
    engine.store.queue(spec.with_epochs(2), ME)
    page = open_runs(run=spec.with_epochs(2).id)
    assert any("stop it on Train" in one.value for one in page.caption)
    button(page, "Delete this run").click().run()
    assert "stop it first" in page.error[0].value
    engine.store.finish(spec.with_epochs(2).id, "stopped", "")


def test_many_are_paged_and_searched(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "ON_A_PAGE", 2)
    specs = [keep(engine.store, 910 + n, ME) for n in range(3)]
    for n, spec in enumerate(specs):
        kept.rename(engine.store, spec.id, f"zebra {n}")
    page = open_runs(search="Zebra", page="2")
    assert list(page.dataframe[0].value["Name"]) == ["zebra 0"]
    assert any("3 runs." in one.value for one in page.caption)
    page.text_input(key="runs.search").set_value("zebra 1").run()
    assert list(page.dataframe[0].value["Name"]) == ["zebra 1"]
    assert "page" not in page.query_params
    page.text_input(key="runs.search").set_value("no such thing").run()
    assert "No run has all these words" in page.info[0].value
    assert list(open_runs(search="zebra", page="9").dataframe[0].value["Name"]) == ["zebra 2", "zebra 1"]
