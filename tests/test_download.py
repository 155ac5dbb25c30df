"""The download: once, in progress, failing and tried again; never over a network here."""

from __future__ import annotations

import errno
import http.client
import re
import socket
import threading
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
from filelock import FileLock

from vae_core import download, load_dataset
from vae_core.catalogue import DATASETS, DatasetInfo
from vae_core.data import Dataset
from vae_core.download import cached_download
from vae_core.errors import DataError, DownloadStoppedError
from vae_core.folders import home

pytestmark = pytest.mark.filterwarnings("ignore:A network error", "ignore:Invalid cache")  # scikit-learn's, of trying
DOWNLOADED = [name for name, info in DATASETS.items() if info.openml is not None]


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


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """OpenML as a server here that accepts, says what it is told to say, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        said: list[bytes] = []
        held: list[socket.socket] = []

        def serve() -> None:
            with suppress(OSError):  # closed: the end
                while True:
                    one, _ = server.accept()
                    held.append(one)
                    one.sendall(b"".join(said))

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/{{}}"
        monkeypatch.setattr(sklearn.datasets._openml, "_SEARCH_NAME", url)  # the first thing that is asked
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(download, "SILENT_SECONDS", 0.2)
        yield said.append
        server.shutdown(socket.SHUT_RDWR)
        for one in held:
            one.close()


HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"


@pytest.mark.parametrize("said", [b"", HEADERS, HEADERS + b'{"data": '], ids=["nothing", "headers", "a beginning"])
def test_a_server_that_falls_silent_is_told(tiny: DatasetInfo, answer: Callable[[bytes], None], said: bytes) -> None:
    answer(said)
    with pytest.raises(DataError, match=f"{re.escape(tiny.title)} could not be downloaded.*no answer for 0.2 s.*again"):
        load_dataset("mnist_full")


def test_a_download_that_takes_too_long_is_told(
    tiny: DatasetInfo, answer: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(HEADERS + b"{")
    monkeypatch.setattr(download, "MOST_SECONDS", -1.0)
    with pytest.raises(DataError, match="not done within -1 s"):
        load_dataset("mnist_full")


def test_stop_ends_a_download_between_blocks(tiny: DatasetInfo, answer: Callable[[bytes], None]) -> None:
    answer(HEADERS + b"{")
    asked: list[bool] = []

    def should_stop() -> bool:  # at the lock, before the request, before the first block; then it is pressed
        asked.append(len(asked) >= 3)
        return asked[-1]

    with pytest.raises(DownloadStoppedError, match="was stopped"):
        load_dataset("mnist_full", should_stop=should_stop)
    assert leftovers(home()) == []


def test_stop_ends_the_wait_for_another_download(tiny: DatasetInfo, openml: FakeOpenML) -> None:
    (home() / "data").mkdir(parents=True)
    with FileLock(home() / "data" / "download.lock"), pytest.raises(DownloadStoppedError):
        load_dataset("mnist_full", should_stop=iter([False, True]).__next__)
    assert openml.calls == []
