"""What the leading process does: hand waiting runs to Dask's workers, in turns, and write what comes back."""

from __future__ import annotations

import itertools
import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from vae_core.errors import CheckpointError, DataError, DownloadStoppedError
from vae_core.runs import worker
from vae_core.runs.lanes import Launched, newly_limited
from vae_core.runs.line import InLine, in_line, is_wanted
from vae_core.runs.messages import Begun, Ended, Message, Progress, Said, from_wire
from vae_core.runs.store import Run, Store
from vae_core.runs.turns import Turns, give_way

log = logging.getLogger(__name__)
TELL_SECONDS = 2.0  # for workers to hear: one that has died would have Dask try for half a minute
MOST_FETCHING = 8  # runs that wait for a data set, each in a thread of its worker; further ones stay in line
LOST = "Its worker process was lost. It begins again as soon as one is free."
KILLED = "Its worker process died several times, most likely for want of memory. Try smaller layers."
OTHERS = "Others have their turn; it goes on from here."
DAMAGED = "The saved weights were damaged and set aside; training again without them."


class Dispatch:
    """All methods return at once, from any thread: what there is to write waits in `to_write` for who writes it."""

    def __init__(self, store: Store, cores: int):
        self.store, self.cores = store, cores  # that the workers share
        self.launched: dict[str, Launched] = {}  # by run id
        self.in_line = 0  # runs that no worker has
        self.to_write: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()  # None: the end
        self._client: Any = None
        self._session = ""  # tells this connection's tasks from another's
        self._goes = itertools.count()
        self._slots = 0  # how many runs the workers take at once: one each, whatever they measure besides
        self._turns = Turns()
        self._stopping: set[str] = set()  # run ids
        self._unreadable: set[str] = set()  # run ids, of an app with other settings, or damaged
        self._lock = threading.RLock()  # over the client, what is launched and stopping, and the status of runs
        self._telling = ThreadPoolExecutor(1)  # that nobody waits until workers have heard

    def connected(self, client: Any) -> None:
        client.subscribe_topic(worker.TOPIC, self._on_event)
        with self._lock:
            self._session = secrets.token_hex(4)
            self._client = client

    def disconnected(self) -> None:
        with self._lock:
            self._client = None
            self.launched.clear()
            self._stopping.clear()
            self._slots = 0

    def close(self) -> None:
        self.to_write.put(None)
        self._telling.shutdown(wait=False, cancel_futures=True)

    def training(self) -> dict[str, str]:
        """The address of its worker, for each run that has one."""
        return {run_id: one.worker for run_id, one in self.launched.copy().items() if one.worker}

    def look(self, training: dict[str, str], workers: Collection[str]) -> None:
        """To be called now and then: `workers` were there after `training` was so."""
        self._slots = len(workers)
        for run_id, address in training.items():
            if address not in workers:
                self.to_write.put(partial(self._on_lost, run_id, address))
        self.serve()
        # Again each time, for a worker that was not there before.
        launched = self.launched.copy()
        for one in [launched[run_id] for run_id in self._stopping.copy() if run_id in launched]:
            self._tell(worker.stop, one.token)
        self._tell_to_give_way([one for one in launched.values() if one.gives_way])

    def serve(self) -> None:
        """The line may be another: somebody has asked for a run, or wants one no more."""
        self.to_write.put(self._serve)

    def stop_unwanted(self) -> None:
        """At once, for who has just said so. Raises StoreError."""
        with self._lock:
            self._stop({run.id for run in in_line(self.store) if not run.learners})

    def give_way(self) -> None:
        """All that trains is set aside, until it can be written."""
        with self._lock:
            self._tell_to_give_way([one for one in self.launched.values() if one.worker])

    # The line ------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Hand waiting runs to Dask, but no more than there are workers with nothing to do.

        Otherwise Dask would give them all to the first worker that is warm, where they wait for each other. A run
        that was under way when the app or the cluster last ended is waiting too, and so starts again.
        """
        with self._lock:
            now = time.monotonic()
            runs = [run for run in in_line(self.store) if run.id not in self._unreadable]
            self._stop({run.id for run in runs if not run.learners})
            if self._client is None:
                return
            waiting = self._turns.in_order((run for run in runs if run.id not in self.launched), now)
            fetched = [one.run.spec.dataset for one in self.launched.values() if one.fetching]
            begins = [run for run in waiting if len(fetched) < MOST_FETCHING or run.dataset not in fetched]
            for run in begins[: max(0, self._slots - (len(self.launched) - len(fetched)))]:
                self._launch(run, now)
            waiting = [run for run in waiting if run.id not in self.launched]
            self.in_line = len(waiting)
            self._make_room(waiting, now)

    def _launch(self, waiting: InLine, now: float) -> None:
        run = self.store.run(waiting.id)
        if run is None:
            self._unreadable.add(waiting.id)
        elif run.active:
            checkpoint = self.store.load_slice(run.id)
            if checkpoint is None and run.resume_from:
                checkpoint = self.store.load_checkpoint(run.resume_from)
            # Dask's key, and what a stop refers to: one go at a run. By its first word Dask knows how long runs take,
            # and puts one beside a measurement rather than another run. (Were it told which worker,
            # it would wait for one that was killed: when others join, Dask looks at the wish alone.)
            token = f"run-{run.id}-{run.attempt}-{self._session}-{next(self._goes)}"
            future = self._client.submit(worker.train_run, run.spec.to_dict(), checkpoint, token, key=token, pure=False)
            self.launched[run.id] = Launched(run, token, future)
            self._turns.begin(waiting, now)
            future.add_done_callback(partial(self._on_done, run))

    def _make_room(self, waiting: Collection[InLine], now: float) -> None:
        launched = self.launched
        giving = sum(one.gives_way for one in launched.values())
        training = {
            run_id: now - one.seen_at
            for run_id, one in launched.items()
            if one.worker and not one.gives_way and run_id not in self._stopping
        }
        self._tell_to_give_way([launched[run_id] for run_id in give_way(training, waiting, giving)])

    def _tell_to_give_way(self, some: Collection[Launched]) -> None:
        for one in some:
            one.gives_way = True
            self._tell(worker.give_way, [one.token], [one.worker])

    def _stop(self, unwanted: set[str]) -> None:
        """What nobody wants: a run that trains, or has a state to end with, ends by its worker; a download ends
        with the task, which Dask drops."""
        before, self._stopping = self._stopping, unwanted & self.launched.keys()
        for run_id in unwanted:
            launched = self.launched.get(run_id)
            if launched is not None and not (launched.lost or launched.fetching):
                if run_id not in before:
                    self._tell(worker.stop, launched.token)
            elif not self.store.slice_path(run_id).exists():
                self.store.finish(run_id, "stopped", "Taken out of the queue.")
                self._forget(run_id)

    def _forget(self, run_id: str) -> None:
        self.launched.pop(run_id, None)
        self._stopping.discard(run_id)

    def _pace(self) -> None:
        """Tell the lanes of a press how far they may go."""
        changed = newly_limited(self.launched.values(), self.cores)
        if changed:
            self._tell(worker.pace, {one.token: one.limit for one in changed}, [one.worker for one in changed])

    def _tell(self, what: Callable[..., Any], told: Any, workers: list[str] | None = None) -> None:
        if self._client is not None:
            how = {"workers": workers, "wait": False, "on_error": "ignore", "callback_timeout": TELL_SECONDS}
            self._telling.submit(self._client.run, what, told, **how)

    # What workers tell ---------------------------------------------------------------------------------------

    def _on_event(self, event: tuple[float, Any]) -> None:
        """In a thread of Dask's."""
        self.to_write.put(lambda: self._on_message(from_wire(event[1])))

    def _on_message(self, message: Message) -> None:
        with self._lock:
            run, launched = self.store.run(message.run), self.launched.get(message.run)
            if run is None or launched is None or not run.active or message.token != launched.token:
                return  # an echo of an earlier go
            if isinstance(message, Said):
                self.store.set_message(run.id, message.sentence)
                launched.fetching = bool(message.sentence)
            elif isinstance(message, Begun):
                self.store.begin(run.id, message.step)
                launched.worker, launched.step = message.worker, max(0, message.step)
                launched.fetching = False
                if launched.lost or run.message == OTHERS:
                    launched.lost = False
                    self.store.set_message(run.id, "")
            elif isinstance(message, Progress):
                self.store.add_snapshot(run.spec, message)
                launched.step, launched.seen_at = message.numbers["step"], min(launched.seen_at, time.monotonic())
            self._pace()

    def _on_lost(self, run_id: str, address: str) -> None:
        """Its worker has gone: Dask gives the run to another, but meanwhile it waits."""
        with self._lock:
            run, launched = self.store.run(run_id), self.launched.get(run_id)
            if run is None or launched is None or not run.active or launched.worker != address:
                return
            if run_id in self._stopping:
                self.store.finish(run_id, "stopped", "Stopped.")
                self._forget(run_id)
            else:
                self.store.put_back_in_line(run_id, LOST)
                launched.worker, launched.lost, launched.gives_way = "", True, False
            self._pace()

    def _on_done(self, run: Run, future: Any) -> None:
        """In a thread of Dask's, once the task has ended in whatever way."""
        try:
            if future.status == "finished":
                self.to_write.put(partial(self._on_end, run, future, future.result()))
            elif future.status == "error":
                self.to_write.put(partial(self._on_end, run, future, future.exception()))
            # else the connection was lost: that is seen, and the run is launched again
        except Exception as error:  # noqa: BLE001  the connection went in this very moment: likewise
            log.warning("the end of run %s was not heard: %s", run.id, error)

    def _on_end(self, run: Run, future: Any, end: Ended | BaseException | None) -> None:
        with self._lock:
            launched = self.launched.get(run.id)
            if launched is not None and launched.future is future:  # no earlier go's
                if isinstance(end, Ended):
                    self._keep(run, end)
                elif end is None:  # its data set is there now
                    self.store.put_back_in_line(run.id, "")
                else:
                    self._on_error(run, end)
                self._forget(run.id)
                self._pace()
        self._serve()

    def _keep(self, run: Run, end: Ended) -> None:
        if end.status == "aside" or (end.status == "stopped" and is_wanted(self.store, run.id)):  # again, meanwhile
            self.store.save_slice(run.id, end.weights)
            self.store.add_snapshot(run.spec, end)
            self.store.put_back_in_line(run.id, OTHERS)
        else:
            self.store.save_weights(run.id, end.weights)
            self.store.add_snapshot(run.spec, end)
            self.store.finish(run.id, end.status, end.message, end.result)

    def _on_error(self, run: Run, error: BaseException) -> None:
        if isinstance(error, CheckpointError) and self.store.slice_path(run.id).exists():
            self.store.drop_slice(run.id)
            self.store.put_back_in_line(run.id, DAMAGED)
        elif isinstance(error, CheckpointError) and run.resume_from is not None:
            self.store.set_weights_aside(run.resume_from)
            self.store.begin_anew(run.id, DAMAGED)
        elif isinstance(error, DataError):
            stopped = isinstance(error, DownloadStoppedError)
            self.store.finish(run.id, "stopped" if stopped else "failed", str(error))
        elif type(error).__name__ == "KilledWorker":
            self.store.finish(run.id, "failed", KILLED)
        else:
            log.error("run %s failed", run.id, exc_info=error)
            why = f"Training failed ({type(error).__name__}). The server's log has the details."
            self.store.finish(run.id, "failed", why)
