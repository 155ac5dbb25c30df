"""Where files are: what ships with the app, and the one folder that it writes to."""

import os
import stat
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"


def home() -> Path:
    """`$VAE_HOME`, or `.vae` beside the code: runs, weights and downloaded data."""
    return Path(os.environ.get("VAE_HOME") or ASSETS.parent / ".vae")


def private(folder: Path) -> Path:
    """That folder, made if it was not there: one that other users of the machine cannot look into. One that was there
    becomes private where it holds a store of ours, unless all users share it, as they do /tmp. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    mode = folder.stat().st_mode
    if mode & 0o077 and not mode & stat.S_ISVTX and (folder / "runs.sqlite3").exists():
        folder.chmod(0o700)
    return folder
