"""The Chromium of the browser tests, and the HAProxy of a class: the system's. `python -m tests.browser.chromium`
installs what is not there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from vae_core.classroom import find_haproxy

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
]


def find() -> str | None:
    """$CHROMIUM, or the first of the usual names on the PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def main() -> int:
    missing = [] if find() else ["chromium", "fonts-dejavu-core"]
    missing += [] if find_haproxy() else ["haproxy"]
    if not missing:
        return 0
    if not shutil.which("apt-get"):
        print(f"The browser tests need {' and '.join(missing)}: install them, or set CHROMIUM.", file=sys.stderr)
        return 0 if find() else 1  # without HAProxy its test is skipped, and says so
    sudo = ["sudo"] if os.geteuid() and shutil.which("sudo") else []
    quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
        subprocess.run([*sudo, "apt-get", "-qq", *arguments], check=True, **quiet)  # type: ignore[call-overload]
    return 0 if find() else 1


if __name__ == "__main__":
    sys.exit(main())
