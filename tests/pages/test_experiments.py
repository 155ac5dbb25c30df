"""Three experiments: predict, then reveal; the page's numbers are the shipped ones, and its words follow them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.experiments import floor, grey, sigma
from pages.experiments.parts import Answer, told
from tests.pages.conftest import ROOT
from vae_core.errors import StoreError
from vae_core.lessons.experiments import Row
from vae_core.runs.engine import Engine

ROWS = {"floor": floor.ROWS, "grey": grey.ROWS, "sigma": sigma.ROWS}


def text(page: AppTest) -> str:
    return "\n".join(element.value for element in [*page.markdown, *page.caption, *page.info])


def nats(value: float, places: int = 1) -> str:
    return f"{value:,.{places}f}".replace("-", "−")


def charts(page: AppTest) -> list[dict[str, Any]]:
    """As the browser gets them, without their rows."""
    return [json.loads(element.proto.spec) for element in page.get("vega_lite_chart")]


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


@pytest.mark.parametrize("name", ROWS)
def test_nothing_is_revealed_before_a_guess(open_page, name: str) -> None:
    page = open_page("experiments", experiment=name)
    assert not page.table
    assert not page.info
    assert not page.button
    hidden = text(page)
    page.pills(key=f"experiments.{name}").set_value("skip").run()
    assert not page.exception
    assert len(page.table) == 1
    assert len(page.info) == 1
    assert "You said" not in text(page)
    assert "As you said" not in text(page)
    bits = re.findall(r"0\.\d{3} bits", page.info[0].value)
    assert not any(one in hidden for one in bits)
    assert page.query_params[name] == "skip"


@pytest.mark.parametrize(
    ("name", "guess", "begins"),
    [
        ("floor", "rise", "As you said: **They rise**: 0.230 bits"),
        ("floor", "fall", "You said: they fall. **They rise**"),
        ("floor", "same", "You said: they stay the same. **They rise**"),
        ("grey", "three", "As you said: **Three**"),
        ("grey", "all", "You said: all five. **Three**"),
        ("sigma", "smaller", "As you said: **Smaller**: 0.197."),
        ("sigma", "same", "You said: 0.233 again. **Smaller**"),
    ],
)
def test_the_guess_meets_the_runs(open_page, name: str, guess: str, begins: str) -> None:
    page = open_page("experiments", **{"experiment": name, name: guess})
    assert page.info[0].value.startswith(begins)


def test_the_floors_numbers_are_the_shipped_ones(open_page) -> None:
    page = open_page("experiments", floor="skip")
    for cells, one in zip(page.table[0].value.itertuples(index=False), floor.ROWS.values()):
        means, stats = one.result.means, one.result.sigma
        assert means.log_mass is not None and stats is not None
        assert list(cells)[1:4] == [nats(one.result.train.elbo), nats(means.elbo), nats(means.log_mass - means.kl)]
        assert list(cells)[4:6] == [f"{(means.kl - means.log_mass) / (784 * 0.69314718):.3f}", f"{means.mse:.4f}"]
        assert list(cells)[6:] == [f"{stats.pixels_on_floor:.0f}", f"{stats.largest:.3g}"]


def test_the_greys_numbers_are_the_shipped_ones(open_page) -> None:
    page = open_page("experiments", experiment="grey", grey="skip")
    table = page.table[0].value
    assert list(table.iloc[:, 0]) == [nats(one.result.means.elbo) for one in grey.ROWS.values()]
    assert [cell == "–" for cell in table.iloc[:, 2]] == [True, True, False, False, False]
    assert [cell == "–" for cell in table.iloc[:, 3]] == [False, False, True, True, True]
    cards = text(page)
    for badge in (":orange-badge[a loss, not ln p]", ":blue-badge[ln of a mass]", ":violet-badge[ln of a density]"):
        assert badge in cards


def test_the_sigmas_numbers_are_the_shipped_ones(open_page) -> None:
    page = open_page("experiments", experiment="sigma", sigma="skip")
    table = page.table[0].value
    by_hand = table.iloc[:3]
    assert list(by_hand.iloc[:, 0]) == ["1.0000", "0.2330", "0.1969"]
    assert list(by_hand.iloc[:2, 1]) == list(by_hand.iloc[1:, 0])  # what one found, the next one assumed
    learned = table.loc["Learned, one run"]
    assert learned.iloc[0] == f"{sigma.LEARNED.sigma:.4f}"
    assert learned.iloc[4] == nats(sigma.LEARNED.result.means.elbo)
    assert "1.000 → 0.233 → 0.197 → 0.196" in page.info[0].value


def within(spec: dict[str, Any], field: str, values: list[float]) -> None:
    """Every value lies in the frame that the charts keep."""
    found = [
        one["encoding"][axis]["scale"]["domain"]
        for layer in [spec]
        for one in layer["layer"]
        for axis in ("x", "y")
        if one["encoding"].get(axis, {}).get("field") == field
    ]
    assert found
    for low, high in found:
        assert low <= min(values) and max(values) <= high


def test_all_values_lie_in_the_frames(open_page) -> None:
    """They are fixed, so that the reveal moves no axis."""
    before, after = (charts(open_page("experiments", **guess)) for guess in ({}, {"floor": "skip"}))
    assert len(before) == len(after) == 3
    rows = floor.ROWS
    within(after[0], "elbo", floor.column_of(rows, "training") + floor.column_of(rows, "held out"))
    within(after[1], "bits", floor.column_of(rows, "bits"))
    within(after[2], "mse", floor.column_of(rows, "mse"))
    assert before == after
    of_sigma = charts(open_page("experiments", experiment="sigma", sigma="skip"))
    every = [*sigma.FIXED, sigma.LEARNED]
    within(of_sigma[0], "asked", [one.root_mse for one in every])
    within(of_sigma[0], "sigma", [one.sigma for one in every])
    within(of_sigma[1], "elbo", [one.result.means.elbo for one in every])
    within(of_sigma[2], "bits", [one.bits or 0 for one in every])
    (of_grey,) = charts(open_page("experiments", experiment="grey", grey="skip"))
    within(of_grey, "bits", [one.bits or 0 for one in grey.ROWS.values()])


# Words follow numbers ------------------------------------------------------------------------------------------------


def changed(one: Row, **means: float) -> Row:
    return replace(one, result=replace(one.result, means=replace(one.result.means, **means)))


def test_what_was_said_is_told() -> None:
    answers = {"a": Answer("it grows", True), "b": Answer("it shrinks", False)}
    assert told("a", answers) == "As you said: "
    assert told("b", answers) == "You said: it shrinks. "
    assert told("skip", answers) == ""


def test_the_floors_words_follow(monkeypatch) -> None:
    assert floor._own_elbo(floor.ROWS).endswith(
        "on held-out ones it is highest with 1,411.4 at e⁻⁹, and 1,372.8 at e⁻¹¹."
    )
    *_, (name, last) = floor.ROWS.items()
    climbing = floor.ROWS | {name: changed(last, elbo=1500.0)}
    assert floor._own_elbo(climbing).endswith("and on held-out ones to 1,500.0 at e⁻¹¹.")
    said: list[str] = []
    monkeypatch.setattr(floor.st, "info", lambda words, icon: said.append(words))
    floor.show_reveal(dict(zip(floor.ROWS, reversed(floor.ROWS.values()))), "fall")
    assert said[0].startswith("As you said: **They fall**: 0.425 bits at e⁻³, 0.230 at e⁻¹¹")


def test_the_greys_words_follow() -> None:
    lines = grey.sentences(grey.ROWS)
    assert any("A higher density, a worse price" in line for line in lines)
    assert "Discretised logistic, with 1.724 bits" in lines[1]
    plain = grey.NAMES["continuous"]
    cheap = grey.ROWS | {plain: changed(grey.ROWS[plain], log_mass=-300.0)}
    lines = grey.sentences(cheap)
    assert not any("A higher density" in line for line in lines)
    assert "Continuous Bernoulli, with" in lines[1]


def test_the_sigmas_words_follow(monkeypatch) -> None:
    assert "the same run has the least" in sigma.sentences()[2]
    assert "Here the two agree" in sigma.sentences()[2]
    turned = [changed(one, elbo=500.0) if one.sigma == 0.5 else one for one in sigma.FIXED]
    monkeypatch.setattr(sigma, "FIXED", turned)
    assert "highest at σ = 0.5, with 500.0 nats" in sigma.sentences()[2]
    assert "the run at σ = 0.1969 has the least" in sigma.sentences()[2]


# Trained here --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWS)
def test_train_again_asks_for_these_and_shows_them(
    open_page, engine: Engine, stages: list[dict[str, Any]], name: str, monkeypatch
) -> None:
    monkeypatch.setattr(engine._dispatch, "_serve", lambda: None)  # in line, and no worker takes it
    page = press(open_page("experiments", **{"experiment": name, name: "skip"}), "Train these again")
    specs = {run: one.spec for run, one in ROWS[name].items()}
    assert {run.id for run in engine.store.unfinished()} == {spec.id for spec in specs.values()}
    assert [button.label for button in page.button] == ["Stop"]
    assert [(lane["title"], lane["run"]) for lane in stages[-1]["lanes"]] == [
        (run, spec.id) for run, spec in specs.items()
    ]
    first = next(iter(specs))
    for run, one in ROWS[name].items():
        means = vars(one.result.means)
        own = {**means, "kl": means["kl"] + 0.25 * (run == first)}
        engine.store.finish(one.spec.id, "done", "", {"held_out": own, "active_latents": 10})
    page.run()
    assert not page.exception
    table = page.table[1].value
    assert list(table.iloc[:, 3]) == ["0.25", *["0"] * (len(specs) - 1)]
    kl = ROWS[name][first].result.means.kl
    assert table.iloc[0, 1] == f"{nats(kl)} / {nats(kl + 0.25)}"
    for spec in specs.values():  # other pages train some of them too
        engine.store.finish(spec.id, "stopped", "")


def test_each_run_opens_on_the_train_page(open_page, page_links) -> None:
    open_page("experiments", experiment="grey", grey="skip")
    to_train = [link for link in page_links if link["page"] == "pages/train/page.py"]
    for one, link in zip(grey.ROWS.values(), to_train, strict=True):
        opened = open_page("train", **link["query_params"])
        assert not opened.warning
        assert opened.session_state["train.decoders"] == [one.spec.likelihood]
        for setting in ("binarize", "dequantize", "seed", "epochs"):
            assert opened.session_state[f"train.{setting}"] == getattr(one.spec, setting), setting


def test_a_full_disk_is_told(open_page, engine: Engine, monkeypatch) -> None:
    def full(run_id):
        raise StoreError("Runs cannot be kept in /x (database or disk is full).")

    monkeypatch.setattr(engine.store, "run", full)
    page = open_page("experiments", floor="skip")
    assert "disk is full" in page.error[0].value


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("experiment", "four", "experiment is `'four'`; allowed: floor, grey, sigma."),
        ("floor", "up", "floor is `'up'`; allowed: fall, same, rise, skip."),
        ("grey", "2", "grey is `'2'`; allowed: all, three, one, skip."),
        ("sigma", "", "sigma is `''`; allowed: same, smaller, larger, skip."),
    ],
)
def test_each_bad_part_of_a_link_is_told(open_page, name: str, value: str, sentence: str) -> None:
    page = open_page("experiments", **{name: value})
    assert sentence in page.warning[0].value.replace("\\", "")


def test_the_page_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        "page = AppTest.from_file('pages/experiments/page.py', default_timeout=200)\n"
        "for name in ('floor', 'grey', 'sigma'):\n"
        "    page.query_params['experiment'] = name\n"
        "    page.query_params[name] = 'skip'\n"
        "    import streamlit as st; st.page_link = lambda *_, **__: None\n"
        "    page.run()\n"
        "    assert not page.exception and page.table\n"
        "assert 'torch' not in sys.modules\n"
        "from pages.shared.runtime import _engine; _engine().close()\n"
    )
    environment = {**os.environ, "VAE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=250)
