"""What ships with the app, weights and numbers, is of its specs, trained to the end."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vae_core import VAE, RunSpec, elbo_terms, load_dataset
from vae_core.checkpoint import Checkpoint, load_vae
from vae_core.data import split
from vae_core.evaluation import Evaluation, evaluate
from vae_core.feed import Feed
from vae_core.model import stream
from vae_core.pictures import take_pictures
from vae_core.shipped import (
    DECODERS,
    EXPERIMENTS,
    FLOORS,
    GREY_SPECS,
    MEASURED,
    MOST_POINTS,
    N_PRIOR,
    PICTURES,
    ROUND_SPECS,
    SHIPPED,
    SHIPPED_RUNS,
    SPECS,
    TWO_LATENTS,
    WITH_WEIGHTS,
    Measured,
    make_shipped,
    measured,
    pictures,
    shipped_weights,
)

ROOT = Path(__file__).resolve().parents[1]
EVERY = SHIPPED | EXPERIMENTS


def weights(key: str) -> bytes:
    return (SHIPPED_RUNS / f"{key}.safetensors").read_bytes()


def of(spec: RunSpec) -> Measured:
    found = measured(spec)
    assert found is not None
    return found


# The weights ---------------------------------------------------------------------------------------------------------


def test_there_is_one_run_for_each_spec_and_nothing_else() -> None:
    assert list(SPECS) == list(DECODERS)
    assert {path.name for path in SHIPPED_RUNS.iterdir()} == {
        "examples.npz",
        "measured.json",
        "pictures.npz",
        *(f"{key}.safetensors" for key in WITH_WEIGHTS),
    }
    assert len({spec.with_epochs(1).seed for spec in (EVERY | WITH_WEIGHTS).values()}) == 1  # one change at a time


def test_of_the_start_pages_decoders_there_are_runs_with_two_latents_that_differ_in_nothing_else() -> None:
    assert {key: replace(spec, latent_dim=10) for key, spec in TWO_LATENTS.items()} == SPECS
    assert {spec.latent_dim for spec in TWO_LATENTS.values()} == {2}
    assert not set(TWO_LATENTS.values()) & set(EVERY.values())  # Compare and the others look into ten latents
    assert shipped_weights(TWO_LATENTS["bernoulli"]) == weights("bernoulli_two_latents")


@pytest.mark.parametrize("key", WITH_WEIGHTS)
def test_the_weights_are_of_the_finished_run(key: str) -> None:
    checkpoint = Checkpoint.from_bytes(weights(key))
    assert checkpoint.spec.id == WITH_WEIGHTS[key].id
    assert checkpoint.step == WITH_WEIGHTS[key].total_steps
    vae = load_vae(weights(key))
    assert vae.spec == checkpoint.spec
    assert {f"model.{name}" for name in vae.state_dict()} == checkpoint.tensors.keys()  # and no optimiser's state
    assert all(bool(tensor.isfinite().all()) for tensor in checkpoint.tensors.values())


@pytest.mark.parametrize("spec", [*SPECS.values(), *TWO_LATENTS.values()], ids=lambda spec: spec.id)
def test_the_weights_are_trained(spec: RunSpec) -> None:
    """Its own examples would look alike from any weights."""
    x = Feed(spec, load_dataset(spec.dataset)).held_out()

    def elbo(vae: VAE) -> float:
        with torch.inference_mode():
            return float(elbo_terms(vae, x, 1, torch.Generator().manual_seed(0)).elbo.mean())

    assert elbo(load_vae(shipped_weights(spec) or b"")) > elbo(VAE(spec)) + 30


# The numbers ---------------------------------------------------------------------------------------------------------


def test_the_numbers_are_of_what_ships_and_of_nothing_else() -> None:
    facts = json.loads(MEASURED.read_text("utf-8"))
    specs = {run_id: RunSpec.from_dict(one["spec"]) for run_id, one in facts.items()}
    assert specs == {spec.id: spec for spec in EVERY.values()}
    assert all(spec.id == run_id for run_id, spec in specs.items())
    assert len(specs) == len(EVERY)
    assert measured(SPECS["bernoulli"].with_epochs(7)) is None
    assert pictures(SPECS["bernoulli"].with_epochs(7)) is None


def test_they_are_small() -> None:
    assert MEASURED.stat().st_size < 200_000
    assert PICTURES.stat().st_size < 300_000


def held_out(spec: RunSpec) -> torch.Tensor:
    return next(Feed(spec, load_dataset(spec.dataset)).part(torch.from_numpy(split(spec)[1])))


def evaluated(spec: RunSpec, part: str) -> Evaluation:
    vae = load_vae(shipped_weights(spec) or b"")
    feed = Feed(spec, load_dataset(spec.dataset))
    return evaluate(vae, feed.part(getattr(feed, f"{part}_part")), stream(spec.seed, "evaluation"))


@pytest.mark.parametrize("key", SHIPPED)
@pytest.mark.parametrize(("part", "field"), [("held_out", "means"), ("train", "train")])
def test_the_weights_give_the_numbers(key: str, part: str, field: str) -> None:
    """Another processor may round the sums differently."""
    found, again = of(SHIPPED[key]), evaluated(SHIPPED[key], part)
    means = getattr(found, field)
    assert vars(means) == pytest.approx(vars(again.means), rel=1e-4)
    assert means.elbo == pytest.approx(means.reconstruction - means.kl, abs=1e-3)
    if part == "held_out":
        assert found.active_latents == again.active_latents
        assert (found.sigma is None) == (again.sigma is None)
        if found.sigma and again.sigma:
            assert vars(found.sigma) == pytest.approx(vars(again.sigma), rel=1e-3)


@pytest.mark.parametrize("key", EVERY)
def test_the_trail_goes_from_the_start_to_the_result(key: str) -> None:
    spec, found = EVERY[key], of(EVERY[key])
    steps = [point.step for point in found.trail]
    assert steps[0] == 0
    assert steps[-1] == spec.total_steps
    assert steps == sorted(set(steps))
    assert 10 < len(steps) <= MOST_POINTS
    assert vars(found.trail[-1]) == vars(found.means) | {"step": spec.total_steps}
    assert found.trail[0].elbo < found.means.elbo
    assert all(math.isfinite(value) for point in found.trail for value in vars(point).values() if value is not None)
    scored = spec != GREY_SPECS["loss"]  # grey levels, which a coin gives no probability
    assert {point.log_mass is not None for point in found.trail} == {scored}


def test_untrained_weights_give_the_first_point() -> None:
    """One of an experiment, of which no weights ship: its data, its pixels and its draws are those of the spec."""
    spec = GREY_SPECS["continuous_noise"]
    feed = Feed(spec, load_dataset(spec.dataset))
    means = evaluate(VAE(spec), feed.part(feed.held_out_part), stream(spec.seed, "evaluation")).means
    assert vars(of(spec).trail[0]) == pytest.approx(vars(means) | {"step": 0}, rel=1e-4)


def test_the_floors_are_powers_of_e() -> None:
    assert {power: float(f"{math.exp(power):.4g}") for power in FLOORS} == FLOORS


@pytest.mark.parametrize(("part", "field"), [("held_out", "means"), ("train", "train")])
def test_each_sigma_is_the_root_mse_of_the_run_before(part: str, field: str) -> None:
    rounds = ROUND_SPECS[part]
    asked = [math.sqrt(getattr(of(spec), field).mse) for spec in rounds]
    assert rounds[0].sigma == 1
    for before, spec in zip(asked, rounds[1:]):
        assert spec.sigma == float(f"{before:.4g}")
    moved = [abs(after / spec.sigma - 1) for after, spec in zip(asked, rounds)]
    assert [one < 0.01 for one in moved] == [False] * (len(moved) - 1) + [True]  # and it stands still at the last


# The pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", EVERY)
def test_pictures_of_every_run(key: str) -> None:
    spec = EVERY[key]
    shown = pictures(spec)
    assert shown is not None
    assert {name: len(images) for name, images in shown.items()} == {
        "input": 6,
        "mean": 6,
        "sample": 6,
        "prior_mean": N_PRIOR,
    }
    assert {images.shape[1:] for images in shown.values()} == {(28, 28)}
    assert {images.dtype for images in shown.values()} == {np.dtype(np.uint8)}
    fresh = take_pictures(load_vae(weights(key)) if key in SHIPPED else VAE(spec), held_out(spec))
    np.testing.assert_array_equal(shown["input"], fresh.input)
    if key in SHIPPED:  # of the weights that ship; another processor may round a grey level up
        assert max(np.abs(shown[part].astype(int) - getattr(fresh, part)).max() for part in ("mean", "sample")) <= 1
    error = np.square(shown["mean"] / 255 - shown["input"] / 255).mean()
    assert error < 0.1  # they are means of these inputs


# Making them ---------------------------------------------------------------------------------------------------------


def test_the_command_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On small runs: what is written is read back."""
    small = {
        name: replace(SPECS[name], dataset="digits", hidden=(8,), epochs=1)
        for name in ("bernoulli", "gaussian_learned")
    }
    tried = {"floor": replace(small["gaussian_learned"], variance_floor=0.1)}
    here = {"SHIPPED_RUNS": tmp_path, "MEASURED": tmp_path / "m.json", "PICTURES": tmp_path / "p.npz"}
    two = {"two": replace(small["bernoulli"], latent_dim=2)}
    specs = {"SHIPPED": small, "WITH_WEIGHTS": small | two, "EXPERIMENTS": tried}
    for name, value in (here | specs).items():
        monkeypatch.setattr(f"vae_core.shipped.{name}", value)
    try:
        make_shipped()
        for name, spec in (small | two).items():
            assert Checkpoint.from_bytes((tmp_path / f"{name}.safetensors").read_bytes()).spec == spec
        assert measured(two["two"]) is None
        for spec in small.values():
            assert of(spec).trail[-1].step == spec.total_steps
        assert pictures(tried["floor"]) is not None
        assert of(tried["floor"]).sigma is not None
        assert of(small["bernoulli"]).sigma is None
    finally:
        monkeypatch.undo()
        from vae_core import shipped

        shipped._all_measured.cache_clear()
        shipped.pictures.cache_clear()


def test_reading_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from vae_core.shipped import SPECS, EXPERIMENTS, measured, pictures\n"
        "assert measured(SPECS['bernoulli']) and pictures(EXPERIMENTS['grey_loss'])\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=100)
