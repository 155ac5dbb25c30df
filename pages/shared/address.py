"""A page's settings in the address bar: a link sets them when the page is entered, then the widgets lead.

Streamlit's own URL binding drops a bad value silently and reads 2.5 as 2; here every part of a link is checked, and
each one refused is told while what was there stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from vae_core.errors import SpecError
from vae_core.values import Choice, Real, Rule, Whole, read, shown

MOST_REFUSED = 5
# In any page's address, and no setting of it: the place in the guided tour, and the heading that a link lands at.
TOUR, AT = "tour", "section"
MIRRORED = "mirrored"  # in session state: the page that was last drawn, and its settings
Address = dict[str, list[str]]


@dataclass(frozen=True)
class Setting:
    default: Any  # as the widget of this setting holds it
    read: Callable[[str, list[str]], Any]  # its name and the texts in the link -> the value; raises SpecError
    write: Callable[[Any], list[str]] = lambda value: [str(value)]
    rule: Any = None  # that the value keeps, for the widget to know
    unsaid: Any = None  # what a link that says other things leaves it at, where that is not the default

    @property
    def left_out(self) -> Any:
        return self.default if self.unsaid is None else self.unsaid


def ruled(rule: Rule, default: Any) -> Setting:
    """A setting with one value, which the link's last text names."""
    write = (lambda value: [f"{value:.10g}"]) if isinstance(rule, Real) else (lambda value: [str(value)])
    return Setting(default, lambda name, texts: read(rule, name, texts[-1]), write, rule)


def choice(options: Mapping[Any, str] | Sequence[Any], default: Any) -> Setting:
    return ruled(Choice(options), default)


def whole(low: int, high: int, default: int) -> Setting:
    return ruled(Whole(low, high), default)


def real(low: float, high: float, default: float) -> Setting:
    return ruled(Real(low, high), default)


def free_text(most: int = 200) -> Setting:
    """For a search box."""

    def read(name: str, texts: list[str]) -> str:
        if len(texts[-1]) > most:
            raise SpecError(name, f"{name} has {len(texts[-1])} characters; allowed: at most {most}.")
        return texts[-1]

    return Setting("", read)


