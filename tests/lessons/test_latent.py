"""The latent space: paths, densities, draws, nearest images and exports, each against something independent."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from PIL.GifImagePlugin import GifImageFile
from scipy import stats

from vae_core.checkpoint import load_vae
from vae_core.data import load_dataset, split
from vae_core.feed import Feed
from vae_core.lessons.latent import (
    MOST_IMAGES,
    Codes,
    Decoded,
    along,
    arc,
    at_own_code,
    decoded,
    draw_aggregate,
    draw_prior,
    gif,
    held_code,
    held_out_codes,
    line,
    log_prior,
    means,
    nearest_training,
    new_images,
    steps_along,
    there_and_back,
    usual_distance,
)
from vae_core.likelihoods import LIKELIHOODS
from vae_core.model import VAE
from vae_core.pictures import stretched
from vae_core.shipped import SPECS, shipped_weights
from vae_core.spec import RunSpec

SMALL = RunSpec(dataset="digits", latent_dim=5, hidden=(16,), seed=3)


@pytest.fixture(scope="module")
def shipped() -> VAE:
    weights = shipped_weights(SPECS["bernoulli"])
    assert weights is not None
    return load_vae(weights)


@pytest.fixture(scope="module")
def codes(shipped: VAE) -> Codes:
    return held_out_codes(shipped, load_dataset("mnist"))


def some_codes(n: int = 6, latent_dim: int = 2) -> Codes:
    generator = torch.Generator().manual_seed(5)
    m = torch.randn(n, latent_dim, generator=generator)
    return Codes(np.zeros(n, np.uint8), m, 0.3 * torch.randn(n, latent_dim, generator=generator) - 1)


def collapse(vae: VAE, latent: int) -> None:
    """q(z_j|x) = N(0, 1) for every x, and a decoder that does not listen to z_j."""
    last, first = vae.encoder[-1], vae.decoder[0]
    assert isinstance(last, torch.nn.Linear) and isinstance(first, torch.nn.Linear)
    with torch.no_grad():
        for row in (latent, latent + vae.spec.latent_dim):
            last.weight[row] = 0
            last.bias[row] = 0
        first.weight[:, latent] = 0


# Codes ---------------------------------------------------------------------------------------------------------------


def test_codes_are_the_held_out_images_as_the_model_sees_them(shipped: VAE, codes: Codes) -> None:
    data, (_, held_out) = load_dataset("mnist"), split(shipped.spec)
    x = (data.images[held_out] / 255 > 0.5).astype(np.float32)  # the spec's threshold
    np.testing.assert_array_equal(Feed(shipped.spec, data).held_out(MOST_IMAGES).numpy(), x)
    np.testing.assert_array_equal(codes.labels, data.labels[held_out])
    with torch.inference_mode():
        m, log_var = shipped.encode(torch.from_numpy(x))
    torch.testing.assert_close(codes.m, m, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(codes.log_var, log_var, atol=1e-5, rtol=1e-4)
    assert len(codes) == 1000


def test_kl_per_latent_and_their_order(codes: Codes) -> None:
    q = torch.distributions.Normal(codes.m.double(), (0.5 * codes.log_var.double()).exp())
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean(0).numpy()
    np.testing.assert_allclose(codes.kl, kl, rtol=1e-5)
    assert codes.order == sorted(range(10), key=lambda latent: -kl[latent])
    assert codes.collapsed == []
    assert codes.reach == 5.0  # the largest m lies between 4 and 5


def test_a_collapsed_latent_is_named_comes_last_and_does_nothing() -> None:
    vae = VAE(SMALL)
    last = vae.encoder[-1]
    assert isinstance(last, torch.nn.Linear)
    last.bias.data[:5] += torch.arange(1.0, 6.0)  # the others are far from the prior
    collapse(vae, 1)
    codes = held_out_codes(vae, load_dataset("digits"))
    assert codes.collapsed == [1] and codes.order == [4, 3, 2, 0, 1]
    images = means(vae, along(codes.m[0], codes.order, torch.linspace(-3, 3, 7)))  # (5, 7, 8, 8)
    assert images.shape == (5, 7, 8, 8)
    assert (images[-1] == images[-1][0]).all()
    assert all((row != row[0]).any() for row in images[:-1])


def test_along_moves_one_latent_and_holds_the_others() -> None:
    base = torch.arange(4.0)
    z = along(base, [2, 0], torch.tensor([-1.0, 5.0]))
    assert z.tolist() == [[[0, 1, -1, 3], [0, 1, 5, 3]], [[-1, 1, 2, 3], [5, 1, 2, 3]]]


# Paths ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [line, arc])
@pytest.mark.parametrize("latent_dim", [1, 2, 10, 64])
def test_paths_end_where_they_should(path, latent_dim: int) -> None:
    generator = torch.Generator().manual_seed(latent_dim)
    a, b = torch.randn(2, latent_dim, generator=generator)
    z = path(a, b, 9)
    assert z.shape == (9, latent_dim)
    torch.testing.assert_close(z[0], a)
    torch.testing.assert_close(z[-1], b)


def test_an_arc_turns_evenly_and_its_length_changes_evenly() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 10, generator=generator, dtype=torch.float64)
    z = arc(a, 3 * b, 21)
    np.testing.assert_allclose(z.norm(dim=1), np.linspace(float(a.norm()), float(3 * b.norm()), 21), rtol=1e-12)
    unit = z / z.norm(dim=1, keepdim=True)
    turns = torch.acos((unit[1:] * unit[:-1]).sum(1))
    np.testing.assert_allclose(turns, float(torch.acos(unit[0] @ unit[-1])) / 20, rtol=1e-9)
    plane = torch.linalg.svd(z).S
    assert plane[2] < 1e-12 * plane[0]  # it stays in the plane of its ends
    assert line(a, 3 * b, 21)[10].norm() < z[10].norm()  # the straight path passes nearer to 0


@pytest.mark.parametrize(
    ("a", "b"),
    [([1.0, 2.0], [2.0, 4.0]), ([1.0, 2.0], [-1.0, -2.0]), ([0.0, 0.0], [1.0, 2.0]), ([1.0, 2.0], [1.0, 2.0])],
)
def test_where_there_is_no_one_arc_the_path_is_straight(a: list[float], b: list[float]) -> None:
    start, end = torch.tensor(a), torch.tensor(b)
    assert torch.equal(arc(start, end, 5), line(start, end, 5))


# Densities -----------------------------------------------------------------------------------------------------------


def test_the_priors_log_density_is_scipys() -> None:
    z = 2 * torch.randn(7, 2, generator=torch.Generator().manual_seed(2))
    prior = stats.multivariate_normal(np.zeros(2))
    np.testing.assert_allclose(log_prior(z), prior.logpdf(z.numpy()), rtol=1e-6)


def test_draws_have_the_moments_of_their_distributions() -> None:
    codes, n = some_codes(), 40_000
    generator = torch.Generator().manual_seed(4)
    m, variance = codes.m.double(), codes.log_var.double().exp()
    expected = {
        "prior": (torch.zeros(2), torch.ones(2)),
        "aggregate": (m.mean(0), variance.mean(0) + m.var(0, correction=0)),
    }
    drawn = {"prior": draw_prior(n, 2, generator), "aggregate": draw_aggregate(n, codes, generator)}
    for name, (mean, var) in expected.items():
        z = drawn[name].double()
        assert ((z.mean(0) - mean).abs() < 5 * (var / n).sqrt()).all()
        assert ((z.var(0) / var - 1).abs() < 0.05).all()


# Decoded images ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_decoded_is_what_the_likelihood_says(likelihood: str) -> None:
    vae = VAE(RunSpec(dataset="digits", likelihood=likelihood, latent_dim=2, hidden=(16,)))
    z = torch.randn(400, 2, generator=torch.Generator().manual_seed(1))
    found = decoded(vae, z, torch.Generator().manual_seed(2))
    with torch.inference_mode():
        pixels = vae.likelihood.distribution(vae.decode(z).double())  # torch's continuous Bernoulli needs the digits
    torch.testing.assert_close(found.mean, pixels.mean.float())
    torch.testing.assert_close(found.sigma, pixels.stddev.float())
    error = (found.sample - found.mean) / found.sigma
    assert abs(float(error.mean())) < 5 / math.sqrt(error.numel())
    assert found.sample_range == (float(found.sample.min()), float(found.sample.max()))


def test_the_share_outside_is_that_of_a_normal() -> None:
    mean = torch.full((50, 784), 0.5)
    sample = mean + torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    found = Decoded(mean, torch.ones_like(mean), sample)
    assert found.outside == pytest.approx(2 * stats.norm.cdf(-0.5), abs=0.012)  # 61.7 %
    assert found.mse(sample) == pytest.approx(1, abs=0.03)


def test_at_own_code_is_the_decoder_at_m(shipped: VAE, codes: Codes) -> None:
    found = at_own_code(shipped, Feed(shipped.spec, load_dataset("mnist")).held_out(4), seed=0)
    torch.testing.assert_close(found.mean, decoded(shipped, codes.m[:4], torch.Generator()).mean, atol=1e-5, rtol=1e-4)


def test_stretched_clips_nothing() -> None:
    pixels = torch.tensor([[-1.0, 0.0, 1.0, 3.0]])
    assert stretched(pixels, -1, 3).ravel().tolist() == [0, 64, 128, 255]


def test_nearest_training_image_is_found() -> None:
    vae, data = VAE(SMALL), load_dataset("digits")
    train = data.scaled(split(SMALL)[0])
    wanted = np.array([700, 3, 1])
    noise = 0.01 * np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32)
    found = nearest_training(vae, data, torch.from_numpy(train[wanted] + noise))
    np.testing.assert_array_equal(found.x.numpy(), train[wanted])
    images = np.random.default_rng(1).random((4, 64)).astype(np.float32)
    brute = np.sqrt(((images[:, None] - train) ** 2).mean(-1)).min(1)
    np.testing.assert_allclose(nearest_training(vae, data, torch.from_numpy(images)).rmse, brute, rtol=1e-5)


def test_new_images_are_where_and_as_probable_as_they_say() -> None:
    vae, data = VAE(SMALL), load_dataset("digits")
    codes, n = held_out_codes(vae, data), 6
    prior, aggregate = new_images(vae, data, codes, n, seed=4)
    generator = torch.Generator().manual_seed(4)
    z = draw_prior(n, 5, generator)
    from_images = draw_aggregate(n, codes, generator)
    torch.testing.assert_close(prior.images.mean, decoded(vae, z, torch.Generator()).mean)
    torch.testing.assert_close(aggregate.images.mean, decoded(vae, from_images, torch.Generator()).mean)
    for found, at in ((prior, z), (aggregate, from_images)):
        assert found.log_prior == pytest.approx(stats.norm.logpdf(at.numpy()).sum(-1).mean(), rel=1e-5)
    again = nearest_training(vae, data, aggregate.images.mean)
    assert again.rmse.tolist() == aggregate.nearest.rmse.tolist()
    of_held_out = nearest_training(vae, data, decoded(vae, codes.m[:50], torch.Generator()).mean).rmse
    assert usual_distance(vae, data, most=50) == pytest.approx(np.median(of_held_out), rel=1e-4)


def test_latents_that_do_not_move_are_held() -> None:
    codes = some_codes()
    assert torch.equal(held_code(codes, 3), codes.m[3])
    assert held_code(codes, None).tolist() == [0, 0]
    assert steps_along(3.0, 3).tolist() == [-3, 0, 3]
    assert there_and_back(steps_along(3.0, 3)).tolist() == [-3, 0, 3, 0]


# Exports -------------------------------------------------------------------------------------------------------------


def test_gif_has_its_frames_in_order() -> None:
    levels = [0, 90, 180, 255]
    frames = [np.full((3, 4, 4), level, np.uint8) for level in levels]
    with GifImageFile(io.BytesIO(gif(frames, columns=2, zoom=2, milliseconds=70))) as movie:
        assert movie.n_frames == 4 and movie.size == (18, 18)  # 2 × 2 tiles of 4 pixels, one between, twice as large
        assert movie.info["loop"] == 0 and movie.info["duration"] == 70
        for number, level in enumerate(levels):
            movie.seek(number)
            grey = np.asarray(movie.convert("L")).astype(int)
            assert abs(grey[2, 2] - level) <= 1
            assert abs(grey[2, 9] - 127) <= 1  # the line between
