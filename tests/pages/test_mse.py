"""MSE is a Gaussian: the page's numbers are the core's, and its words follow them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.mse import sigma_runs
from vae_core.errors import StoreError
from vae_core.lessons.mse import fit, held_out, identity, reconstruct, summarise
from vae_core.runs.engine import Engine
from vae_core.shipped import SPECS, shipped_weights

IDENTITY = SPECS["gaussian_identity"]


def text(page: AppTest) -> str:
    return "\n".join(element.value for element in [*page.markdown, *page.caption, *page.info])


def pair(number: int):
    from vae_core.checkpoint import load_vae

    weights = shipped_weights(IDENTITY)
    assert weights is not None
    x = held_out(IDENTITY).x[number]
    return x, reconstruct(load_vae(weights), x)


def nats(value: float) -> str:
    return f"{value:,.1f}".replace("-", "−")


@pytest.fixture(scope="module")
def runs(engine: Engine):
    return sigma_runs.summaries(engine.store)


# One image -----------------------------------------------------------------------------------------------------------


def test_the_table_is_of_the_chosen_image(open_page) -> None:
    for number in (0, 412):
        page = open_page("mse", image=str(number))
        x, mu = pair(number)
        single, double = identity(x, mu), identity(x.double(), mu.double())
        table = page.table[0].value
        assert list(table.iloc[3]) == [f"{single.nll:,.4f}", f"{double.nll:,.10f}"]
        assert list(table.iloc[2]) == [f"{single.loss:,.4f}", f"{double.loss:,.10f}"]
        assert f"costs **{nats(fit(x.double() - mu.double()).excess(1.0))}** nats more" in text(page)


def test_digit_and_number_say_the_same(open_page) -> None:
    page = open_page("mse", image="5")
    labels = held_out(IDENTITY).labels.tolist()
    assert page.selectbox(key="mse.image class").value == labels[5]
    page.selectbox(key="mse.image class").set_value(7).run()
    assert page.number_input(key="mse.image").value == labels.index(7)
    page.number_input(key="mse.image").set_value(999).run()
    assert page.selectbox(key="mse.image class").value == labels[999]
    assert not page.exception


def test_the_settings_are_in_the_address(open_page) -> None:
    page = open_page("mse", sigma="0.1", image="3", draw="4", guess="same")
    assert page.session_state["mse.sigma"] == 0.1
    assert page.pills(key="mse.guess").value == "same"
    assert not page.warning
    page.session_state["mse.sigma"] = 0.25  # as the widget sends it
    page.run()
    assert {name: page.query_params[name] for name in ("sigma", "image", "draw", "guess")} == {
        "sigma": "0.25",
        "image": "3",
        "draw": "4",
        "guess": "same",
    }


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("sigma", "0", "sigma is 0; allowed: a number from 0.01 to 3."),
        ("sigma", "nan", "sigma is nan; allowed: a number from 0.01 to 3."),
        ("sigma", "wide", "sigma is `'wide'`; allowed: a number from 0.01 to 3."),
        ("image", "1000", "image is 1000; allowed: a whole number from 0 to 999."),
        ("image", "1.5", "image is `'1.5'`; allowed: a whole number from 0 to 999."),
        ("draw", "-1", "draw is -1; allowed: a whole number from 0 to 999."),
        ("guess", "maybe", "guess is `'maybe'`; allowed: grows, same, shrinks, skip."),
    ],
)
def test_each_bad_part_of_a_link_is_told(open_page, name: str, value: str, sentence: str) -> None:
    page = open_page("mse", **{name: value})
    assert sentence in page.warning[0].value.replace("\\", "")
    assert page.session_state["mse.sigma"] == 1.0
    assert page.number_input(key="mse.image").value == 0


# Whole runs ----------------------------------------------------------------------------------------------------------


def test_nothing_is_revealed_before_a_guess(open_page) -> None:
    page = open_page("mse")
    assert len(page.table) == 1
    assert not page.info
    page.pills(key="mse.guess").set_value("skip").run()
    assert len(page.table) == 2
    assert "You said" not in text(page)


@pytest.mark.parametrize(("guess", "words"), [("grows", "As you said: "), ("shrinks", "You said: it shrinks. ")])
def test_the_guess_meets_the_runs(open_page, runs, guess: str, words: str) -> None:
    page = open_page("mse", guess=guess)
    assert page.info[0].value.startswith(f"{words}**It grows** in these runs: ")
    for one in list(runs.values())[:-1]:
        assert nats(one.evaluation.means.kl) in page.info[0].value
    table = page.table[1].value
    for row, one in zip(table.itertuples(index=False), runs.values()):
        means = one.evaluation.means
        assert list(row)[:3] == [nats(means.reconstruction), nats(means.kl), nats(means.elbo)]
        assert list(row)[3:5] == [f"{one.evaluation.active_latents} of 10", f"{means.mse:.4f}"]


def test_each_run_opens_on_the_train_page(open_page, page_links) -> None:
    open_page("mse", guess="skip")
    to_train = [link for link in page_links if link["page"] == "pages/train/page.py"]
    for spec, link in zip(sigma_runs.RUNS.values(), to_train, strict=True):
        opened = open_page("train", **link["query_params"])
        assert not opened.warning
        (lane,) = opened.session_state["train.decoders"]
        assert lane == spec.likelihood
        for name in ("sigma", "seed", "epochs", "binarize", "latent_dim"):
            assert opened.session_state[f"train.{name}"] == getattr(spec, name), name


def test_the_words_follow_the_numbers(runs, monkeypatch) -> None:
    """Were the KL to shrink and the least error to be the likeliest, the page would say so."""
    said: list[str] = []
    shown = SimpleNamespace(markdown=said.append, info=lambda words, icon: said.append(words))
    monkeypatch.setattr(sigma_runs, "st", shown)
    names = list(runs)
    turned = dict(zip(names, [*reversed(list(runs.values())[:-1]), runs[names[-1]]]))
    sigma_runs.show_kl(turned, "grows")
    assert said.pop().startswith("You said: it grows. **It shrinks** in these runs")
    sigma_runs._sentences(runs)
    assert "The errors are smallest at σ = 0.1, but the reconstruction term is highest at σ = 0.25" in said[-1]
    assert "is larger than that of 3 of the 4 fixed ones" in said.pop()
    alike = dict.fromkeys(names[:-1], runs["σ = 0.25"]) | {names[-1]: runs[names[-1]]}
    sigma_runs._sentences(alike)
    assert "Smaller errors" not in said.pop()


def test_train_again_asks_for_the_five_and_shows_them(
    open_page, engine: Engine, runs, stages: list[dict[str, Any]], monkeypatch
) -> None:
    monkeypatch.setattr(engine._dispatch, "_serve", lambda: None)  # in line, and no worker takes it
    for run in engine.store.unfinished():  # of tests before this one
        engine.store.finish(run.id, "stopped", "")
    page = open_page("mse", guess="skip")
    next(button for button in page.button if button.label == "Train these again").click().run()
    assert not page.exception
    ids = {spec.id for spec in sigma_runs.RUNS.values()}
    assert {run.id for run in engine.store.unfinished()} == ids
    assert [button.label for button in page.button] == ["Stop"]
    assert [lane["title"] for lane in stages[-1]["lanes"]] == list(runs)
    assert stages[-1]["statuses"] == ["queued"] * len(runs)

    for name, spec in sigma_runs.RUNS.items():
        means = vars(runs[name].evaluation.means)
        result = {"held_out": {**means, "kl": means["kl"] + 0.25 * (name == "σ = 1")}, "active_latents": 10}
        engine.store.finish(spec.id, "done", "", result)
    page.run()
    assert not page.exception
    table = page.table[2].value
    assert table.iloc[0, 3] == "0.25"
    assert set(table.iloc[1:, 3]) == {"0"}
    kl = runs["σ = 1"].evaluation.means.kl
    assert table.iloc[0, 1] == f"{nats(kl)} / {nats(kl + 0.25)}"


def test_a_full_disk_is_told(open_page, engine: Engine, monkeypatch) -> None:
    for spec in sigma_runs.RUNS.values():
        if engine.store.run(spec.id):
            engine.store.finish(spec.id, "stopped", "")
    page = open_page("mse", guess="skip")

    def full(spec, learner):
        raise StoreError("Runs cannot be kept in /x (database or disk is full).")

    monkeypatch.setattr(engine, "submit", full)
    next(button for button in page.button if button.label == "Train these again").click().run()
    assert "disk is full" in page.error[0].value


def test_a_run_trained_here_ends_with_the_numbers_of_a_summary() -> None:
    """The summary of a run's last weights is the result that the run itself kept."""
    from vae_core.checkpoint import load_vae
    from vae_core.data import load_dataset
    from vae_core.measures import largest_difference
    from vae_core.training import train

    spec = replace(IDENTITY, dataset="digits", hidden=(16,), epochs=1)
    *_, last = train(spec, load_dataset("digits"))
    assert last.checkpoint is not None and last.result is not None
    found = summarise(load_vae(last.checkpoint.to_bytes()))
    assert largest_difference(found.evaluation.means, vars(last.result.held_out)) < 1e-6
    assert found.evaluation.active_latents == last.result.active_latents
