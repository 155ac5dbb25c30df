"""News of runs: whoever waits hears the next, in whatever thread it is told, and nothing told in between is lost."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable

import pytest

from tests.runs.stores import SPEC, found, progress
from tests.waiting import wait_until
from vae_core.runs.news import News
from vae_core.runs.store import Store

LONG = 100.0  # seconds that no test waits


def in_a_thread(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_it_counts_what_it_was_told() -> None:
    news = News()
    assert (news.version, news.last("a"), news.last("b")) == (0, 0, 0)
    for version, run in enumerate(("a", "b", "a"), 1):
        assert news.tell(run, version)
    assert not news.tell("a", 2)  # told before
    assert (news.version, news.last("a"), news.last("b")) == (3, 3, 2)


def test_one_thread_tells_and_all_who_wait_hear_it() -> None:
    """In two loops, as thirty pages may; and without a thread for each."""
    news = News()
    heard: list[int] = []

    async def wait() -> None:
        await news.wait(0, LONG)
        heard.append(news.version)

    async def thirty() -> None:
        await asyncio.gather(*(wait() for _ in range(30)))

    loops = [in_a_thread(lambda: asyncio.run(thirty())) for _ in range(2)]
    wait_until(lambda: len(news._waiting) == 60)
    assert threading.active_count() < 30
    news.tell("a", 1)
    for loop in loops:
        loop.join(60)
    assert heard == [1] * 60
    assert not news._waiting


def test_what_was_told_before_the_wait_is_not_missed() -> None:
    news = News()
    since = news.version
    news.tell("a", 1)
    asyncio.run(news.wait(since, LONG))
    asyncio.run(news.wait(since + 7, LONG))  # of a news of an earlier process: look again


def test_none_is_lost_to_one_who_looks_while_many_tell() -> None:
    news, tellers, each, count = News(), 4, 500, itertools.count(1)

    def tell() -> None:
        for _ in range(each):
            news.tell("a", next(count))

    threads = [threading.Thread(target=tell) for _ in range(tellers)]

    async def watch() -> None:
        for thread in threads:
            thread.start()
        seen = 0
        while (version := news.version) < tellers * each:
            assert version >= seen
            seen = version
            await asyncio.wait_for(news.wait(version, LONG), 60)

    asyncio.run(watch())
    for thread in threads:
        thread.join(60)
    assert news.last("a") == news.version == tellers * each


def test_without_news_the_wait_ends_in_time_and_leaves_nothing() -> None:
    news = News()
    asyncio.run(news.wait(0, 0.01))
    assert (news.version, news._waiting) == (0, set())


def test_who_gives_up_leaves_nothing() -> None:
    news = News()

    async def give_up() -> None:
        waiting = asyncio.create_task(news.wait(0, LONG))
        await asyncio.sleep(0)
        assert len(news._waiting) == 1
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(give_up())
    assert not news._waiting
    news.tell("a", 1)


def test_a_loop_that_has_gone_does_not_stop_the_others() -> None:
    news, gone = News(), asyncio.new_event_loop()
    left = gone.create_future()
    news._waiting.add(left)
    gone.close()

    async def wait() -> None:
        waiting = asyncio.create_task(news.wait(0, LONG))
        await asyncio.sleep(0)
        news.tell("a", 1)
        await asyncio.wait_for(waiting, 60)

    asyncio.run(wait())


def test_the_store_tells_of_every_change_once_it_can_be_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str, str, int]] = []

    def tell(run_id: str, version: int) -> None:
        run = found(store, SPEC)
        seen.append((run_id, run.status, run.message, run.step))

    monkeypatch.setattr(store.news, "tell", tell)
    store.queue(SPEC)
    store.set_message(SPEC.id, "Soon.")
    store.begin(SPEC.id, -1)
    store.add_snapshot(SPEC, progress(32))
    store.put_back_in_line(SPEC.id, "Lost.")
    store.finish(SPEC.id, "stopped", "Stopped.")
    assert seen == [
        (SPEC.id, "queued", "", 0),
        (SPEC.id, "queued", "Soon.", 0),
        (SPEC.id, "running", "Soon.", 0),
        (SPEC.id, "running", "Soon.", 32),
        (SPEC.id, "queued", "Lost.", 32),
        (SPEC.id, "stopped", "Stopped.", 32),
    ]
