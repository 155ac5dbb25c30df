"""The words of `assets/explanations/<key>.md`, which a teacher may edit while the app runs."""

from __future__ import annotations

from vae_core.data import ASSETS


def explanation(key: str) -> tuple[str, str]:
    """What a lane always shows, and what it shows on demand: the text before the first heading, and the rest."""
    path = ASSETS / "explanations" / f"{key}.md"
    if not path.exists():
        return f"*Its explanation is still to be written, in {path.name}.*", ""
    text = path.read_text(encoding="utf-8", errors="replace")  # an editor may have saved it otherwise
    plain, heading, rest = text.partition("\n## ")
    return plain.strip(), f"#### {rest}".replace("\n## ", "\n#### ") if heading else ""
