"""The words of `assets/explanations/<key>.md`, which a teacher may edit while the app runs."""

from __future__ import annotations

from vae_core.data import ASSETS


def explanation(key: str) -> tuple[str, str]:
    """What a lane always shows, and what it shows on demand: the text before the first heading, and the rest."""
    text = (ASSETS / "explanations" / f"{key}.md").read_text(encoding="utf-8")
    plain, heading, rest = text.partition("\n## ")
    return plain.strip(), f"#### {rest}".replace("\n## ", "\n#### ") if heading else ""
