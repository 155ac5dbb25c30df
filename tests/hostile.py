"""A client that speaks Streamlit's protocol and means no good: states that no browser would send, for any widget, and
addresses that no page would write."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from tests.elements import STATES, Node, state_of
from tests.protocol import Lost, Visitor

MARK = "h0stile"  # in every text, so that it is found again wherever it stays
LONG = MARK * 20_000
NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
NUMBERS = (*NOT_FINITE, 1e308, -1e308, 1e18, 1e9, -1.0, 0.5, -0.0)
TEXTS = (MARK, "", LONG, f"\x00\u202e{MARK}\ud7ff\U0001f4a3", f"['{MARK}']", "NaN", "1e999", f"</script><b>{MARK}")
JSON = (
    f"{{{MARK}",  # no JSON
    "[" * 100_000,  # too deep to read
    *("null", "true", "-1", "NaN", "Infinity", "[]", "{}", "[[]]", f'"{MARK}"', "1" * 5_000),
)
# What a component's own event may hold in place of what its script sends.
SHAPES: tuple[Any, ...] = (
    *(None, True, -1, 10**30, 2.5, 1e308, float("nan"), MARK, LONG, [], {}, [None] * 5_000, [[MARK]]),
    {"axes": [0], "z": [float("nan")], "image": 1e999},
    {"axes": [0, 1], "z": [MARK, None], "image": MARK},
    {"axes": [10**9, -1], "z": [1e308, 0.0], "image": -5},
    {"axes": 1, "z": 2, "image": None},
    {"axes": [0], "z": [0.5]},
    {"sigma": float("nan"), "draw": 10**9},
    {"sigma": MARK, "draw": MARK},
    {"sigma": -1.0, "draw": -1},
    {"sigma": [1], "draw": None},
    {"decoder": MARK, "a": MARK, "x": float("inf"), "levels": -1, "at": 10**9},
    {"decoder": [], "a": [], "x": {}, "levels": 2.5, "at": None, "log_var": 1e308},
    {"values": MARK, "at": MARK},
)
SELECTIONS = (
    '{"selection": null}',
    '{"selection": {"rows": [-1, 1000000000000, "a", null, 1.5]}}',
    '{"selection": {"rows": {"0": 1}, "columns": 5, "cells": [[1]]}}',
    '{"selection": {"points": [{}], "box": 1, "lasso": "x"}}',
    f'{{"{MARK}": 1}}',
)
# (the trigger of a button is what an honest press sends, and a press may train)
ANY: list[tuple[str, Any]] = [
    ("bool_value", True),
    *(("double_value", value) for value in NUMBERS),
    *(("int_value", value) for value in (0, -1, 2**63 - 1, -(2**63))),
    *(("string_value", value) for value in (*TEXTS, *SELECTIONS)),
    *(("bytes_value", value) for value in (b"", b"\xff\xfe\x00", b"x" * 100_000)),
    *(("string_array_value", value) for value in ([], [""], [MARK], [MARK] * 5_000, [LONG])),
    *(("double_array_value", value) for value in ([], [float("nan")], [1e308], [0.1] * 5_000, [1.0, 2.0, 3.0])),
    *(("int_array_value", value) for value in ([], [-1], [10**15], [0] * 5_000)),
    *(("json_value", value) for value in (*JSON, *SELECTIONS)),
    *(("json_trigger_value", value) for value in JSON),
    ("string_trigger_value", MARK),
    ("file_uploader_state_value", None),
    ("chat_input_value", None),
    ("arrow_value", None),
]


def hostile_state(widget_id: str, name: str, value: Any) -> WidgetState:
    if value is None:
        state = WidgetState(id=widget_id)
        getattr(state, name).SetInParent()
        return state
    return state_of(widget_id, name, value)


def hostile_states(widget: Node, dice: random.Random, wrong: int) -> Iterator[WidgetState]:
    """All that is hostile in the right field of its state, and `wrong` of what is in wrong ones."""
    own = widget.field if widget.kind in STATES else "string_value"
    elsewhere = [one for one in ANY if one[0] != own]
    chosen = [one for one in ANY if one[0] == own] + dice.sample(elsewhere, min(wrong, len(elsewhere)))
    for name, value in chosen:
        yield hostile_state(widget.id, name, value)
    options = widget.options
    if own == "string_array_value" and options:
        yield state_of(widget.id, own, options * 50)
        yield state_of(widget.id, own, [options[0], MARK])
    if widget.kind == "bidi_component":
        yield from _events(widget)


def _events(component: Node) -> Iterator[WidgetState]:
    aggregator = f"$$STREAMLIT_INTERNAL_KEY_{component.id}__events"
    names = ("moved", "bits", "released", "pixel", "at", "image")
    for shape in SHAPES:
        yield state_of(component.id, "json_value", json.dumps(dict.fromkeys(names, shape)))
        events = [{"event": name, "value": shape} for name in names]
        yield state_of(aggregator, "json_trigger_value", json.dumps(events))
    for name, value in (*(("json_trigger_value", one) for one in JSON), ("bool_value", True), ("double_value", 1e308)):
        yield state_of(aggregator, name, value)
    yield state_of(aggregator, "json_trigger_value", json.dumps([{"event": [MARK]}, 5, None, {"value": 1}] * 100))


class Stranger(Visitor):
    """Whose first message says already what controls are set to, as that of a browser that comes back does."""

    def __init__(self, url: str, states: list[WidgetState]):
        super().__init__(url)
        self.first = states

    async def _ask(self, message: BackMsg, fragment: str) -> float:
        message.rerun_script.widget_states.widgets.extend(self.first)
        self.first = []
        return await super()._ask(message, fragment)


# Sending them -------------------------------------------------------------------------------------------------------


@dataclass
class Found:
    tried: int = 0
    excepted: list[str] = field(default_factory=list)  # what was sent, and the exception that the page showed
    broken: list[str] = field(default_factory=list)  # what was sent, and what an honest change was answered with
    kept: list[str] = field(default_factory=list)  # what was sent, where the page shows it after an honest change


def targets(visitor: Visitor) -> list[Node]:
    """Whatever on the page has a state."""
    return [node for node in visitor.nodes.values() if node.id.startswith("$$ID")]


def told(state: WidgetState, widget: Node) -> str:
    value = str(state).split("\n", 1)[-1].replace("\n", " ")
    return f"{widget.kind} {widget.key or widget.label or '?'}: {value[:90]}"


async def send(visitor: Visitor, widget: Node, state: WidgetState) -> list[str]:
    """One hostile state among the honest ones of the page's other widgets; the exceptions that the page then shows."""
    before = len(visitor.exceptions)
    message = visitor._message(widget.fragment)
    honest = [one for one in message.rerun_script.widget_states.widgets if one.id != state.id]
    del message.rerun_script.widget_states.widgets[:]
    message.rerun_script.widget_states.widgets.extend([*honest, state])
    await visitor._ask(message, widget.fragment)
    return visitor.exceptions[before:]


