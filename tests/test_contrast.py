"""How well words can be read: WCAG's contrast of every colour that words have with what they stand on, from 4.5."""

from __future__ import annotations

import re
import tomllib

import pytest

from pages.shared.figures import COLOURS, QUIET
from tests.pages.conftest import ROOT

THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
LEAST = 4.5  # WCAG 2.2, success criterion 1.4.3
LEAST_OF_LINES = 3.0  # 1.4.11
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


def mixed(colour: str, theme: dict[str, str], share: float) -> str:
    """A tint: this share of the colour on the theme's ground."""
    pairs = zip(channels(colour), channels(theme["backgroundColor"]))
    return "#" + "".join(f"{round(255 * (share * a + (1 - share) * b)):02x}" for a, b in pairs)


def tints(scheme: str) -> list[str]:
    """In which the latent page writes the digits of the ten classes."""
    script = (ROOT / "pages" / "latent" / "pack.js").read_text(encoding="utf-8")
    found = re.search(rf"{scheme}: \[(.*)\]", script)
    assert found
    return re.findall("#[0-9A-F]{6}", found[1])


def faded(css: str, theme: dict[str, str]) -> list[tuple[str, str, float]]:
    """The rules that colour or fade letters: which, their colour, and their opacity."""
    found = []
    for selectors, body in re.findall(r"([^{}]*)\{([^{}]*)\}", css):
        own: dict[str, str] = dict(re.findall(r"(?:^|;)\s*(color|fill|opacity):\s*([^;]+)", body))
        if "color" not in own and not re.search("text|caption|name|how|ends", selectors):
            continue
        colour = own.get("color", own.get("fill", "var(--st-text-color)"))
        if name := re.fullmatch(r"var\(--st-([a-z-]+)\)", colour):
            first, *rest = name[1].split("-")
            found.append(
                (selectors.strip(), theme[first + "".join(map(str.title, rest))], float(own.get("opacity", 1)))
            )
        else:
            assert colour in ("inherit", "currentColor", "transparent"), f"{selectors}: {colour}"
    return found


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
    if scheme == "light":  # on dark no colour serves both a pressed pill and a primary button's white letters
        for tint in (0.1, 0.2):  # chosen; chosen and below the pointer
            pairs[f"a pill of {tint:.0%}"] = (theme["primaryColor"], mixed(theme["primaryColor"], theme, tint), 1.0)
    for digit, colour in enumerate(tints(scheme)):
        pairs |= {f"{digit} on the pad": (colour, theme["secondaryBackgroundColor"], 1.0)}
        pairs |= {f"{digit} in the pad's key": (colour, theme["backgroundColor"], 1.0)}
    for path in sorted((ROOT / "pages").rglob("*.css")):
        for rule, letters, opacity in faded(path.read_text(encoding="utf-8"), theme):
            pairs[f"{path.name}: {rule}"] = (letters, theme["backgroundColor"], opacity)
    faint = {name: round(contrast(*pair), 2) for name, pair in pairs.items() if contrast(*pair) < LEAST}
    assert not faint


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_and_marks_can_be_seen(scheme: str) -> None:
    theme = THEME[scheme]
    seen = COLOURS | {"quiet": QUIET, "the focus and what is lit": theme["primaryColor"]}
    clear = {name: round(contrast(colour, theme["backgroundColor"]), 2) for name, colour in seen.items()}
    assert not {name: ratio for name, ratio in clear.items() if ratio < LEAST_OF_LINES}
    assert contrast(theme["primaryColor"], theme["secondaryBackgroundColor"]) >= LEAST_OF_LINES  # a box that is lit
