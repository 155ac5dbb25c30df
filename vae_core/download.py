"""Fetching the 60,000-image data sets once, through scikit-learn, into a cache on disk."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.request import BaseHandler, Request, build_opener, install_opener

import numpy as np

from vae_core.catalogue import DatasetInfo
from vae_core.errors import DataError, DownloadStoppedError
from vae_core.folders import home, private

# What the two archives weigh, compressed; only the progress shown depends on it.
EXPECTED_BYTES = {"mnist_784": 15_500_000, "Fashion-MNIST": 33_000_000}
SILENT_SECONDS = 20.0  # without an answer, or a byte of it
MOST_SECONDS = 600.0  # for all of it, however slowly it drips in
LOOK_SECONDS = 0.5  # between looks at how far it is, and at Stop while somebody else downloads


def cached_download(
    info: DatasetInfo,
    progress: Callable[[str, float], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Path:
    """The path of the data set's .npz in the cache, downloading it first where it is not there.

    `should_stop` is asked before each block that is read. Raises DownloadStoppedError when it says so, and DataError
    with what to do when there is no network, or a server that does not answer in time.
    """
    folder = home() / "data"
    path = folder / info.file
    if path.exists():
        return path
    from filelock import FileLock, Timeout  # several lanes may ask for the same data at once

    def check() -> None:
        if should_stop():
            raise DownloadStoppedError(f"The download of {info.title} was stopped.")

    try:
        private(home())
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / "download.lock")  # one at a time, whichever: urllib has one opener for all threads
        while not lock.is_locked:
            check()
            with suppress(Timeout):
                lock.acquire(timeout=LOOK_SECONDS)
        try:
            if not path.exists():
                _download(info, path, progress or (lambda sentence, share: None), check)
        finally:
            lock.release()
    except (OSError, HTTPException, EOFError, ValueError) as error:  # no network, a broken transfer, a full disk
        raise DataError(
            f"{info.title} could not be downloaded from OpenML ({error}). Connect to the network (and see that the "
            "disk is not full), then press Train again; or choose a data set that ships with the app."
        ) from error
    return path


class _Patience(BaseHandler):
    """Of urllib, which else waits for ever: limits for silence and for all, and a look at Stop before each block."""

    def __init__(self, check: Callable[[], None]):
        self.check, self.until = check, time.monotonic() + MOST_SECONDS
        self.silent_since: float | None = None  # None: nothing is asked. Trying again does not begin it anew

    def http_request(self, request: Request) -> Request:
        self._look()
        self.silent_since = self.silent_since or time.monotonic()
        request.timeout = SILENT_SECONDS
        return request

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        def read(amount: int | None = None) -> bytes:
            blocks = [self._block(response, amount or 1 << 16)]
            while amount is None and blocks[-1]:
                blocks.append(self._block(response, 1 << 16))
            return b"".join(blocks)

        response.read = read  # type: ignore[assignment, method-assign]
        return response

    https_request, https_response = http_request, http_response

    def _block(self, response: HTTPResponse, most: int) -> bytes:
        self._look()
        block = response.read1(most)  # what has come, where `read` would wait for all of it
        self.silent_since = time.monotonic() if block else None
        return block

    def _look(self) -> None:
        self.check()
        now = time.monotonic()
        if now > self.until:
            raise TimeoutError(f"not done within {MOST_SECONDS:g} s")
        if self.silent_since and now - self.silent_since > SILENT_SECONDS:
            raise TimeoutError(f"no answer for {SILENT_SECONDS:g} s")


def _download(info: DatasetInfo, path: Path, progress: Callable[[str, float], None], check: Callable[[], None]) -> None:
    from sklearn.datasets import fetch_openml

    assert info.openml is not None
    raw = path.parent / "openml"
    finished = threading.Event()

    def watch() -> None:  # fetch_openml has no progress of its own: look at what has arrived on disk
        while not finished.wait(LOOK_SECONDS):
            arrived = sum(f.stat().st_size for f in raw.rglob("*") if f.is_file())
            progress(f"Downloading {info.title}", min(0.99, arrived / EXPECTED_BYTES[info.openml or ""]))

    progress(f"Downloading {info.title}", 0.0)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    install_opener(build_opener(_Patience(check)))
    try:
        how = {"as_frame": False, "parser": "liac-arff", "n_retries": 1, "delay": 0.01}  # the least it takes
        table = fetch_openml(info.openml, version=1, data_home=str(raw), **how)
    finally:
        install_opener(build_opener())
        finished.set()
        watcher.join()
    images = table.data[: info.n_images].astype(np.uint8).reshape(-1, info.side, info.side)
    labels = table.target[: info.n_images].astype(np.uint8)
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, images=images, labels=labels)
    progress("", 1.0)
    os.replace(part, path)  # a half-written file never has the real name
