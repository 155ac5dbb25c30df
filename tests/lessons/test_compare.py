"""The one currency: baselines against a direct count, a decoder that reaches them, and the shipped runs' table."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import nn

from vae_core import LIKELIHOODS, VAE, RunSpec, load_dataset
from vae_core.checkpoint import load_vae
from vae_core.data import split
from vae_core.errors import LevelsError
from vae_core.evaluation import Means, evaluate
from vae_core.feed import Feed
from vae_core.lessons.compare import baselines, comparable, evaluated, levels_allowed, rate_distortion
from vae_core.likelihoods.base import as_stored
from vae_core.model import stream
from vae_core.shipped import SHIPPED, shipped_weights

DIGITS = load_dataset("digits")


def small(**changes: Any) -> RunSpec:
    return RunSpec(**{"dataset": "digits", "hidden": (8,), "latent_dim": 2, **changes})


def set_outputs(vae: VAE, outputs: np.ndarray) -> None:
    """A decoder that gives the same outputs at every z, and an encoder that says the prior of every image."""
    with torch.no_grad():
        for network in (vae.encoder, vae.decoder):
            last = network[-1]
            assert isinstance(last, nn.Linear)
            last.weight.zero_()
            last.bias.copy_(torch.from_numpy(outputs) if network is vae.decoder else torch.zeros(2 * 2))


# ---- baselines


def one_by_one(train: list[list[int]], held_out: list[list[int]], levels: int) -> float:
    """Bits per pixel of each pixel's histogram with a half added to each level: counted in plain Python."""
    bits, pixels = 0.0, 0
    for d in range(len(train[0])):
        counts = [0.5] * levels
        for image in train:
            counts[image[d]] += 1
        for image in held_out:
            bits -= math.log2(counts[image[d]] / sum(counts))
            pixels += 1
    return bits / pixels


@pytest.mark.parametrize("levels", [None, 17, 9, 2])
def test_the_histogram_of_grey_pixels_is_a_direct_count(levels: int | None) -> None:
    spec = small(seed=3)
    train, held_out = split(spec)
    n = levels or 17
    k = [[round(int(value) / 16 * (n - 1)) for value in image] for image in DIGITS.images]
    found = baselines(spec, levels)
    assert found.uniform_bits == pytest.approx(math.log2(n), rel=1e-12)
    expected = one_by_one([k[i] for i in train], [k[i] for i in held_out], n)
    assert found.histogram_bits == pytest.approx(expected, rel=1e-12)
    assert found.histogram_bits < found.uniform_bits


def test_the_histogram_of_black_and_white_pixels_is_a_direct_count() -> None:
    spec = small(binarize="threshold", held_out=0.4)
    train, held_out = split(spec)
    k = [[int(value > 8) for value in image] for image in DIGITS.images]
    expected = one_by_one([k[i] for i in train], [k[i] for i in held_out], 2)
    assert baselines(spec).histogram_bits == pytest.approx(expected, rel=1e-12)


def test_tossed_pixels_are_counted_as_the_run_sees_them() -> None:
    spec = small(binarize="stochastic")
    feed = Feed(spec, DIGITS)
    train = torch.cat(list(feed.part(feed.train_part))).int().tolist()
    expected = one_by_one(train, feed.held_out().int().tolist(), 2)
    assert baselines(spec).histogram_bits == pytest.approx(expected, rel=1e-12)


def test_noise_on_pixels_changes_no_baseline() -> None:
    noisy = small(likelihood="gaussian_identity", dequantize="uniform")
    assert baselines(noisy) == baselines(replace(noisy, dequantize="none"))
    assert baselines(noisy, 5) == baselines(replace(noisy, dequantize="none"), 5)


@pytest.mark.parametrize(
    ("spec", "levels"),
    [
        (small(likelihood="categorical"), 17),
        (small(likelihood="categorical", levels=5), 5),
        (small(binarize="threshold"), 2),
    ],
    ids=["17", "5", "bernoulli"],
)
def test_a_decoder_that_knows_no_z_reaches_the_histogram(spec: RunSpec, levels: int) -> None:
    train, _ = split(spec)
    k = np.rint(np.clip(DIGITS.images[train] / 16, 0, 1) * (levels - 1)).astype(int)  # a half goes to the even one
    counts = np.stack([(k == level).sum(0) for level in range(levels)]) + 0.5  # (levels, 64)
    vae = VAE(spec)
    set_outputs(vae, np.log(counts).ravel() if spec.likelihood == "categorical" else np.log(counts[1] / counts[0]))
    found = evaluated(vae, levels)
    assert found.kl == 0
    assert found.bits == pytest.approx(baselines(spec, levels).histogram_bits, rel=1e-6)


