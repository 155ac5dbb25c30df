"""How far images can be trusted for the aggregate posterior, and that the page says what comes out."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from scipy import stats

from tests.lessons.test_latent import some_codes
from vae_core.checkpoint import load_vae
from vae_core.data import load_dataset
from vae_core.folders import ASSETS
from vae_core.lessons.latent import held_out_codes, own_share
from vae_core.shipped import SPECS, TWO_LATENTS, shipped_weights


def test_an_images_own_share_of_the_aggregate_posterior_by_scipy() -> None:
    codes = some_codes(n=4, latent_dim=3)
    m, s = codes.m.double().numpy(), np.exp(0.5 * codes.log_var.double().numpy())
    eps = torch.randn(codes.m.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64).numpy()
    q = lambda at, image: float(stats.multivariate_normal(m[image], np.diag(s[image] ** 2)).pdf(at))
    differences = []
    for image, z in enumerate(m + s * eps):
        densities = [q(z, other) for other in range(4)]
        others = [density for other, density in enumerate(densities) if other != image]
        differences.append(math.log(np.mean(densities) / np.mean(others)))
    assert own_share(codes, seed=7) == pytest.approx(np.mean(differences), rel=1e-6)


@pytest.mark.parametrize("key", SPECS)
def test_the_page_says_how_far_a_thousand_images_are_to_be_trusted(key: str) -> None:
    text = (ASSETS / "pages" / "latent.md").read_text("utf-8")
    two = re.search(r"changes by ([\d.]+) nats \(identity covariance\), ([\d.]+) \(Bernoulli\) or ([\d.]+) \(", text)
    ten = re.search(r"With ten latents it changes by ([\d.]+), ([\d.]+) and ([\d.]+):", text)
    assert two and ten
    place = ["gaussian_identity", "bernoulli", "gaussian_learned"].index(key)
    for found, specs in ((two[place + 1], TWO_LATENTS), (ten[place + 1], SPECS)):
        codes = held_out_codes(load_vae(shipped_weights(specs[key]) or b""), load_dataset("mnist"))
        shares = [own_share(codes, seed) for seed in range(3)]  # other draws give it too
        assert np.mean(shares) == pytest.approx(float(found), abs=max(0.06 * float(found), 0.006))


def test_the_page_says_how_many_draws_of_the_prior_lie_near_0() -> None:
    text = (ASSETS / "pages" / "latent.md").read_text("utf-8")
    found = re.search(r"With two latents (\d+) % of the prior's draws lie within 1 of it", text)
    assert found and int(found[1]) == round(100 * stats.chi2(2).cdf(1))
    assert stats.chi2(10).cdf(1) < 1e-3  # "with many hardly a z is drawn there"
