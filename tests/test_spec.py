"""RunSpec: a run's identity, its limits, and what it says about a setting that cannot be trained."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_core import LIKELIHOODS, VAE, RunSpec, SpecError
from vae_core.catalogue import BINARIZE, DATASETS
from vae_core.spec import SETTINGS, cost
from vae_core.values import Choice, Layers, Real, Whole, read

ROOT = Path(__file__).resolve().parent.parent
RULES = {name: setting.rule for name, setting in SETTINGS.items()}
CHOICES = {name: list(rule.options) for name, rule in RULES.items() if isinstance(rule, Choice)}
WHOLE = {name: (rule.low, rule.high) for name, rule in RULES.items() if isinstance(rule, Whole)}
REAL = {name: (rule.low, rule.high) for name, rule in RULES.items() if isinstance(rule, Real)}
LAYERS = RULES["hidden"]
assert isinstance(LAYERS, Layers)
MAX_LAYERS, MAX_WIDTH = LAYERS.most, LAYERS.size.high
SMALL: dict[str, Any] = {"dataset": "digits", "hidden": (32,), "latent_dim": 2, "epochs": 2}


def small(**changes: Any) -> RunSpec:
    return RunSpec(**{**SMALL, **changes})


@st.composite
def specs(draw: st.DrawFn) -> RunSpec:
    """Specs well inside the limits on memory and time."""
    whole = {"latent_dim": 64, "mc_samples": 8, "epochs": 20, "seed": 2**31 - 1}
    values: dict[str, Any] = {name: draw(st.integers(WHOLE[name][0], high)) for name, high in whole.items()}
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
    spec = small(likelihood=likelihood, sigma=0.5, variance_floor=0.01, held_out=0.1)
    used = name not in LIKELIHOOD_SETTINGS or name in LIKELIHOODS[likelihood].settings
    assert (changed(spec, name).id != spec.id) == used
    assert (name in spec.to_dict()) == used


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


# ---- settings that cannot be trained

NO_NUMBER: list[Any] = [math.nan, math.inf, -math.inf, True, False, "3", "", None, [3], (3,), {}, 3 + 0j]
NO_CHOICE: list[Any] = ["", "MNIST", "bernoulli ", None, 3, True, math.nan, ["mnist"], {}]
NO_LAYERS: list[Any] = [
    *((), [], 32, 32.0, "32", None, True, {32}, {32: 1}, b"32", range(3), np.array([32])),
    *((0,), (-1,), (MAX_WIDTH + 1,), (32,) * (MAX_LAYERS + 1), (10**30,), (32, 0)),
    *((True,), (32.0,), ("32",), (None,), (math.nan,), (math.inf,), ((32,),), ([32],)),
]
BAD: list[tuple[str, Any]] = [
    *((name, bad) for name in CHOICES for bad in NO_CHOICE),
    *(("hidden", bad) for bad in NO_LAYERS),
    *((name, bad) for name in WHOLE for bad in (-(10**30), 10**30, 2.5, 3.0, *NO_NUMBER)),
    *((name, bad) for name, (low, high) in WHOLE.items() for bad in (low - 1, high + 1)),
    *((name, bad) for name in REAL for bad in (-1, 10**30, 10**400, 1e300, *NO_NUMBER)),
    *((n, bad) for n, (low, high) in REAL.items() for bad in (math.nextafter(low, -1), math.nextafter(high, math.inf))),
]


@pytest.mark.parametrize(("name", "bad"), BAD, ids=[f"{name}={bad!r:.40}" for name, bad in BAD])
def test_a_bad_setting_is_named_with_its_value_and_what_is_allowed(name: str, bad: Any) -> None:
    for make in (lambda: small(**{name: bad}), lambda: RunSpec.from_dict({**SMALL, name: bad})):
        with pytest.raises(SpecError) as caught:
            make()
        message = str(caught.value)
        assert caught.value.field == name
        assert isinstance(caught.value, ValueError)
        assert name in message
        assert repr(bad)[:40] in message
        assert "allowed" in message
        assert message.endswith(".")
        assert len(message) < 300


@pytest.mark.parametrize("name", ["epochs", "beta", "hidden"])
def test_an_integer_too_long_to_print_is_a_bad_setting_too(name: str) -> None:
    bad: Any = [10**5000] if name == "hidden" else 10**5000
    with pytest.raises(SpecError) as caught:  # Python refuses to print more than 4,300 digits
        small(**{name: bad})
    assert caught.value.field == name
    assert name in str(caught.value)
    assert "allowed" in str(caught.value)
    assert len(str(caught.value)) < 300


@given(
    st.sampled_from([f.name for f in fields(RunSpec)]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=100),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_whatever_json_says_is_a_spec_or_a_spec_error(name: str, value: Any) -> None:
    try:
        spec = RunSpec.from_dict({**SMALL, name: value})
    except SpecError as error:
        assert error.field in {name, "hidden", "epochs"}  # the last two where a run would cost too much
        assert "allowed" in str(error)
    else:
        assert spec.to_dict().get(name, value) == value
        assert len(spec.id) == 16


@pytest.mark.parametrize("key", ["layers", "Dataset", "", "x" * 200, 3, None])
def test_an_unknown_key_is_named_and_the_known_ones_listed(key: Any) -> None:
    with pytest.raises(SpecError) as caught:
        RunSpec.from_dict({"dataset": "digits", key: 1})
    assert caught.value.field == str(key)
    assert repr(key)[:40] in str(caught.value)
    assert "allowed" in str(caught.value)
    assert all(f.name in str(caught.value) for f in fields(RunSpec))


@pytest.mark.parametrize("name", [*WHOLE, *REAL])
def test_both_ends_of_a_range_are_allowed(name: str) -> None:
    low, high = {**WHOLE, **REAL}[name]
    # One image a batch takes longest: fewer epochs and a small network keep both ends inside the limits.
    user = next((key for key, kind in LIKELIHOODS.items() if name in kind.settings), "bernoulli")
    room = {"hidden": (4,), "batch_size": 128, "epochs": 1, "likelihood": user}
    assert getattr(small(**{**room, name: low}), name) == low
    assert getattr(small(**{**room, name: high}), name) == high


def test_every_choice_is_allowed() -> None:
    for dataset in DATASETS:
        for likelihood in LIKELIHOODS:
            for binarize in BINARIZE:
                spec = RunSpec(dataset=dataset, likelihood=likelihood, binarize=binarize, epochs=1)
                assert (spec.dataset, spec.likelihood, spec.binarize) == (dataset, likelihood, binarize)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "7", 7),
        ("seed", "0", 0),
        ("beta", "0.5", 0.5),
        ("learning_rate", "1e-4", 1e-4),
        ("hidden", "32", (32,)),
        ("hidden", "32,16", (32, 16)),
        ("likelihood", "gaussian_learned", "gaussian_learned"),
    ],
)
def test_a_setting_is_read_from_a_word(name: str, text: str, value: Any) -> None:
    assert getattr(small(**{name: read(RULES[name], name, text)}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("epochs", text) for text in ("", "seven", "7.5", "1e3", "nan", "9" * 5000)),
        *(("beta", text) for text in ("", "much", "nan", "inf", "1,5", "9" * 5000)),
        *(("hidden", text) for text in ("", ",", "32,", "[32]", "32;16", "32,x", "0")),
        *(("likelihood", text) for text in ("", "Bernoulli", "3")),
    ],
    ids=lambda value: value[:20],
)
def test_a_word_that_is_no_setting_is_refused_by_the_spec(name: str, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        small(**{name: read(RULES[name], name, text)})
    assert caught.value.field == name


def test_an_error_keeps_its_field_on_its_way_from_a_worker() -> None:
    with pytest.raises(SpecError) as caught:
        small(epochs=0)
    back = pickle.loads(pickle.dumps(caught.value))
    assert (back.field, str(back)) == ("epochs", str(caught.value))


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
    assert cost(spec).parameters == sum(p.numel() for p in VAE(spec).parameters())


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
