"""Servers as processes, visited without a browser: how they begin, hang and are killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.browser.conftest import Server
from tests.protocol import Visitor
from tests.runs.conftest import assert_ended_as_here, small
from tests.waiting import wait_until
from vae_core.runs.store import Store


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
        (error,) = asyncio.run(errors())
        assert "VAE_HOME" in error
    finally:
        server.stop()
