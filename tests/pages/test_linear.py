"""The linear VAE's page: its links, the prediction, what it trains, and its numbers beside the core's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from threadpoolctl import threadpool_limits

from tests.pages.test_pages import finish, press, text
from vae_core.lessons import exact, linear
from vae_core.runs.engine import Engine
from vae_core.spec import RunSpec

QUICK = {"guess": "skip", "latent_dim": "3"}


@pytest.fixture
def widgets(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the widget was given, the newest last."""
    from pages.linear import known

    given: list[dict[str, Any]] = []
    monkeypatch.setattr(known, "WIDGET", lambda **how: given.append(how["data"]))
    return given


def rows(page: AppTest, place: int) -> dict[str, list[str]]:
    table = page.table[place].value
    return {name: list(table.loc[name]) for name in table.index}


def test_nothing_is_told_before_the_prediction(open_page, widgets: list[dict[str, Any]]) -> None:
    page = open_page("linear")
    assert not widgets[-1]["revealed"]
    assert "How many of them will a linear VAE use?" in page.button_group(key="linear.guess").label
    assert not page.info and "Train it" not in [one.value for one in page.header]


@pytest.mark.parametrize(
    ("guess", "said"), [("some", "As you said: **4"), ("all", "You said: all of them. **4"), ("skip", "**4")]
)
def test_the_prediction_is_answered(open_page, widgets: list[dict[str, Any]], guess: str, said: str) -> None:
    page = open_page("linear", guess=guess)
    assert widgets[-1]["revealed"]
    assert page.info[0].value.startswith(f"{said} of 10** at σ² = 0.3.")
    press(page, "Another σ²: predict again")
    assert (page.query_params.get("guess"), page.query_params["variance"]) == (None, "1")
    assert not widgets[-1]["revealed"]


def test_the_widget_has_the_training_images_eigenvalues(open_page, widgets: list[dict[str, Any]]) -> None:
    with threadpool_limits(1, "blas"):  # as in the app: threads beside other work wait for each other
        open_page("linear", dataset="mnist", latent_dim="20", noise="learned", guess="skip")
        expected = exact.eigenvalues(linear.parts(RunSpec(dataset="mnist"))[0])
    given = widgets[-1]
    np.testing.assert_allclose(given["eigenvalues"], expected, atol=1e-10)
    assert given["learned"] and given["variance"] == given["best"]
    assert given["best"] == pytest.approx(np.sort(given["eigenvalues"])[: 784 - 20].mean())


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"variance": "0"}, "variance is 0; allowed: a number from 0.001 to 30"),
        ({"variance": "-1"}, "variance is -1; allowed: a number from 0.001 to 30"),
        ({"variance": "nan"}, "variance is nan; allowed"),
        ({"variance": "narrow"}, "variance is `'narrow'`; allowed"),
        ({"latent_dim": "65"}, "latent_dim is 65; allowed: a whole number from 1 to 32"),
    ],
)
def test_a_number_that_is_none_is_told(open_page, widgets, address: dict[str, str], said: str) -> None:
    page = open_page("linear", **address)
    assert said in page.warning[0].value
    assert (widgets[-1]["variance"], widgets[-1]["latents"]) == (0.3, 10)


@pytest.mark.parametrize("noise", ["fixed", "learned"])
def test_train_and_read(
    open_page, engine: Engine, stages: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, noise: str
) -> None:
    monkeypatch.setitem(linear.EPOCHS, "digits", 200)
    page = open_page("linear", noise=noise, **QUICK)
    assert "Dashed: exactly" in text(page)  # before there is a run
    press(page, "Train a linear VAE")
    (spec,) = [run.spec for run in engine.store.unfinished()]
    assert (spec.decoder, spec.latent_dim, spec.beta, spec.binarize) == ("linear", 3, 1, "none")
    finish(engine, spec.id)
    page.run()
    assert not page.exception
    assert stages[-1]["lanes"][0]["run"] == spec.id
    of = exact.components(linear.parts(spec)[0])
    variance = 0.3 if noise == "fixed" else exact.best_variance(of.eigenvalues, 3)
    known = exact.linear_vae(of.eigenvalues, 3, variance)
    found = rows(page, 0)
    number = lambda cell: float(cell.replace("−", "-"))
    assert number(found["σ²"][0]) == pytest.approx(variance, rel=1e-3)
    assert number(found["ELBO, nats"][0]) == pytest.approx(known.log_likelihood, abs=0.006)
    assert number(found["KL, nats"][0]) == pytest.approx(known.kl, abs=0.006)
    assert found["latents above 0.01 nats"][0] == f"{known.active} of 3"
    assert -8 < number(found["ELBO, nats"][1]) - number(found["ELBO, nats"][0]) < 0
    kept = engine.store.run(spec.id)
    assert kept is not None and kept.result is not None  # at drawn z, so near and not the same
    assert number(found["ELBO, nats"][1]) == pytest.approx(kept.result["train"]["elbo"], abs=0.5)
    assert "359 held-out images: the gap is **" in text(page)


def test_the_network_stands_beside_the_forecast(open_page, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(linear.EPOCHS, "digits", 2)
    page = open_page("linear", **QUICK)
    press(page, "Train the network")
    (spec,) = [run.spec for run in engine.store.unfinished()]
    assert (spec.decoder, spec.hidden) == ("network", (400,))
    finish(engine, spec.id)
    page.run()
    found = rows(page, 0)
    kept = engine.store.run(spec.id)
    assert kept is not None and kept.result is not None
    assert found["ELBO, nats, held-out images"][1] == f"{kept.result['held_out']['elbo']:.2f}".replace("-", "−")
    assert found["latents above 0.01 nats (network: held-out images)"][0] == "3 of 3"
