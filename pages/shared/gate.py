"""What a browser says its controls are set to, looked at before any page reads it.

Streamlit trusts it: a text for a number, or a message that is no JSON, raises inside whatever first reads it, and again
at every later run, as it is kept. There is no public place to look at it before, so two methods of Streamlit's session
state are wrapped here, and nowhere else: the one that takes a browser's message, before any callback, and the one that
registers a control, for what a browser has said of it before this session knew it. What a control cannot hold counts as
never said: the control stays as it was. An honest browser sends none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from streamlit.elements.widgets.number_input import NumberInputSerde
from streamlit.elements.widgets.radio import RadioSerde
from streamlit.elements.widgets.selectbox import SelectboxSerde
from streamlit.logger import get_logger
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.state.common import WidgetMetadata, unpack_widget_state_value
from streamlit.runtime.state.session_state import Serialized, SessionState

ALSO = {"double_value": "int_value"}  # what a browser sends of a box for whole numbers
LOGGER = get_logger(__name__)


class Unfit(Exception):
    """What a browser sent of a control is nothing that the control can hold."""


def guard() -> None:
    """Call once, before the first visit."""
    SessionState.set_widgets_from_proto = _taking(SessionState.set_widgets_from_proto)  # type: ignore
    SessionState.register_widget = _registering(SessionState.register_widget)  # type: ignore


def _taking(take: Callable[[SessionState, WidgetStates], None]) -> Callable[[SessionState, WidgetStates], None]:
    @wraps(take)
    def checked(self: SessionState, states: WidgetStates) -> None:
        take(self, states)
        known = self._new_widget_state.widget_metadata
        for state in states.widgets:
            if state.id in known:
                _drop_unless_fit(self, known[state.id])

    return checked


def _registering(register: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(register)
    def checked(self: SessionState, metadata: WidgetMetadata[Any], user_key: str | None) -> Any:
        _drop_unless_fit(self, metadata)
        return register(self, metadata, user_key)

    return checked


def _drop_unless_fit(session: SessionState, widget: WidgetMetadata[Any]) -> None:
    states = session._new_widget_state.states
    kept = states.get(widget.id)
    if not isinstance(kept, Serialized):  # it was looked at already
        return
    kind = kept.value.WhichOneof("value")
    try:
        if kind not in (None, widget.value_type, ALSO.get(widget.value_type)):
            raise Unfit(f"it holds {widget.value_type}")
        said = unpack_widget_state_value(kept.value)
        if said is not None:
            _check(said, getattr(widget.deserializer, "__self__", None))
        widget.deserializer(said)
    except Exception as error:
        del states[widget.id]
        trace = not isinstance(error, Unfit)  # the control's own code may be what is wrong
        LOGGER.warning("A browser sent %s to %.200s, which is dropped: %.200s", kind, widget.id, error, exc_info=trace)


def _check(said: Any, control: object) -> None:
    """What Streamlit leaves to the browser. Raises Unfit."""
    if isinstance(control, SelectboxSerde | RadioSerde) and said not in control.formatted_options:
        raise Unfit("it has no such option")  # else the page would get the text, as if it were one
    if isinstance(control, NumberInputSerde) and not control.min_value <= said <= control.max_value:
        raise Unfit(f"it holds {control.min_value} to {control.max_value}")  # else it would be at its least