@pytest.mark.parametrize("levels", [-1, 0, 1, 18, 256])
def test_levels_that_the_pixels_have_not(levels: int) -> None:
    for refused in (lambda: baselines(small(), levels), lambda: evaluated(VAE(small()), levels)):
        with pytest.raises(LevelsError, match=rf"^{levels} grey levels; allowed: 2 to 17"):
            refused()


# ---- comparable

GREY = small(likelihood="gaussian_shared")


@pytest.mark.parametrize(
    "specs",
    [
        [GREY],
        [GREY, replace(GREY, likelihood="discretized_logistic", hidden=(400, 20), latent_dim=5, beta=2, epochs=3)],
        [GREY, replace(GREY, dequantize="uniform"), small(likelihood="categorical")],
        [replace(spec, binarize="threshold") for spec in (small(likelihood=key) for key in LIKELIHOODS)],
        list(SHIPPED.values()),
    ],
    ids=["one", "networks", "noise", "black-and-white", "shipped"],
)
def test_runs_of_the_same_stored_images_may_be_compared(specs: list[RunSpec]) -> None:
    assert comparable(specs) == ""
    images = [as_stored(Feed(s, load_dataset(s.dataset)).held_out(300), s.n_levels) for s in specs]
    assert all(torch.equal(images[0], other) for other in images)


@pytest.mark.parametrize(
    ("specs", "levels", "words"),
    [
        ([], None, "at least one run"),
        ([GREY, RunSpec(likelihood="gaussian_shared")], None, "MNIST digits, 5,000 / Small|Small.* / MNIST"),
        ([GREY, replace(GREY, binarize="threshold")], None, "Black and white"),
        ([GREY, replace(GREY, seed=1)], None, r"seed.*\(0 / 1\)"),
        ([GREY, replace(GREY, held_out=0.1)], None, r"held out \(359 / 180\)"),
        ([GREY, small()], None, "Bernoulli cannot .* 17 grey levels: choose 2 levels, or leave it out"),
        ([GREY, small(likelihood="categorical", levels=5)], None, "Categorical, 5 levels .*choose 5 levels"),
        ([small(), small(likelihood="categorical", levels=5)], 17, "Bernoulli and Categorical.* choose 2 .*them out"),
        ([GREY, small()], 5, "Bernoulli cannot .* 5 grey levels"),
        ([GREY], 18, "18 grey levels.*2 to 17"),
        ([GREY], 0, "0 grey levels.*2 to 17"),
        (
            [replace(GREY, binarize="stochastic"), replace(GREY, binarize="stochastic", dequantize="uniform")],
            None,
            "coins fall differently",
        ),
    ],
)
def test_one_sentence_says_why_not(specs: list[RunSpec], levels: int | None, words: str) -> None:
    why = comparable(specs, levels)
    assert re.search(words, why), why
    assert why.endswith(".")
    assert ". " not in why


def test_what_makes_images_differ_does() -> None:
    """Each refusal is right: the stored held-out images are not the same."""
    tossed = replace(GREY, binarize="stochastic")
    pairs = [(GREY, replace(GREY, seed=1)), (tossed, replace(tossed, dequantize="uniform"))]
    for one, other in pairs:
        a, b = (as_stored(Feed(spec, DIGITS).held_out(), spec.n_levels) for spec in (one, other))
        assert not torch.equal(a, b)


def test_levels_that_all_can_be_scored_on() -> None:
    categorical = small(likelihood="categorical", levels=5)
    assert levels_allowed([GREY]) == list(range(2, 18))
    assert levels_allowed([GREY, categorical]) == [2, 3, 4, 5]
    assert levels_allowed([GREY, categorical, small()]) == [2]
    assert levels_allowed([replace(GREY, binarize="threshold")]) == [2]
    assert levels_allowed([]) == []
    for spec in (GREY, categorical, small()):
        for levels in levels_allowed([spec]):
            assert comparable([spec], levels) == ""


# ---- rate and distortion


def test_rate_and_distortion_are_the_terms_in_bits() -> None:
    means = Means(reconstruction=-50.0, kl=64 * math.log(2), elbo=-1.0, mse=0.1, log_mass=-128 * math.log(2))
    for given in (means, vars(means)):
        found = rate_distortion(given, 64)
        assert found is not None
        assert (found.rate_bits, found.distortion_bits, found.total_bits) == pytest.approx((1.0, 2.0, 3.0), rel=1e-12)


def test_none_where_no_probability_was_scored() -> None:
    assert rate_distortion(Means(-50.0, 3.0, -53.0, 0.1), 64) is None
    assert rate_distortion({"kl": 3.0}, 64) is None  # a snapshot of an older app