async def try_on(visitor: Visitor, widget: Node, state: WidgetState, found: Found) -> bool:
    """Send it, then change nothing honestly; False where the session did not survive it."""
    found.tried += 1
    what = f"{visitor.page or 'start'}: {told(state, widget)}"
    try:
        if exceptions := await send(visitor, widget, state):
            found.excepted.append(f"{what} -> {exceptions[0]}")
        before = len(visitor.exceptions)
        await visitor.tick("")  # the whole page, with every widget as it stood
        if visitor.exceptions[before:]:
            found.broken.append(f"{what} -> {visitor.exceptions[before]}")
            return False
    except (Lost, TimeoutError) as error:
        found.broken.append(f"{what} -> {error}")
        return False
    shown = b"\n".join(node.proto.SerializeToString() for node in visitor.nodes.values())
    if MARK.encode() in shown or MARK in visitor.query:
        found.kept.append(what)
    return True


async def attack(url: str, page: str, query: str, dice: random.Random, wrong: int, most: int = 10**9) -> Found:
    """Each widget of a page, as often as there are hostile states, or a sample of `most` of all these; and every choice
    with nothing chosen, and with too much."""
    found, visitor = Found(), Visitor(url)
    await visitor.open(page, query)
    before = visitor.exceptions[:]
    assert not before, before
    todo = [(one, state) for one in targets(visitor) for state in hostile_states(one, dice, wrong)]
    groups = [one for one in targets(visitor) if one.kind in ("button_group", "multiselect")]
    sure = [(one, state_of(one.id, "string_array_value", words)) for one in groups for words in ([], one.options * 50)]
    for widget, state in sure + dice.sample(todo, min(most, len(todo))):
        survived = await try_on(visitor, widget, state, found)
        if not survived or visitor.page != page:  # what counts as a press may lead elsewhere
            await visitor.close()
            visitor = Visitor(url)
            await visitor.open(page, query)
    await visitor.close()
    return found


