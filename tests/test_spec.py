"""RunSpec: a run's identity, its limits, and what it says about a setting that cannot be trained."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.specs import CHOICES, MAX_LAYERS, REAL, WHOLE, small
from vae_core import LIKELIHOODS, VAE, RunSpec, SpecError
from vae_core.catalogue import DATASETS
from vae_core.spec import cost, make_likelihood

ROOT = Path(__file__).resolve().parent.parent


@st.composite
def specs(draw: st.DrawFn) -> RunSpec:
    """Specs well inside the limits on memory and time."""
    whole = {"latent_dim": 64, "mc_samples": 8, "epochs": 20, "seed": 2**31 - 1, "levels": 32}
    values: dict[str, Any] = {name: draw(st.integers(int(WHOLE[name][0]), high)) for name, high in whole.items()}
    values |= {name: draw(st.floats(low, high)) for name, (low, high) in REAL.items()}
    values |= {name: draw(st.sampled_from(allowed)) for name, allowed in CHOICES.items()}
    values["batch_size"] = draw(st.integers(32, 256))
    values["hidden"] = draw(st.lists(st.integers(1, 64), min_size=1, max_size=MAX_LAYERS))
    assert set(values) == {f.name for f in fields(RunSpec)}
    return RunSpec(**values)


def strict(text: str) -> Any:
    """JSON as the standard has it: no NaN, no Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


# ---- identity


@given(specs())
def test_round_trip_keeps_the_identity(spec: RunSpec) -> None:
    for back in (RunSpec.from_dict(spec.to_dict()), RunSpec.from_dict(strict(spec.canonical_json))):
        assert back.id == spec.id
        assert back.to_dict() == spec.to_dict()
        assert back.canonical_json == spec.canonical_json
    assert re.fullmatch("[0-9a-f]{16}", spec.id)


@given(specs())
def test_canonical_json_is_strict_and_knows_one_order(spec: RunSpec) -> None:
    text = spec.canonical_json
    assert strict(text) == spec.to_dict()
    assert text.isascii()
    assert list(strict(text)) == sorted(spec.to_dict())
    assert " " not in text
    reordered = RunSpec.from_dict(dict(reversed(spec.to_dict().items())))
    assert reordered.canonical_json == text


@given(specs())
def test_a_spec_equals_its_own_round_trip(spec: RunSpec) -> None:
    """One identity, one value: resuming from a saved checkpoint compares the two."""
    back = RunSpec.from_dict(spec.to_dict())
    assert back == spec
    assert hash(back) == hash(spec)


def changed(spec: RunSpec, name: str) -> RunSpec:
    """The same spec with another allowed value of one field."""
    value = getattr(spec, name)
    if name in CHOICES:
        other: Any = next(choice for choice in CHOICES[name] if choice != value)
    elif name in WHOLE:
        other = value + 1 if value < WHOLE[name][1] else value - 1
    elif name in REAL:
        other = math.nextafter(value, math.inf if value < REAL[name][1] else 0)  # the smallest change there is
    else:
        other = (*value[:-1], value[-1] + 1)
    return replace(spec, **{name: other})


@given(specs(), st.sampled_from([f.name for f in fields(RunSpec)]))
def test_specs_are_equal_where_their_ids_are(spec: RunSpec, name: str) -> None:
    other = changed(spec, name)
    assert (other.id == spec.id) == (other.to_dict() == spec.to_dict())
    assert (other.id == spec.id) == (other == spec)


LIKELIHOOD_SETTINGS = {name for kind in LIKELIHOODS.values() for name in kind.settings}


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("name", [f.name for f in fields(RunSpec)])
def test_a_field_is_part_of_the_identity_where_it_is_used(likelihood: str, name: str) -> None:
    spec = small(likelihood=likelihood, sigma=0.5, variance_floor=0.01, held_out=0.1, levels=5, dequantize="uniform")
    used = name not in LIKELIHOOD_SETTINGS or name in LIKELIHOODS[likelihood].settings
    if name == "dequantize":  # noise is for densities
        used = LIKELIHOODS[likelihood].kind == "density"
    other = changed(spec, name)
    assert (other.id != spec.id) == used
    assert (name in {**spec.to_dict(), **other.to_dict()}) == used  # `decoder` is told where it is no network


