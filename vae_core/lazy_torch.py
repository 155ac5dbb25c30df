"""`torch` and `F`, imported when they are first used.

The page process reads the likelihoods' names and formulas, and must not pay for `import torch` (seconds, 200 MB) before
a page computes with them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch as torch
    import torch.nn.functional as F
else:

    class _Lazy:
        def __init__(self, module: str):
            self._module = module

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module(self._module), name)

    torch, F = _Lazy("torch"), _Lazy("torch.nn.functional")
