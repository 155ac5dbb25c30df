"""Servers as processes, visited without a browser: how they begin, hang and are killed."""

from __future__ import annotations

import asyncio
import random
import re
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from pages.shared.ahead import MORE
from tests.benchmarks.bench_kills import KINDS, left_behind, soak_and_kill
from tests.browser.classroom import PAGES, Class, needs_haproxy
from tests.browser.conftest import Server
from tests.protocol import Visitor
from tests.runs.conftest import assert_ended_as_here, small
from tests.waiting import SECONDS, run_apart, wait_until
from vae_core.classroom import AHEAD
from vae_core.runs.store import Store


def answers(process: psutil.Process) -> bool:
    """A page process, at its own port."""
    try:
        url = f"http://127.0.0.1:{process.cmdline()[-1]}/_stcore/health"
        return urllib.request.urlopen(url, timeout=1).status == 200
    except (OSError, psutil.NoSuchProcess):
        return False


def test_runs_in_line_train_before_anybody_visits(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    run = store.queue(small(seed=60), "ann")
    server = Server(store.folder).start()
    try:
        wait_until(lambda: not store.run(run.id).active, how=lambda: str(store.run(run.id)))  # type: ignore[union-attr]
        assert_ended_as_here(store, run.spec)
    finally:
        server.stop()


def test_a_server_that_can_keep_no_runs_starts_and_tells_its_visitors(tmp_path: Path) -> None:
    async def errors() -> list[str]:
        visitor = Visitor(server.url)
        await visitor.open()
        await visitor.close()
        return [node.proto.body for node in visitor.nodes.values() if "Runs cannot be kept" in str(node.proto)]

    server = Server(tmp_path, {"VAE_HOME": "/dev/null/runs"}).start()
    try:
        wait_until(lambda: "Runs cannot be kept" in (tmp_path / "server.log").read_text())
        (error,) = run_apart(errors())
        assert "VAE_HOME" in error
    finally:
        server.stop()


def test_the_clock_of_a_start_ends_with_it_whatever_runs_first(tmp_path: Path) -> None:
    async def change_until_warm() -> tuple[bool, dict[str, float]]:
        visitor = Visitor(server.url)
        await visitor.open()
        await visitor.go("assumed")
        began = bool(visitor.clocks)
        visitor.hold_clocks()  # a control runs its section before the clock does
        deadline = time.monotonic() + SECONDS
        while any("warming up" in str(node.proto) for node in visitor.nodes.values()):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)  # else the workers come to nothing
            latents = visitor.find("assumed.latent_dim")
            await visitor.change(latents, visitor.value(latents) % 20 + 1)
        await visitor.close()
        return began, visitor.clocks

    server = Server(tmp_path).start()
    try:
        began, left = run_apart(change_until_warm())
    finally:
        server.stop()
    assert began
    assert not left


def test_the_form_of_train_is_drawn_once_whatever_becomes_of_runs_and_settings(server: Server) -> None:
    """(Thirty pages of a class hear of runs at one moment.)"""

    async def tell_and_change() -> None:
        visitor = Visitor(server.url)
        await visitor.open()
        await visitor.go("train", "dataset=digits&hidden=8&epochs=2")
        visitor.hold_clocks()
        drawn = lambda: {name: visitor.find(name).run for name in ("train.seed", "Train")}
        stage = lambda: visitor.stage() or pytest.fail("there is no stage")
        before, (first, given) = drawn(), stage()
        await visitor.tell(first, "moved", ["running", "", ""])
        after = drawn()
        assert after["train.seed"] == before["train.seed"]
        assert after["Train"] != before["Train"] and stage()[0].run != first.run
        for name, value, which in (("train.seed", 5, False), ("train.sigma", 0.5, True)):
            after, chosen, (_, given) = drawn(), visitor.find("train.decoders"), stage()
            await visitor.change(visitor.find(name), value)
            assert drawn()["train.seed"] == before["train.seed"]
            assert drawn()["Train"] != after["Train"] and stage()[1]["subject"] != given["subject"]
            assert (visitor.find("train.decoders").run != chosen.run) == which
        assert any("σ = 0.5" in option for option in visitor.find("train.decoders").options)
        assert visitor.exceptions == []
        await visitor.close()

    run_apart(tell_and_change())


def test_a_page_process_of_a_class_computes_ahead_what_the_first_would_wait_for(tmp_path: Path) -> None:
    slow = {"assumed.forecast.excess_error": 4, "mse.sigma_runs._summary": 5, "latent.new._usual": 6}

    def told() -> str:
        return urllib.request.urlopen(f"{server.url}/_stcore/metrics").read().decode()

    def computed() -> dict[str, int]:
        """Begun, more exactly: a miss counts before what is missed is there."""
        misses = dict(re.findall(r'cache_lookups_total{cache="pages.(.*?)".*result="miss"} (\d+)', told()))
        return {name: int(misses.get(name, 0)) for name in slow}

    async def look() -> None:
        for page, query in MORE:
            visitor = Visitor(server.url)
            await visitor.open(page, query)
            await visitor.close()

    server = Server(tmp_path, {AHEAD: "1"}).start()
    try:
        wait_until(lambda: computed() == slow, how=lambda: str(computed()))
        wait_until(lambda: "\nactive_sessions 0\n" in told(), how=told)  # the last of its visits has ended
        run_apart(look())
        assert computed() == slow
    finally:
        server.stop()


@needs_haproxy
def test_a_page_process_that_hangs_has_a_successor(classroom: Class) -> None:
    before = classroom.pages()
    wait_until(lambda: all(map(answers, before.values())))
    hung, other = (before[page] for page in PAGES)
    hung.suspend()
    after = wait_until(lambda: found if (found := classroom.pages()).get(PAGES[0], hung) != hung else None)
    wait_until(lambda: answers(after[PAGES[0]]), how=classroom.log)
    assert classroom.pages()[PAGES[1]] == other
    assert "does not answer at port" in classroom.log()


@needs_haproxy
def test_one_kill_of_each_kind_costs_time_and_nothing_else(classroom: Class) -> None:
    soak = soak_and_kill(classroom, random.Random(0).sample(KINDS, len(KINDS)), random.Random(0), 4.0)
    assert soak.seconds.keys() == {*KINDS}
    assert classroom.process is not None
    classroom.process.terminate()
    classroom.process.wait()
    wait_until(lambda: not left_behind(classroom.home), how=lambda: str(left_behind(classroom.home)))
