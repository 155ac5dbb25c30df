"""How well words can be read: WCAG's contrast of every colour that words have with what they stand on, from 4.5."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.pages.conftest import ROOT

THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
LEAST = 4.5  # WCAG 2.2, success criterion 1.4.3
CAPTION = 0.6  # the opacity at which Streamlit writes captions
WHITE = "#FFFFFF"


def channels(colour: str) -> list[float]:
    assert re.fullmatch("#[0-9A-Fa-f]{6}", colour), colour
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def luminance(colour: list[float]) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(letters: str, ground: str, opacity: float = 1.0) -> float:
    on = channels(ground)
    seen = [opacity * a + (1 - opacity) * b for a, b in zip(channels(letters), on)]
    low, high = sorted((luminance(seen), luminance(on)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", WHITE) == pytest.approx(21)
    assert contrast("#777777", WHITE) == pytest.approx(4.48, abs=0.005)  # the standard's own example of too little
    assert contrast("#000000", WHITE, opacity=0.0) == pytest.approx(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read(scheme: str) -> None:
    theme = THEME[scheme]
    pairs = {
        "white on a primary button": (WHITE, theme["primaryColor"], 1.0),
        "links": (theme["linkColor"], theme["backgroundColor"], 1.0),
        "code in a caption": (theme["codeTextColor"], theme["codeBackgroundColor"], CAPTION),
        "a caption": (theme["textColor"], theme["backgroundColor"], CAPTION),
        "a caption on a panel": (theme["textColor"], theme["secondaryBackgroundColor"], CAPTION),
    }
    for colour in ("blue", "violet", "orange", "gray"):
        badge = (theme[f"{colour}TextColor"], theme[f"{colour}BackgroundColor"], 1.0)
        pairs |= {f"a {colour} badge": badge, f"{colour} words": (badge[0], theme["backgroundColor"], 1.0)}
    faint = {name: round(contrast(*pair), 2) for name, pair in pairs.items() if contrast(*pair) < LEAST}
    assert not faint