def test_a_linear_run_is_another_and_has_no_hidden_layers() -> None:
    linear, network = small(decoder="linear"), small(hidden=(16, 8))
    assert linear.id == small(decoder="linear", hidden=(16, 8)).id
    assert linear.id not in (small().id, network.id)
    assert (linear.to_dict()["decoder"], "hidden" in linear.to_dict()) == ("linear", False)
    assert "decoder" not in network.to_dict()
    assert RunSpec.from_dict(linear.to_dict()) == linear
    assert (linear.hidden_layers, network.hidden_layers) == ((), (16, 8))


def test_a_softmax_has_no_more_levels_than_the_pixels() -> None:
    coins = small(likelihood="categorical", binarize="threshold", levels=9)
    assert coins.levels == make_likelihood(coins).levels == 2  # type: ignore[attr-defined]
    assert coins.id == small(likelihood="categorical", binarize="threshold").id != small(likelihood="categorical").id
    assert small(likelihood="categorical", levels=32).levels == 17
    assert make_likelihood(small(likelihood="discretized_logistic")).levels == 17  # type: ignore[attr-defined]
    assert make_likelihood(RunSpec(likelihood="discretized_logistic")).levels == 256  # type: ignore[attr-defined]


def test_where_ln_p_is_the_log_of_nothing() -> None:
    """x outside the support of p: grey or noisy pixels under coins, and nothing else here."""
    for binarize in CHOICES["binarize"]:
        for noise in CHOICES["dequantize"]:
            loss = {key for key in LIKELIHOODS if small(likelihood=key, binarize=binarize, dequantize=noise).loss_only}
            assert loss == ({"bernoulli"} if binarize == "none" else set())


def test_each_setting_belongs_to_its_likelihood() -> None:
    """The docstring's promise, spelled out."""
    assert set(small(likelihood="bernoulli").to_dict()) & {"sigma", "variance_floor"} == set()
    assert set(small(likelihood="gaussian_identity").to_dict()) & {"sigma", "variance_floor"} == {"sigma"}
    assert set(small(likelihood="gaussian_learned").to_dict()) & {"sigma", "variance_floor"} == {"variance_floor"}


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"hidden": [32]}, {"hidden": (32,)}),
        ({"beta": 1}, {"beta": 1.0}),
        ({"beta": -0.0}, {"beta": 0.0}),
        ({"seed": np.int64(7)}, {"seed": 7}),
        ({"hidden": [np.int32(32)]}, {"hidden": [32]}),
        ({"held_out": np.float64(0.25)}, {"held_out": 0.25}),
    ],
)
def test_one_value_has_one_spelling(changes: dict[str, Any], same: dict[str, Any]) -> None:
    a, b = small(**changes), small(**same)
    assert a == b
    assert a.id == b.id
    assert hash(a) == hash(b)
    assert a.canonical_json == b.canonical_json


def test_identity_is_the_same_in_another_process() -> None:
    """Hash randomisation must not reach it: ids are shared in URLs and kept in a store."""
    code = "from vae_core.spec import RunSpec; print(RunSpec(dataset='digits', hidden=[32], seed=5).id)"
    ids = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert ids == {RunSpec(dataset="digits", hidden=(32,), seed=5).id}


