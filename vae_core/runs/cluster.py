"""The embedded cluster: `python -m vae_core.runs.cluster`, a child process of the app.

It starts worker processes on loopback, prints how to reach them as one line of JSON (the address, and one-time
TLS credentials, so that other users of the machine cannot), and ends when its standard input closes. The system
closes that pipe however the app ends, SIGKILL included.
"""

from __future__ import annotations

import json
import logging
import os
import sys


def worker_count() -> int:
    """At least three, so that the three default lanes move together even on two cores."""
    return max(3, min(os.cpu_count() or 1, 8))


def main() -> None:
    import dask
    import psutil  # Dask's own
    from distributed import LocalCluster
    from distributed.security import Security

    dask.config.set(
        {
            "distributed.admin.low-level-log-length": 20,  # messages kept; ours hold images
            # Looking at itself up to a hundred times a second costs each idle worker 3 % of a core.
            "distributed.worker.profile.enabled": False,
            "distributed.worker.memory.monitor-interval": "2s",
            "distributed.admin.tick.interval": "1s",
            "distributed.admin.tick.limit": "10s",
            "distributed.admin.system-monitor.interval": "5s",
        }
    )
    security = Security.temporary()
    with LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        host="127.0.0.1",
        protocol="tls",
        security=security,
        dashboard_address="127.0.0.1:0",
        memory_limit="3GiB",
        preload=["vae_core.runs.worker"],
        silence_logs=logging.ERROR,
    ) as cluster:
        credentials = security.get_tls_config_for_role("client")
        address = {
            "address": cluster.scheduler_address,
            "workers": worker_count(),
            "tls_ca_file": credentials["ca_file"],
            "tls_client_cert": credentials["cert"],
            "tls_client_key": credentials["key"],
        }
        print(json.dumps(address), flush=True)
        cluster.scale(worker_count())  # after the address: warming takes seconds, and runs may queue meanwhile
        sys.stdin.read()
        # The app is gone. Closing politely can take longer than a person waits for the port and the processors.
        for process in psutil.Process().children(recursive=True):
            process.kill()
        os._exit(0)


if __name__ == "__main__":
    main()
