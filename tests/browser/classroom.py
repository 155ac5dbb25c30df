"""A class to be tested: the page processes behind HAProxy, as `make class` starts them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field

import psutil
import pytest

from tests.browser.conftest import ROOT, Server
from tests.waiting import alive, wait_until
from vae_core.classroom import find_haproxy, free_ports

needs_haproxy = pytest.mark.skipif(
    find_haproxy() is None, reason="HAProxy is not installed: python -m tests.browser.chromium does it, where it can"
)
PAGES = ("page-1", "page-2")


@dataclass
class Class(Server):
    """`make class`, as a server like the others; its log ends up in what a failed test says."""

    environment: dict[str, str] = field(default_factory=lambda: {"CLASS_PROCESSES": "2"})

    def start(self) -> Class:
        (self.port,) = free_ports(1)
        self.home.mkdir(parents=True)
        log = (self.home / "server.log").open("ab")
        variables = {**os.environ, "VAE_HOME": str(self.home), "CLASS_PORT": str(self.port), **self.environment}
        command = [sys.executable, "-m", "vae_core.classroom"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log)
        wait_until(lambda: "The app answers" in self.log(), how=self.log)
        wait_until(lambda: all(map(self.pages().get, PAGES)), how=self.log)
        return self

    def log(self) -> str:
        return (self.home / "server.log").read_text()

    def pages(self) -> dict[str, psutil.Process]:
        """The page processes, by the name that the cookie gives them."""
        settings = (self.home / f"haproxy-{self.port}.cfg").read_text()
        ports = dict(re.findall(r":(\d+) cookie (page-\d+)$", settings, re.MULTILINE))
        commands = [(one, one.cmdline()) for one in alive(self.family())]
        return {ports[command[-1]]: one for one, command in commands if command and command[-1] in ports}
