"""The app's side of training: hand specs to Dask workers, write what comes back into the store.

There is one path: a Client of a scheduler's address (`connection.py`).
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from filelock import FileLock, Timeout

from vae_core.errors import CheckpointError, DamagedStoreError, DataError, StoreError
from vae_core.runs import worker
from vae_core.runs.connection import Connection
from vae_core.runs.health import Health
from vae_core.runs.lanes import Launched, newly_limited
from vae_core.runs.measure import Measurements
from vae_core.runs.messages import Begun, Ended, Message, Progress, Said, from_wire
from vae_core.runs.store import Run, Store
from vae_core.spec import RunSpec

log = logging.getLogger(__name__)
ANSWER_SECONDS = 15.0
RETRY_SECONDS, CHECK_SECONDS = 1.0, 0.3
LOST = "Its worker process was lost. It begins again as soon as one is free."
KILLED = "Its worker process died several times, most likely for want of memory. Try smaller layers."


class Engine(Health):
    """One per app process and folder; but for `wait_until_ready`, all methods return at once.

    `state`, `workers` of `workers_expected`, `problem` and `busy` say how it is. Runs train with the workers there are.
    """

    def __init__(self, store: Store, address: str | None = None):
        super().__init__(address or os.environ.get("DASK_SCHEDULER_ADDRESS"))
        self.store = store
        self._connection = Connection(self.address)
        self._client: Any = None
        self._session = ""  # tells this connection's tasks from another's
        self.measurements = Measurements()  # what pages ask of the workers besides training
        self._slots = 0  # how many runs the workers take at once: one each, whatever they measure besides
        self._launched: dict[str, Launched] = {}  # by run id
        self._stopping: set[str] = set()  # run ids
        self._lock = threading.RLock()  # over the client, what is launched and stopping, and the status of runs
        self._closing, self._wake = threading.Event(), threading.Event()
        self._pacing = ThreadPoolExecutor(1)  # that nobody waits until workers have heard
        self._to_write: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()  # None: the end
        self._only_app = FileLock(store.folder / "app.lock")
        try:
            self._only_app.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(
                f"Another app keeps its runs in {store.folder}. Use that one, or set VAE_HOME to another folder."
            ) from error
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._write, self._keep_connected)]
        for thread in self._threads:
            thread.start()

    # What pages call -----------------------------------------------------------------------------------------

    def submit(self, spec: RunSpec) -> Run:
        """Train this spec, unless it is trained or under way; go on from the nearest run of fewer epochs."""
        with self._lock:
            run = self.store.run(spec.id)
            ended = run is not None and run.status in ("done", "diverged")
            if run is not None and (run.active or (ended and self.store.weights_path(run.id).exists())):
                return run  # the same spec would only give the same again
            self._stopping.discard(spec.id)
            run = self.store.queue(spec)
            self._launch_waiting()
            return run

    def stop(self, run_id: str) -> None:
        """End a run before its next step; one still in line leaves it."""
        with self._lock:
            run = self.store.run(run_id)
            if run is None or not run.active:
                return
            launched = self._launched.get(run_id)
            if launched is not None and not launched.lost:
                self._stopping.add(run_id)
            else:
                self._forget(run_id)
                self.store.finish(run_id, "stopped", "Taken out of the queue.")
        self._wake.set()

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        self._to_write.put(None)
        for thread in self._threads:
            thread.join(20)
        self._pacing.shutdown(wait=False, cancel_futures=True)
        self._connection.end()
        self._only_app.release()
        self.state = "closed"

    # Keeping a client connected ------------------------------------------------------------------------------

    def _keep_connected(self) -> None:
        pause = RETRY_SECONDS
        while not self._closing.is_set():
            try:
                self._connect()
                while not self._closing.is_set() and self._connection.is_open():
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
        client = self._connection.open()
        client.subscribe_topic(worker.TOPIC, self._on_event)
        self.measurements.connected(client)
        with self._lock:
            self._session = secrets.token_hex(4)
            self._client = client
            self._problems.pop("scheduler", None)
        self._expect(self._connection.workers_expected)

    def _check_workers(self) -> None:
        """Count the workers, hand out runs, pass on stops."""
        client = self._client
        began = {run_id: launched.worker for run_id, launched in self._launched.copy().items() if launched.worker}
        # Asked after that, so that a worker missing from the answer has gone.
        identity = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=ANSWER_SECONDS)
        workers = identity["workers"]
        self._slots, self._training = len(workers), len(began)
        self._others.look()
        self._judge(len(workers))
        for run_id, address in began.items():
            if address not in workers:
                self._to_write.put(partial(self._on_lost, run_id, address))
        self._to_write.put(self._launch_waiting)
        for run_id in self._stopping.copy():  # again each time, for a worker that was not there before
            if (launched := self._launched.get(run_id)) is not None:
                client.run(worker.stop, launched.token, wait=False, on_error="ignore")

    def _disconnect(self) -> None:
        with self._lock:
            self._client = None
            self._launched.clear()
            self._slots = self.workers = 0
            self._problems.pop("workers", None)
        self.measurements.disconnected()
        if self.state == "ready":
            self.state = "starting"
        self._connection.close()

    # Runs ----------------------------------------------------------------------------------------------------

    def _launch_waiting(self) -> None:
        """Hand waiting runs to Dask, oldest first, but no more than there are workers with nothing to do.

        Otherwise Dask would give them all to the first worker that is warm, where they wait for each other. A run
        that was under way when the app or the cluster last ended is waiting too, and so starts again.
        """
        with self._lock:
            if self._client is None:
                return
            in_line = 0
            for run in [one for one in self.store.unfinished() if one.id not in self._launched]:
                if run.id in self._stopping:  # its worker was lost before it could stop
                    self._stopping.discard(run.id)
                    self.store.finish(run.id, "stopped", "Stopped.")
                elif len(self._launched) < self._slots:
                    self._launch(run)
                else:
                    in_line += 1
            self._in_line = in_line

    def _launch(self, run: Run) -> None:
        checkpoint = self.store.load_weights(run.resume_from) if run.resume_from else None
        # Dask's key, and what a stop refers to: one try at a run. By its first word Dask knows how long runs take, and
        # puts one beside a measurement rather than another run.
        token = f"run-{run.id}-{run.attempt}-{self._session}"
        future = self._client.submit(worker.train_run, run.spec.to_dict(), checkpoint, token, key=token, pure=False)
        self._launched[run.id] = Launched(run, token, future)
        future.add_done_callback(partial(self._on_done, run))

    def _pace(self) -> None:
        """Tell the lanes of a press how far they may go."""
        changed = newly_limited(self._launched.values(), self._cores)
        if changed and self._client is not None:
            limits, workers = {one.token: one.limit for one in changed}, [one.worker for one in changed]
            self._pacing.submit(self._client.run, worker.pace, limits, workers=workers, wait=False, on_error="ignore")

    def _forget(self, run_id: str) -> None:
        self._launched.pop(run_id, None)
        self._stopping.discard(run_id)

    def _on_event(self, event: tuple[float, Any]) -> None:
        """In a thread of Dask's."""
        self._to_write.put(lambda: self._on_message(from_wire(event[1])))

    def _on_message(self, message: Message) -> None:
        with self._lock:
            run, launched = self.store.run(message.run), self._launched.get(message.run)
            if run is None or launched is None or not run.active or message.token != launched.token:
                return  # an echo of an earlier try
            if isinstance(message, Said):
                self.store.set_message(run.id, message.sentence)
            elif isinstance(message, Begun):
                self.store.begin(run.id, message.step)
                launched.worker, launched.step = message.worker, max(0, message.step)
                if launched.lost:
                    launched.lost = False
                    self.store.set_message(run.id, "")
            elif isinstance(message, Progress):
                self.store.add_snapshot(run.spec, message)
                launched.step = message.numbers["step"]
            self._pace()

    def _on_lost(self, run_id: str, address: str) -> None:
        """Its worker has gone: Dask gives the run to another, but meanwhile it waits."""
        with self._lock:
            run, launched = self.store.run(run_id), self._launched.get(run_id)
            if run is None or launched is None or not run.active or launched.worker != address:
                return
            if run_id in self._stopping:
                self.store.finish(run_id, "stopped", "Stopped.")
                self._forget(run_id)
            else:
                self.store.put_back_in_line(run_id, LOST)
                launched.worker, launched.lost = "", True
            self._pace()

    def _on_done(self, run: Run, future: Any) -> None:
        """In a thread of Dask's, once the task has ended in whatever way."""
        try:
            if future.status == "finished":
                self._to_write.put(partial(self._on_end, run, future, future.result()))
            elif future.status == "error":
                self._to_write.put(partial(self._on_end, run, future, future.exception()))
            # else the connection was lost: that is seen, and the run is launched again
        except Exception as error:  # noqa: BLE001  the connection went in this very moment: likewise
            log.warning("the end of run %s was not heard: %s", run.id, error)

    def _on_end(self, run: Run, future: Any, end: Ended | BaseException) -> None:
        with self._lock:
            launched = self._launched.get(run.id)
            if launched is not None and launched.future is future:  # no earlier try's
                if isinstance(end, Ended):
                    self.store.save_weights(run.id, end.weights)
                    self.store.add_snapshot(run.spec, end)
                    self.store.finish(run.id, end.status, end.message, end.result)
                else:
                    self._on_error(run, end)
                self._forget(run.id)
                self._pace()
        self._launch_waiting()

    def _on_error(self, run: Run, error: BaseException) -> None:
        if isinstance(error, CheckpointError) and run.resume_from is not None:
            self.store.set_weights_aside(run.resume_from)
            self.store.queue(run.spec)
            self.store.set_message(run.id, "The saved weights were damaged and set aside; training again without them.")
        elif isinstance(error, DataError):
            self.store.finish(run.id, "failed", str(error))
        elif type(error).__name__ == "KilledWorker":
            self.store.finish(run.id, "failed", KILLED)
        else:
            log.error("run %s failed", run.id, exc_info=error)
            why = f"Training failed ({type(error).__name__}). The server's log has the details."
            self.store.finish(run.id, "failed", why)

    def _write(self) -> None:
        """The one thread that writes what workers send."""
        for action in iter(self._to_write.get, None):
            while not self._closing.is_set():  # nothing is lost while the disk is full: the same action again
                try:
                    action()
                    self._problems.pop("disk", None)
                    break
                except StoreError as error:
                    why = f"{error} Training goes on, and nothing is lost while the app stays open."
                    self._problems["disk"] = "" if isinstance(error, DamagedStoreError) else why  # readers tell that
                    log.warning("%s", error)
                    self._closing.wait(RETRY_SECONDS)
                except Exception:  # a message that cannot be handled must not end the handling of messages
                    log.exception("a message from a worker was dropped")
                    break
