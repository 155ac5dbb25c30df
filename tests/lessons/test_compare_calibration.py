"""Calibration on data drawn from the decoder itself, where everything is right, and from others, where it is known how
wrong it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from vae_core import LIKELIHOODS, VAE, RunSpec
from vae_core.errors import LevelsError
from vae_core.lessons import compare_calibration
from vae_core.lessons.compare_calibration import (
    CENTRAL,
    PIT_BINS,
    RESIDUAL_EDGES,
    Calibration,
    Pit,
    calibration,
    cdf_around,
    normal_shares,
)
from vae_core.spec import make_likelihood

IMAGES = 2000
every_key = pytest.mark.parametrize("key", LIKELIHOODS)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spec_of(key: str, **changes: Any) -> RunSpec:
    """On digits: 17 levels, or black and white for the decoder that knows no others."""
    binarize = "threshold" if key == "bernoulli" else "none"
    return RunSpec(
        **{"dataset": "digits", "likelihood": key, "hidden": (8,), "latent_dim": 2, "binarize": binarize, **changes}
    )


def constant(spec: RunSpec, outputs: Tensor) -> VAE:
    """A VAE whose decoder gives these outputs (n_outputs,) at every z: then no q can be wrong."""
    vae = VAE(spec)
    last = vae.decoder[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(outputs[: len(last.bias)])
    return vae


def outputs_of(vae: VAE) -> Tensor:
    with torch.no_grad():
        return vae.decode(torch.zeros(vae.spec.latent_dim))


def some_outputs(key: str) -> Tensor:
    """Means within the pixels' range, and spreads that fit it."""
    g, n = generator(1), make_likelihood(spec_of(key)).n_outputs
    if key in ("bernoulli", "categorical", "continuous_bernoulli"):
        return 2 * torch.randn(n, generator=g)
    spread = torch.rand(n, generator=g) - (2.5 if key == "discretized_logistic" else 3.0)
    return torch.cat([torch.rand(64, generator=g), spread])[:n]


def settings_of(key: str) -> dict[str, float]:
    return {"gaussian_identity": {"sigma": 0.2}, "laplace": {"scale": 0.1}}.get(key, {})


def drawn(vae: VAE, images: int, seed: int = 2) -> Tensor:
    return vae.likelihood.sample(outputs_of(vae).expand(images, -1), generator(seed))


def looks_uniform(pit: Pit, n: int) -> None:
    assert stats.chisquare(pit.shares * n).pvalue > 1e-3
    for share, expected in zip(pit.coverage, CENTRAL):
        assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / n))


# ---- where all is right


@every_key
def test_of_images_drawn_from_the_decoder(key: str) -> None:
    spec = spec_of(key, **settings_of(key))
    vae = constant(spec, some_outputs(key))
    if vae.shared is not None:
        vae.shared.data.fill_(-0.2)  # ln sigma^2 = -4
    found = calibration(vae, drawn(vae, IMAGES), spec.n_levels, generator(3))
    n = IMAGES * 64
    assert found.images == IMAGES
    looks_uniform(found.mass, n)
    assert (found.density is None) == (vae.likelihood.kind == "mass")
    if found.density is not None:
        looks_uniform(found.density, n)
    assert found.residual_mean == pytest.approx(0, abs=4 / math.sqrt(n))
    assert found.residual_deviation == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(found.sigma_found, found.sigma_asked, rtol=0.15, atol=0.02)
    stddev = vae.likelihood.stddev(outputs_of(vae)).detach().numpy()
    np.testing.assert_allclose(found.sigma_asked, stddev, rtol=1e-4)
    neighbours = found.neighbours
    assert neighbours.horizontal == pytest.approx(0, abs=4 / math.sqrt(n))
    assert neighbours.vertical == pytest.approx(0, abs=4 / math.sqrt(n))
    assert (neighbours.horizontal_pairs, neighbours.vertical_pairs) == (56, 56)  # 8 rows of 7 pairs


@every_key
def test_the_randomised_pit_of_draws_is_uniform_to_kolmogorov_and_smirnov(key: str) -> None:
    spec = spec_of(key, **settings_of(key))
    vae = constant(spec, some_outputs(key))
    x = drawn(vae, 100).double()
    outputs = outputs_of(vae).double()
    for levels in (spec.n_levels, 2):
        below, at = cdf_around(vae.likelihood, outputs, x, levels)
        u = below + torch.rand(x.shape, generator=generator(4), dtype=x.dtype) * (at - below)
        if key == "discretized_logistic" and levels == 2:
            continue  # drawn on 17 levels, of which one lies on the edge between black and white
        assert stats.kstest(u.numpy().ravel(), "uniform").pvalue > 1e-3


