"""Data sets: what is in the files, the split, damaged files, and the download (never over a network here)."""

from __future__ import annotations

import errno
import http.client
import io
import os
import threading
import urllib.error
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sklearn.datasets

import vae_core.data
from vae_core import RunSpec, load_dataset
from vae_core.catalogue import DATASETS, DatasetInfo
from vae_core.data import Dataset, split
from vae_core.download import cached_download
from vae_core.errors import DataError
from vae_core.folders import home

BUNDLED = [name for name, info in DATASETS.items() if info.openml is None]
DOWNLOADED = [name for name, info in DATASETS.items() if info.openml is not None]


# ---- the bundled sets


def test_three_sets_ship_and_two_are_downloaded() -> None:
    assert BUNDLED == ["mnist", "fashion", "digits"]
    assert DOWNLOADED == ["mnist_full", "fashion_full"]


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
    with pytest.raises(DataError, match="'cifar' is not a data set; allowed: mnist, fashion, digits") as caught:
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


# ---- the download


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatasetInfo:
    """MNIST as if it had seven images, and an empty cache."""
    monkeypatch.setenv("VAE_HOME", str(tmp_path / "home"))
    info = DATASETS["mnist_full"]._replace(n_images=7)
    monkeypatch.setitem(DATASETS, "mnist_full", info)
    return info


class FakeOpenML:
    """Stands for sklearn.datasets.fetch_openml: ten images, of which the first seven are the training part."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.images = np.random.default_rng(0).integers(0, 256, (10, 784)).astype(np.float64)
        self.labels = np.array([str(k % 10) for k in range(10)], dtype=object)  # as strings, as OpenML has them

    def __call__(self, *args: Any, **kwargs: Any) -> SimpleNamespace:
        self.calls.append((args, kwargs))
        return SimpleNamespace(data=self.images, target=self.labels)


@pytest.fixture
def openml(monkeypatch: pytest.MonkeyPatch) -> FakeOpenML:
    fake = FakeOpenML()
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fake)
    return fake


def leftovers(folder: Path) -> list[str]:
    return sorted(f.name for f in folder.rglob("*") if "part" in f.name)


def check_tiny(data: Dataset, openml: FakeOpenML) -> None:
    assert data.name == "mnist_full"
    assert data.levels == 255
    assert data.images.dtype == data.labels.dtype == np.uint8
    np.testing.assert_array_equal(data.images, openml.images[:7])
    np.testing.assert_array_equal(data.labels, np.arange(7))


def test_download_happens_once(tiny: DatasetInfo, openml: FakeOpenML) -> None:
    heard: list[tuple[str, float]] = []
    check_tiny(load_dataset("mnist_full", lambda sentence, share: heard.append((sentence, share))), openml)
    assert len(openml.calls) == 1
    (args, kwargs) = openml.calls[0]
    assert args == ("mnist_784",)
    assert Path(kwargs["data_home"]).is_relative_to(home())
    assert heard[0] == (f"Downloading {tiny.title}", 0.0)
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert shares[-1] <= 1

    heard.clear()
    check_tiny(load_dataset("mnist_full", lambda sentence, share: heard.append((sentence, share))), openml)
    assert len(openml.calls) == 1  # from the cache
    assert heard == []
    assert (home() / "data" / tiny.file).is_file()
    assert leftovers(home()) == []


def test_progress_looks_at_what_has_arrived(tiny: DatasetInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    fake, arrived = FakeOpenML(), threading.Event()
    shares: list[float] = []

    def fetch(*args: Any, data_home: str, **kwargs: Any) -> SimpleNamespace:
        Path(data_home, "deep").mkdir(parents=True)
        with open(Path(data_home, "deep", "mnist.arff.gz"), "wb") as file:
            file.truncate(7_750_000)  # half of the 15.5 MB that MNIST weighs
        assert arrived.wait(30)  # the watcher sees the file while the fetch is under way
        return fake(*args, **kwargs)

    def hear(sentence: str, share: float) -> None:
        shares.append(share)
        if share > 0:
            arrived.set()

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    check_tiny(load_dataset("mnist_full", hear), fake)
    assert shares[0] == 0
    assert shares[1] == pytest.approx(0.5, abs=0.05)
    assert shares == sorted(shares)


@pytest.mark.parametrize("name", DOWNLOADED)
def test_each_set_asks_openml_by_its_own_name(
    name: str, tmp_path: Path, openml: FakeOpenML, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAE_HOME", str(tmp_path))
    cached_download(DATASETS[name]._replace(n_images=7))
    assert openml.calls[0][0] == ({"mnist_full": "mnist_784", "fashion_full": "Fashion-MNIST"}[name],)


FAILURES = [
    urllib.error.URLError("name resolution failed"),
    urllib.error.HTTPError("https://openml.org", 503, "Service Unavailable", None, None),  # type: ignore[arg-type]
    TimeoutError("timed out"),
    ConnectionResetError("reset by peer"),
    OSError(errno.ENOSPC, "No space left on device"),
    http.client.IncompleteRead(b"half"),  # the connection breaks off in mid-download
    EOFError("Compressed file ended before the end-of-stream marker was reached"),  # what is left of one in the cache
    ValueError("md5 checksum of local file does not match description: downloaded file could have been modified"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_failed_download_says_what_to_do_and_can_be_tried_again(
    failure: Exception, tiny: DatasetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise failure

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fail)
    with pytest.raises(DataError) as caught:
        load_dataset("mnist_full")
    message = str(caught.value)
    assert tiny.title in message
    assert "could not be downloaded" in message
    assert str(failure) in message
    assert "again" in message  # what to do
    assert message.endswith(".")
    assert not (home() / "data" / tiny.file).exists()
    assert leftovers(home()) == []
    assert [t.name for t in threading.enumerate() if "watch" in t.name] == []

    fake = FakeOpenML()
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fake)
    check_tiny(load_dataset("mnist_full"), fake)


def test_a_disk_that_fills_up_leaves_no_file_with_the_real_name(
    tiny: DatasetInfo, openml: FakeOpenML, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(file: Path, **arrays: np.ndarray) -> None:
        Path(file).write_bytes(b"PK half an archive")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", fill)
        with pytest.raises(DataError, match="No space left on device"):
            load_dataset("mnist_full")
    assert not (home() / "data" / tiny.file).exists()
    check_tiny(load_dataset("mnist_full"), openml)
    assert leftovers(home()) == []


def test_two_lanes_that_ask_at_once_download_once(tiny: DatasetInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    fake, entered, go_on = FakeOpenML(), threading.Event(), threading.Event()

    def fetch(*args: Any, **kwargs: Any) -> SimpleNamespace:
        entered.set()
        assert go_on.wait(30)
        return fake(*args, **kwargs)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    got: list[Dataset] = []
    lanes = [threading.Thread(target=lambda: got.append(load_dataset("mnist_full"))) for _ in range(3)]
    lanes[0].start()
    assert entered.wait(30)
    for lane in lanes[1:]:
        lane.start()
    go_on.set()
    for lane in lanes:
        lane.join(30)
    assert len(got) == 3
    assert len(fake.calls) == 1
    for data in got:
        check_tiny(data, fake)


def test_vae_home_decides_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_HOME", str(tmp_path / "elsewhere"))
    assert home() == tmp_path / "elsewhere"
    for unset in (lambda: monkeypatch.delenv("VAE_HOME"), lambda: monkeypatch.setenv("VAE_HOME", "")):
        unset()
        assert home() == Path(os.path.dirname(vae_core.data.__file__)).parent / ".vae"
