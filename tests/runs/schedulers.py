"""A Dask scheduler of its own, for the tests of an engine that is told its address."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import psutil

from tests.waiting import alive, wait_until

ROOT = Path(__file__).resolve().parents[2]


class RealScheduler:
    """`dask scheduler` and one `dask worker`, started as anybody would; a run may lose its worker so often."""

    def __init__(self, folder: Path, allowed_failures: int = 0):
        self.allowed_failures = allowed_failures
        self.processes: list[psutil.Process] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.folder = folder

    def start(self) -> None:
        port = self.address.rpartition(":")[2]
        self._run("dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-show")
        self.start_worker()

    def start_worker(self) -> None:
        more = ("--nthreads", "1", "--no-dashboard", "--preload", "vae_core.runs.worker")
        self._run("dask_worker", self.address, "--host", "127.0.0.1", *more)

    def _run(self, program: str, *arguments: str) -> None:
        environment = {
            **os.environ,
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(self.allowed_failures),
            "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error",
            "DASK_TEMPORARY_DIRECTORY": str(self.folder),
        }
        with (self.folder / f"{program}.log").open("w") as log:
            command = [sys.executable, "-m", f"distributed.cli.{program}", *arguments]
            self.processes.append(psutil.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))

    def kill(self) -> None:
        self._kill(self.processes)
        self.processes.clear()

    def kill_worker(self) -> None:
        self._kill([self.processes.pop()])

    def _kill(self, processes: list[psutil.Process]) -> None:
        family = [p for process in processes for p in (*process.children(recursive=True), process)]
        for process in family:
            process.kill()
        psutil.wait_procs(processes)
        wait_until(lambda: not alive(family))