def test_at_the_true_posterior_the_noise_looks_right_though_pixels_hang_together() -> None:
    """x = W z + b + noise with orthogonal columns of W: z and x are as if drawn together. Neighbours correlate through
    z, and not given z."""
    sigma, rng = 0.3, np.random.default_rng(0)
    smooth = np.outer(np.ones(8), np.cos(np.arange(8) / 3)).ravel(), np.outer(np.sin(np.arange(8)), np.ones(8)).ravel()
    columns, _ = np.linalg.qr(np.stack(smooth, 1))
    w, b = columns * np.array([3.0, 2.0]), rng.random(64)
    variance = 1 / (1 + (w**2).sum(0) / sigma**2)
    gain = (variance / sigma**2)[:, None] * w.T
    vae = VAE(spec_of("gaussian_identity", sigma=sigma))
    encoder, decoder = nn.Linear(64, 4), nn.Linear(2, 64)
    with torch.no_grad():
        encoder.weight.copy_(torch.from_numpy(np.vstack([gain, np.zeros((2, 64))])))
        encoder.bias.copy_(torch.from_numpy(np.concatenate([-gain @ b, np.log(variance)])))
        decoder.weight.copy_(torch.from_numpy(w))
        decoder.bias.copy_(torch.from_numpy(b))
    vae.encoder, vae.decoder = nn.Sequential(encoder), nn.Sequential(decoder)
    x = b + rng.normal(size=(IMAGES, 2)) @ w.T + sigma * rng.normal(size=(IMAGES, 64))
    found = calibration(vae, torch.from_numpy(x).float(), 17, generator())
    assert found.density is not None
    looks_uniform(found.density, IMAGES * 64)
    assert found.residual_deviation == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(found.residual_shares, normal_shares(), atol=0.004)
    assert abs(found.neighbours.horizontal) < 0.01
    assert abs(found.neighbours.vertical) < 0.01
    grid = x.reshape(-1, 8, 8)
    pairs = [np.corrcoef(grid[:, r, c], grid[:, r, c + 1])[0, 1] for r in range(8) for c in range(7)]
    assert np.mean(pairs) > 0.3


# ---- where it is wrong, and how wrong is known


@pytest.mark.parametrize("asked", [0.05, 0.1, 0.2, 0.4])
def test_a_wrong_sigma_has_the_coverage_of_the_closed_form(asked: float) -> None:
    true = 0.1
    vae = constant(spec_of("gaussian_identity", sigma=asked), torch.linspace(0.4, 0.6, 64))
    x = outputs_of(vae) + true * torch.randn(IMAGES, 64, generator=generator(5))
    found = calibration(vae, x, 17, generator(6))
    assert found.density is not None
    n = IMAGES * 64
    for share, central in zip(found.density.coverage, CENTRAL):
        half_width = stats.norm.ppf(0.5 + central / 2) * asked / true
        expected = 2 * stats.norm.cdf(half_width) - 1
        assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / n) + 1e-6)
    edges = stats.norm.ppf(np.linspace(0, 1, PIT_BINS + 1)) * asked / true
    np.testing.assert_allclose(found.density.shares, np.diff(stats.norm.cdf(edges)), atol=0.004)
    assert found.residual_deviation == pytest.approx(true / asked, rel=0.01)
    np.testing.assert_allclose(found.sigma_asked, asked, rtol=1e-6)
    np.testing.assert_allclose(found.sigma_found, true, rtol=0.08)
    assert (stats.chisquare(found.mass.shares * n).pvalue > 1e-3) == (asked == true)


def test_one_pixel_may_be_noisier_than_asked() -> None:
    vae = constant(spec_of("gaussian_learned"), torch.cat([torch.full((64,), 0.5), torch.full((64,), math.log(0.01))]))
    noise = torch.full((64,), 0.1)
    noise[17] = 0.3
    x = 0.5 + noise * torch.randn(IMAGES, 64, generator=generator(7))
    found = calibration(vae, x, 17, generator(8))
    np.testing.assert_allclose(found.sigma_asked, 0.1, rtol=1e-6)
    np.testing.assert_allclose(found.sigma_found, noise.numpy(), rtol=0.08)


def test_the_mean_of_many_variances_is_asked_not_of_deviations() -> None:
    """sigma 0.1 at one half of z, 0.5 at the other: the root of the mean variance is what residuals will show."""
    vae = VAE(spec_of("gaussian_learned", hidden=(1,), latent_dim=1))
    with torch.no_grad():
        for network in (vae.encoder, vae.decoder):
            for layer in network:
                if isinstance(layer, nn.Linear):
                    layer.weight.zero_()
                    layer.bias.zero_()
        last_encoder, first_decoder, last_decoder = vae.encoder[-1], vae.decoder[0], vae.decoder[-1]
        assert isinstance(last_encoder, nn.Linear)
        assert isinstance(first_decoder, nn.Linear)
        assert isinstance(last_decoder, nn.Linear)
        first_encoder = vae.encoder[0]
        assert isinstance(first_encoder, nn.Linear)
        first_encoder.weight[0, 0] = 1.0  # m is pixel 0, 0 or 1
        last_encoder.weight[0, 0] = 1.0
        last_encoder.bias[1] = -60
        first_decoder.weight[0, 0] = 1.0
        last_decoder.weight[64:, 0] = math.log(0.25 / 0.01)
        last_decoder.bias[64:] = math.log(0.01)
    x = torch.zeros(10, 64)
    x[5:, 0] = 1
    found = calibration(vae, x, 17, generator())
    np.testing.assert_allclose(found.sigma_asked, math.sqrt((0.01 + 0.25) / 2), rtol=1e-5)