class PageSettings:
    """What one page can be set to. Each lives in session state as `<page>.<name>`, the key of its widget."""

    def __init__(self, page: str, settings: Mapping[str, Setting], once: Mapping[str, str] | None = None):
        """`once`: what a link of an earlier app calls a setting, and what it is called now."""
        self.page, self.settings, self.once = page, settings, once or {}

    def __getitem__(self, name: str) -> Any:
        value = st.session_state[f"{self.page}.{name}"]
        return self.settings[name].default if value is None else value

    def __setitem__(self, name: str, value: Any) -> None:
        st.session_state[f"{self.page}.{name}"] = value

    def take(self, name: str, value: Any) -> None:
        """Set it to what a browser has sent, if that is a value of it: else it stays."""
        with suppress(SpecError):
            self[name] = self.settings[name].rule.check(name, value)

    def keep(self, name: str) -> dict[str, Any]:
        """For a widget: its key, and that its value outlives a visit to another page."""
        return {"key": f"{self.page}.{name}", "persist_state": "session"}

    def one_of(self, name: str, label: str, **how: Any) -> Any:
        """Draw a choice as a row of its options, by their names."""
        rule = self.settings[name].rule
        if st.session_state[f"{self.page}.{name}"] is None:  # only browsers keep to it that one option is pressed
            self[name] = self.settings[name].default
        how |= {"required": True, "wrap": True, **self.keep(name)}
        return st.segmented_control(label, list(rule.options), format_func=rule.called, **how)

    def number(self, name: str, label: str, **how: Any) -> Any:
        """Draw a number's box; its help ends with the range, whose end `high` may bring nearer."""
        rule = self.settings[name].rule
        high = how.pop("high", rule.high)
        allowed = f"{rule.low:.10g} to {high:.10g}.".replace("-", "−")
        help = f"{how.pop('help', '')} {allowed}".strip()
        usual = {"width": 150, "format": None if isinstance(rule, Whole) else "%g"}
        return st.number_input(label, rule.low, high, help=help, **usual | how, **self.keep(name))

    def follow(self, opened: Callable[[Address], Address] = lambda address: address) -> None:
        """Call first. Entering the page by a link sets what the link says (`opened` may rewrite it before) and
        brings the rest to its defaults; a part refused is told, and leaves that setting as it was."""
        state = st.session_state
        address = _address()
        entered, state["page"] = state.get("page") != self.page, self.page
        if entered and re.fullmatch(r"[\w-]+", anchor := st.query_params.get(AT, "")):
            state[AT] = anchor
        if entered and address:
            address = opened(address)
            values, state[f"{self.page} refused"] = parse(self.settings, address, self.once)
            said = {self.once.get(name, name) for name in address}
            for name, setting in self.settings.items():
                if name not in said:  # one that says nothing we know is no older app's
                    self[name] = setting.left_out if values else setting.default
            for name, value in values.items():
                self[name] = value
        for name, setting in self.settings.items():
            state.setdefault(f"{self.page}.{name}", setting.default)
        _warn(state.get(f"{self.page} refused", []))

    def mirror(self) -> None:
        """Call after the widgets: the address then says what they are set to. One that says so already, if in more
        words, stays: each rewriting is one more press of the browser's Back."""
        address = self.link(**{name: self[name] for name in self.settings})
        st.session_state[MIRRORED] = self.page, address
        if address != self._shortened(_address()) or AT in st.query_params:
            tour = st.query_params.get(TOUR)
            st.query_params.from_dict(address | ({TOUR: [tour]} if tour else {}))

    def link(self, **values: Any) -> Address:
        """The address of this page with these settings, the others at their defaults: bare where all are, else with
        whatever it would not mean left out."""
        values = {name: setting.default for name, setting in self.settings.items()} | values
        changed = [name for name, setting in self.settings.items() if values[name] != setting.default]
        needed = [name for name, setting in self.settings.items() if values[name] != setting.left_out]
        return (self._written(values, needed) or self._written(values, changed)) if changed else {}

    def _shortened(self, address: Address) -> Address | None:
        """As `link` would write it; None where a part is refused."""
        values, refused = parse(self.settings, address)
        unsaid = {name: setting.left_out if values else setting.default for name, setting in self.settings.items()}
        return None if refused else self.link(**unsaid | values)

    def _written(self, values: dict[str, Any], names: list[str]) -> Address:
        written = {name: self.settings[name].write(values[name]) for name in names}
        return {name: texts for name, texts in written.items() if texts}


def parse(
    settings: Mapping[str, Setting], address: Address, once: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The values that a link holds, and a sentence for each part of it that is refused, which names it as the link
    does. `once`: as PageSettings has it."""
    values: dict[str, Any] = {}
    refused: list[str] = []
    for name, texts in address.items():
        now = (once or {}).get(name, name)
        try:
            if now not in settings:
                raise SpecError(name, f"{shown(name)} is not a setting; allowed: {', '.join(settings) or 'none'}.")
            values[now] = settings[now].read(name, texts)
        except SpecError as error:
            refused.append(str(error))
    return values, refused


def plain(sentence: str) -> str:
    """A sentence whose Markdown is `values.shown` alone: all else of it is words."""
    code = r"(?P<code>(?<!`)(?P<fence>`+)(?!`).*?(?<!`)(?P=fence)(?!`))"
    return re.sub(code + r"|[\\`*\[\]<$~]", lambda found: found["code"] or "\\" + found[0], sentence)


def _address() -> Address:
    return {name: st.query_params.get_all(name) for name in st.query_params if name not in (TOUR, AT)}


def _warn(refused: list[str]) -> None:
    for sentence in refused[:MOST_REFUSED]:
        st.warning(f"From the link: {plain(sentence)} What it says there is left out.", icon=":material/link_off:")
    if len(refused) > MOST_REFUSED:
        st.warning(f"{len(refused) - MOST_REFUSED} more parts of the link are left out.", icon=":material/link_off:")
