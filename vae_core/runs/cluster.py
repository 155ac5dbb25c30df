"""The embedded cluster: `python -m vae_core.runs.cluster`, a child process of the app.

It runs a Dask scheduler on loopback, keeps a pool of worker processes, prints how to reach them as one line of JSON
(the address, and one-time TLS credentials, so that other users of the machine cannot), and ends when its standard
input closes. The system closes that pipe however the app ends, SIGKILL included.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil

from vae_core.folders import home
from vae_core.runs.embedded_worker import when_input_closes
from vae_core.runs.pool import Pool

if TYPE_CHECKING:
    from distributed.security import Security

CONFIG = {
    # Dask's web pages and numbers are for anybody who asks on this machine: none, and nobody listens (`http_server`).
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "temporary-directory": str(home().absolute()),  # private, as /tmp is not
    "logging.distributed": "error",
    "distributed.admin.low-level-log-length": 20,  # messages kept; ours hold images
    "distributed.scheduler.allowed-failures": 10,  # a run that kills its worker so often is at fault
    # Until one has ended. A measurement, of which it knows nothing, counts as half a second.
    "distributed.scheduler.default-task-durations": {"run": "1h"},
    # Looking at itself up to a hundred times a second costs each idle worker 3 % of a core.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.limit": "10s",
    "distributed.admin.system-monitor.interval": "5s",
}
# A worker keeps to one thread. (Not glibc's thresholds: set at all, they have it fault its pages in at every step.)
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
MOST_BYTES = 3 * 2**30  # of memory, for one worker
CHECK_SECONDS = 0.2


def worker_count() -> int:
    """At least three, so that the three default lanes move together even on two cores."""
    return max(3, min(os.cpu_count() or 1, 8))


async def _serve() -> None:
    begun = [_begin_process()]  # the first worker imports what it needs while this process does

    import dask

    dask.config.set(CONFIG)  # first, for `distributed` reads it when it is imported
    from distributed import Scheduler
    from distributed.security import Security

    security = Security.temporary()
    async with Scheduler(
        host="127.0.0.1", protocol="tls", security=security, dashboard=False, dashboard_address="127.0.0.1:0"
    ) as scheduler:
        scheduler.http_server.stop()
        pool = Pool(
            worker_count(),
            lambda name: _send_facts(begun.pop() if begun else _begin_process(), name, scheduler.address, security),
            lambda: {worker.name: worker.last_seen for worker in scheduler.workers.values()},
            MOST_BYTES,
            at_first=max(1, (os.cpu_count() or 1) // 2),
        )
        facts = {"address": scheduler.address, "workers": worker_count(), **_credentials(security, "client")}
        print(json.dumps(facts), flush=True)
        when_input_closes(_end)
        while True:
            pool.check()
            await asyncio.sleep(CHECK_SECONDS)


def _begin_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "vae_core.runs.embedded_worker"],
        stdin=subprocess.PIPE,  # stays open: its end is the worker's
        stdout=sys.stderr,  # for the app reads what the cluster prints
        env={**os.environ, **ENVIRONMENT},
    )


def _send_facts(
    process: subprocess.Popen[bytes], name: str, scheduler: str, security: Security
) -> subprocess.Popen[bytes]:
    facts = {"name": name, "scheduler": scheduler, "config": CONFIG, "tls": _credentials(security, "worker")}
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended already, and the pool will see that
        process.stdin.write(json.dumps(facts).encode() + b"\n")
        process.stdin.flush()
    return process


def _credentials(security: Security, role: str) -> dict[str, Any]:
    config = security.get_tls_config_for_role(role)
    return {"tls_ca_file": config["ca_file"], f"tls_{role}_cert": config["cert"], f"tls_{role}_key": config["key"]}


def _end() -> None:
    """The app is gone. Closing politely can take longer than a person waits for the port and the processors."""
    for process in psutil.Process().children(recursive=True):
        process.kill()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_serve())
