"""The discretised logistic's spread, where a plain sum over levels would lose its digits."""

from __future__ import annotations

import pytest
import torch

from vae_core.likelihoods import DiscretizedLogistic


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-4)])
def test_spread_is_that_of_the_masses_however_sharp(levels: int, dtype: torch.dtype, tolerance: float) -> None:
    lik = DiscretizedLogistic(2000, levels=levels)
    g = torch.Generator().manual_seed(0)
    mean = 1.4 * torch.rand(2000, generator=g, dtype=torch.float64) - 0.2  # some beyond black and white
    log_scale = 11 * torch.rand(2000, generator=g, dtype=torch.float64) - 9.5
    outputs = torch.cat([mean, log_scale])
    p = lik.distribution(outputs).enumerate_support(expand=False)
    log_p = torch.stack([lik.log_mass(outputs, x.expand(2000), levels) for x in p])  # (levels, 2000)
    at = (log_p.exp() * p).sum(0)
    exact = (log_p.exp() * (p - at).square()).sum(0).sqrt()
    found = lik.stddev(outputs.to(dtype)).double()
    seen = exact > 1e-6
    torch.testing.assert_close(found[seen], exact[seen], rtol=tolerance, atol=0)
    torch.testing.assert_close(found, exact, rtol=tolerance, atol=1e-7)
    assert seen.any()
