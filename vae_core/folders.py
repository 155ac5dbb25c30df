"""Where files are: what ships with the app, and the one folder that it writes to."""

import os
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"


def home() -> Path:
    """`$VAE_HOME`, or `.vae` beside the code: runs, weights and downloaded data."""
    return Path(os.environ.get("VAE_HOME") or ASSETS.parent / ".vae")