# ---- evaluated


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_evaluated_is_the_runs_own_evaluation(likelihood: str) -> None:
    spec = small(likelihood=likelihood, binarize="threshold", held_out=0.1)
    vae, feed = VAE(spec), Feed(spec, DIGITS)
    own = evaluate(vae, feed.part(feed.held_out_part), stream(spec.seed, "evaluation")).means
    found = evaluated(vae)
    assert own.log_mass is not None
    assert (found.images, found.levels) == (180, 2)
    assert (found.log_mass, found.kl, found.objective) == pytest.approx((own.log_mass, own.kl, own.elbo), rel=1e-6)
    assert found.elbo == pytest.approx(own.log_mass - own.kl, rel=1e-6)
    terms = rate_distortion(own, 64)
    assert terms is not None
    assert found.bits == pytest.approx(terms.total_bits, rel=1e-6)


def test_fewer_levels_are_those_of_the_stored_image_and_errors_are_over_images() -> None:
    """Noise of half a level would push some pixels over the edges of coarser bins."""
    spec = small(likelihood="gaussian_identity", sigma=0.3, dequantize="uniform", held_out=0.05)
    vae = VAE(spec)
    found = evaluated(vae, 5)
    _, held_out = split(spec)
    k = np.rint(DIGITS.images[held_out] / 16 * 4)
    feed, generator = Feed(spec, DIGITS), stream(spec.seed, "evaluation")
    x = feed.held_out()
    with torch.no_grad():
        m, log_var = vae.encode(x)
        z = m + (log_var / 2).exp() * torch.randn((1, *m.shape), generator=generator)[0]
        mean = vae.decode(z).double().numpy()
        kl = 0.5 * (m.square() + log_var.exp() - 1 - log_var).sum(1).double().numpy()
    upper = np.where(k == 4, np.inf, (k + 0.5) / 4)
    lower = np.where(k == 0, -np.inf, (k - 0.5) / 4)
    log_mass = np.log(stats.norm.cdf(upper, mean, 0.3) - stats.norm.cdf(lower, mean, 0.3)).sum(1)
    log_prob = stats.norm.logpdf(x.numpy(), mean, 0.3).sum(1)
    bits = (kl - log_mass) / 64 / math.log(2)
    assert found.log_mass == pytest.approx(log_mass.mean(), rel=1e-5)
    assert found.bits == pytest.approx(bits.mean(), rel=1e-5)
    assert found.bits_error == pytest.approx(bits.std(ddof=1) / math.sqrt(90), rel=1e-4)
    assert found.objective == pytest.approx((log_prob - kl).mean(), rel=1e-5)
    assert found.objective_error == pytest.approx((log_prob - kl).std(ddof=1) / math.sqrt(90), rel=1e-4)


def test_a_bernoulli_has_no_probability_of_grey() -> None:
    with pytest.raises(LevelsError, match="Bernoulli"):
        evaluated(VAE(small()))


@pytest.mark.parametrize(
    ("key", "nats"),
    [
        ("bernoulli", -111.7),
        ("sigma_0.25", -126.0),
        ("gaussian_learned", -161.1),
        ("sigma_0.1", -180.8),
        ("sigma_0.5", -217.9),
        ("gaussian_identity", -350.4),
    ],
)
def test_the_order_of_the_shipped_runs_as_probabilities(key: str, nats: float) -> None:
    """Against SciPy on the decoder's own outputs, with other draws of z: no code of vae_core scores here."""
    spec = SHIPPED[key]
    weights = shipped_weights(spec)
    assert weights is not None
    vae = load_vae(weights)
    x = Feed(spec, load_dataset("mnist")).held_out()
    with torch.inference_mode():
        m, log_var = vae.encode(x)
        z = m + (log_var / 2).exp() * torch.randn(m.shape, generator=torch.Generator().manual_seed(5))
        outputs = vae.decode(z).double().numpy()
        kl = 0.5 * (m.square() + log_var.exp() - 1 - log_var).sum(1).mean().item()
    sign = 2 * x.numpy() - 1  # (1000, 784)
    if key == "bernoulli":
        log_p = special.log_expit(sign * outputs)
    else:
        learned = key == "gaussian_learned"
        sigma = np.sqrt(np.maximum(np.exp(outputs[:, 784:]), spec.variance_floor)) if learned else spec.sigma
        log_p = stats.norm.logcdf(sign * (outputs[:, :784] - 0.5) / sigma)  # P(x=1) = Phi((mu - 1/2)/sigma)
    assert log_p.sum(1).mean() - kl == pytest.approx(nats, abs=0.8)
    assert evaluated(vae).elbo == pytest.approx(nats, abs=0.8)
