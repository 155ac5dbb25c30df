"""What a setting may be, and the one sentence about what it may not."""

from __future__ import annotations

import math
import pickle
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st

from pages.shared.address import plain
from tests.specs import CHOICES, MAX_LAYERS, MAX_WIDTH, REAL, RULES, SMALL, WHOLE, small
from vae_core import LIKELIHOODS, RunSpec, SpecError
from vae_core.catalogue import BINARIZE, DATASETS
from vae_core.values import code, read, shown

ROOT = Path(__file__).resolve().parent.parent


ARRAYS: list[Any] = [  # of one they turn into numbers, of more they have no truth value
    *(np.array(one) for one in ("bernoulli", 1, 0.5, [], [1], ["bernoulli", "laplace"], [[1, 2], [3, 4]])),
    *(torch.tensor(1), torch.tensor(0.5), torch.ones(2), np.bool_(True), [np.array([1, 2])], {"a": np.array([1, 2])}),
]
NO_NUMBER: list[Any] = [math.nan, math.inf, -math.inf, True, False, "3", "", None, [3], (3,), {}, 3 + 0j, *ARRAYS]
NO_CHOICE: list[Any] = ["", "MNIST", "bernoulli ", None, 3, True, math.nan, ["mnist"], {}, *ARRAYS]
NO_LAYERS: list[Any] = [
    *((), [], 32, 32.0, "32", None, True, {32}, {32: 1}, b"32", range(3), *ARRAYS),
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
        assert repr(bad).split("\n")[0][:40] in message
        assert "\n" not in message
        assert "allowed" in message
        assert message.endswith(".")
        assert len(message) < 300


def test_a_choice_is_kept_as_the_plain_word() -> None:
    """NumPy's word is the same choice, and would be another thing to the library that packs messages."""
    assert type(small(likelihood=np.str_("bernoulli")).likelihood) is str


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
    if name == "levels":
        room["dataset"] = "mnist"  # whose pixels have that many
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


@given(st.text(max_size=80) | st.text("`' ", max_size=8))
@example("`")
@example("``a`")
@example("http://evil.example")
def test_a_strangers_words_are_one_piece_of_code_in_a_page(text: str) -> None:
    """By CommonMark's rule: it ends at the first run of backticks as long as the one it began with."""
    sentence = shown(text)
    fence = re.match("`+", sentence)
    assert fence
    runs = re.findall("`+", sentence)
    assert runs[0] == runs[-1]
    assert fence[0] not in runs[1:-1]
    inside = sentence[len(fence[0]) : -len(fence[0])]
    assert inside.removeprefix(" ").removesuffix(" ") in (repr(text), repr(text)[:57] + "...")
    assert len(inside) <= 60
    assert "\n" not in sentence
    assert plain(f"a*b is {sentence}; [c]") == f"a\\*b is {sentence}; \\[c\\]"


@pytest.mark.parametrize(
    ("text", "written"), [("a", "`a`"), ("`", "`` ` ``"), ("a``b`c", "```a``b`c```"), ("`a", "`` `a ``")]
)
def test_code_is_fenced_by_more_backticks_than_it_has(text: str, written: str) -> None:
    assert code(text) == written
