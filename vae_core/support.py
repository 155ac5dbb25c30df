"""Where the value of a pixel lies, declared as `support` is in torch.distributions."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal


class Support(IntEnum):
    """Each lies within the next, so `a <= b` says that a lies within b."""

    BOOLEAN = 0  # 0 and 1
    LEVELS = 1  # the n grey levels k/(n-1)
    UNIT_INTERVAL = 2  # [0,1]
    REAL = 3

    @property
    def kind(self) -> Literal["mass", "density"]:
        """What p gives to a value: a probability, or a probability per unit of grey."""
        return "mass" if self <= Support.LEVELS else "density"
