"""The folder of the store: where its files are, checkpoints among them, and what is said when they cannot be had."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vae_core.errors import DamagedStoreError, StoreError
from vae_core.folders import private

WATCHED_SECONDS = 60.0  # between two notes that somebody looks at a run


class Files:
    """A run's weights are those it ended with: a whole checkpoint, which training can go on from, or the model's alone,
    to look at. Its slice is what it goes on from when others have had their turn."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "runs.sqlite3"
        self._watched: dict[str, float] = {}  # when it was last noted that somebody looks at a run, of time.time()

    def make_folders(self) -> None:
        for name in ("weights", "slices"):
            (private(self.folder) / name).mkdir(exist_ok=True)

    @contextmanager
    def _as_store_errors(self) -> Iterator[None]:
        """Raises StoreError for whatever SQLite or the file system cannot do."""
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:  # locked, full, not writable
            raise StoreError(
                f"Runs cannot be kept in {self.folder} ({error}). Free some disk space there, make it writable, or set "
                "VAE_HOME to another folder."
            ) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise DamagedStoreError(
                f"The store of runs, {self.path}, is damaged ({error}). Start the app again: it will be set aside and "
                "a new one begun; weights are untouched."
            ) from error

    def weights_path(self, run_id: str) -> Path:
        """Of a whole checkpoint."""
        return self.folder / "weights" / f"{run_id}.safetensors"

    def model_path(self, run_id: str) -> Path:
        """Of the model's weights alone."""
        return self.folder / "weights" / f"{run_id}.model.safetensors"

    def has_weights(self, run_id: str) -> bool:
        return self.goes_on(run_id) or self.model_path(run_id).exists()

    def goes_on(self, run_id: str) -> bool:
        """Whether there is a whole checkpoint to train on from."""
        return self.weights_path(run_id).exists()

    def save_weights(self, run_id: str, data: bytes) -> None:
        """Of a whole checkpoint."""
        self._save(self.weights_path(run_id), data)
        with self._as_store_errors():
            self.model_path(run_id).unlink(missing_ok=True)

    def save_model(self, run_id: str, data: bytes) -> None:
        """Instead of the whole checkpoint, and last used when that was."""
        whole, path = self.weights_path(run_id), self.model_path(run_id)
        with self._as_store_errors():
            used = whole.stat().st_mtime
            self._save(path, data)
            os.utime(path, (used, used))
            whole.unlink()

    def load_checkpoint(self, run_id: str) -> bytes | None:
        """A whole one's bytes; None where there is none any more."""
        return self._load(self.weights_path(run_id))

    def load_weights(self, run_id: str) -> bytes | None:
        """To look at: a checkpoint's bytes, whole or not; None where there are none any more."""
        data = self.load_checkpoint(run_id)
        return self._load(self.model_path(run_id)) if data is None else data

    def set_weights_aside(self, run_id: str) -> None:
        for path in (self.weights_path(run_id), self.model_path(run_id)):
            with self._as_store_errors(), suppress(FileNotFoundError):
                os.replace(path, path.with_suffix(f".damaged-{time.time_ns()}"))

    def drop_weights(self, run_id: str) -> None:
        with self._as_store_errors():
            for path in (self.weights_path(run_id), self.model_path(run_id)):
                path.unlink(missing_ok=True)

    def watch(self, run_ids: Iterable[str]) -> None:
        """Note that somebody looks at these runs: their weights' files are of now. Often does no harm."""
        now = time.time()
        for run_id in run_ids:
            if now - self._watched.get(run_id, 0.0) < WATCHED_SECONDS:
                continue
            for path in (self.weights_path(run_id), self.model_path(run_id)):
                with suppress(OSError):  # it is only a note
                    os.utime(path)
                    self._watched[run_id] = now

    def slice_path(self, run_id: str) -> Path:
        """Of the checkpoint of a run that is not over: others have their turn."""
        return self.folder / "slices" / f"{run_id}.safetensors"

    def save_slice(self, run_id: str, data: bytes) -> None:
        self._save(self.slice_path(run_id), data)

    def load_slice(self, run_id: str) -> bytes | None:
        return self._load(self.slice_path(run_id))

    def drop_slice(self, run_id: str) -> None:
        with self._as_store_errors():
            self.slice_path(run_id).unlink(missing_ok=True)

    def _save(self, path: Path, data: bytes) -> None:
        part = path.with_suffix(".part")
        with self._as_store_errors():
            part.write_bytes(data)
            os.replace(part, path)  # a half-written file never has the real name

    def _load(self, path: Path) -> bytes | None:
        with self._as_store_errors(), suppress(FileNotFoundError):
            return path.read_bytes()
        return None