@pytest.mark.parametrize(("horizontal", "vertical"), [(0.6, 0.0), (0.0, -0.4), (0.5, 0.3)])
def test_correlated_residuals_have_their_correlation(horizontal: float, vertical: float) -> None:
    chain = lambda rho: np.linalg.cholesky(rho ** np.abs(np.subtract.outer(np.arange(8), np.arange(8))) * 1.0)
    white = np.random.default_rng(9).normal(size=(IMAGES, 8, 8))
    noise = chain(vertical) @ white @ chain(horizontal).T
    vae = constant(spec_of("gaussian_identity", sigma=0.1), torch.full((64,), 0.5))
    x = 0.5 + 0.1 * torch.from_numpy(noise.reshape(IMAGES, 64)).float()
    neighbours = calibration(vae, x, 17, generator()).neighbours
    assert neighbours.horizontal == pytest.approx(horizontal, abs=0.02)
    assert neighbours.vertical == pytest.approx(vertical, abs=0.02)


def test_pairs_with_a_pixel_that_never_changes_do_not_count() -> None:
    vae = constant(spec_of("gaussian_identity", sigma=0.1), torch.full((64,), 0.5))
    noise = torch.randn(200, 8, 1, generator=generator(10)).expand(200, 8, 8).clone()  # all of a row alike
    noise[:, :, 4:] = 0  # the right half never changes
    found = calibration(vae, (0.5 + 0.2 * noise).flatten(1), 17, generator()).neighbours
    assert found.horizontal == pytest.approx(1, abs=1e-6)
    assert (found.horizontal_pairs, found.vertical_pairs) == (8 * 3, 7 * 4)
    still = calibration(vae, torch.full((5, 64), 0.5), 17, generator()).neighbours
    assert math.isnan(still.horizontal)
    assert math.isnan(still.vertical)
    assert (still.horizontal_pairs, still.vertical_pairs) == (0, 0)


# ---- noise on pixels, levels, memory


def test_added_noise_is_in_the_density_and_not_in_the_mass() -> None:
    """Pixels that are all one level: their mass is on the stored level whatever noise the model saw."""
    spec = spec_of("gaussian_identity", sigma=0.01, dequantize="uniform")
    vae = constant(spec, torch.full((64,), 0.5))
    noise = (torch.rand(500, 64, generator=generator(11)) - 0.5) / 16
    found = calibration(vae, 0.5 + noise, 9, generator())
    looks_uniform(found.mass, 500 * 64)  # the bin around 1/2 reaches to 6 sigma
    assert found.density is not None
    assert found.density.coverage[0] == pytest.approx(2 * 0.6745 * 0.01 * 16, abs=0.02)
    np.testing.assert_allclose(found.sigma_found, 1 / 16 / math.sqrt(12), rtol=0.1)


def test_a_density_on_discrete_pixels_is_lumpy_and_its_mass_is_not() -> None:
    vae = constant(spec_of("gaussian_identity", sigma=0.3, binarize="threshold"), torch.full((64,), 0.5))
    x = torch.bernoulli(torch.full((500, 64), 0.5), generator=generator(12))
    found = calibration(vae, x, 2, generator())
    looks_uniform(found.mass, 500 * 64)
    assert found.density is not None
    assert np.count_nonzero(found.density.shares) == 2


def test_levels_that_the_decoder_cannot_score() -> None:
    with pytest.raises(LevelsError, match="Bernoulli"):
        calibration(VAE(spec_of("bernoulli")), torch.zeros(2, 64), 17, generator())


def test_a_coin_that_is_sure_gives_finite_numbers() -> None:
    vae = constant(spec_of("bernoulli"), torch.full((64,), 60.0))
    right = calibration(vae, torch.ones(4, 64), 2, generator())
    assert right.residual_deviation == pytest.approx(0, abs=1e-6)
    wrong = calibration(vae, torch.zeros(4, 64), 2, generator())
    assert math.isfinite(wrong.residual_mean)


@every_key
def test_the_cut_into_chunks_changes_nothing_but_the_tosses(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(key)
    vae = constant(spec, some_outputs(key))
    x = drawn(vae, 7)

    def certain(found: Calibration) -> list[float]:
        return [found.residual_mean, found.residual_deviation, *found.sigma_asked, *found.sigma_found]

    whole = certain(calibration(vae, x, spec.n_levels, generator()))
    monkeypatch.setattr(compare_calibration, "AT_ONCE", 64 * 17 * 3)
    np.testing.assert_allclose(certain(calibration(vae, x, spec.n_levels, generator())), whole, rtol=1e-5, atol=1e-7)


def test_normal_shares_are_scipys() -> None:
    edges = RESIDUAL_EDGES.copy()
    edges[0], edges[-1] = -np.inf, np.inf
    np.testing.assert_allclose(normal_shares(), np.diff(stats.norm.cdf(edges)), rtol=1e-12)
    assert normal_shares().sum() == pytest.approx(1)