def test_pages_may_read_specs_and_formulas_without_torch() -> None:
    code = (
        "import sys, vae_core.tiles; from vae_core import RunSpec, LIKELIHOODS, load_dataset; RunSpec().id; "
        "[kind.symbol + kind.loss_line + kind.name for kind in LIKELIHOODS.values()]; "
        "load_dataset('digits'); print(sorted({'torch', 'sklearn', 'streamlit', 'plotly'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_spec_is_frozen_and_can_be_a_key() -> None:
    spec = small()
    with pytest.raises(FrozenInstanceError):
        spec.seed = 3  # type: ignore[misc]
    assert {spec: 1}[small()] == 1


def test_with_epochs_changes_the_epochs_alone() -> None:
    spec = small(seed=3)
    assert spec.with_epochs(7) == small(seed=3, epochs=7)
    with pytest.raises(SpecError):
        spec.with_epochs(0)


# ---- cost


def test_layers_too_large_for_memory_are_refused_in_gibibytes() -> None:
    with pytest.raises(SpecError) as caught:
        RunSpec(hidden=(8192, 8192, 8192, 8192))
    message = str(caught.value)
    assert caught.value.field == "hidden"
    assert "hidden=[8192, 8192, 8192, 8192]" in message
    assert "allowed: 2 GiB" in message
    (need,) = re.findall(r"about ([\d.]+) GiB", message)
    parameters = 2 * (784 * 8192 + 3 * 8192**2)  # biases and the latents aside, in two networks
    assert float(need) == pytest.approx(52 * parameters / 2**30, rel=0.2)  # see `cost`: thirteen times the weights
    assert message.endswith(".")


def test_a_large_batch_and_l_are_refused_in_gibibytes() -> None:
    with pytest.raises(SpecError, match=r"batch_size=4096 and mc_samples=64 would need about [\d.]+ GiB; allowed"):
        RunSpec(batch_size=4096, mc_samples=64, epochs=1)
    with pytest.raises(SpecError, match=r"^batch_size=4096 .* Make the batch or L smaller\.$"):
        RunSpec(batch_size=4096, mc_samples=64, epochs=1, decoder="linear")


def test_a_run_too_long_is_refused_in_hours() -> None:
    with pytest.raises(SpecError) as caught:
        RunSpec(dataset="mnist_full", epochs=10_000)
    assert caught.value.field == "epochs"
    assert re.search(r"epochs=10000 .* about [\d.]+ hours; allowed: 2 hours", str(caught.value))


def test_the_default_run_is_short() -> None:
    assert cost(RunSpec()).seconds < 60
    assert cost(RunSpec()).memory_bytes < 100e6


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("hidden", [(32,), (16, 8), (1, 2, 3, 4)])
@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_cost_counts_the_models_parameters(dataset: str, likelihood: str, hidden: tuple[int, ...]) -> None:
    spec = RunSpec(dataset=dataset, likelihood=likelihood, hidden=hidden, latent_dim=3)
    for one in (spec, replace(spec, decoder="linear")):
        assert cost(one).parameters == sum(p.numel() for p in VAE(one).parameters())


@given(specs(), st.sampled_from(["latent_dim", "mc_samples", "epochs", "hidden", "batch_size"]), st.integers(1, 8))
def test_cost_grows_with_every_size(spec: RunSpec, name: str, more: int) -> None:
    value = getattr(spec, name)
    if name == "hidden":
        larger = replace(spec, hidden=(value[0] + more, *value[1:]))
    else:
        larger = replace(spec, **{name: min(value + more, WHOLE[name][1])})
    a, b = cost(spec), cost(larger)
    assert b.parameters >= a.parameters
    assert b.memory_bytes >= a.memory_bytes
    assert b.step_flops >= a.step_flops
    if larger != spec:
        assert (b.seconds, b.memory_bytes, b.step_flops) != (a.seconds, a.memory_bytes, a.step_flops)
    if name != "batch_size":  # a larger batch takes fewer steps
        assert b.seconds >= a.seconds
    if name == "epochs":
        assert b.seconds == pytest.approx(a.seconds * larger.epochs / spec.epochs)


# ---- steps


@given(specs())
def test_steps_visit_every_training_image_once_an_epoch(spec: RunSpec) -> None:
    n_train = DATASETS[spec.dataset].n_images - spec.n_held_out
    assert spec.steps_per_epoch == len(range(0, n_train, spec.batch_size))
    assert spec.total_steps == spec.epochs * spec.steps_per_epoch
    assert abs(spec.n_held_out - spec.held_out * DATASETS[spec.dataset].n_images) <= 0.5
    assert 1 <= spec.n_held_out <= n_train
