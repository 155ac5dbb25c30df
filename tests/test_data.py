"""Data sets: what is in the files, the split, and damaged files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

import vae_core.data
from vae_core import RunSpec, load_dataset
from vae_core.catalogue import DATASETS
from vae_core.data import split
from vae_core.errors import DataError

BUNDLED = [name for name, info in DATASETS.items() if info.openml is None]


# ---- the bundled sets


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_images(name: str) -> None:
    data, info = load_dataset(name), DATASETS[name]
    assert data.name == name
    assert data.images.shape == (info.n_images, info.n_pixels) == (len(data.images), info.side**2)
    assert data.images.dtype == np.uint8
    assert data.levels == info.levels
    assert (data.images.min(), data.images.max()) == (0, info.levels)
    assert data.labels.shape == (info.n_images,)
    assert data.labels.dtype == np.uint8
    assert set(data.labels.tolist()) == set(range(10))
    assert np.bincount(data.labels).min() > 0.08 * info.n_images  # ten classes of about a tenth each
    # Not one picture repeated: labels tell pictures apart.
    means = np.stack([data.images[data.labels == k].mean(0) for k in range(10)])
    assert np.linalg.norm(means[:, None] - means, axis=-1)[~np.eye(10, dtype=bool)].min() > 0.1 * info.levels


def test_digits_are_scikit_learns() -> None:
    bunch = sklearn.datasets.load_digits()
    data = load_dataset("digits")
    np.testing.assert_array_equal(data.images, bunch.data)
    np.testing.assert_array_equal(data.labels, bunch.target)


def test_mnist_has_five_hundred_a_class() -> None:
    np.testing.assert_array_equal(np.bincount(load_dataset("mnist").labels), np.full(10, 500))


@pytest.mark.parametrize("name", BUNDLED)
def test_scaled_is_what_a_model_sees(name: str) -> None:
    data = load_dataset(name)
    indices = np.array([3, 1, 4, 1])
    x = data.scaled(indices)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, data.images[indices] / data.levels, rtol=1e-6)
    whole = data.scaled(np.arange(len(data.images)))
    assert (whole.min(), whole.max()) == (0.0, 1.0)


def test_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=f"'cifar' is not a data set; allowed: {', '.join(DATASETS)}") as caught:
        load_dataset("cifar")
    assert str(caught.value).endswith(".")


# ---- the split


@pytest.mark.parametrize("name", DATASETS)
def test_split_is_disjoint_and_complete(name: str) -> None:
    spec = RunSpec(dataset=name, held_out=0.2, epochs=1)
    train, held_out = split(spec)
    assert len(held_out) == spec.n_held_out == round(0.2 * DATASETS[name].n_images)
    both = np.concatenate([train, held_out])
    np.testing.assert_array_equal(np.sort(both), np.arange(DATASETS[name].n_images))


def test_split_hangs_on_the_seed_alone() -> None:
    spec = RunSpec(dataset="digits", seed=4)
    other_run = RunSpec(
        dataset="digits",
        seed=4,
        likelihood="gaussian_learned",
        batch_size=50,
        epochs=3,
        hidden=(7,),
        binarize="stochastic",
    )
    np.random.seed(1)  # the global state must not matter
    for one, same in zip(split(spec), split(other_run)):
        np.testing.assert_array_equal(one, same)
    others = [split(RunSpec(dataset="digits", seed=seed))[1] for seed in range(5)]
    assert len({tuple(order) for order in others}) == 5
    overlap = len(set(others[0]) & set(others[1])) / len(others[0])
    assert overlap == pytest.approx(0.2, abs=0.08)  # a new draw, not a shift of the old one


def test_split_is_shuffled() -> None:
    """The files are ordered by class in places: a held-out tail would lack classes."""
    data = load_dataset("mnist")
    _, held_out = split(RunSpec(dataset="mnist"))
    counts = np.bincount(data.labels[held_out], minlength=10)
    assert counts.min() > 60  # 100 expected
    assert counts.sum() == 1000


# ---- damaged files


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def flipped(whole: bytes) -> bytes:
    middle = bytearray(whole)
    for at in range(1000, len(middle) - 1000, 1000):
        middle[at] ^= 0xFF
    return bytes(middle)


LABELS = np.zeros(1797, np.uint8)
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "cut in half": lambda whole: whole[: len(whole) // 2],
    "last byte missing": lambda whole: whole[:-1],
    "bits flipped": flipped,
    "an error page": lambda whole: b"<html>502 Bad Gateway</html>",
    "zip signature and no more": lambda whole: whole[:4],
    "one array, no archive": lambda whole: npy(),
    "no images": lambda whole: npz(labels=LABELS),
    "no labels": lambda whole: npz(images=np.zeros((1797, 8, 8), np.uint8)),
    "too few images": lambda whole: npz(images=np.zeros((10, 8, 8), np.uint8), labels=LABELS[:10]),
    "other sizes": lambda whole: npz(images=np.zeros((1797, 28, 28), np.uint8), labels=LABELS),
    "floats": lambda whole: npz(images=np.zeros((1797, 8, 8)), labels=LABELS),
    "pickled objects": lambda whole: npz(images=np.full((1797,), None, object), labels=LABELS),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_named_and_said_what_to_do_with(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (vae_core.data.ASSETS / "data" / "digits.npz").read_bytes()
    path = tmp_path / "data" / "digits.npz"
    path.parent.mkdir()
    path.write_bytes(whole)
    monkeypatch.setattr(vae_core.data, "ASSETS", tmp_path)
    assert load_dataset("digits").images.any()  # undamaged, it loads from here
    path.write_bytes(DAMAGE[damage](whole))
    with pytest.raises(DataError) as caught:
        load_dataset("digits")
    assert str(path) in str(caught.value)
    assert "put back the file that came with the app." in str(caught.value)


def test_a_missing_file_is_a_data_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vae_core.data, "ASSETS", tmp_path)
    with pytest.raises(DataError, match=r"digits\.npz"):
        load_dataset("digits")
