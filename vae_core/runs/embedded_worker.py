"""One worker of the embedded cluster: `python -m vae_core.runs.embedded_worker`, a child process of `cluster.py`.

A line of JSON on standard input says whom to serve, and may come while the worker warms up. The worker ends when that
input closes, however the cluster ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any


def main() -> None:
    facts: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    when_input_closes(lambda: os._exit(0), lambda line: facts.put(json.loads(line)))
    from vae_core.runs.worker import get_ready

    get_ready()  # takes seconds, while the cluster may still begin
    asyncio.run(_serve(facts.get()))


def when_input_closes(end: Callable[[], None], first_line: Callable[[str], None] = lambda _: None) -> None:
    """Call `end` from a thread of its own once whoever holds the other end of standard input has gone, and before that
    `first_line` with the first line that comes."""

    def wait() -> None:
        if line := sys.stdin.readline():
            first_line(line)
        while os.read(sys.stdin.fileno(), 1024):
            pass
        end()

    threading.Thread(target=wait, daemon=True).start()


async def _serve(facts: dict[str, Any]) -> None:
    import dask

    dask.config.set(facts["config"])  # first, for `distributed` reads it when it is imported
    from distributed import Worker
    from distributed.security import Security

    async with Worker(
        facts["scheduler"],
        name=facts["name"],
        nthreads=2,  # a run and a measurement side by side, neither waits for the other
        host="127.0.0.1",
        security=Security(require_encryption=True, **facts["tls"]),
        memory_limit=0,  # the cluster looks after that
        preload=["vae_core.runs.worker"],
        death_timeout=60,  # a scheduler that does not take it
    ) as worker:
        worker.http_server.stop()
        await worker.finished()


if __name__ == "__main__":
    main()
