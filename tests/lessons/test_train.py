"""What a stage remarks: only what its numbers say, at the step where they say it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from vae_core import RunSpec
from vae_core.lessons.train import Remark, bits, remarks

LEARNED = RunSpec(dataset="digits", likelihood="gaussian_learned")  # 64 pixels, 10 latents
BERNOULLI = RunSpec(dataset="digits", likelihood="bernoulli", binarize="threshold")
NAMES = {"a": "Anna", "b": "Bert"}


def numbers(step: int, **more: Any) -> dict[str, Any]:
    return {"step": step, "kl": 1.0, "elbo": -100.0 + step / 1000, "active_latents": 10, "sigma": None} | more


def told(*history: dict[str, Any], spec: RunSpec = LEARNED) -> list[tuple[int, str]]:
    return [(one.step, one.text) for one in remarks({"a": history}, {"a": spec}, NAMES)]


def floor(step: int, pixels: float) -> dict[str, Any]:
    return numbers(step, sigma={"pixels_on_floor": pixels, "floor": 0.0316})


def test_a_run_in_which_nothing_happens_is_not_remarked_upon() -> None:
    assert told(numbers(0), numbers(8), numbers(16)) == []
    assert told() == []


def test_the_floor_is_told_when_it_is_reached_and_when_a_tenth_and_half_of_the_pixels_are_on_it() -> None:
    found = told(
        floor(0, 0.0), floor(8, 0.4), floor(16, 1.2), floor(24, 5.0), floor(32, 6.4), floor(40, 9.0), floor(48, 40.0)
    )
    assert [step for step, _ in found] == [16, 32, 48]
    assert found[0][1] == "σ reached its floor, 0.0316, on 1 of 64 pixels of an image, on average"
    assert found[1][1].startswith("σ is at its floor, 0.0316, on 6 of 64 pixels")
    assert found[2][1].startswith("σ is at its floor, 0.0316, on 40 of 64 pixels")
    assert told(floor(8, 60.0)) == [(8, "σ reached its floor, 0.0316, on 60 of 64 pixels of an image, on average")]


def test_collapse_is_told_when_the_count_changes_but_not_before_the_first_step() -> None:
    active = [0, 2, 2, 9, 10, 10, 9]
    found = told(*(numbers(8 * i, active_latents=count) for i, count in enumerate(active)))
    assert found == [
        (8, "8 of 10 latents collapsed (a KL below 0.01 nats)"),
        (24, "1 of 10 latents collapsed (a KL below 0.01 nats)"),
        (32, "all 10 latents are active"),
        (48, "1 of 10 latents collapsed (a KL below 0.01 nats)"),
    ]
    assert told(numbers(0, active_latents=0), numbers(8), numbers(16)) == []  # awake from the first snapshot on


def test_an_elbo_above_0_and_one_that_has_turned() -> None:
    rising = [numbers(8 * i, elbo=elbo) for i, elbo in enumerate([-20.0, -1.0, 4.0, -1.0, 5.0])]
    assert told(*rising) == [(16, "the ELBO rose above 0: a density may be larger than 1")]
    turned = [numbers(8 * i, elbo=elbo) for i, elbo in enumerate([-20.0, -9.0, -9.9, -10.4, -10.5, -10.6])]
    assert told(*turned) == [(8, "its best held-out ELBO so far; the last two are lower")]
    assert told(*turned[:3]) == []  # less than a nat
    assert told(*turned[:4]) == []  # one lower value is none
    jumpy = [numbers(8 * i, elbo=elbo) for i, elbo in enumerate([-20.0, -9.0, -14.0, -10.0, -15.0, -11.0, -14.0])]
    assert told(*jumpy) == []  # no more than it usually moves
    grey = RunSpec(dataset="digits", likelihood="bernoulli")
    assert told(*turned, spec=grey) == [(8, "its best held-out −BCE − KL so far; the last two are lower")]


def test_who_overtakes_whom() -> None:
    a = [numbers(8 * i, kl=kl) for i, kl in enumerate([0.1, 1.0, 2.0, 3.0, 4.0, 4.0])]
    b = [numbers(8 * i, kl=kl) for i, kl in enumerate([0.0, 1.5, 2.01, 2.0, 5.0, 4.01])]
    specs = {"a": LEARNED, "b": BERNOULLI}
    assert remarks({"a": a, "b": b}, specs, NAMES) == [
        Remark(24, "the KL of Anna overtook that of Bert", ("a", "b")),  # at 16 they are as good as equal
        Remark(32, "the KL of Bert overtook that of Anna", ("b", "a")),
    ]
    assert remarks({"a": a, "b": b[:3]}, specs, NAMES) == []
    assert remarks({"a": a[::2], "b": b[1::2]}, specs, NAMES) == []  # no step in common


def test_bits_per_pixel() -> None:
    assert bits(numbers(8, log_mass=-64 * math.log(2), kl=32 * math.log(2)), BERNOULLI) == pytest.approx((1.0, 1.5))
    assert bits(numbers(8, log_mass=None), BERNOULLI) is None
    assert bits(numbers(8), BERNOULLI) is None  # kept by an app that did not measure it
