"""What a setting may be: a rule that checks a value or a text, and refuses it in one sentence."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vae_core.errors import SpecError


class Rule(Protocol):
    """`check` and `read` raise SpecError, whose sentence names the setting, says what it was and what is allowed."""

    @property
    def allowed(self) -> str: ...
    def check(self, name: str, value: Any) -> Any: ...  # the value as it is kept
    def read(self, name: str, text: str) -> Any: ...  # from a word typed or in a link


@dataclass(frozen=True)
class Whole:
    low: int
    high: int

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def check(self, name: str, value: Any) -> int:
        try:
            whole = self.low - 1 if isinstance(value, bool) else operator.index(value)
        except TypeError:
            whole = self.low - 1
        if not self.low <= whole <= self.high:
            raise refusal(name, value, self)
        return whole

    def read(self, name: str, text: str) -> int:
        return self.check(name, int(text) if is_whole(text) else text)


@dataclass(frozen=True)
class Real:
    low: float
    high: float

    @property
    def allowed(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"

    def check(self, name: str, value: Any) -> float:
        try:
            real = math.nan if isinstance(value, bool | str) else float(value)
        except (TypeError, ValueError, OverflowError):
            real = math.nan
        if not self.low <= real <= self.high:  # also false for NaN
            raise refusal(name, value, self)
        return real + 0.0  # -0.0 and 0.0 are one value

    def read(self, name: str, text: str) -> float:
        try:
            value: Any = int(text) if is_whole(text) else float(text)  # either is shown as it was written
        except ValueError:
            value = text
        return self.check(name, value)

    def nearest(self, value: float) -> float:
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Choice:
    options: Mapping[Any, str] | Sequence[Any]  # with what each is called, where its own name is not enough

    @property
    def allowed(self) -> str:
        return ", ".join(map(str, self.options))

    def called(self, option: Any) -> str:
        return self.options[option] if isinstance(self.options, Mapping) else str(option)

    def check(self, name: str, value: Any) -> Any:
        if value not in list(self.options):
            raise refusal(name, value, self)
        return value

    def read(self, name: str, text: str) -> Any:
        return self.check(name, next((option for option in self.options if text == str(option)), text))


@dataclass(frozen=True)
class Layers:
    """Sizes of a network's layers: a tuple of whole numbers; as text, with commas between."""

    most: int
    size: Whole

    @property
    def allowed(self) -> str:
        return f"1 to {self.most} layer sizes, each {self.size.allowed}"

    def check(self, name: str, value: Any) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= self.most:
            raise refusal(name, value, self)
        try:
            return tuple(self.size.check(name, size) for size in value)
        except SpecError:
            raise refusal(name, value, self) from None

    def read(self, name: str, text: str) -> tuple[int, ...]:
        sizes = [part.strip() for part in text.split(",")]
        return self.check(name, [int(size) for size in sizes] if all(map(is_whole, sizes)) else text)


def is_whole(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]{1,20}", text) is not None


def refusal(name: str, value: Any, rule: Rule) -> SpecError:
    return SpecError(name, f"{name} is {shown(value)}; allowed: {rule.allowed}.")


def shown(value: Any) -> str:
    """A value as a sentence may hold it: short."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a number too long to show"
    return text if len(text) <= 60 else text[:57] + "..."
