"""The one engine and store of this app process, started with the server."""

from __future__ import annotations

import ctypes
import gc
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType
from typing import Any

import streamlit as st
from streamlit import runtime
from threadpoolctl import threadpool_limits

from pages.shared.ahead import visit_all
from pages.shared.sections import by_clock, has_clock
from vae_core.classroom import AHEAD
from vae_core.errors import StoreError
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store
from vae_core.runs.worker import give_back_memory

log = logging.getLogger(__name__)
STATE = "engine_state"  # the fragment
IDLE_SECONDS = 1.0  # without a visitor, before the engine starts unasked
BETWEEN_GIVING_BACK = 30.0  # seconds


ENDING: list[int] = []  # the signals by which the server was told to end; it waits for whoever it has not answered yet


@asynccontextmanager
async def engine_from_the_start(server: Any) -> AsyncIterator[None]:
    """While the server serves: runs in line need not wait for a visitor of the process that leads."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, partial(_told_to_end, signal.getsignal(number)))
    soon = threading.Timer(IDLE_SECONDS, _begin)  # who has just started the app sees the page first
    soon.daemon = True
    soon.start()
    yield
    soon.cancel()


def _told_to_end(then: Any, number: int, frame: FrameType | None) -> None:
    ENDING.append(number)
    if callable(then):
        then(number, frame)


def _begin() -> None:
    try:
        _set_up()
        engine = _engine()
    except StoreError as error:  # pages say so too, and try again
        log.warning("Runs cannot be kept: %s", error)
    else:
        if os.environ.get(AHEAD) and engine.wait_until_ready(60):  # the cores are for the workers' start until then
            visit_all()


@st.cache_resource(show_spinner=False)
def _engine() -> Engine:
    engine = Engine(Store())
    engine.presence.count = _windows
    threading.Thread(target=_import_torch, args=(engine,), daemon=True).start()
    return engine


def _windows() -> int:
    """How many browser windows this process has open now."""
    if not runtime.exists():
        return 0
    sessions = getattr(runtime.get_instance(), "_session_mgr", None)  # no public name tells it
    return sessions.num_active_sessions() if sessions else 0


def _import_torch(engine: Engine) -> None:
    """Seconds and 200 MB that the explaining pages need; paid once the first page is up and the workers are warm."""
    if engine.wait_until_ready(60):
        importlib.import_module("vae_core.training")
        gc.freeze()


def get_engine() -> Engine:
    """The engine; where runs cannot be kept at all, the page ends here with a sentence saying why."""
    try:
        engine = _engine()
    except StoreError as error:
        st.error(str(error), title="Runs cannot be kept", icon=":material/hard_drive:")
        st.stop()
    return engine


def engine_itself() -> Engine:
    """The engine, for what is asked outside a page's script. Raises StoreError."""
    return _engine()


@st.cache_resource(show_spinner=False)
def prepare_process() -> None:
    """Once, after the imports. What they made lives for good, so the collector need not look at it again."""
    _set_up()
    gc.collect()
    gc.freeze()


@st.cache_resource(show_spinner=False)
def _set_up() -> None:
    """What pages free goes back to the system, if not at once; and one thread computes, for two beside training workers
    wait for each other."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's, read when it is imported
    threadpool_limits(1, "blas")  # numpy's
    if sys.platform == "linux":
        allocator, kept = ctypes.CDLL(None), 1 << 22  # with less, the pages of each tensor come anew from the system
        for parameter, value in {-1: kept, -3: kept, -8: 2}.items():  # M_TRIM_, M_MMAP_THRESHOLD, M_ARENA_MAX
            getattr(allocator, "mallopt", lambda *_: 0)(parameter, value)  # glibc alone has it
    threading.Thread(target=_give_back_memory, daemon=True).start()


def _give_back_memory() -> None:
    """What grows while a class is here: runs of pages that are over, in circles that Python counts as few objects,
    whatever tensors they hold; and between what is in use, pieces that glibc would keep for good."""
    while True:
        time.sleep(BETWEEN_GIVING_BACK)
        gc.collect()
        give_back_memory()


def show_engine_state(engine: Engine) -> None:
    """A line while the workers warm up, a sentence while something is wrong, nothing when all is well. For pages whose
    first screen is not a stage, which says it in a room of its own."""

    waiting = bool(engine.state != "ready" or engine.problem)
    by_clock(STATE, waiting)

    @st.fragment(run_every=1.0 if waiting else None, key=STATE)
    def state() -> None:
        if waiting and engine.state == "ready" and not engine.problem:
            st.rerun()
        show_problem(engine)
        if engine.warming:
            st.caption(f":material/hourglass_top: {engine.warming}")

    state()
    show_notice(engine)


def show_notice(engine: Engine) -> None:
    """What was mended when the store was opened."""
    if engine.store.notice:
        st.warning(engine.store.notice, icon=":material/healing:")


def show_new_problem(engine: Engine) -> None:
    """For a part of a page that looks again and again at what the workers do: what went wrong since, unless it is told
    already, and why it may take long."""
    if not has_clock(STATE):
        show_problem(engine)
    if engine.busy:
        st.caption(f":material/hourglass_top: {engine.busy}")


def show_problem(engine: Engine) -> None:
    if engine.problem:
        st.warning(engine.problem, icon=":material/cloud_off:")
