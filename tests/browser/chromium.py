"""The Chromium of the browser tests: the system's. `python -m tests.browser.chromium` installs it where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

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
    if find():
        return 0
    if not shutil.which("apt-get"):
        print("The browser tests need Chromium: install it, or set CHROMIUM to its path.", file=sys.stderr)
        return 1
    sudo = ["sudo"] if os.geteuid() and shutil.which("sudo") else []
    quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"]):
        subprocess.run([*sudo, "apt-get", "-qq", *arguments], check=True, **quiet)  # type: ignore[call-overload]
    return 0 if find() else 1


if __name__ == "__main__":
    sys.exit(main())
