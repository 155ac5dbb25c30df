"""The start page's examples are what the shipped weights make of held-out digits, and what it says of them is true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from vae_core import LIKELIHOODS, load_dataset
from vae_core.checkpoint import load_vae
from vae_core.data import split
from vae_core.lessons.start import EXAMPLES, N_DRAWS, examples_of, load_examples
from vae_core.shipped import SHIPPED_RUNS, SPECS

ROOT = Path(__file__).resolve().parents[2]


def weights(key: str) -> bytes:
    return (SHIPPED_RUNS / f"{key}.safetensors").read_bytes()


def held_out_images(key: str) -> torch.Tensor:
    """Black and white, as the spec's threshold makes them, (1000, 784)."""
    data = load_dataset(SPECS[key].dataset)
    return (torch.from_numpy(data.scaled(split(SPECS[key])[1])) > 0.5).float()


@pytest.mark.parametrize("key", SPECS)
def test_the_examples_are_made_from_the_weights(key: str) -> None:
    made = examples_of(key, weights(key))
    with np.load(EXAMPLES, allow_pickle=False) as shipped:
        for name, array in made.items():
            assert shipped[name].shape == array.shape, name
            if name.endswith("log_prob"):
                np.testing.assert_allclose(shipped[name], array, rtol=0, atol=1e-3)
            else:
                assert shipped[name].dtype == np.uint8
                assert np.abs(shipped[name].astype(int) - array).max() <= 1, name


def test_the_file_of_examples_holds_nothing_else() -> None:
    with np.load(EXAMPLES, allow_pickle=False) as shipped:
        parts = {f"{key}.{part}" for key in SPECS for part in ("mean", "samples", "log_prob")}
        assert {*shipped.files} == {"input", *parts}


def test_the_inputs_are_held_out_digits_nought_to_nine() -> None:
    inputs, examples = load_examples()
    assert inputs.shape == (10, 28, 28)
    assert np.isin(inputs, (0, 255)).all()
    assert examples.keys() == SPECS.keys()
    for key, spec in SPECS.items():
        data, (_, held_out) = load_dataset(spec.dataset), split(spec)
        shown = 255 * held_out_images(key).numpy().astype(np.uint8)
        for digit, image in enumerate(inputs):
            (found,) = np.nonzero((shown == image.reshape(784)).all(1))
            assert data.labels[held_out[found[0]]] == digit


@pytest.mark.parametrize("key", SPECS)
def test_the_numbers_are_log_probabilities_of_those_inputs(key: str) -> None:
    """By torch.distributions, pixel by pixel, of the inputs as they are shown."""
    inputs, examples = load_examples()
    x = torch.from_numpy(inputs.reshape(10, 784) / np.float32(255))
    vae = load_vae(weights(key))
    with torch.inference_mode():
        distribution = vae.likelihood.distribution(vae.decode(vae.encode(x)[0]))
        expected = distribution.log_prob(x).double().sum(-1)
        mean = (distribution.mean * 255).round().reshape(10, 28, 28).clamp(0, 255)
    for i, example in enumerate(examples[key]):
        assert example.log_prob == pytest.approx(float(expected[i]), abs=1e-2)
        assert np.abs(example.mean - mean[i].numpy()).max() <= 1


def test_masses_are_below_one_and_densities_need_not_be() -> None:
    """What the start page's badges say."""
    _, examples = load_examples()
    for key in SPECS:
        numbers = [example.log_prob for example in examples[key]]
        assert len(numbers) == 10
        assert np.isfinite(numbers).all()
        if LIKELIHOODS[key].support.kind == "mass":
            assert max(numbers) <= 0
    assert max(example.log_prob for example in examples["gaussian_learned"]) > 0
    # A Gaussian with sigma = 1 can give 784 pixels no more than -392 ln 2 pi.
    assert max(example.log_prob for example in examples["gaussian_identity"]) <= -392 * np.log(2 * np.pi)


@pytest.mark.parametrize("key", SPECS)
def test_samples_are_draws_and_means_are_means(key: str) -> None:
    _, examples = load_examples()
    for example in examples[key]:
        assert example.samples.shape == (N_DRAWS, 28, 28)
        assert example.mean.shape == (28, 28)
        assert len({sample.tobytes() for sample in example.samples}) == N_DRAWS
    if key == "bernoulli":
        assert all(np.isin(example.samples, (0, 255)).all() for example in examples[key])
        assert all(len(np.unique(example.mean)) > 10 for example in examples[key])


def test_the_start_page_reads_them_without_torch() -> None:
    program = (
        "import sys; from vae_core.lessons.start import load_examples; load_examples(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.stdout == "False\n", done.stderr
