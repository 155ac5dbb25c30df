"""A visitor without a browser: Streamlit's own messages over its websocket, and what a page's browser does by itself.

It keeps the tree of a page's elements, sends what a widget was set to with the state of all others, moves from page to
page, keeps the clocks of fragments running, listens to the runs of a stage over HTTP, and fetches pictures once.

Long because it is one connection with one state: what is sent depends on all that was heard.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from tornado.httpclient import AsyncHTTPClient, HTTPError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.elements import STATES, Node, state_of

LONGEST = 60.0  # seconds until a rerun counts as lost
BREATH = 0.25  # between two answers to a stage, as feed.js
KEPT_MESSAGES = 2  # full runs that a large message is kept for without being used, as a browser's
AsyncHTTPClient.configure("tornado.simple_httpclient.SimpleAsyncHTTPClient", max_clients=10_000)


class Lost(Exception):
    """A rerun that nobody answered, or a connection that was closed."""


@dataclass
class Pending:
    """A rerun that was asked for, until the script that answers has finished."""

    fragment: str
    done: asyncio.Future[float]
    began: float = field(default_factory=time.perf_counter)
    started: bool = False


class Visitor:
    def __init__(self, url: str):
        self.url = url
        self.nodes: dict[tuple[int, ...], Node] = {}
        self.values: dict[str, tuple[str, Any]] = {}  # by widget id: the field of its state, and the value
        self.pages: dict[str, str] = {}  # page_script_hash by the page's path
        self.page_hash, self.main_hash, self.query = "", "", ""
        self.exceptions: list[str] = []
        self.received = 0  # bytes
        self.answers = 0  # of a stage
        self.reruns = 0  # scripts that finished, whoever asked
        self.statuses: list[str] = []  # of the runs of the page's stage, as its feed says
        self.cookies = ""  # none yet: those that come with the first page
        self._run = ""
        self._run_fragments: tuple[str, ...] = ()
        self._pending: Pending | None = None
        self._kept: dict[
            str, tuple[ForwardMsg, int]
        ] = {}  # large messages by hash, and the full run that used them last
        self._full_runs = 0
        self._clocks: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._clocks_seen: set[str] = set()
        self._feed: tuple[str, asyncio.Task[None]] | None = None
        self._pictures: set[str] = set()
        self._fetching: set[asyncio.Task[None]] = set()
        self._socket: ClientConnection
        self._reader: asyncio.Task[None] | None = None

    # What a person does ----------------------------------------------------------------------------------------------

    async def open(self, page: str = "", query: str = "") -> float:
        """Type an address; returns the seconds until its script has finished."""
        began = time.perf_counter()
        await self._take_cookies()
        address = self.url.replace("http", "ws", 1) + "/_stcore/stream"
        how = {"subprotocols": ["streamlit"], "origin": self.url, "max_size": None, "open_timeout": LONGEST}
        self._socket = await connect(address, additional_headers=self._headers, **how)  # type: ignore[arg-type]
        self._reader = asyncio.create_task(self._read())
        self.query = query
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.page_name = page
        await self._ask(message, "")
        return time.perf_counter() - began

    async def _take_cookies(self) -> None:
        """As a browser gets them, with the page itself: who this is, and behind a proxy which process has answered."""
        if not self.cookies:
            reply = await AsyncHTTPClient().fetch(self.url, headers={"accept": "text/html"}, request_timeout=LONGEST)
            told = [one.split(";")[0] for one in reply.headers.get_list("set-cookie")]
            self.cookies = "; ".join(told)

    @property
    def _headers(self) -> dict[str, str]:
        return {"cookie": self.cookies}

    async def go(self, page: str, query: str = "") -> float:
        """Press a page's name in the menu, or a link to it."""
        self.hold_clocks()
        self._clocks.clear()
        self.nodes = {path: node for path, node in self.nodes.items() if node.script == self.main_hash}
        self.query = query
        message = self._message("")
        message.rerun_script.page_script_hash = self.pages[page]
        return await self._ask(message, "")

    async def change(self, widget: Node, value: Any) -> float:
        """Set a widget as it would be by hand; returns the seconds until the script that answers has finished."""
        if widget.kind == "button":
            return await self.trigger(widget, state_of(widget.id, "trigger_value", True))
        self.values[widget.id] = (widget.field, value)
        return await self._ask(self._message(widget.fragment), widget.fragment)

    async def trigger(self, widget: Node, state: WidgetState) -> float:
        """Send what holds for one run only."""
        message = self._message(widget.fragment)
        message.rerun_script.widget_states.widgets.append(state)
        return await self._ask(message, widget.fragment)

    async def tell(self, component: Node, event: str, value: Any) -> float:
        """What a component's script does with setTriggerValue."""
        name = f"$$STREAMLIT_INTERNAL_KEY_{component.id}__events"
        told = json.dumps([{"event": event, "value": value}])
        return await self.trigger(component, state_of(name, "json_trigger_value", told))

    async def tick(self, fragment: str) -> float:
        """What a clock does, now."""
        return await self._ask(self._message(fragment, clock=True), fragment)

    async def close(self) -> None:
        tasks = [clock for _, clock in self._clocks.values()] + list(self._fetching)
        tasks += [self._feed[1]] if self._feed else []
        tasks += [self._reader] if self._reader else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._reader:
            await self._socket.close()

    # What is on the page ---------------------------------------------------------------------------------------------

    @property
    def page(self) -> str:
        return next((path for path, one in self.pages.items() if one == self.page_hash), "")

    def widgets(self, *kinds: str) -> list[Node]:
        return [node for node in self.nodes.values() if node.is_widget and (not kinds or node.kind in kinds)]

    def find(self, name: str) -> Node:
        """The widget with this key, or this label."""
        found = [one for one in self.widgets() if name in (one.key, one.label)]
        if not found:
            raise LookupError(
                f"no widget {name!r}; there are {sorted({one.key or one.label for one in self.widgets()})}"
            )
        return found[0]

    def value(self, widget: Node) -> Any:
        return self.values.get(widget.id, ("", None))[1]

    def text(self) -> str:
        return "\n".join(str(getattr(node.proto, "body", "")) for node in self.nodes.values())

    # Sending ---------------------------------------------------------------------------------------------------------

    def _message(self, fragment: str, clock: bool = False) -> BackMsg:
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_script_hash = self.query, self.page_hash
        asked.fragment_id, asked.is_auto_rerun = fragment, clock
        asked.cached_message_hashes.extend(self._kept)
        asked.context_info.timezone, asked.context_info.locale = "UTC", "en-US"
        shown = {node.id for node in self.nodes.values() if node.is_widget}
        asked.widget_states.SetInParent()
        for widget_id, (name, value) in self.values.items():
            if widget_id in shown and value is not None:
                asked.widget_states.widgets.append(state_of(widget_id, name, value))
        return message

    async def _ask(self, message: BackMsg, fragment: str) -> float:
        if self._pending and not self._pending.done.done():
            self._pending.done.cancel()
        mine = self._pending = Pending(fragment, asyncio.get_running_loop().create_future())
        mine.done.add_done_callback(lambda done: done.cancelled() or done.exception())  # or it would be logged
        try:
            await self._socket.send(message.SerializeToString())
            return await asyncio.wait_for(mine.done, LONGEST)
        except TimeoutError:
            raise Lost(f"a rerun of {self.page or 'a page'} was not answered in {LONGEST:g} s") from None
        except ConnectionClosed as error:
            raise Lost(f"the connection was closed: {error}") from None

    # Hearing ---------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            async for data in self._socket:
                assert isinstance(data, bytes)
                self.received += len(data)
                self._hear(ForwardMsg.FromString(data))
        finally:
            if self._pending and not self._pending.done.done():
                self._pending.done.set_exception(Lost("the server closed the connection"))

    def _hear(self, message: ForwardMsg) -> None:
        if message.ref_hash:
            kept = ForwardMsg()
            kept.CopyFrom(self._kept[message.ref_hash][0])
            kept.metadata.CopyFrom(message.metadata)
            self._kept[message.ref_hash] = (self._kept[message.ref_hash][0], self._full_runs)
            message = kept
        elif message.metadata.cacheable:
            self._kept[message.hash] = (message, self._full_runs)
        heard = {
            "new_session": self._begin,
            "delta": self._draw,
            "script_finished": self._finish,
            "navigation": self._navigate,
            "auto_rerun": self._wind,
            "stop_auto_rerun": self._unwind,
            "page_info_changed": self._address,
            "session_event": self._event,
        }.get(str(message.WhichOneof("type")))
        if heard:
            heard(message)

    def _begin(self, message: ForwardMsg) -> None:
        run = message.metadata.run
        self._run, self._run_fragments = run.script_run_id, tuple(run.fragment_ids)
        if not self._run_fragments:
            self._clocks_seen = set()
            self.page_hash, self.main_hash = message.new_session.page_script_hash, message.new_session.main_script_hash
        waiting, ran = self._pending, {*self._run_fragments}
        # A callback may have other fragments run than the one that the widget is in.
        if waiting and (not ran or waiting.fragment in ran or not ran <= self._clocks.keys()):
            waiting.started = True

    def _navigate(self, message: ForwardMsg) -> None:
        self.pages = {one.url_pathname: one.page_script_hash for one in message.navigation.app_pages}
        self.page_hash = message.navigation.page_script_hash

    def _address(self, message: ForwardMsg) -> None:
        self.query = message.page_info_changed.query_string

    def _event(self, message: ForwardMsg) -> None:
        if message.session_event.HasField("script_compilation_exception"):
            self._except(message.session_event.script_compilation_exception)

    def _except(self, proto: Any) -> None:
        self.exceptions.append(f"{self.page or '?'}: {proto.type}: {proto.message}"[:300])

    def _draw(self, message: ForwardMsg) -> None:
        delta, place = message.delta, tuple(message.metadata.delta_path)
        which = delta.WhichOneof("type")
        if which == "new_transient":
            return
        proto = delta.new_element if which == "new_element" else delta.add_block
        kind = str(proto.WhichOneof("type"))
        inner = getattr(proto, kind) if kind != "None" else proto
        node = Node(kind, inner, self._run, delta.fragment_id, message.metadata.active_script_hash)
        self.nodes[place] = node
        if kind == "exception":
            self._except(inner)
        if node.is_widget:
            first = STATES[kind][1]
            if node.id not in self.values or getattr(inner, "set_value", False):
                self.values[node.id] = (node.field, first(inner))
        if kind == "bidi_component" and (networks := re.search(r'"address": ?"(runs/[^"]+)"', inner.json)):
            self._fetch(f"/{networks[1]}")
        if kind == "imgs":
            for picture in inner.imgs:
                self._fetch(picture.url)

    def _finish(self, message: ForwardMsg) -> None:
        if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            return
        self.reruns += 1
        of = self._run_fragments
        again = {place for place, node in self.nodes.items() if node.run == self._run and node.fragment in of}
        within = lambda place: any(place[:length] in again for length in range(1, len(place)))  # nested fragments too
        stale = lambda place, node: node.run != self._run and (not of or within(place))
        self.nodes = {place: node for place, node in self.nodes.items() if not stale(place, node)}
        if not of:
            self._full_runs += 1
            kept = self._kept.items()
            self._kept = {name: one for name, one in kept if self._full_runs - one[1] <= KEPT_MESSAGES}
            for fragment in [one for one in self._clocks if one not in self._clocks_seen]:
                self._clocks.pop(fragment)[1].cancel()
        self._listen()
        if self._pending and self._pending.started and not self._pending.done.done():
            self._pending.done.set_result(time.perf_counter() - self._pending.began)

    # What a browser does by itself -----------------------------------------------------------------------------------

    def _wind(self, message: ForwardMsg) -> None:
        fragment, interval = message.auto_rerun.fragment_id, message.auto_rerun.interval
        self._clocks_seen.add(fragment)
        if fragment in self._clocks:
            if self._clocks[fragment][0] == interval:
                return
            self._clocks.pop(fragment)[1].cancel()
        self._clocks[fragment] = (interval, asyncio.create_task(self._tick(fragment, interval)))

    def _unwind(self, message: ForwardMsg) -> None:
        for fragment in message.stop_auto_rerun.fragment_ids:
            if fragment in self._clocks:
                self._clocks.pop(fragment)[1].cancel()

    async def _tick(self, fragment: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self._socket.send(self._message(fragment, clock=True).SerializeToString())

    def hold_clocks(self) -> None:
        """They are wound, and stand still from now on."""
        for _, clock in self._clocks.values():
            clock.cancel()

    @property
    def clocks(self) -> dict[str, float]:
        """The seconds between two runs of each fragment that runs by a clock."""
        return {fragment: interval for fragment, (interval, _) in self._clocks.items()}

    def _fetch(self, address: str) -> None:
        if address.startswith(("/media/", "/runs/")) and address not in self._pictures:
            self._pictures.add(address)
            task = asyncio.create_task(self._get_picture(address))
            self._fetching.add(task)
            task.add_done_callback(self._fetching.discard)

    async def _get_picture(self, address: str) -> None:
        try:
            await AsyncHTTPClient().fetch(self.url + address, headers=self._headers, request_timeout=LONGEST)
        except (HTTPError, OSError) as error:
            self.exceptions.append(f"{self.page}: picture {address}: {error}")

    def stage(self) -> tuple[Node, dict[str, Any]] | None:
        """The page's stage and what it was given, if it has one."""
        for node in self.nodes.values():
            if node.kind == "bidi_component" and '"total_steps"' in node.proto.json and '"lanes"' in node.proto.json:
                return node, json.loads(node.proto.json)
        return None

    def _listen(self) -> None:
        """One feed, for the stage that is shown now."""
        shown = self.stage()
        subject = shown[1]["subject"] if shown else ""
        if self._feed and self._feed[0] != subject:
            self._feed[1].cancel()
            self._feed = None
        if shown and not self._feed:
            self.statuses = []
            runs = [lane["run"] for lane in shown[1]["lanes"]]
            self._feed = (subject, asyncio.create_task(self._feed_stage(runs)))

    async def _feed_stage(self, runs: list[str]) -> None:
        """As feed.js and stage.js: ask for news, and tell the page when a run's status is another than it knows."""
        steps, version, told = dict.fromkeys(runs, -1), -1, ""
        while True:
            asked = [("run", f"{run}:{step}") for run, step in steps.items()]
            try:
                query = urlencode([*asked, ("since", version)])
                address = f"{self.url}/runs/news?{query}"
                reply = await AsyncHTTPClient().fetch(address, headers=self._headers, request_timeout=LONGEST)
            except (HTTPError, OSError):
                await asyncio.sleep(1)
                continue
            self.answers += 1
            self.received += len(reply.body)
            version = int(reply.headers["x-version"])
            length = struct.unpack("<I", reply.body[:4])[0]
            heard = json.loads(reply.body[4 : 4 + length])["runs"]
            for run, news in heard.items():
                steps[run] = max([steps[run], *(one["step"] for one in news["snapshots"])])
            self.statuses = [heard[run]["status"] if run in heard else "" for run in runs]
            shown = self.stage()
            if shown and self.statuses != shown[1]["statuses"] and ",".join(self.statuses) != told:
                told = ",".join(self.statuses)
                name = f"$$STREAMLIT_INTERNAL_KEY_{shown[0].id}__events"
                message = self._message(shown[0].fragment)
                event = json.dumps([{"event": "moved", "value": self.statuses}])
                message.rerun_script.widget_states.widgets.append(state_of(name, "json_trigger_value", event))
                await self._socket.send(message.SerializeToString())
            if any(step >= 0 for step in steps.values()):
                await asyncio.sleep(BREATH)
