"""What a setting may be: a rule that checks a value or a text, and refuses it in one sentence."""

from __future__ import annotations

import numbers
import operator
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from vae_core.errors import SpecError


class Rule(Protocol):
    """`allowed` completes the sentence of refusal, `parse` reads a word typed or in a link (and gives back a text that
    is none of these values), and `check` gives the value as it is kept, or raises SpecError."""

    @property
    def allowed(self) -> str: ...
    def parse(self, text: str) -> Any: ...
    def check(self, name: str, value: Any) -> Any: ...


def read(rule: Rule, name: str, text: str) -> Any:
    """Raises SpecError, whose sentence names the setting and says what it was and what is allowed."""
    return rule.check(name, rule.parse(text))


@dataclass(frozen=True)
class Real:
    low: float
    high: float
    kind: ClassVar[str] = "a number"

    @property
    def allowed(self) -> str:
        return f"{self.kind} from {self.low:.10g} to {self.high:.10g}"

    def parse(self, text: str) -> float | str:
        with suppress(ValueError):
            return int(text) if is_whole(text) else float(text)  # either is shown as it was written
        return text

    def check(self, name: str, value: Any) -> Any:
        with suppress(TypeError, ValueError, OverflowError):
            # NumPy's scalars are such numbers too; its arrays of one, and tensors, are none, though they turn into one.
            if isinstance(value, numbers.Real) and not isinstance(value, bool):
                number = self._exact(value)
                if self.low <= number <= self.high:
                    return number
        raise refusal(name, value, self)

    def _exact(self, value: Any) -> float:
        return float(value) + 0.0  # -0.0 and 0.0 are one value

    def nearest(self, value: float) -> float:
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Whole(Real):
    kind: ClassVar[str] = "a whole number"

    def parse(self, text: str) -> float | str:
        return int(text) if is_whole(text) else text

    def _exact(self, value: Any) -> int:
        return operator.index(value)


@dataclass(frozen=True)
class Choice:
    options: Mapping[Any, str] | Sequence[Any]  # with what each is called, where its own name is not enough

    @property
    def allowed(self) -> str:
        return ", ".join(map(str, self.options))

    def called(self, option: Any) -> str:
        return self.options[option] if isinstance(self.options, Mapping) else str(option)

    def parse(self, text: str) -> Any:
        return next((option for option in self.options if text == str(option)), text)

    def check(self, name: str, value: Any) -> Any:
        if isinstance(value, str | int | float):  # to compare anything else may raise: an array has no truth value
            for option in self.options:
                if option == value:
                    return option  # rather than NumPy's word for it
        raise refusal(name, value, self)


@dataclass(frozen=True)
class Layers:
    """Sizes of a network's layers: a tuple of whole numbers; as text, with commas between."""

    most: int
    size: Whole

    @property
    def allowed(self) -> str:
        return f"1 to {self.most} layer sizes, each {self.size.allowed}"

    def parse(self, text: str) -> list[float | str] | str:
        sizes = [self.size.parse(part.strip()) for part in text.split(",")]
        return text if any(isinstance(size, str) for size in sizes) else sizes

    def check(self, name: str, value: Any) -> tuple[int, ...]:
        with suppress(SpecError):
            if isinstance(value, list | tuple) and 1 <= len(value) <= self.most:
                return tuple(self.size.check(name, size) for size in value)
        raise refusal(name, value, self)


def is_whole(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]{1,20}", text) is not None


def refusal(name: str, value: Any, rule: Rule) -> SpecError:
    return SpecError(name, f"{name} is {shown(value)}; allowed: {rule.allowed}.")


def shown(value: Any) -> str:
    """A value as a sentence may hold it: short, and all but numbers as Markdown's code, in which a page makes no link,
    picture, colour or formula of what a stranger wrote into its address."""
    try:
        text = re.sub(r"\s*\n\s*", " ", repr(value))  # an array's has lines
    except ValueError:  # a whole number of thousands of digits
        return "a number too long to show"
    text = text if len(text) <= 60 else text[:57] + "..."
    return text if isinstance(value, int | float | None) else code(text)


def code(text: str) -> str:
    """One line as Markdown's inline code: between more backticks than it has in a row."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"
