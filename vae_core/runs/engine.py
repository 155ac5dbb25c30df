"""The app's side of training: hand specs to Dask workers, write what comes back into the store.

There is one path: a Client of a scheduler's address (`connection.py`).
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from filelock import FileLock, Timeout

from vae_core.errors import CheckpointError, DataError, StoreError
from vae_core.runs import worker
from vae_core.runs.connection import Connection
from vae_core.runs.store import Run, Store
from vae_core.spec import RunSpec

log = logging.getLogger(__name__)
State = Literal["starting", "ready", "unreachable", "closed"]
ANSWER_SECONDS = 15.0
RETRY_SECONDS = 1.0
MISSING_SECONDS = 60.0  # for workers to warm up, or to come back, before the page is told
NONE_SECONDS = 120.0  # with no worker at all, before the embedded cluster is begun anew; doubled each time
LOST = "Its worker process was lost. It begins again as soon as one is free."


class Engine:
    """One per app process and folder; but for `wait_until_ready`, all methods return at once.

    `state`, `workers` of `workers_expected`, and `problem` say how it is: "ready" is with all workers there, and
    "starting" while some still warm up or are being replaced. Runs train with however many there are.
    """

    def __init__(self, store: Store, address: str | None = None):
        self.store = store
        self.address = address or os.environ.get("DASK_SCHEDULER_ADDRESS")
        self._connection = Connection(self.address)
        self.state: State = "starting"
        self.workers = 0
        self._whole_at, self._patience = 0.0, NONE_SECONDS  # when all workers were last there
        self._problems: dict[str, str] = {}  # what is wrong now, by part: a sentence each
        self._client: Any = None
        self._session = ""  # tells this connection's tasks from another's
        self._slots = 0  # how many runs the workers take at once
        self._launched: dict[str, Any] = {}  # run id -> Dask future, which Dask drops when we do
        self._stopping: set[str] = set()  # run ids
        self._worker_of: dict[str, str] = {}  # run id -> address of the worker that began it last
        self._lost: set[str] = set()  # run ids: launched and begun, but their worker has gone
        self._lock = threading.RLock()  # over the five above and the status of runs
        self._closing, self._wake, self._warm = threading.Event(), threading.Event(), threading.Event()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._only_app = FileLock(store.folder / "app.lock")
        try:
            self._only_app.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(
                f"Another app keeps its runs in {store.folder}. Use that one, or set VAE_HOME to another folder."
            ) from error
        self._threads = [
            threading.Thread(target=target, name=f"engine-{target.__name__}", daemon=True)
            for target in (self._write, self._supervise)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def workers_expected(self) -> int:
        return self._connection.workers_expected

    @property
    def problem(self) -> str:
        """What is wrong now and what to do, for the page; empty when all is well."""
        return " ".join(list(self._problems.values()))

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
            self._pump()
            return run

    def stop(self, run_id: str) -> None:
        """End a run before its next step; one still in line leaves it."""
        with self._lock:
            run = self.store.run(run_id)
            if run is None or not run.active:
                return
            if run_id in self._launched and run_id not in self._lost:
                self._stopping.add(run_id)
            else:
                self._forget(run_id)
                self.store.finish(run_id, "stopped", "Taken out of the queue.")
        self._wake.set()

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(20)
        self._connection.end()
        self._only_app.release()
        self.state = "closed"

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether all expected workers are warm, within that time."""
        return self._warm.wait(seconds)

    # Keeping a client connected ------------------------------------------------------------------------------

    def _supervise(self) -> None:
        pause = RETRY_SECONDS
        while not self._closing.is_set():
            try:
                self._connect()
                while not self._closing.is_set() and self._look_after():
                    pause = RETRY_SECONDS
                    self._wake.wait(0.3)
                    self._wake.clear()
            except Exception as error:  # noqa: BLE001  whatever Dask raises, the engine goes on and says so
                self.state = "unreachable"
                self._problems["scheduler"] = self._connection.why_not(error)
                log.warning(self.problem)
                self._closing.wait(pause)
                pause = min(30.0, 2 * pause)
            finally:
                self._disconnect()

    def _connect(self) -> None:
        client = self._connection.open()
        client.subscribe_topic(worker.TOPIC, self._on_event)
        with self._lock:
            self._session = secrets.token_hex(4)
            self._client = client
            self._problems.pop("scheduler", None)
        self._whole_at = time.monotonic()

    def _look_after(self) -> bool:
        """Count the workers, hand out runs, pass on stops; False when the connection is not what it was."""
        if not self._connection.holds():
            return False
        client = self._client
        began = dict(self._worker_of)  # before asking, so that a worker missing from the answer has gone
        identity = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=ANSWER_SECONDS)
        workers = identity["workers"]
        self._slots = sum(facts["nthreads"] for facts in workers.values())
        self.workers = len(workers)
        self._judge_workers()
        for run_id, address in began.items():
            if address not in workers:
                self._inbox.put(partial(self._on_lost, run_id, address))
        self._inbox.put(self._pump)
        for run_id in list(self._stopping):  # again at each look, for a worker that was not there before
            run = self.store.run(run_id)
            if run is not None and run.active:
                client.run(worker.stop, self._token(run), wait=False, on_error="ignore")
        return True

    def _judge_workers(self) -> None:
        """Ready or not; and what to say when workers stay away.

        Raises ConnectionError where none of the embedded cluster's has come for long, so that it is begun anew."""
        if self.workers >= self.workers_expected:
            self.state = "ready"
            self._whole_at, self._patience = time.monotonic(), NONE_SECONDS
            self._problems.pop("workers", None)
            self._warm.set()
            return
        self.state = "starting"
        if self.address is not None:
            self._problems["workers"] = (
                f"No worker is connected to the Dask scheduler at {self.address}, so runs wait in line and begin when "
                "one comes. Start one there with --preload vae_core.runs.worker."
            )
            return
        missing = time.monotonic() - self._whole_at
        if not self.workers and missing > self._patience:
            self._patience *= 2  # a slow machine must not be begun anew for ever
            raise ConnectionError(f"none has come up within {missing:.0f} s")
        if missing > MISSING_SECONDS:
            self._problems["workers"] = (
                f"Only {self.workers} of {self.workers_expected} training processes have come up within "
                f"{MISSING_SECONDS:.0f} s. The others are started again and again; meanwhile runs train with those "
                "there are. The server's log says why."
            )

    def _disconnect(self) -> None:
        with self._lock:
            self._client = None
            for lost in (self._launched, self._worker_of, self._lost):
                lost.clear()
            self._slots = self.workers = 0
            self._problems.pop("workers", None)
        if self.state == "ready":
            self.state = "starting"
        self._connection.close()

    # Runs ----------------------------------------------------------------------------------------------------

    def _token(self, run: Run) -> str:
        """Names one try at a run: Dask's key, and what a stop refers to."""
        return f"{run.id}-{run.attempt}-{self._session}"

    def _pump(self) -> None:
        """Hand waiting runs to Dask, oldest first, but no more than there are workers with nothing to do.

        Otherwise Dask would give them all to the first worker that is warm, where they wait for each other. A run
        that was under way when the app or the cluster last ended is waiting too, and so starts again.
        """
        with self._lock:
            if self._client is None:
                return
            for run in self.store.unfinished():
                if run.id in self._launched:
                    continue
                if run.id in self._stopping:  # its worker was lost before it could stop
                    self._stopping.discard(run.id)
                    self.store.finish(run.id, "stopped", "Stopped.")
                    continue
                if len(self._launched) >= self._slots:
                    return
                self._launch(run)

    def _launch(self, run: Run) -> None:
        checkpoint = self.store.load_weights(run.resume_from) if run.resume_from else None
        token = self._token(run)
        future = self._client.submit(worker.train_run, run.spec.to_dict(), checkpoint, token, key=token, pure=False)
        self._launched[run.id] = future
        future.add_done_callback(lambda done: self._on_end(run, token, done))

    def _on_event(self, event: tuple[float, dict[str, Any]]) -> None:
        message = event[1]
        self._inbox.put(lambda: self._on_message(message))

    def _on_message(self, message: dict[str, Any]) -> None:
        with self._lock:
            run = self.store.run(message["run"])
            if run is None or not run.active or message["token"] != self._token(run):
                return  # an echo of an earlier try
            if "say" in message:
                self.store.say(run.id, message["say"])
            elif "begin" in message:
                self.store.begin(run.id, message["begin"])
                self._worker_of[run.id] = message["worker"]
                if run.id in self._lost:
                    self._lost.discard(run.id)
                    self.store.say(run.id, "")
            else:
                self.store.add_snapshot(run.id, message)

    def _on_lost(self, run_id: str, address: str) -> None:
        """Its worker has gone: Dask gives the run to another, but meanwhile it waits."""
        with self._lock:
            run = self.store.run(run_id)
            if run is None or not run.active or self._worker_of.get(run_id) != address:
                return
            if run_id in self._stopping:
                self.store.finish(run_id, "stopped", "Stopped.")
                self._forget(run_id)
                return
            self.store.wait(run_id, LOST)
            self._lost.add(run_id)
            del self._worker_of[run_id]

    def _forget(self, run_id: str) -> None:
        """Nothing of it is with Dask any more, which drops a run when its future is."""
        self._launched.pop(run_id, None)
        self._worker_of.pop(run_id, None)
        self._lost.discard(run_id)
        self._stopping.discard(run_id)

    def _on_end(self, run: Run, token: str, future: Any) -> None:
        """In a thread of Dask's, once the task has ended in whatever way."""
        action: Callable[[], None]
        try:
            if future.status == "finished":
                last = future.result()
                action = lambda: self._keep(run, last)
            elif future.status == "error":
                error = future.exception()
                action = lambda: self._on_error(run, error)
            else:
                return  # the connection was lost: the supervisor sees it, and the run is launched again
        except Exception as error:  # noqa: BLE001  the connection went in this very moment: likewise
            log.warning("the end of run %s was not heard: %s", run.id, error)
            return

        def unless_outdated() -> None:
            with self._lock:
                if run.id in self._launched and token == self._token(run):
                    action()
                    self._forget(run.id)
            self._pump()

        self._inbox.put(unless_outdated)

    def _keep(self, run: Run, last: dict[str, Any]) -> None:
        self.store.save_weights(run.id, last["weights"])
        self.store.add_snapshot(run.id, last)
        self.store.finish(run.id, last["status"], last["message"], last["result"])

    def _on_error(self, run: Run, error: BaseException) -> None:
        if isinstance(error, CheckpointError) and run.resume_from is not None:
            self.store.set_weights_aside(run.resume_from)
            self.store.queue(run.spec)
            self.store.say(run.id, "The saved weights were damaged and set aside; training again without them.")
        elif isinstance(error, DataError):
            self.store.finish(run.id, "failed", str(error))
        elif type(error).__name__ == "KilledWorker":
            self.store.finish(
                run.id,
                "failed",
                "Its worker process died several times, most likely for want of memory. Try smaller layers.",
            )
        else:
            log.error("run %s failed", run.id, exc_info=error)
            self.store.finish(
                run.id, "failed", f"Training failed ({type(error).__name__}). The server's log has the details."
            )

    # The one thread that writes what workers send --------------------------------------------------------------

    def _write(self) -> None:
        while not self._closing.is_set():
            try:
                action = self._inbox.get(timeout=0.2)
            except queue.Empty:
                continue
            while not self._closing.is_set():  # nothing is lost while the disk is full: the same action again
                try:
                    action()
                    self._problems.pop("disk", None)
                    break
                except StoreError as error:
                    self._problems["disk"] = f"{error} Training goes on, and nothing is lost while the app stays open."
                    log.warning(self.problem)
                    self._closing.wait(RETRY_SECONDS)
                except Exception:  # a message that cannot be handled must not end the handling of messages
                    log.exception("a message from a worker was dropped")
                    break
