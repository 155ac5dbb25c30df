"""Which σ² did your loss assume: the form's links, what the page reads from them, the gallery and the runs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.assumed import gallery
from pages.assumed.form import BUNDLED
from pages.assumed.gallery import reports
from pages.shared.words import Parts
from tests.pages.test_pages import finish, press, text
from vae_core.lessons.assumed import LossCode, lines_written
from vae_core.runs.engine import Engine
from vae_core.runs.store import Run


def latex(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown if element.value.startswith("$"))


def everything(page: AppTest) -> str:
    return "\n".join([text(page), latex(page), *(box.value for box in [*page.info, *page.warning])])


@pytest.mark.parametrize(
    ("address", "derived", "said"),
    [
        ({}, r"\sigma^2 = \frac{D}{2} = \frac{784}{2} = 392", "σ² = 392, σ = 19.8"),
        ({"loss": "squared", "pixels": "mean"}, "= 392", "**Collapse.** In no direction"),
        ({"half": "yes", "pixels": "sum", "latent_dim": "20"}, r"\sigma^2 = 1", "**Partly collapsed.**"),
        ({"pixels": "sum"}, r"\sigma^2 = \frac{1}{2} = 0.5", "**Noisier than need be.**"),
        ({"weight": "0.00025"}, "= 0.098", "**About right.**"),
        ({"pixel_range": "-1..1"}, r"\frac{784}{2\cdot 2^2} = 98", "R = 2 is white less black"),
        ({"pixel_range": "0..255", "half": "yes", "pixels": "sum"}, "R^2", "D ln R = 4,344 nats lower"),
        ({"weight": "1e-6"}, "10^{-6}", "**Too sure.**"),
        ({"loss": "bce_grey"}, r"\beta = D = 784", "No normalised likelihood"),
        ({"loss": "bce_binary", "pixels": "sum"}, r"\beta = 1", "**β = 1**"),
        ({"loss": "absolute", "pixels": "sum"}, "b = 1", "Laplace noise of scale **b = 1**"),
        ({"dataset": "digits"}, r"\frac{64}{2} = 32", "0 of 10"),
        ({"kl_batch": "sum", "batch_size": "64"}, r"\frac{D\cdot B}{2}", "σ² = 25,088"),
    ],
)
def test_links_and_what_they_mean(open_page, address: dict[str, str], derived: str, said: str) -> None:
    page = open_page("assumed", **address)
    assert derived in latex(page)
    assert said in everything(page)
    assert "still to be written" not in everything(page)


def test_the_lines_are_those_that_the_core_tests(open_page) -> None:
    page = open_page("assumed", half="yes", pixels="sum", weight="0.04")
    written, corrected = (block.value for block in page.code)
    assert 'error = 0.5 * F.mse_loss(mu, x, reduction="sum") / len(x)' in written
    assert "loss = error + 0.04 * kl.sum(1).mean()" in written
    assert "sigma = 0.19  # assumed: train, set sigma**2" in corrected
    assert "until it stops moving" in corrected


def test_the_lines_are_in_the_units_of_the_code(open_page) -> None:
    page = open_page("assumed", pixel_range="-1..1")
    written, corrected = (block.value for block in page.code)
    for lines in (written, corrected):
        assert "# x and mu: black is -1, white 1\n" in lines
    assert "sigma = 0.19 * 2  #" in corrected
    page.segmented_control(key="assumed.pixel_range").set_value("0..255").run()
    assert page.query_params["pixel_range"] == "0..255"
    page.selectbox(key="assumed.loss").set_value("bce_grey").run()
    assert page.segmented_control(key="assumed.pixel_range").disabled
    assert "black is" not in page.code[0].value


def test_what_is_about_right_is_not_corrected(open_page) -> None:
    fair, collapsed = open_page("assumed", weight="0.00025"), open_page("assumed")
    assert "Corrected" not in everything(fair) and "| Refined |" in everything(fair)
    assert "| Corrected |" in everything(collapsed) and "Refined" not in everything(collapsed)


def test_a_form_that_changes_moves_the_address(open_page) -> None:
    page = open_page("assumed")
    page.selectbox(key="assumed.loss").set_value("absolute").run()
    page.segmented_control(key="assumed.pixels").set_value("sum").run()
    page.number_input(key="assumed.weight").set_value(0.2).run()
    assert dict(page.query_params) == {"loss": "absolute", "pixels": "sum", "weight": "0.2"}
    assert "b = c = 0.2" in latex(page)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("loss", "hinge", "loss is `'hinge'`; allowed: squared, absolute, bce_grey, bce_binary."),
        ("weight", "0", "weight is 0; allowed: a number from 1e-09 to 1000000."),
        ("weight", "nan", "weight is nan; allowed: a number from 1e-09 to 1000000."),
        ("latent_dim", "33", "latent_dim is 33; allowed: a whole number from 1 to 32."),
        ("dataset", "mnist_full", f"dataset is `'mnist_full'`; allowed: {', '.join(BUNDLED)}."),
        ("pixels", "max", "pixels is `'max'`; allowed: sum, mean."),
        ("pixel_range", "0..1e9", "pixel_range is `'0..1e9'`; allowed: 0..1, -1..1, 0..255."),
    ],
)
def test_bad_links_are_told_and_the_rest_holds(open_page, name: str, value: str, sentence: str) -> None:
    page = open_page("assumed", **{"batch_size": "32", name: value})
    assert sentence in page.warning[0].value.replace("\\", "")
    assert page.number_input(key="assumed.batch_size").value == 32


# The gallery ---------------------------------------------------------------------------------------------------------


def test_every_report_has_a_public_link_and_fills_the_form(open_page) -> None:
    page = open_page("assumed")
    found = reports()
    assert len(found) == len(Parts(gallery.ASSETS / "gallery.md")) - 1 == 17
    public = r"https://github\.com/[\w-]+/[\w-]+/issues/\d+|https://stats\.stackexchange\.com/questions/\d+"
    for report in found:
        press(page, "Take a loss from a real report")
        assert re.fullmatch(public, report.link)
        assert f"[{report.title}]({report.link})" in text(page)
        page.button(key=f"report {report.title}").click().run()
        assert not page.exception
        assert page.code[0].value == lines_written(described(report.address)), report.title
        assert f"The form has the loss of **{report.title}**. Changed: " in page.success[0].value
    page.number_input(key="assumed.weight").set_value(0.7).run()
    assert not page.success


def described(address: dict[str, list[str]]) -> LossCode:
    values: dict[str, Any] = {name: texts[0] for name, texts in address.items()}
    read: dict[str, Callable[[str], Any]] = {"half": lambda text: text == "yes", "weight": float, "latent_dim": int}
    return LossCode(**{name: read.get(name, str)(value) for name, value in values.items()})


def test_what_a_report_changed_is_told(open_page) -> None:
    page = open_page("assumed")
    press(page, "Take a loss from a real report")
    page.button(key="report AntixK/PyTorch-VAE, issue 11").click().run()
    assert page.success[0].value.endswith("Changed: Pixels run from: −1 to 1, Weight c of the KL: 0.0256.")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({}, "**2.0 %** of it lies between black and white"),
        ({"loss": "absolute", "pixels": "sum", "weight": "0.2"}, "**91.8 %** of it"),
        ({"loss": "bce_grey"}, "its area from black to white is **0.43**, not 1"),
        ({"loss": "bce_binary"}, "white with that chance, else black"),
    ],
)
def test_the_noise_is_drawn_first(open_page, address: dict[str, str], said: str) -> None:
    page = open_page("assumed", **address)
    assert said in text(page)
    (chart,) = page.get("vega_lite_chart")
    assert chart.proto.alt


def test_an_edit_that_breaks_a_report_leaves_it_out(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "gallery.md").write_text("Intro\n\n## A\nhttps://a.org/1\n?loss=squared\n\nText.\n\n## B\nno link\n")
    monkeypatch.setattr(gallery, "ASSETS", tmp_path)
    (only,) = reports()
    assert (only.title, only.address, only.text) == ("A", {"loss": ["squared"]}, "Text.")


# The runs ------------------------------------------------------------------------------------------------------------


def run_it(page: AppTest, engine: Engine) -> list[Run]:
    """Press the button; the runs that it began."""
    before = {run.id for run in engine.store.unfinished()}
    press(page, "Run it")
    return [run for run in engine.store.unfinished() if run.id not in before]


def test_run_it_trains_both(open_page, engine: Engine, stages: list[dict[str, Any]]) -> None:
    page = open_page("assumed", dataset="digits", batch_size="512", latent_dim="3")
    specs = [run.spec for run in run_it(page, engine)]
    assert [(spec.likelihood, spec.beta, spec.dataset) for spec in specs] == [("gaussian_identity", 1, "digits")] * 2
    assert [spec.sigma for spec in specs] == [math.sqrt(32), 0.21]
    for spec in specs:
        finish(engine, spec.id)
    page.run()
    assert next(button for button in page.button if button.label == "Run it").disabled
    lanes = stages[-1]["lanes"]
    assert [lane["run"] for lane in lanes] == [spec.id for spec in specs]
    assert [lane["title"] for lane in lanes] == ["What you wrote", "Corrected"]
    assert [lane["sigma_words"] for lane in lanes] == [
        f"σ = {sigma} at every pixel, for every z" for sigma in (5.65685, 0.21)
    ]
    assert stages[-1]["statuses"] == ["done", "done"]
    assert engine.store.history(specs[0].id)[-1]["active_latents"] == 0


def test_stop(open_page, engine: Engine) -> None:
    page = open_page("assumed", dataset="mnist", batch_size="8")
    runs = run_it(page, engine)
    assert len(runs) == 2
    press(page, "Stop")
    for run in runs:
        finish(engine, run.id)
    page.run()
    assert {"Run it", "Continue"} & {button.label for button in page.button}  # stopped before or after its first step


def test_what_is_right_already_runs_alone(open_page, engine: Engine) -> None:
    page = open_page("assumed", loss="bce_binary", pixels="sum", batch="sum", kl_batch="sum", dataset="digits")
    assert "| Corrected |" not in text(page)
    (run,) = run_it(page, engine)
    assert (run.spec.beta, run.spec.binarize) == (1, "threshold")
    finish(engine, run.id)


def test_what_no_run_can_have_is_told(open_page) -> None:
    page = open_page("assumed", loss="bce_binary", kl_batch="sum")
    assert "β would be 100,352; a run may have at most 1,000." in everything(page)


def test_the_forecast_has_as_many_cells_in_each_row(open_page) -> None:
    page = open_page("assumed")
    (table,) = [one.value for one in page.markdown if "Linear decoder: KL" in one.value]
    cells = [len(re.findall(r"(?<!\\)\|", row)) - 1 for row in table.splitlines()]
    assert cells == [3] * 7
    assert r"ln p(x\|w)" in table
