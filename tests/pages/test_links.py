"""Whatever a link says, every page opens, and each part that is no good is told."""

from __future__ import annotations

import re

import pytest

from tests.pages.conftest import ROOT

PAGES = sorted(path.parent.name for path in (ROOT / "pages").glob("*/page.py"))
BAD = ["", "nan", "1e999", "-1e9", "٣٣٣", "9" * 400, "[x](http://evil)", "\x00", "{}"]


def settings(sentence: str) -> list[str]:
    """The names that a link to a page may use, as the page itself lists them when asked for another."""
    listed = re.search(r"allowed: (.*)\. What", sentence)
    assert listed, sentence
    return listed[1].split(", ")


@pytest.mark.parametrize("name", PAGES)
def test_bad_links(open_page, name: str) -> None:
    unknown = open_page(name, nonsense="1")
    names = settings(unknown.warning[0].value.replace("\\", ""))
    for value in BAD:
        page = open_page(name, **dict.fromkeys(names, value))
        told = [warning.value for warning in page.warning]
        assert told or value == "", (name, value)  # nothing at all may be a choice
        assert not any("Traceback" in sentence for sentence in told)
