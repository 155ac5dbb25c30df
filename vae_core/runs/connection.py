"""The line to a Dask scheduler: at DASK_SCHEDULER_ADDRESS, or that of an embedded cluster (`cluster.py`), a child
process started here and again each time the line is opened."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

CONNECT_SECONDS = 5.0
START_SECONDS = 60.0  # for the embedded cluster to say where it is
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Connection:
    """`open` gives a Client or raises whatever Dask raises, for `explain` to put into a sentence; `close` may be
    followed by another `open`, and `end` is the end."""

    def __init__(self, address: str | None, published: Path):
        self.address = address
        self.published = published  # how other processes of the app reach the embedded cluster of the one that leads
        self.workers_expected = 1
        self.child: subprocess.Popen[str] | None = None
        self._client: Any = None
        self._comm: Any = None  # the client's; a new one means that Dask has forgotten our futures
        self._runner: Any = None  # of Dask's event loop, one for all clients: one that fails leaves its own behind

    def is_published(self) -> bool:
        """Whether a process that does not lead can try to open."""
        return self.address is not None or self.published.exists()

    def open(self, leads: bool = True) -> Any:
        from distributed import Client  # 1 s of imports, kept out of the first page
        from distributed.comm import get_address_host_port
        from distributed.security import Security
        from distributed.utils import LoopRunner, sync

        address, security = self.address, None
        if address is None:
            facts = self._start_child() if leads else json.loads(self.published.read_text("utf-8"))
            self.workers_expected = facts["workers"]
            tls = {key: value for key, value in facts.items() if key.startswith("tls_")}
            address, security = str(facts["address"]), Security(require_encryption=True, **tls)
        elif not _is_private(address):
            raise ValueError("not encrypted")
        with socket.create_connection(get_address_host_port(address), timeout=CONNECT_SECONDS):
            pass  # a Client that finds nobody leaves threads behind at every try
        if self._runner is None:
            self._runner = LoopRunner()
            self._runner.start()
        loop, security = self._runner.loop, security or Security()  # the latter from Dask's settings
        sync(loop, _check_for_scheduler, address, security)
        self._client = Client(
            address, security=security, timeout=CONNECT_SECONDS, set_as_default=False, name="vae-app", loop=loop
        )
        self._comm = self._client.scheduler_comm
        return self._client

    def _start_child(self) -> dict[str, Any]:
        self.published.unlink(missing_ok=True)
        self.child = subprocess.Popen(
            [sys.executable, "-m", "vae_core.runs.cluster"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,  # Ctrl-C is for the app, whose end ends this
        )
        assert self.child.stdout is not None
        hangs = threading.Timer(START_SECONDS, self.child.kill)
        hangs.daemon = True
        hangs.start()
        facts = json.loads(self.child.stdout.readline() or "{}")  # an empty line: it died
        hangs.cancel()
        if "address" not in facts:
            raise ConnectionError("they ended before they were up")
        part = self.published.with_suffix(".part")
        part.touch(0o600)  # who reads this may have anything run
        part.write_text(json.dumps(facts), "utf-8")
        os.replace(part, self.published)
        return facts

    def is_open(self) -> bool:
        """Whether what was opened is still there."""
        alive = self.child is None or self.child.poll() is None
        return alive and self._client.status == "running" and self._client.scheduler_comm is self._comm

    def close(self) -> None:
        client, self._client, self._comm = self._client, None, None
        if client is not None:
            with suppress(Exception):  # it is gone either way
                client.close(timeout=2)
        child, self.child = self.child, None
        if child is not None:
            self.published.unlink(missing_ok=True)
            assert child.stdin is not None
            child.stdin.close()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()

    def end(self) -> None:
        if self._runner is not None:
            self._runner.stop()

    def explain(self, error: Exception) -> str:
        """What is wrong and what to do, for the page."""
        tail = "Trying again every few seconds; what is already trained can be looked at."
        if self.address is None:
            return f"The training processes do not answer ({error}), so nothing can train yet. {tail}"
        if not _is_private(self.address):
            return (
                f"DASK_SCHEDULER_ADDRESS is {self.address}, on another machine and not encrypted; use tls://host:port."
            )
        return (
            f"No Dask scheduler answers at {self.address} ({error}), so nothing can train yet. Start one there, or "
            f"unset DASK_SCHEDULER_ADDRESS and start the app again to train on this machine. {tail}"
        )


async def _check_for_scheduler(address: str, security: Any) -> None:
    """Raises unless a scheduler answers: a Client would wait for ever for the answer of another program."""
    from distributed.comm import connect

    arguments = security.get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, timeout=CONNECT_SECONDS, **arguments), 2 * CONNECT_SECONDS)
    comm.abort()


def _is_private(address: str) -> bool:
    """Encrypted, or no further than this machine."""
    host = address.removeprefix("tcp://").rsplit(":", 1)[0]
    return address.startswith("tls://") or host in ("127.0.0.1", "localhost", "[::1]")
