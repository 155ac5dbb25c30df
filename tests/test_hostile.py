"""A browser that sends what no page offers: no page shows an exception, the session goes on, and nothing is begun."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime.state.common import WidgetMetadata
from streamlit.runtime.state.session_state import SessionState

from app import PAGES
from pages.shared import gate
from tests.browser.conftest import Server
from tests.elements import state_of
from tests.hostile import MARK, Stranger, attack, hostile_states, send, targets, wander
from tests.protocol import Visitor
from tests.waiting import wait_until
from vae_core.spec import RunSpec

SEED = 20
A_PAGE = 25  # hostile states of its widgets
ADDRESSES = 150
FORM = "dataset=digits&epochs=1&decoders=bernoulli&hidden=16&latent_dim=2"
ASKED = RunSpec(dataset="digits", epochs=1, likelihood="bernoulli", hidden=(16,), latent_dim=2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("home")).start()
    asyncio.run(arrive(server.url))
    yield server
    server.stop()


async def arrive(url: str) -> None:
    """A server's first visitor is sent on."""
    visitor = Visitor(url)
    await visitor.open()
    await visitor.close()


def begun(server: Server) -> list[RunSpec]:
    with sqlite3.connect(f"file:{server.home / 'runs.sqlite3'}?mode=ro", uri=True) as store:
        return [RunSpec.from_dict(json.loads(text)) for (text,) in store.execute("SELECT spec FROM runs")]


@pytest.mark.parametrize("address", ["" if page == "start" else page for page in PAGES] + ["latent?view=image"])
def test_a_value_that_a_control_cannot_hold_is_dropped(server: Server, address: str):
    page, _, query = address.partition("?")
    found = asyncio.run(attack(server.url, page, query, random.Random(f"{SEED} {address}"), wrong=1, most=A_PAGE))
    assert found.tried >= A_PAGE
    assert not found.excepted
    assert not found.broken
    assert not found.kept
    assert not begun(server)


def test_what_a_browser_sends_is_taken(server: Server):
    async def set_all() -> dict[str, Any]:
        visitor = Visitor(server.url)
        await visitor.open("compare", "guess=skip")
        await visitor.change(visitor.find("compare.k"), 7)  # a whole number
        await visitor.go("train")
        for key, value in {"train.beta": 2.5, "train.hidden": "16", "train.decoders": ["Bernoulli"]}.items():
            await visitor.change(visitor.find(key), value)
        address = visitor.query
        await visitor.go("compare")
        await visitor.close()
        return parse_qs(f"{address}&{visitor.query}")

    found = asyncio.run(set_all())
    assert {name: found[name] for name in ("k", "beta", "hidden", "decoders")} == {
        "k": ["7"],
        "beta": ["2.5"],
        "hidden": ["16"],
        "decoders": ["bernoulli"],
    }


def test_a_first_message_is_looked_at_too(server: Server):
    """Before the session knows any control, there is nothing to look at it with: each is, once it is drawn."""

    async def come_back(page: str) -> list[str]:
        visitor = Visitor(server.url)
        await visitor.open(page)
        dice = random.Random(SEED)
        states = [dice.choice(list(hostile_states(one, dice, 40))) for one in targets(visitor)]
        await visitor.close()
        stranger = Stranger(server.url, states)
        await stranger.open(page)
        await stranger.tick("")
        await stranger.close()
        return stranger.exceptions

    for page in ("one_image", "mse", "assumed", "linear", "compare", "train", "latent"):
        assert not asyncio.run(come_back(page)), page


def test_hostile_addresses(server: Server):
    tried, wrong = asyncio.run(wander(server.url, random.Random(SEED), ADDRESSES, visits=25))
    assert tried == ADDRESSES
    assert not wrong
    assert not begun(server)


def test_only_what_the_form_takes_is_trained(server: Server):
    refused: dict[str, list[Any]] = {
        "train.hidden": ["", "0", "100000", "1," * 40, MARK],
        "train.epochs": [1e9, -1.0, 0.0, float("nan")],
        "train.batch_size": [0.0, 1e308],
        "train.latent_dim": [1000.0, float("inf")],
        "train.dataset": [MARK],
    }

    async def press_all() -> None:
        visitor = Visitor(server.url)
        await visitor.open("train", FORM)
        for text in refused["train.hidden"]:
            await visitor.change(visitor.find("train.hidden"), text)
            button = visitor.find("Train")
            assert button.proto.disabled, text
            await visitor.change(button, True)
        await visitor.change(visitor.find("train.hidden"), "16")
        assert not begun(server)
        for name, field in (("bool_value", True), ("double_value", 1.0), ("json_trigger_value", "true")):
            await send(visitor, visitor.find("Train"), state_of(visitor.find("Train").id, name, field))
        assert not begun(server), "no press, but what only looks like one"
        for key, values in list(refused.items())[1:]:
            for value in values:
                widget = visitor.find(key)
                field = "string_value" if isinstance(value, str) else "double_value"
                assert not await send(visitor, widget, state_of(widget.id, field, value))
                visitor.values[widget.id] = field, value  # and it says so again, to the end
        await visitor.change(visitor.find("Train"), True)
        assert not visitor.exceptions
        await visitor.close()

    asyncio.run(press_all())
    wait_until(lambda: begun(server))
    assert begun(server) == [ASKED]


def test_what_is_wrong_with_the_control_itself_is_logged(monkeypatch: pytest.MonkeyPatch):
    logged: list[bool] = []
    monkeypatch.setattr(gate.LOGGER, "warning", lambda *_, exc_info: logged.append(exc_info))

    def kept(deserializer: Callable[[Any], Any], state: WidgetState) -> bool:
        session = SessionState()
        session._new_widget_state.set_widget_from_proto(state)
        gate._drop_unless_fit(session, WidgetMetadata("a", deserializer, lambda value: value, "double_value"))
        return "a" in session._new_widget_state.states

    assert kept(lambda value: value, WidgetState(id="a", double_value=2.0))
    assert not logged
    assert not kept(lambda value: value, WidgetState(id="a", string_value="2"))
    assert not kept(lambda value: value / 0, WidgetState(id="a", double_value=2.0))
    assert logged == [False, True], "with a traceback where it may be a bug of ours"
