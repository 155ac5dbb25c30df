"""Where the app writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import vae_core.data
from vae_core.folders import home


def test_vae_home_decides_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_HOME", str(tmp_path / "elsewhere"))
    assert home() == tmp_path / "elsewhere"
    for unset in (lambda: monkeypatch.delenv("VAE_HOME"), lambda: monkeypatch.setenv("VAE_HOME", "")):
        unset()
        assert home() == Path(os.path.dirname(vae_core.data.__file__)).parent / ".vae"
