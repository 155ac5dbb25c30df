"""The app's side of training: what pages ask of it, and the line to Dask's workers.

Any number of app processes share a folder. One of them leads: it alone hands runs to workers and writes what they send
(`dispatch.py`). Which one, a lock says, that the system frees however its holder ends; another takes over then.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from typing import Any

from filelock import FileLock, Timeout

from vae_core.errors import DamagedStoreError, StoreError
from vae_core.runs import line, retention
from vae_core.runs.connection import Connection
from vae_core.runs.dispatch import Dispatch
from vae_core.runs.health import Health
from vae_core.runs.measure import Measurements
from vae_core.runs.present import Presence
from vae_core.runs.store import Run, Store
from vae_core.spec import RunSpec

log = logging.getLogger(__name__)
ANSWER_SECONDS = 15.0
RETRY_SECONDS, CHECK_SECONDS, HEAR_SECONDS = 1.0, 0.3, 0.05
ROOM_SECONDS = 60.0  # between two looks at the size of the store


class Engine(Health):
    """One per app process; but for `wait_until_ready`, all methods return at once.

    `state`, `workers` of `workers_expected`, `problem` and `busy` say how it is. Runs train with the workers there are.
    """

    def __init__(self, store: Store, address: str | None = None):
        super().__init__(address or os.environ.get("DASK_SCHEDULER_ADDRESS"))
        self.store = store
        self._limit = retention.limit()
        self.leads = False
        self.measurements = Measurements()  # what pages ask of the workers besides training
        self.presence = Presence(store, secrets.token_hex(8))  # of this process, for all
        self._connection = Connection(self.address, store.folder / "cluster.json")
        self._client: Any = None
        self._dispatch = Dispatch(store, self._cores)
        self._leading = FileLock(store.folder / "app.lock", thread_local=False)
        self._closing, self._wake = threading.Event(), threading.Event()
        self._lead()  # who is alone need not wait to know it
        threads = (self._write, self._keep_connected, self._listen, self._keep_small)
        self._threads = [threading.Thread(target=each, daemon=True) for each in threads]
        for thread in self._threads:
            thread.start()

    # What pages call -----------------------------------------------------------------------------------------

    def submit(self, spec: RunSpec, learner: str = "") -> Run:
        """Train this spec for this learner, unless it is trained; go on from the nearest run of fewer epochs. One that
        is under way is joined. Raises LineError where there is no room."""
        run = self.store.run(spec.id)
        if run is not None and run.status in ("done", "diverged") and self.store.has_weights(run.id):
            return run  # the same spec would only give the same again
        run = self.store.queue(spec, learner)
        self._serve()
        return run

    def stop(self, run_id: str, learner: str | None = None) -> None:
        """This learner wants the run no more, nor does anybody where none is named; a run that nobody wants ends before
        its next step, and one still in line leaves it."""
        run = self.store.run(run_id)
        if run is not None and run.active:
            line.unwant(self.store, run_id, learner)
            if self.leads:
                self._dispatch.stop_unwanted()

    def stop_all(self) -> None:
        """Nobody wants any run more. Raises StoreError."""
        for run in line.in_line(self.store):
            line.unwant(self.store, run.id)
        if self.leads:
            self._dispatch.stop_unwanted()

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        self._dispatch.close()
        for thread in self._threads:
            thread.join(20)
        self._connection.end()
        self._leading.release()
        self.state = "closed"

    def _serve(self) -> None:
        if self.leads:
            self._dispatch.serve()

    # Keeping a client connected ------------------------------------------------------------------------------

    def _lead(self) -> bool:
        """Whether this process has begun to lead."""
        if self.leads:
            return False
        try:
            self._leading.acquire(timeout=0)
        except Timeout:
            return False
        self.leads = True
        return True

    def _keep_connected(self) -> None:
        pause = RETRY_SECONDS
        while not self._closing.is_set():
            try:
                self._lead()
                if not self.leads and not self._connection.is_published():
                    self._closing.wait(CHECK_SECONDS)  # the one that leads is about to begin
                    continue
                self._connect()
                while not self._closing.is_set() and self._connection.is_open():
                    if self._lead():
                        break  # the one that led has gone
                    self._check_workers()
                    pause = RETRY_SECONDS
                    self._wake.wait(CHECK_SECONDS)
                    self._wake.clear()
            except Exception as error:  # noqa: BLE001  whatever Dask raises, the engine goes on and says so
                self.state = "unreachable"
                self._problems["scheduler"] = self._connection.explain(error)
                log.warning(self.problem)
                self._closing.wait(pause)
                pause = min(30.0, 2 * pause)
            finally:
                self._disconnect()

    def _connect(self) -> None:
        client = self._connection.open(self.leads)
        if self.leads:
            self._dispatch.connected(client)
        self.measurements.connected(client)
        self._client = client
        self._problems.pop("scheduler", None)
        self._expect(self._connection.workers_expected)

    def _check_workers(self) -> None:
        """Count the workers; who leads hands out runs."""
        client, training = self._client, self._dispatch.training()
        # Asked after that, so that a worker missing from the answer has gone.
        identity = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=ANSWER_SECONDS)
        workers = identity["workers"]
        self._others.look()
        self._judge(len(workers))
        if self.leads:
            self._dispatch.look(training, workers)
            self._in_line, self._training = self._dispatch.in_line, len(training)
        else:
            self._in_line, self._training = line.counts(self.store)

    def _disconnect(self) -> None:
        self._client = None
        self._dispatch.disconnected()
        self.workers = 0
        self._problems.pop("workers", None)
        self.measurements.disconnected()
        if self.state == "ready":
            self.state = "starting"
        self._connection.close()

    # Threads -------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Hear what other processes write into the store."""
        while not self._closing.wait(HEAR_SECONDS):
            try:
                if self.store.hear():
                    self._serve()
                self.presence.look()
            except StoreError as error:
                log.warning("the store could not be read: %s", error)
                self._closing.wait(RETRY_SECONDS)

    def _keep_small(self) -> None:
        """Who leads makes room, at the start and then now and then."""
        while not self._closing.is_set():
            if self.leads:
                try:
                    self._problems["room"] = retention.keep_small(self.store, self._limit)
                except StoreError as error:
                    log.warning("no room could be made in the store: %s", error)
                except Exception:  # what cannot be removed must not end the removing
                    log.exception("no room could be made in the store")
            self._closing.wait(ROOM_SECONDS)

    def _write(self) -> None:
        """The one thread that writes what workers send."""
        for action in iter(self._dispatch.to_write.get, None):
            while not self._closing.is_set():  # nothing is lost while the disk is full: the same action again
                try:
                    action()
                    self._problems.pop("disk", None)
                    break
                except StoreError as error:
                    self._dispatch.give_way()  # what comes meanwhile must have room in memory
                    why = f"{error} Training waits, and nothing is lost while the app stays open."
                    self._problems["disk"] = "" if isinstance(error, DamagedStoreError) else why  # readers tell that
                    log.warning("%s", error)
                    self._closing.wait(RETRY_SECONDS)
                except Exception:  # a message that cannot be handled must not end the handling of messages
                    log.exception("a message from a worker was dropped")
                    break
