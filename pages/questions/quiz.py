"""The questions of `assets/questions.md`: a belief, a prediction to make, the answer, and where to see it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pages.shared.edited import Stamp, stamp
from pages.shared.links import Target, page_link, target
from pages.shared.words import GLOSSARY, Parts, glossary, with_terms
from vae_core.folders import ASSETS

FILE = ASSETS / "questions.md"
INNER = str.maketrans("“”", "‘’")
RIGHT = ":material/check: **the answer**"
RIGHT_GUESS = ":material/check: **the answer, and your guess**"
WRONG_GUESS = ":material/close: **your guess**"


@dataclass(frozen=True)
class Link:
    label: str
    to: Target

    def show(self) -> None:
        page_link(self.to.script, self.label, ":material/open_in_new:", self.to.query)


@dataclass(frozen=True)
class Question:
    belief: str  # or a question, which ends in a question mark
    predict: str
    options: list[str]
    right: str  # one of them
    answer: str
    figure: str  # a key of FIGURES, or "" where nothing is to be drawn
    links: list[Link]

    @property
    def key(self) -> str:
        """Its name in the address: the first words of the belief."""
        return "-".join(re.findall(r"\w+", self.belief.lower())[:8])

    @property
    def label(self) -> str:
        """Marked as what people say, in quotation marks, so that nobody reads a wrong belief as a statement."""
        if self.belief.endswith("?"):
            return f":blue-badge[People ask] {self.belief}"
        return f":orange-badge[People say] “{self.belief.translate(INNER)}”"

    def marks(self, guess: str | None) -> list[str]:
        """A caption for each option once something was chosen: which was the guess, and which is right."""
        mine = {self.right: RIGHT_GUESS if guess == self.right else RIGHT}
        return [mine.get(option, WRONG_GUESS if option == guess else "") for option in self.options] if guess else []

    def matches(self, search: str) -> bool:
        """Whether every word searched for is somewhere in it."""
        text = " ".join([self.belief, self.predict, *self.options, self.answer]).lower()
        return all(word in text for word in search.lower().split())


def questions() -> list[Question]:
    """In the order of the file, which a teacher may edit while the app runs."""
    return _questions(stamp(FILE), stamp(GLOSSARY))


@lru_cache(maxsize=2)  # for all visitors: each page that was drawn lives as long as its visitor
def _questions(_state: Stamp, _glossary: Stamp) -> list[Question]:
    parts = Parts(FILE)
    parts.pop("")
    terms = glossary()
    return [_question(belief, body, terms) for belief, body in parts.items()]


def _question(belief: str, body: str, terms: dict[str, str]) -> Question:
    return Question(
        belief=belief,
        predict=" ".join(paragraphs(body, "Predict")),
        options=re.findall(r"^- +(?:\[x\] +)?(.+)$", body, flags=re.MULTILINE),
        right="".join(re.findall(r"^- +\[x\] +(.+)$", body, flags=re.MULTILINE)[:1]),
        answer=with_terms("\n\n".join(paragraphs(body, "Answer")), terms),
        figure="".join(paragraphs(body, "Figure")[:1]),
        links=links_in(body),
    )


def paragraphs(body: str, name: str) -> list[str]:
    """Those that begin with `name:`."""
    return re.findall(rf"^{name}: *(.+)$", body, flags=re.MULTILINE)


def links_in(body: str) -> list[Link]:
    """Of the paragraphs `Open:`."""
    found = (at for line in paragraphs(body, "Open") for at in re.findall(r"\[([^\]]+)\]\(([^)]+)\)", line))
    return [Link(label, target(address)) for label, address in found]
