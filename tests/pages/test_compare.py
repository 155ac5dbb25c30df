"""Compare: the numbers are the core's, the words follow them, and what cannot be compared is one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.compare import ranking
from pages.compare.runs import DEFAULT, MOST, short_names
from tests.pages.conftest import ROOT
from tests.pages.test_trained import keep
from vae_core.lessons.compare import Baselines, baselines
from vae_core.lessons.compare_verdict import Score, score
from vae_core.runs.engine import Engine
from vae_core.shipped import GREY_SPECS, SHIPPED, SPECS, measured
from vae_core.spec import RunSpec

BERNOULLI, LEARNED = SPECS["bernoulli"], SPECS["gaussian_learned"]
OWN = RunSpec(dataset="digits", epochs=1, hidden=(8,), latent_dim=2, seed=81, likelihood="gaussian_shared")
OTHER = replace(OWN, likelihood="discretized_logistic")


def text(page: AppTest) -> str:
    return "\n".join(one.value for one in [*page.markdown, *page.caption, *page.info, *page.warning, *page.error])


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception
    return page


def score_of(spec: RunSpec) -> Score:
    known = measured(spec)
    assert known is not None
    found = score(known.means, spec.n_pixels)
    assert found is not None
    return found


@pytest.fixture
def own(engine: Engine) -> list[RunSpec]:
    """Two runs of one's own, on 17 grey levels."""
    for spec in (OWN, OTHER):
        keep(engine.store, spec)
    return [OWN, OTHER]


def ids(specs: list[RunSpec]) -> list[str]:
    return [spec.id for spec in specs]


# The first screen ----------------------------------------------------------------------------------------------------


def test_nothing_is_revealed_before_a_guess(open_page) -> None:
    page = open_page("compare")
    assert "What each one's own objective shows" in text(page)
    assert "What the image itself gets" not in text(page)
    assert not page.info
    assert len(page.get("vega_lite_chart")) == 1  # there is a figure
    page.pills(key="compare.guess").set_value("skip").run()
    assert not page.exception
    assert len(page.get("vega_lite_chart")) == 2
    assert page.query_params["guess"] == "skip"


@pytest.mark.parametrize(("guess", "words"), [(BERNOULLI.id, "As you said: "), ("skip", ""), (LEARNED.id, "You said:")])
def test_the_guess_meets_the_numbers(open_page, guess: str, words: str) -> None:
    page = open_page("compare", guess=guess)
    said = page.info[0].value
    assert said.startswith(words or "**Bernoulli**")
    best = score_of(BERNOULLI)
    assert f"**Bernoulli** gives these images the most probability: at most {best.bits:.3f} bits per pixel" in said
    assert f"−{-best.elbo:.1f} nats per image as probability" in said
    learned = score_of(LEARNED)
    assert f"**By its own number Gaussian, learned variance would win**, with {learned.own:,.1f} nats." in text(page)
    assert f"{learned.bits:.3f} bits per pixel, an ELBO of −{-learned.elbo:.1f} nats." in text(page)
    assert "log-density of +1,444.0 nats for every image, more than every run here" in text(page)
    known = baselines(BERNOULLI)
    assert f"**Worse than each pixel's histogram** ({known.histogram_bits:.3f} bits)" in text(page)


def test_the_words_follow_the_numbers(monkeypatch) -> None:
    said: list[str] = []
    shown = SimpleNamespace(markdown=said.append, info=lambda words, icon: said.append(words))
    monkeypatch.setattr(ranking, "st", shown)
    words: Any = {"Why densities rank nothing": "WHY."}
    agree = {"one": Score(0.1, -50.0, 2000.0), "other": Score(0.2, -100.0, -3.0), "third": Score(0.3, -150.0, -4.0)}
    ranking.say([BERNOULLI], 2, agree, Baselines(1.0, 0.5), "other", words)
    info, lines = said
    assert info.startswith("You said: other. **one** gives these images the most probability: at most 0.100 bits")
    assert "would win" not in lines
    assert "Worse than each pixel's histogram" not in lines
    assert "Of the 3 pairs of runs, their own numbers put 0 the other way round than the bits." in lines
    assert "more than every run here" not in lines
    noisy = [BERNOULLI, replace(LEARNED, dequantize="uniform")]
    ranking.say(noisy, 2, {"one": agree["one"]}, Baselines(1.0, 0.05), "", words)
    assert "pairs" not in said[-1]
    assert "knows nothing" not in said[-1]  # with noise on the pixels its density is another
    assert "**Worse than each pixel's histogram** (0.050 bits), which knows no z: one." in said[-1]


def test_names_tell_runs_apart() -> None:
    specs = [*SHIPPED.values(), replace(BERNOULLI, epochs=3), replace(LEARNED, variance_floor=0.5)]
    names = short_names(specs)
    assert len({*names.values()}) == len(specs)
    assert names[specs[-2].id] == "Bernoulli, Epochs 3"
    assert names[specs[1].id] == "Gaussian, identity covariance"


