"""A real server and a real Chromium."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from tests.browser import chromium
from tests.waiting import SECONDS, wait_until

if TYPE_CHECKING:
    from tests.browser.classroom import Class

ROOT = Path(__file__).resolve().parents[2]
expect.set_options(timeout=1000 * SECONDS)
WINDOW: ViewportSize = {"width": 1280, "height": 900}


@dataclass
class Server:
    """`streamlit run app.py` as a person starts it, on a folder of runs of its own."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    def start(self) -> Server:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        self.home.mkdir(parents=True, exist_ok=True)
        log = (self.home / "server.log").open("ab")
        variables = {**os.environ, "VAE_HOME": str(self.home), **self.environment}
        self.process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log)
        try:
            wait_until(self.answers, how=(self.home / "server.log").read_text)
        except AssertionError:
            self.stop()
            raise
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1).status == 200
        except OSError:
            return False

    def family(self) -> list[psutil.Process]:
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def stop(self) -> None:
        assert self.process is not None
        family = self.family() if self.process.poll() is None else []
        self.process.terminate()
        _, alive = psutil.wait_procs(family, timeout=10)
        for process in alive:
            process.kill()


def at_rest(page: Page) -> None:
    """Wait until what just opened has stopped moving: a press on a thing that moves may miss it."""
    page.wait_for_function(
        "() => document.getAnimations().every((one) => one.playState !== 'running' ||"
        " one.effect.getComputedTiming().endTime === Infinity)"
    )


@pytest.fixture
def classroom(tmp_path: Path) -> Iterator[Class]:
    from tests.browser.classroom import Class  # whose servers are made of this file's

    classroom = Class(tmp_path / "home")
    try:
        yield classroom.start()
    finally:
        classroom.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("home")).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """(While it is open an asyncio loop runs in this thread: the files that need a browser come last.)"""
    with sync_playwright() as playwright:
        path = chromium.find()
        assert path, "no Chromium: run `python -m tests.browser.chromium`"
        browser = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def kept_context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=WINDOW)
    context.set_default_timeout(1000 * SECONDS)
    yield context
    context.close()


@pytest.fixture(scope="session")
def tab(kept_context: BrowserContext) -> Page:
    return kept_context.new_page()


@pytest.fixture
def context(kept_context: BrowserContext, tab: Page) -> Iterator[BrowserContext]:
    """Somebody who has never been here, in a browser that has Streamlit's scripts: half a second less for each."""
    yield kept_context
    for page in kept_context.pages:
        if is_local(page.url):
            page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        if page != tab:
            page.close()
    kept_context.clear_cookies()
    _leave(tab)


@pytest.fixture
def page(context: BrowserContext, tab: Page) -> Iterator[Page]:
    """A page that must show no exception, log no error, and ask nobody but this machine for anything. In a tab that has
    compiled Streamlit's scripts: another half second."""
    errors: list[str] = []
    heard: dict[Any, Callable[[Any], None]] = {
        "pageerror": lambda error: errors.append(str(error)),
        "console": lambda message: errors.append(_text(message)) if message.type == "error" else None,
        "request": lambda request: errors.append(request.url) if not is_local(request.url) else None,
    }
    for event, hear in heard.items():
        tab.on(event, hear)
    yield tab
    for event, hear in heard.items():
        tab.remove_listener(event, hear)
    # Streamlit looks for its own endpoints below the page's path first, and Chromium logs that as an error.
    # And a server's very first visitor is told that a linked page is not there before app.py sends him to it.
    known = r"/[a-z_]+/_stcore/|that you have requested does not seem to exist"
    real = [error for error in errors if not re.search(known, error)]
    assert not real, real
    assert tab.locator("[data-testid=stException]").count() == 0


def _leave(tab: Page) -> None:
    """As it was when it was opened."""
    tab.mouse.move(0, 0)
    tab.goto("about:blank")
    tab.set_viewport_size(WINDOW)
    tab.emulate_media(color_scheme="null", reduced_motion="null")
    inspector = tab.context.new_cdp_session(tab)
    inspector.send("Page.resetNavigationHistory")
    inspector.detach()


def _text(message: ConsoleMessage) -> str:
    return f"{message.text} {message.location.get('url', '')}"


def is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))