# Addresses ----------------------------------------------------------------------------------------------------------

GARBAGE = (
    *("", "nan", "inf", "-inf", "1e999", "-1", "0", "1.5", "10000000000000000000000", "9" * 5_000, "0x10", "１２", "٣"),
    *("None", "null", "[]", "{}", "[" * 2_000, '{"dataset": []}', '{"likelihood": NaN}', "true", "../../etc/passwd"),
    *("\x00", "\x1b[31m", "\u202eabc", "\ufeff", "\U0001f4a3", "e\u0301" * 50, "a,b,c", "400,", ",", "1:2,3:4,image:9"),
    *("0123456789abcdef", "<script>alert(1)</script>", "$x$", "`a`", "' OR 1=1 --", "x" * 8_000, "%s%n", "{0}", "\r\n"),
)
PERCENT = ("%", "%zz", "%00", "%ff%fe", "%c0%80", "%ed%a0%80", "&&&", "=", "a=b=c", ";", "#", "+", "%26%3d", "?")
NAMES = ("", "no_such", "run", "spec", "tour", "section", "page", "\x00", "ü", "x" * 300, "embed", "embed_options", "_")


async def known_names(visitor: Visitor, page: str) -> list[str]:
    """What the page says its settings are called, when it is asked for another."""
    await visitor.go(page, "no_such=1")
    found = re.search(r"is not a setting; allowed: ([\w, \\\\]+)", visitor.text())
    return [*(found[1].replace("\\\\", "").split(", ") if found else []), "tour", "section"]


async def wander(url: str, dice: random.Random, addresses: int, visits: int) -> tuple[int, list[str]]:
    """Visitors who go from page to page by hostile addresses, `visits` each; how many, and the exceptions shown."""
    tried, wrong = 0, []
    names: dict[str, list[str]] = {}
    while tried < addresses:
        visitor = Visitor(url)
        await visitor.open("")
        for page in () if names else reversed(visitor.pages):  # it is on the first
            names[page] = await known_names(visitor, page)
        for _ in range(min(visits, addresses - tried)):
            page = dice.choice([one for one in visitor.pages if one != visitor.page])
            query = hostile_query(dice, names[page])
            before = len(visitor.exceptions)
            try:
                await visitor.go(page, query)
            except Lost as error:
                wrong.append(f"{page}?{query[:300]} -> {error}")
                break
            finally:
                tried += 1
            wrong += [f"{page}?{query[:300]} -> {one}" for one in visitor.exceptions[before:]]
        await visitor.close()
    return tried, wrong


def hostile_query(dice: random.Random, known: list[str]) -> str:
    """A query string with names that the page knows and others, and values of every kind."""
    parts = []
    for _ in range(dice.randint(1, 6)):
        name = dice.choice(known) if known and dice.random() < 0.75 else dice.choice(NAMES)
        values = [dice.choice(GARBAGE) for _ in range(dice.choice([1, 1, 1, 2, 20]))]
        for value in values:
            value = value if dice.random() < 0.8 else "".join(chr(dice.randint(1, 0x2FFF)) for _ in range(20))
            parts.append(f"{quote_plus(name)}={quote(value)}" if dice.random() < 0.9 else dice.choice(PERCENT))
    return "&".join(parts)
