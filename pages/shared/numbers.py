"""Numbers as text."""

from __future__ import annotations

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def nats(value: float, places: int = 1) -> str:
    """A number of nats, or another with fixed decimals, with a true minus sign, and none before 0."""
    return f"{round(value, places) + 0.0:,.{places}f}".replace("-", "−")


def scientific(value: float, places: int) -> str:
    """6.1·10⁻⁵"""
    digits, power = f"{value:.{places}e}".split("e")
    return f"{digits}·10{str(int(power)).translate(RAISED)}".replace("-", "−")
