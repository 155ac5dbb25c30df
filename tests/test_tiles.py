"""Many images on one sheet: nothing is lost, moved, or mixed up with the gaps."""

import io
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from vae_core.tiles import png


def sheet(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        return np.asarray(image)


@given(st.integers(1, 20), st.integers(1, 9), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_every_image_is_at_its_place_and_the_rest_is_gap(n: int, side: int, columns: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (n, side, side), np.uint8)
    decoded = sheet(png(images, columns))
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    assert decoded.shape == (rows * (side + 1) - 1, columns * (side + 1) - 1)
    gap = np.ones(decoded.shape, bool)
    for i in range(n):
        top, left = i // columns * (side + 1), i % columns * (side + 1)
        area = (slice(top, top + side), slice(left, left + side))
        np.testing.assert_array_equal(decoded[area], images[i], err_msg=f"image {i}")
        gap[area] = False
    assert (decoded[gap] == 127).all()


def test_six_in_a_row_unless_told_otherwise() -> None:
    """The sheet of prior samples: 36 in six rows."""
    images = np.arange(36, dtype=np.uint8).repeat(64).reshape(36, 8, 8)
    decoded = sheet(png(images))
    assert decoded.shape == (53, 53)
    np.testing.assert_array_equal(decoded[4::9, 4::9], np.arange(36).reshape(6, 6))


def test_black_and_white_stay_black_and_white() -> None:
    images = np.stack([np.zeros((28, 28), np.uint8), np.full((28, 28), 255, np.uint8)])
    decoded = sheet(png(images))
    assert decoded.shape == (28, 57)
    assert (decoded[:, :28] == 0).all()
    assert (decoded[:, 28] == 127).all()
    assert (decoded[:, 29:] == 255).all()


def test_the_images_themselves_are_left_as_they_were() -> None:
    images = np.full((3, 4, 4), 7, np.uint8)
    images.setflags(write=False)
    assert sheet(png(images)).shape == (4, 14)


@pytest.mark.parametrize("n", [1, 5, 6, 7])
def test_same_images_same_bytes(n: int) -> None:
    images = np.arange(n * 64, dtype=np.uint8).reshape(n, 8, 8)
    assert png(images) == png(images.copy())
    assert png(images) != png(images[::-1].copy() if n > 1 else images + 1)
