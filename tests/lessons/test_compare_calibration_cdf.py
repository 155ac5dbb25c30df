"""Distribution functions, for the probability integral transform: against sums, integrals and the standard library."""

from __future__ import annotations

import math

import pytest
import torch

from vae_core import LIKELIHOODS
from vae_core.lessons.compare_calibration import cdf, cdf_around, continuous_bernoulli_cdf, summed_around
from vae_core.likelihoods import Support

every_key = pytest.mark.parametrize("key", LIKELIHOODS)


def settings_of(key: str) -> dict[str, float]:
    return {"gaussian_identity": {"sigma": 0.2}, "laplace": {"scale": 0.1}}.get(key, {})


@every_key
@pytest.mark.parametrize("levels", [2, 3, 17, 256])
def test_the_cdf_at_the_edges_is_the_sum_of_the_masses(key: str, levels: int) -> None:
    settings = settings_of(key) | ({"levels": levels} if LIKELIHOODS[key].support == Support.LEVELS else {})
    if (key == "bernoulli" and levels > 2) or (key == "categorical" and levels > 32):
        return
    lik = LIKELIHOODS[key](64, **settings)
    g = torch.Generator().manual_seed(13)
    outputs = 2 * torch.randn(5, lik.n_outputs, generator=g, dtype=torch.float64)
    k = torch.randint(0, levels, (5, 64), generator=g).double()
    k[0, :2] = torch.tensor([0, levels - 1])
    x = k / (levels - 1)
    below, at = cdf_around(lik, outputs, x, levels)
    sums = summed_around(lik, outputs, x, levels)
    torch.testing.assert_close((below, at), sums, rtol=1e-9, atol=1e-9)
    assert (below[k == 0]).abs().max() < 1e-12
    assert (at[k == levels - 1] - 1).abs().max() < 1e-9


@pytest.mark.parametrize("key", [key for key, kind in LIKELIHOODS.items() if kind.kind == "density"])
def test_cdf_is_the_integral_of_the_density(key: str) -> None:
    lik = LIKELIHOODS[key](1, **settings_of(key))
    outputs = torch.tensor([0.3, -1.0], dtype=torch.float64)[: lik.n_outputs]
    low = 0.0 if key == "continuous_bernoulli" else -20.0
    t = torch.linspace(low, 0.7, 400_001, dtype=torch.float64)[:, None]
    area = torch.trapezoid(lik.log_prob(outputs, t).exp(), t.squeeze(-1), dim=0)
    assert cdf(lik, outputs, torch.tensor([0.7], dtype=torch.float64)).item() == pytest.approx(area.item(), abs=1e-7)


def test_continuous_bernoulli_cdf_is_the_quotient_of_the_standard_library() -> None:
    a = [-700.0, -300.0, -20.0, -1.0, -1e-3, -2e-4, -1e-5, 0.0, 1e-7, 5e-5, 0.1, 3.0, 40.0, 300.0]
    for logit in a:
        for t in (0.0, 1 / 255, 0.3, 0.9, 1.0):
            exact = t if logit == 0 else math.expm1(logit * t) / math.expm1(logit)
            found = continuous_bernoulli_cdf(*(torch.tensor(v, dtype=torch.float64) for v in (logit, t)))
            assert found.item() == pytest.approx(exact, rel=1e-8, abs=1e-12)
