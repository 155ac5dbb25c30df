"""What snapshots show: the right pixels at the right place, clipped and never wrapped."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from vae_core import LIKELIHOODS, VAE, RunSpec, load_dataset
from vae_core.pictures import N_NEW, N_TRIPLES, grey, log_scale, take_pictures
from vae_core.tiles import png


def small(**changes: Any) -> RunSpec:
    return RunSpec(**{"dataset": "digits", "hidden": (16,), "latent_dim": 3, **changes})


def images(n: int = 10) -> Tensor:
    return torch.from_numpy(load_dataset("digits").scaled(np.arange(n)))


def shades(pixels: np.ndarray) -> np.ndarray:
    """[0,1] to 0 .. 255 in NumPy, clipped."""
    return np.clip(pixels, 0, 1).reshape(-1, 8, 8) * 255


# ---- png


@pytest.mark.parametrize(
    ("n", "columns"), [(1, 1), (6, 6), (6, 1), (36, 6), (7, 3), (2, 5)], ids=lambda value: str(value)
)
def test_png_puts_every_tile_at_its_place(n: int, columns: int) -> None:
    tiles = np.random.default_rng(n).integers(0, 256, (n, 8, 8), np.uint8)
    data = png(tiles, columns)
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
        sheet = np.asarray(picture)
    columns = min(columns, n)  # no empty places at the right
    rows = math.ceil(n / columns)
    assert sheet.shape == (9 * rows - 1, 9 * columns - 1)
    rest = np.ones_like(sheet, bool)
    for i in range(n):
        place = np.s_[i // columns * 9 : i // columns * 9 + 8, i % columns * 9 : i % columns * 9 + 8]
        np.testing.assert_array_equal(sheet[place], tiles[i])
        assert rest[place].all()  # no two tiles overlap
        rest[place] = False
    assert (sheet[rest] == 127).all()  # between tiles, and where the last row ends early


# ---- grey


def test_grey_clips_and_never_wraps() -> None:
    pixels = torch.tensor([[-1e9, -0.2, 0.0, 0.25, 0.6, 1.0, 1.004, 1.7, 1e9]])
    assert grey(pixels).tolist() == [[[0, 0, 0], [64, 153, 255], [255, 255, 255]]]
    strange = torch.tensor([[math.nan, math.inf, -math.inf, 1.0]])
    assert grey(strange).tolist() == [[[0, 255], [0, 255]]]
    assert grey(pixels).dtype == np.uint8


def test_grey_keeps_rows_rows() -> None:
    pixels = torch.arange(3 * 16).reshape(3, 16) / 255
    np.testing.assert_array_equal(grey(pixels), np.arange(48).reshape(3, 4, 4))


# ---- log scale


@pytest.mark.parametrize("floor", [1e-4, 0.03, 0.5])
def test_log_scale_runs_from_the_floor_to_one(floor: float) -> None:
    sigma = torch.tensor([floor, math.sqrt(floor), 1.0], dtype=torch.float64)
    torch.testing.assert_close(log_scale(sigma, floor), torch.tensor([0, 0.5, 1], dtype=torch.float64))
    assert log_scale(torch.tensor([3.0]), floor) > 1  # white, once clipped


def test_log_scale_of_a_floor_at_one_stays_a_number() -> None:
    assert log_scale(torch.tensor([1.0, 2.0]), 1.0).isfinite().all()


# ---- a snapshot's pictures


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_pictures_are_those_of_the_distribution(likelihood: str) -> None:
    vae, x = VAE(small(likelihood=likelihood)), images()
    shown = take_pictures(vae, x)
    assert shown.input.shape == shown.mean.shape == shown.sample.shape == (N_TRIPLES, 8, 8)
    assert shown.prior_mean.shape == shown.prior_sample.shape == (N_NEW, 8, 8)
    with torch.no_grad():
        m, _ = vae.encode(x[:N_TRIPLES])
        p = vae.likelihood.distribution(vae.decode(m))
    np.testing.assert_allclose(shown.input, shades(x[:N_TRIPLES].numpy()), atol=0.51)
    np.testing.assert_allclose(shown.mean, shades(p.mean.numpy()), atol=0.51)
    shown_x, outputs = torch.from_numpy(shown.exact).split([64, vae.likelihood.n_outputs], 1)
    assert torch.equal(shown_x, x[:N_TRIPLES])
    with torch.no_grad():
        torch.testing.assert_close(outputs, vae.decode(vae.encode(x[:N_TRIPLES])[0]))
    assert (shown.sigma is not None) == (likelihood == "gaussian_learned")
    if shown.sigma is not None:
        floor = math.sqrt(1e-3)
        scale = 1 - np.log(p.stddev.numpy()) / math.log(floor)
        np.testing.assert_allclose(shown.sigma, shades(scale), atol=0.51)
    if vae.likelihood.kind == "mass":
        levels = getattr(vae.likelihood, "levels", 2)
        assert set(np.unique(shown.sample)) <= {round(255 * k / (levels - 1)) for k in range(levels)}


def test_samples_of_an_identity_covariance_are_snow() -> None:
    """Its sigma is a whole black-to-white range: of pixels around 0, half are clipped to black and 16 % to white."""
    vae = VAE(small(likelihood="gaussian_identity"))
    with torch.no_grad():
        last = vae.decoder[-1]
        assert isinstance(last, nn.Linear)
        last.weight.zero_()
        last.bias.zero_()
    shown = take_pictures(vae, images())
    assert not shown.mean.any()
    assert not shown.prior_mean.any()
    assert (shown.prior_sample == 0).mean() == pytest.approx(0.5, abs=0.04)
    assert (shown.prior_sample == 255).mean() == pytest.approx(0.16, abs=0.03)


def test_prior_grid_is_decoded_and_not_reconstructed() -> None:
    vae = VAE(small())
    with torch.no_grad():
        for parameter in vae.encoder.parameters():
            parameter.fill_(math.nan)  # the encoder has no say in it
        shown = take_pictures(VAE(small()), images())
        last = vae.decoder[-1]
        assert isinstance(last, nn.Linear)
    decoder_alone = VAE(small())
    decoder_alone.encoder.load_state_dict(VAE(small(seed=1)).encoder.state_dict())
    other = take_pictures(decoder_alone, images())
    np.testing.assert_array_equal(shown.prior_mean, other.prior_mean)
    assert not np.array_equal(shown.mean, other.mean)
    assert len(np.unique(shown.prior_mean.reshape(N_NEW, -1), axis=0)) > 1


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_noise_stands_still_between_snapshots(likelihood: str) -> None:
    vae = VAE(small(likelihood=likelihood))
    before = torch.get_rng_state()
    one, again = take_pictures(vae, images()), take_pictures(vae, images())
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(one.sample, again.sample)
    np.testing.assert_array_equal(one.prior_sample, again.prior_sample)
    assert not np.array_equal(one.sample, one.mean)
    other_seed = VAE(small(likelihood=likelihood, seed=1))
    other_seed.load_state_dict(vae.state_dict())
    other = take_pictures(other_seed, images())
    np.testing.assert_array_equal(one.mean, other.mean)
    assert not np.array_equal(one.sample, other.sample)
    assert not np.array_equal(one.prior_mean, other.prior_mean)


def test_fewer_images_than_places() -> None:
    shown = take_pictures(VAE(small()), images(2))
    assert shown.input.shape == shown.sample.shape == (2, 8, 8)
    assert shown.prior_mean.shape == (N_NEW, 8, 8)
