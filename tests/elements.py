"""Elements and widgets of a page as Streamlit's messages describe them: what the state of each widget holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState


def _one(proto: Any) -> Any:
    """The option that a selectbox or radio begins with, or None."""
    if proto.set_value:
        return proto.raw_value if proto.HasField("raw_value") else None
    return proto.options[proto.default] if proto.HasField("default") and proto.options else None


def _group(proto: Any) -> list[str]:
    names = group_options(proto)
    return list(proto.raw_values) if proto.set_value else [names[index] for index in proto.default]


def group_options(proto: Any) -> list[str]:
    return [one.content if hasattr(one, "content") else str(one) for one in proto.options]


def _plain(proto: Any) -> Any:
    if proto.set_value:
        return proto.value
    optional = proto.DESCRIPTOR.fields_by_name["default"].has_presence
    return proto.default if not optional or proto.HasField("default") else None


# By element: the field of a widget's state, and what it holds before anybody touched it (None: nothing is sent).
STATES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "selectbox": ("string_value", _one),
    "radio": ("string_value", _one),
    "button_group": ("string_array_value", _group),
    "multiselect": ("string_array_value", _group),
    "number_input": ("double_value", _plain),
    "checkbox": ("bool_value", _plain),
    "text_input": ("string_value", _plain),
    "text_area": ("string_value", _plain),
    "slider": ("double_array_value", lambda proto: list(proto.value if proto.set_value else proto.default)),
    "button": ("trigger_value", lambda proto: None),
    "bidi_component": ("json_value", lambda proto: None),
    "expandable": ("bool_value", lambda proto: proto.expanded),
    "popover": ("bool_value", lambda proto: proto.open),
}


@dataclass
class Node:
    """An element or block of the page, where it stands and what drew it."""

    kind: str
    proto: Any
    run: str  # the run of the script that drew it last
    fragment: str  # "" outside of any
    script: str  # the file that drew it: the entry point's stays when the page changes

    @property
    def id(self) -> str:
        return getattr(self.proto, "id", "")

    @property
    def is_widget(self) -> bool:
        return self.kind in STATES and bool(self.id)

    @property
    def field(self) -> str:
        """Of the widget's state: a browser sends the whole numbers of a number's box as such."""
        whole = self.kind == "number_input" and self.proto.data_type == self.proto.INT
        return "int_value" if whole else STATES[self.kind][0]

    @property
    def key(self) -> str:
        """The widget's key, "" where it has none: ids are `$$ID-<hash>-<key>`."""
        key = self.id.split("-", 2)[-1]
        return "" if key == "None" else key

    @property
    def label(self) -> str:
        return str(getattr(self.proto, "label", ""))

    @property
    def options(self) -> list[str]:
        return group_options(self.proto) if hasattr(self.proto, "options") else []


def state_of(widget_id: str, name: str, value: Any) -> WidgetState:
    state = WidgetState(id=widget_id)
    if name.endswith("array_value"):
        getattr(state, name).SetInParent()
        getattr(state, name).data.extend(value)
    elif name == "string_trigger_value":
        state.string_trigger_value.data = value
    else:
        setattr(state, name, int(value) if name == "int_value" else value)
    return state
