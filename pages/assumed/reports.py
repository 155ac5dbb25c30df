"""Real reports to take a loss from: they open beside the form, so that what is taken is seen there at once."""

from __future__ import annotations

import streamlit as st

from pages.assumed.form import LABELS, LOSS_NAMES, RANGE_NAMES, SETTINGS, code_of
from pages.assumed.gallery import Report, reports
from pages.assumed.meaning import noise_words
from pages.shared.address import parse
from pages.shared.words import Parts

TAKEN = "assumed taken"  # of session state: what is told of a report, and the settings it brought


def take_a_report(words: Parts) -> None:
    """The button above the form, and behind it the reports."""
    if st.button("Take a loss from a real report", icon=":material/forum:"):
        _open(words)


@st.dialog("Real reports", width="large", icon=":material/forum:")
def _open(words: Parts) -> None:
    st.markdown(words["Real reports"])
    for report in reports():
        with st.container(border=True):
            st.markdown(f"**[{report.title}]({report.link})**\n\n{report.text}")
            st.caption(f"Here: {noise_words(code_of(settings_of(report)))}")
            key = f"report {report.title}"
            if st.button("Set the form to this", key=key, on_click=fill_in, args=(report,)):
                st.rerun()  # closes them


def settings_of(report: Report) -> dict[str, object]:
    values, _ = parse(SETTINGS.settings, report.address)
    return {name: values.get(name, setting.default) for name, setting in SETTINGS.settings.items()}


def fill_in(report: Report) -> None:
    values = settings_of(report)
    changed = {name: value for name, value in values.items() if value != SETTINGS[name]}
    for name, value in values.items():
        SETTINGS[name] = value
    shown = ", ".join(f"{LABELS[name]}: {_called(name, value)}" for name, value in changed.items())
    st.session_state[TAKEN] = f"The form has the loss of **{report.title}**. Changed: {shown or 'nothing'}.", values


def _called(name: str, value: object) -> str:
    named = {"loss": LOSS_NAMES, "pixel_range": RANGE_NAMES}.get(name, {})
    return named.get(str(value), f"{value:g}" if isinstance(value, float) else str(value))


def tell_report() -> None:
    """Above the form: which report it holds and what that changed, until something in it is changed again."""
    sentence, values = st.session_state.get(TAKEN, ("", {}))
    if sentence and all(SETTINGS[name] == value for name, value in values.items()):
        st.success(sentence, icon=":material/edit_note:")
