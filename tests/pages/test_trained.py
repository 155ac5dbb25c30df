"""Which runs a page looks into: shipped, own, by a link, and those that are not here any more."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from pages.shared.trained import siblings, vae_of
from vae_core import load_dataset, train
from vae_core.checkpoint import Checkpoint
from vae_core.errors import CheckpointError
from vae_core.lighten import lighten
from vae_core.runs import kept
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store, _family
from vae_core.shipped import SIGMA_SPECS, SPECS
from vae_core.spec import RunSpec

OWN = RunSpec(dataset="digits", epochs=1, hidden=(8,), seed=61, likelihood="gaussian_learned")


def keep(store: Store, spec: RunSpec) -> Checkpoint:
    """Train here and keep the run as the engine would, without waiting for its workers."""
    *_, last = train(spec, load_dataset(spec.dataset), device="cpu")
    assert last.checkpoint is not None
    store.save_weights(spec.id, last.checkpoint.to_bytes())
    facts = (spec.id, _family(spec), spec.canonical_json, spec.total_steps, spec.total_steps)
    with store._connect() as db:
        db.execute(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, 'done', '', 0, 1, ?, ?, 0, 0, 0, NULL, NULL, 1, '', 0)", facts
        )
    return last.checkpoint


def test_siblings_differ_in_the_likelihood_and_its_settings_alone() -> None:
    spec = SPECS["gaussian_learned"]
    near = [replace(spec, variance_floor=0.5), *SIGMA_SPECS.values(), SPECS["bernoulli"], replace(spec, epochs=3)]
    near += [replace(SPECS["bernoulli"], seed=2), RunSpec(dataset="digits")]
    found = siblings(spec, near)
    assert found == [SPECS["bernoulli"], SIGMA_SPECS[1.0], spec]  # the first of each likelihood, and the one asked for
    assert siblings(SIGMA_SPECS[0.25], near)[1] == SIGMA_SPECS[0.25]
    assert siblings(OWN, near) == [OWN]


def test_weights_are_those_that_were_kept(engine: Engine) -> None:
    for spec in (OWN, SIGMA_SPECS[0.1]):
        checkpoint = keep(engine.store, spec) if spec is OWN else None
        vae = vae_of(spec, engine.store)
        assert vae.spec == spec
        for name, weights in (checkpoint.model_state() if checkpoint else {}).items():
            assert torch.equal(vae.state_dict()[name], weights)


def test_weights_that_are_gone_or_cut_are_a_sentence(engine: Engine) -> None:
    gone = replace(OWN, seed=62)
    with pytest.raises(CheckpointError, match="are missing; train it again"):
        vae_of(gone, engine.store)
    whole = keep(engine.store, gone).to_bytes()
    engine.store.save_weights(gone.id, whole[:-50])
    with pytest.raises(CheckpointError, match="cannot be read"):
        vae_of(gone, engine.store)
    engine.store.save_weights(gone.id, whole)
    assert vae_of(gone, engine.store).spec == gone  # a failure is not remembered


def test_a_link_by_settings_opens_the_run(open_page, engine: Engine) -> None:
    keep(engine.store, OWN)
    page = open_page("one_image", spec=OWN.canonical_json)
    assert page.session_state["one_image.run"] == OWN.id
    assert page.query_params["run"] == OWN.id
    assert not page.warning
    page.selectbox(key="one_image.run").set_value("").run()
    assert "spec" not in page.query_params
    assert "run" not in page.query_params


def test_a_run_that_is_not_here_can_be_trained(open_page, engine: Engine) -> None:
    spec = replace(OWN, seed=63, epochs=9000)
    page = open_page("one_image", run=spec.id, spec=spec.canonical_json)
    assert "This run is not kept here: Gaussian, learned variance" in page.warning[0].value
    assert engine.store.run(spec.id) is None
    next(button for button in page.button if button.label == "Train it").click()
    page.run()  # goes to the Train page, which a page tested by itself has not
    run = engine.store.run(spec.id)
    assert run is not None
    again = open_page("one_image", run=spec.id)
    assert "This run is being trained" in again.info[0].value
    engine.stop(spec.id)


def test_a_run_that_was_removed_says_what_it_was(open_page, engine: Engine) -> None:
    spec = replace(OWN, seed=67)
    keep(engine.store, spec)
    engine.store.save_model(spec.id, lighten(engine.store.load_weights(spec.id) or b""))
    assert not open_page("one_image", run=spec.id).warning  # to look at, the model's weights are enough
    page = open_page("train", run=spec.id)
    again = next(button for button in page.button if button.label == "Continue")
    assert "but earlier steps again too" in again.help
    kept.remove(engine.store, spec.id)
    page = open_page("one_image", run=spec.id)
    assert "This run is not kept here: Gaussian, learned variance" in page.warning[0].value
    assert "Train it" in [button.label for button in page.button]
    page = open_page("train", run=spec.id)
    assert "was removed; its settings are here" in page.info[0].value
    assert not page.warning
    assert page.number_input(key="train.seed").value == 67
    assert [button.label for button in page.button] == ["Train"]
    assert not page.number_input(key="train.seed").set_value(68).run().info
    assert not page.run().info
    page = open_page("train", run="e" * 16)
    assert "its name alone does not tell its settings" in page.warning[0].value


def test_a_link_that_contradicts_itself_trains_nothing(open_page) -> None:
    page = open_page("one_image", run="f" * 16, spec=replace(OWN, seed=64).canonical_json)
    assert "its link does not say its settings" in page.warning[0].value
    assert "Train it" not in [button.label for button in page.button]


def test_weights_that_vanished_are_told_with_the_settings_of_the_run(open_page, engine: Engine) -> None:
    spec = replace(OWN, seed=65)
    keep(engine.store, spec)
    engine.store.weights_path(spec.id).unlink()
    page = open_page("one_image", run=spec.id)
    assert "The weights of this run are missing: Gaussian, learned variance" in page.warning[0].value
    assert "Train it" in [button.label for button in page.button]


def test_damaged_weights_are_set_aside_and_trained_again(open_page, engine: Engine) -> None:
    spec = replace(OWN, seed=66, epochs=9000)
    short = replace(spec, epochs=1)
    keep(engine.store, short)
    path = engine.store.weights_path(short.id)
    path.write_bytes(path.read_bytes()[:-10])
    page = open_page("one_image", run=short.id)
    assert "The saved weights cannot be read" in page.error[0].value
    next(button for button in page.button if button.label == "Train Gaussian, learned variance again").click()
    page.run()
    assert list(path.parent.glob(f"{short.id}.damaged-*"))
    run = engine.store.run(short.id)
    assert run is not None
    assert run.attempt == 2


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("run", "../../etc/passwd", "allowed: the 16 hex digits that name a run."),
        ("spec", "{", "spec is refused: it is not JSON of a run's settings"),
        ("spec", "7", "spec is refused: it is not JSON of a run's settings"),
        ("spec", json.dumps({"seed": -1}), "spec is refused: seed is -1; allowed: a whole number from 0 to"),
        ("spec", json.dumps({"hidden": [8192] * 4, "batch_size": 4096}), "spec is refused: hidden="),
    ],
)
def test_a_bad_link_is_told_and_the_shipped_decoders_stay(open_page, name: str, value: str, sentence: str) -> None:
    page = open_page("one_image", **{name: value})
    assert sentence in page.warning[0].value.replace("\\", "")
    assert page.get("bidi_component")
