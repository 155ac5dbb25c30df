"""The engine at an address where no scheduler answers."""

from __future__ import annotations

import http.server
import socket
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.runs.conftest import small
from tests.runs.engines import NOBODY, app, get, is_sentence
from tests.waiting import wait_until
from vae_core.runs import connection, engine as engine_module
from vae_core.runs.engine import Engine
from vae_core.runs.store import Store


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (NOBODY, "refused"),
        ("127.0.0.1:1", "refused"),
        ("localhost", "missing port"),
        ("localhost:abc", "abc"),
        ("tcp://127.0.0.1:99999", ""),
        ("127.0.0.1:", ""),
        ("nonsense", ""),
        ("http://127.0.0.1:1", ""),
        ("tcp://", ""),
        ("tls://", "missing port"),
        ("tls://127.0.0.1:1", ""),  # and no certificates configured
        ("tcp://192.0.2.1:8786", "not encrypted"),
        ("192.0.2.1:8786", "not encrypted"),
        ("tcp://localhost:1@192.0.2.1:8786", "not encrypted"),
        ("inproc://192.0.2.1/1/1", "not encrypted"),
    ],
)
def test_an_address_that_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, why: str) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.2)
    with app(tmp_path, address) as engine:
        wait_until(lambda: engine.state == "unreachable" and engine.problem)
        assert address in engine.problem
        assert why in engine.problem
        assert "DASK_SCHEDULER_ADDRESS" in engine.problem
        assert is_sentence(engine.problem)
        run = engine.submit(small(epochs=1))
        assert run.status == "queued"
        engine.stop(run.id)
        assert get(engine, run).status == "stopped"


def test_trying_again_for_hours_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is started before its scheduler must not run out of threads and files meanwhile."""
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.02)
    monkeypatch.setattr(engine_module, "RETRY_SECONDS", 0.01)
    tries = 0

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return super().wait(0.01)

    class Hasty(Engine):
        def _keep_connected(self) -> None:
            self._closing = Impatient()  # the pauses between tries grow
            super()._keep_connected()

    def counted(self: connection.Connection, error: Exception) -> str:
        nonlocal tries
        tries += 1
        return explain(self, error)

    explain = connection.Connection.explain
    monkeypatch.setattr(connection.Connection, "explain", counted)
    engine = Hasty(Store(tmp_path), NOBODY)
    try:
        wait_until(lambda: tries >= 3)
        threads, files = threading.active_count(), psutil.Process().num_fds()
        wait_until(lambda: tries >= 33)
        assert threading.active_count() <= threads + 10
        assert psutil.Process().num_fds() <= files + 20
    finally:
        engine.close()


def test_an_address_that_is_refused_is_not_even_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent to a scheduler is run there: not over a line that others can read and write."""
    called: list[Any] = []

    def connect(self: Any, address: tuple[str, int]) -> int:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(engine_module, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    with app(tmp_path, "tcp://192.0.2.1:8786") as engine:
        wait_until(lambda: engine.state == "unreachable")
    assert called == []
    with app(tmp_path, NOBODY) as engine:
        wait_until(lambda: engine.state == "unreachable")
    assert set(called) == {("127.0.0.1", 1)}


@pytest.mark.parametrize("kind", ["a web server", "silence"])
def test_something_else_than_a_scheduler_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Dask's dashboard, say, whose port is one further."""
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.2)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        if kind == "a web server":
            threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with app(tmp_path, f"127.0.0.1:{server.server_port}") as engine:
                wait_until(lambda: engine.state == "unreachable")
                assert f"127.0.0.1:{server.server_port}" in engine.problem
                assert is_sentence(engine.problem)
        finally:
            if kind == "a web server":
                server.shutdown()
