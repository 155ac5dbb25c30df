"""The one folder that the app writes to."""

import os
from pathlib import Path


def home() -> Path:
    """`$VAE_HOME`, or `.vae` beside the code: runs, weights and downloaded data."""
    default = Path(__file__).resolve().parent.parent / ".vae"
    return Path(os.environ.get("VAE_HOME") or default)
