"""Where the app writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import vae_core.data
from vae_core.folders import home, private


def test_vae_home_decides_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_HOME", str(tmp_path / "elsewhere"))
    assert home() == tmp_path / "elsewhere"
    for unset in (lambda: monkeypatch.delenv("VAE_HOME"), lambda: monkeypatch.setenv("VAE_HOME", "")):
        unset()
        assert home() == Path(os.path.dirname(vae_core.data.__file__)).parent / ".vae"


def test_a_private_folder_is_nobody_elses(tmp_path: Path) -> None:
    mode = lambda folder: folder.stat().st_mode & 0o7777
    new, own, others, shared = (tmp_path / "deep" / name for name in ("new", "own", "others", "shared"))
    private(new)
    assert mode(new) == 0o700
    for folder, before in ((own, 0o755), (others, 0o755), (shared, 0o1777)):
        folder.mkdir()
        folder.chmod(before)
    for folder in (own, shared):
        (folder / "runs.sqlite3").touch()
    for folder in (own, others, shared):
        private(folder)
    assert mode(own) == 0o700  # an earlier app's
    assert mode(others) == 0o755  # somebody's folder with other things in it
    assert mode(shared) == 0o1777
