"""Small specs, and the rules of their settings by kind."""

from __future__ import annotations

from typing import Any

from vae_core import RunSpec
from vae_core.spec import SETTINGS
from vae_core.values import Choice, Layers, Real, Whole

RULES = {name: setting.rule for name, setting in SETTINGS.items()}
CHOICES = {name: list(rule.options) for name, rule in RULES.items() if isinstance(rule, Choice)}
WHOLE = {name: (rule.low, rule.high) for name, rule in RULES.items() if isinstance(rule, Whole)}
REAL = {name: (rule.low, rule.high) for name, rule in RULES.items() if isinstance(rule, Real) and name not in WHOLE}
LAYERS = RULES["hidden"]
assert isinstance(LAYERS, Layers)
MAX_LAYERS, MAX_WIDTH = LAYERS.most, LAYERS.size.high
SMALL: dict[str, Any] = {"dataset": "digits", "hidden": (32,), "latent_dim": 2, "epochs": 2}


def small(**changes: Any) -> RunSpec:
    return RunSpec(**{**SMALL, **changes})