def test_it_waits_for_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        "import streamlit; streamlit.page_link = lambda *_, **__: None\n"  # a page by itself knows no other
        "page = AppTest.from_file('pages/compare/page.py', default_timeout=200)\n"
        "page.query_params['guess'] = 'skip'\n"
        "page.run(); assert not page.exception and page.info\n"
        "assert 'torch' not in sys.modules\n"
        "from pages.shared.runtime import _engine; _engine().close()\n"
    )
    environment = {**os.environ, "VAE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=250)


# Links and choices ---------------------------------------------------------------------------------------------------


def test_a_link_keeps_runs_and_settings(open_page) -> None:
    chosen = [BERNOULLI.id, LEARNED.id]
    page = open_page("compare", run=chosen, guess="skip", k="20", images="7")
    assert page.multiselect(key="compare.run").value == chosen
    assert not page.warning
    assert page.query_params["run"] == chosen
    assert (page.number_input(key="compare.k").value, page.number_input(key="compare.images").value) == (20, 7)
    page.multiselect(key="compare.run").set_value(DEFAULT).run()
    assert "run" not in page.query_params
    page.multiselect(key="compare.run").set_value([]).run()
    assert not page.exception
    assert "Choose at least one run" in page.info[0].value


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("run", "nonsense", "allowed: the 16 hex digits that name a run."),
        ("run", [f"{n:016x}" for n in range(13)], f"run names 13 runs; allowed: at most {MOST}."),
        ("spec", "{", "spec is refused: it is not JSON of a run's settings"),
        ("guess", "maybe", "allowed: the 16 hex digits that name a run."),
        ("k", "5001", "k is 5001; allowed: a whole number from 1 to 5000."),
        ("k", "0", "k is 0; allowed: a whole number from 1 to 5000."),
        ("images", "1", "images is 1; allowed: a whole number from 2 to 30000."),
        ("levels", "257", "levels is 257; allowed: a whole number from 0 to 256."),
    ],
)
def test_each_bad_part_of_a_link_is_told(open_page, name: str, value: str | list[str], sentence: str) -> None:
    page = open_page("compare", **{name: value})
    assert sentence in page.warning[0].value.replace("\\", "")
    assert page.multiselect(key="compare.run").value == DEFAULT


def test_more_images_than_are_held_out(open_page) -> None:
    page = open_page("compare", guess="skip", images="1001")
    assert "images is 1001; allowed: 2 to 1,000, as are held out." in page.warning[0].value
    assert page.number_input(key="compare.images").value == 100


def test_a_run_that_is_not_here_can_be_trained(open_page, engine: Engine) -> None:
    spec = replace(OWN, seed=82, epochs=9000)
    page = open_page("compare", spec=spec.canonical_json)
    assert page.multiselect(key="compare.run").value == [*DEFAULT, spec.id]
    assert "This run is not kept here: Gaussian, one learned variance" in page.warning[0].value
    assert "Predict first" in page.pills[0].label  # those that are here are compared
    assert json.loads(str(page.query_params["spec"])) == spec.to_dict()
    next(button for button in page.button if button.label == "Train it").click()
    page.run()  # goes to the Train page, which a page tested by itself has not
    assert engine.store.run(spec.id) is not None
    engine.stop(spec.id)
    unknown = open_page("compare", run=["f" * 16, BERNOULLI.id])
    assert "its link does not say its settings" in unknown.warning[0].value


# What cannot be compared ---------------------------------------------------------------------------------------------


def test_runs_of_other_data_are_one_sentence(open_page, own) -> None:
    page = open_page("compare", run=[BERNOULLI.id, OWN.id], guess="skip")
    (warning,) = page.warning
    assert warning.value.startswith("These runs cannot be compared: they have different data sets")
    assert not page.get("vega_lite_chart")
    other_pixels = open_page("compare", run=[BERNOULLI.id, GREY_SPECS["logistic"].id])
    assert "they have different pixels (Black and white / As they are (grey))" in other_pixels.warning[0].value


def test_levels_that_a_decoder_cannot_score(open_page) -> None:
    page = open_page("compare", run=[GREY_SPECS["loss"].id, GREY_SPECS["logistic"].id])
    assert "Bernoulli cannot give a probability to each of 256 grey levels" in page.warning[0].value
    assert not page.get("vega_lite_chart")


def test_a_run_without_weights(open_page) -> None:
    """The numbers of the experiments ship, on the levels they were measured on, and nothing else."""
    spec = GREY_SPECS["continuous"]
    page = open_page("compare", run=[spec.id], guess="skip")
    assert f"{score_of(spec).bits:.3f} bits per pixel" in page.info[0].value
    without = "No weights are kept of Continuous Bernoulli, so this needs training on the Train page first."
    assert without in text(page)
    assert not {"Climb", "Measure the noise"} & {one.label for one in page.button}
    page.number_input(key="compare.levels").set_value(16).run()
    assert "did not measure the probability on these grey levels" in text(page)
    assert without in text(page)
    assert "Score on 16 levels" not in {one.label for one in page.button}
