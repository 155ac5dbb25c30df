"""The README's recipe for training on other machines, run as it is written."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.runs.conftest import assert_ended_as_here
from tests.runs.engines import ROOT, long
from tests.waiting import alive, wait_until
from vae_core.classroom import free_ports
from vae_core.runs import certificates
from vae_core.runs.store import Store

APP = """
import json, sys, threading
from pathlib import Path
from vae_core import RunSpec
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store

engine = Engine(Store(Path(sys.argv[1])))
spec = RunSpec.from_dict(json.loads(sys.argv[2]))
engine.submit(spec)
for wanted in (lambda run: run.step > 0, lambda run: not run.active):
    while not wanted(engine.store.run(spec.id)):
        threading.Event().wait(0.02)
    print(json.dumps([engine.address, engine.store.run(spec.id).status, engine.problem]), flush=True)
"""


def recipe(name: str, port: int) -> str:
    """That block of the README, on this machine and a free port."""
    blocks = re.findall(r"```sh\n# (\w+)\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    return dict(blocks)[name].replace("training.example", "127.0.0.1").replace("8786", str(port))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of this folder with its requirements installed."""
    copy = tmp_path / "copy"
    (copy / ".venv" / "bin").mkdir(parents=True)
    for name in ("vae_core", "assets", "pages", "app.py"):
        (copy / name).symlink_to(ROOT / name)
    python = copy / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return copy


def test_the_recipe_for_other_machines(folder: Path) -> None:
    (port,) = free_ports(1)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables["HOME"] = str(folder)  # what a person has set for Dask is not part of it
    log = (folder / "log").open("w")
    started: list[psutil.Process] = []

    def start(commands: str, stdout: int | None = None) -> psutil.Popen:
        process = psutil.Popen(
            ["bash", "-c", commands], cwd=folder, env=variables, stdout=stdout or log, stderr=log, text=True
        )
        started.append(process)
        return process

    def told(app: psutil.Popen) -> list[str]:
        line = app.stdout.readline()
        assert line, (folder / "log").read_text()
        return json.loads(line)

    try:
        start(recipe("scheduler", port))
        wait_until(lambda: (folder / "certificates" / "client-key.pem").exists(), how=(folder / "log").read_text)
        loop = start(recipe("workers", port))
        run_app = ".venv/bin/python -m streamlit run app.py"
        lines = recipe("app", port)
        assert run_app in lines
        spec = long(seed=50)
        (folder / "drive.py").write_text(APP)
        arguments = f"drive.py {folder / 'store'} '{json.dumps(spec.to_dict())}'"
        drive = f'export PYTHONPATH="$PWD"\n{lines.replace("-m streamlit run app.py", arguments)}'
        app = start(drive, subprocess.PIPE)
        address = f"tls://127.0.0.1:{port}"
        assert told(app) == [address, "running", ""]

        # All workers and their nannies lost: the loop starts them again, and the run ends as if nothing had been.
        lost = loop.children(recursive=True)
        for process in lost:
            process.kill()
        wait_until(lambda: not alive(lost))
        assert told(app)[:2] == [address, "done"]
        assert_ended_as_here(Store(folder / "store"), spec)

        # Who has no certificate is not let in.
        stranger = ssl.create_default_context(cafile=str(folder / "certificates" / "ca.pem"))
        stranger.check_hostname = False
        assert _greeted(port, stranger) == b""
    finally:
        for process in [child for one in started for child in (one, *one.children(recursive=True))]:
            process.kill()
        psutil.wait_procs(started)


def _greeted(port: int, context: ssl.SSLContext) -> bytes:
    """What the scheduler says first, if anything."""
    import socket

    with socket.create_connection(("127.0.0.1", port)) as plain:
        try:
            with context.wrap_socket(plain) as encrypted:
                return encrypted.recv(1)
        except ssl.SSLError:
            return b""


def test_certificates_are_made_once_and_private(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "certificates"
    assert certificates.main([str(folder)]) == 0
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(first) == {"ca.pem"} | {f"{role}{end}.pem" for role in certificates.ROLES for end in ("", "-key")}
    assert {path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())} == {0o700, 0o600}
    assert certificates.main([str(folder)]) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    (folder / "worker-key.pem").unlink()  # a set with one lost is of no use
    assert certificates.make(folder)
    assert (folder / "ca.pem").read_bytes() != first["ca.pem"]
    assert certificates.main([]) == 2
    (folder / "ca.pem").write_text("damaged")
    assert certificates.main([str(folder)]) == 1
    assert "could not be written or read" in capsys.readouterr().err
