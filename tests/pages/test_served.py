"""What widgets fetch by its digest."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from starlette.requests import Request
from starlette.responses import Response

from pages.shared import served


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_SERVED", {})


def get(address: str) -> Response:
    return asyncio.run(served.networks(Request({"type": "http", "path_params": {"digest": address.split("/")[-1]}})))


def offered(data: bytes) -> str:
    return served.offer(hashlib.sha256(data).hexdigest(), data)


def test_the_newest_are_there_and_the_oldest_go() -> None:
    addresses = [offered(bytes([number]) * 1000) for number in range(served.MOST)]
    answer = get(addresses[0])
    assert answer.body == bytes(1000)
    assert "immutable" in answer.headers["cache-control"]
    offered(bytes(1000))  # again: the newest now
    offered(b"one more")
    assert get(addresses[0]).status_code == 200
    assert get(addresses[1]).status_code == 404
    assert [get(address).status_code for address in addresses[2:]] == [200] * (served.MOST - 2)


@pytest.mark.parametrize("digest", ["0" * 64, "..", "x" * 64, "0" * 63, "\x00"])
def test_others_are_not_there(digest: str) -> None:
    assert get(digest).status_code == 404
