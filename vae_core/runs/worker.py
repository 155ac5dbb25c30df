"""What happens in a worker: be warm before work comes, train, send every snapshot to the app.

`dask_setup` runs when the worker starts (it is its preload), so a worker that has registered has torch and Adam
loaded: its first snapshot takes tens of milliseconds instead of seconds.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

from vae_core.runs.lanes import FREE
from vae_core.runs.messages import Begun, Ended, Message, Progress, Said, numbers, pictures, to_wire

TOPIC = "vae-runs"
STOPPED: set[str] = set()  # tokens of runs told to stop, in this worker
GIVING_WAY: set[str] = set()  # and of those told to let others have their turn
LIMITS: dict[str, int] = {}  # by token of a run in this worker: from what step on it waits for others of its press
TOLD = threading.Condition()  # that one of these has changed
LONGEST_HOLD = 10.0  # seconds at one snapshot: a word that was lost must not hold a run for ever


def dask_setup(worker: Any) -> None:
    get_ready()


@cache
def get_ready() -> None:
    """Once a process: before it knows its scheduler where that can be, else when it meets it."""
    if sys.platform != "win32":
        os.nice(10)  # pages come before training
    warm_up()


def warm_up() -> None:
    """Pay for the imports now: torch 2-3 s, the first Adam 1.6-2 s more, each only once a process."""
    import torch

    from vae_core.data import load_dataset
    from vae_core.spec import RunSpec
    from vae_core.training import train

    torch.set_num_threads(1)  # two OpenMP threads beside other load lose 90 % to spinning barriers
    steps = iter(range(2))
    for _ in train(RunSpec(dataset="digits"), load_dataset("digits"), should_stop=lambda: next(steps, None) is None):
        pass


async def stop(token: str) -> None:
    """Called in every worker by the engine: the run with this token ends before its next step.

    A coroutine because Dask sends only those without waiting for the answer."""
    with TOLD:
        STOPPED.add(token)
        TOLD.notify_all()


async def give_way(tokens: list[str]) -> None:
    """Called by the engine in the workers of these runs: they are set aside before their next step."""
    with TOLD:
        GIVING_WAY.update(token for token in tokens if token in LIMITS)
        TOLD.notify_all()


async def pace(limits: dict[str, int]) -> None:
    """Called by the engine in the workers of a press: how far each of its lanes may go before the others follow."""
    with TOLD:
        LIMITS.update((token, limit) for token, limit in limits.items() if token in LIMITS)
        TOLD.notify_all()


def hold(token: str, step: int, should_end: Callable[[], bool]) -> None:
    """Wait at the snapshot of this step until the others of the press are near."""
    until = time.monotonic() + LONGEST_HOLD
    with TOLD:
        while step >= LIMITS[token] and not should_end() and time.monotonic() < until:
            TOLD.wait(0.5)  # `should_end` may turn without a word


def train_run(canonical: dict[str, Any], checkpoint: bytes | None, token: str) -> Ended | None:
    """The task: train, log an event for each message, return the last one with weights and result. Where the data set
    is not on this machine, get that instead: None says that it has come, and that the run may begin."""
    from distributed import get_worker, secede

    from vae_core.data import is_here

    worker = get_worker()
    send = lambda message: worker.log_event(TOPIC, to_wire(message))
    abandoned = lambda: is_abandoned(worker, token)
    try:
        if is_here(canonical["dataset"]):
            return run_spec(canonical, checkpoint, token, send, abandoned)
        secede()  # others train meanwhile: a download waits for somebody else's server, not for this processor
        fetch(canonical, token, send, abandoned)
        return None
    finally:
        give_back_memory()


def give_back_memory() -> None:
    """To the system, after work, what glibc keeps at hand during it: to give it back at once would have each step fault
    its pages in anew, and take almost twice as long."""
    if sys.platform == "linux":
        getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)(0)


def is_abandoned(worker: Any, token: str) -> bool:
    """Dask cannot end a thread: one whose task nobody wants any more must notice, and end itself."""
    task = worker.state.tasks.get(token)
    return task is None or task.state not in ("executing", "long-running")


def fetch(
    canonical: dict[str, Any], token: str, send: Callable[[Message], None], abandoned: Callable[[], bool]
) -> None:
    """Download the run's data set, and tell how far that is. Raises DataError."""
    from vae_core.catalogue import DATASETS
    from vae_core.download import cached_download
    from vae_core.spec import RunSpec

    spec = RunSpec.from_dict(canonical)
    info, about = DATASETS[spec.dataset], {"run": spec.id, "token": token}
    say = lambda what, share: send(Said(**about, sentence=f"{what}: {share:.0%}" if what else ""))
    say(f"Downloading {info.title}", 0.0)  # at once, though another may be at it: the engine counts on it
    try:
        cached_download(info, say, lambda: token in STOPPED or abandoned())
    finally:
        STOPPED.discard(token)


def run_spec(
    canonical: dict[str, Any],
    checkpoint: bytes | None,
    token: str,
    send: Callable[[Message], None],
    abandoned: Callable[[], bool] = lambda: False,
) -> Ended:
    """`train_run` without Dask. Raises DataError and CheckpointError, whose sentences reach the page."""
    from vae_core.checkpoint import Checkpoint
    from vae_core.data import load_dataset
    from vae_core.errors import CheckpointError
    from vae_core.spec import RunSpec
    from vae_core.training import Snapshot, train

    spec = RunSpec.from_dict(canonical)
    resume = Checkpoint.from_bytes(checkpoint) if checkpoint is not None else None
    if resume is not None and (resume.spec.with_epochs(spec.epochs) != spec or resume.step > spec.total_steps):
        raise CheckpointError("The saved weights are of another run; train this run again.")
    about = {"run": spec.id, "token": token}
    data = load_dataset(spec.dataset)
    LIMITS[token] = FREE  # before the engine hears of it, and may set another
    should_stop = lambda: token in STOPPED or abandoned()
    gives_way = lambda: token in GIVING_WAY
    send(Begun(**about, step=resume.step if resume else -1))
    first: Snapshot | None = None  # of this go, whose pace is measured from there

    def progress(snapshot: Snapshot) -> Progress:
        since = first or snapshot
        seconds, images = snapshot.seconds - since.seconds, snapshot.images_seen - since.images_seen
        return Progress(
            **about,
            numbers=numbers(snapshot),
            pictures=pictures(snapshot),
            curve=[[point.step, point.reconstruction, point.kl] for point in snapshot.curve],
            images_per_second=images / seconds if seconds > 0 else 0.0,
        )

    try:
        for snapshot in train(spec, data, resume=resume, should_stop=should_stop, give_way=gives_way):
            if snapshot.status != "running":
                assert snapshot.checkpoint is not None
                return Ended(
                    **vars(progress(snapshot)),
                    status=snapshot.status,
                    message=snapshot.message,
                    weights=snapshot.checkpoint.to_bytes(),
                    result=asdict(snapshot.result) if snapshot.result else None,
                )
            send(progress(snapshot))
            first = first or snapshot
            hold(token, snapshot.step, lambda: should_stop() or gives_way())
        raise AssertionError("train ends with a last snapshot")
    finally:
        STOPPED.discard(token)
        GIVING_WAY.discard(token)
        LIMITS.pop(token, None)
