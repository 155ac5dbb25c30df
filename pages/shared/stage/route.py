"""Where stages in browsers hear of their runs: no script runs for it, and no thread waits."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from functools import lru_cache, partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pages.shared.runtime import ENDING, engine_itself
from pages.shared.stage.answer import answer, pixel
from vae_core.errors import StoreError
from vae_core.runs.store import Store

LONGEST_WAIT = 20.0  # seconds, without news
# While a run is in line or moves, or something is wrong: its place in line, and what goes wrong, are no news of a run.
WHILE_BUSY = 3.0
LOOK_UP = 1.0  # whether anybody waits still
MOST_RUNS = 16
ASKED = re.compile(r"([0-9a-f]{16}):(-1|\d{1,9})")
_ANSWERING = threading.Lock()
WRONG = "Ask as /runs/news?run=<id>:<newest step, or -1>&since=<version>, for at most 16 runs."


async def news(request: Request) -> Response:
    """What is new of these runs since that version of the news: at once if there is any, or when there is, or nothing
    new after a while. 400 and 503 hold one sentence."""
    found = [ASKED.fullmatch(text) for text in request.query_params.getlist("run")]
    since = request.query_params.get("since", "")
    if not 0 < len(found) <= MOST_RUNS or not all(found) or not re.fullmatch(r"-?\d{1,15}", since):
        return JSONResponse({"error": WRONG}, 400)
    asked = {one[1]: int(one[2]) for one in found if one}
    try:
        engine = engine_itself()
        store = engine.store
        busy = await run_in_threadpool(_active, store, asked)
        unsettled = busy or engine.problem or engine.state != "ready"
        until = time.monotonic() + (WHILE_BUSY if unsettled else LONGEST_WAIT)
        version = store.news.version
        while max(map(store.news.last, asked)) <= int(since) and time.monotonic() < until:
            if await request.is_disconnected():
                return Response()  # nobody hears it
            if ENDING:
                break
            await store.news.wait(version, min(LOOK_UP, until - time.monotonic()))
            version = store.news.version
        problem = engine.problem or engine.warming or engine.busy * busy
        told = await run_in_threadpool(told_once, store, tuple(asked.items()), version, problem, int(time.monotonic()))
    except StoreError as error:
        return JSONResponse({"error": str(error)}, 503)
    headers = {"x-version": str(version), "cache-control": "no-store"}
    return Response(told, media_type="application/octet-stream", headers=headers)


def told_once(store: Store, asked: tuple[tuple[str, int], ...], version: int, problem: str, second: int) -> bytes:
    """`answer`, worked out for the first who asks: a class that watches one training asks for the same at one moment.
    `second`: the place in line is no older than that."""
    with _ANSWERING:
        return _answers(store, asked, version, problem, second)


@lru_cache(maxsize=8)  # up to a megabyte each
def _answers(store: Store, asked: tuple[tuple[str, int], ...], version: int, problem: str, second: int) -> bytes:
    return answer(store, dict(asked), problem)


def _active(store: Store, asked: Iterable[str]) -> bool:
    store.watch(asked)
    return any(run.active for run in map(store.run, asked) if run is not None)


async def pixels(request: Request) -> Response:
    """`answer.pixel` of ?run=<id>&image=<number>&pixel=<number>."""
    asked = [request.query_params.get(name, "") for name in ("run", "image", "pixel")]
    if not re.fullmatch(r"[0-9a-f]{16} \d{1,2} \d{1,6}", " ".join(asked)):
        return JSONResponse({"error": "Ask as /runs/pixel?run=<id>&image=<number>&pixel=<number>."}, 400)
    try:
        told = await run_in_threadpool(partial(pixel, engine_itself().store, asked[0], int(asked[1]), int(asked[2])))
    except LookupError:
        return JSONResponse({"error": "There is no such run, image or pixel here."}, 404)
    except StoreError as error:
        return JSONResponse({"error": str(error)}, 503)
    return JSONResponse(told, headers={"cache-control": "no-store"})


ROUTES = [Route("/runs/news", news), Route("/runs/pixel", pixels)]
