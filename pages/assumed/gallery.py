"""Real reports of losses that assumed more than they said: `assets/gallery.md`, which a teacher may edit."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from pages.shared.address import Address
from pages.shared.words import Parts
from vae_core.folders import ASSETS


@dataclass(frozen=True)
class Report:
    title: str
    link: str  # to the public thread
    address: Address  # the form's settings for what that code does
    text: str


def reports() -> list[Report]:
    """Every part of the file that has a link and settings; one that an edit has broken is left out."""
    parts = Parts(ASSETS / "gallery.md")
    found = []
    for title, body in parts.items():
        link, _, rest = body.partition("\n")
        query, _, text = rest.partition("\n")
        if link.startswith("https://") and query.startswith("?"):
            found.append(Report(title, link.strip(), parse_qs(query.strip()[1:]), text.strip()))
    return found
