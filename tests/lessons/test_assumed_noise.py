"""The noise that is drawn is SciPy's of the parameter that `meaning` tells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from vae_core.lessons.assumed import LossCode
from vae_core.lessons.assumed_noise import noise


@pytest.mark.parametrize(
    ("code", "exact"),
    [
        (LossCode(), stats.norm(0.5, math.sqrt(392))),
        (LossCode(half=True, pixels="sum", weight=0.01), stats.norm(0.5, 0.1)),
        (LossCode(loss="absolute", pixels="sum", weight=0.2), stats.laplace(0.5, 0.2)),
    ],
)
def test_a_density(code: LossCode, exact) -> None:
    found = noise(code)
    np.testing.assert_allclose(found.p, exact.pdf(found.x))
    assert found.inside == pytest.approx(exact.cdf(1) - exact.cdf(0))
    assert found.x[0] <= 0 and found.x[-1] >= 1


def test_a_coin_and_what_is_none() -> None:
    np.testing.assert_allclose(noise(LossCode(loss="bce_binary")).p, [0.2, 0.8])
    grey = noise(LossCode(loss="bce_grey"))
    area, _ = integrate.quad(lambda x: math.exp(x * math.log(0.8) + (1 - x) * math.log(0.2)), 0, 1)
    assert grey.inside == pytest.approx(area) and area < 1
    assert integrate.simpson(grey.p, x=grey.x) == pytest.approx(area)
