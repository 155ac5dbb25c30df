"""The Bernoulli at its ends, and on grey pixels."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, strategies as st
from scipy import stats

from vae_core import LIKELIHOODS


@given(
    st.lists(
        st.tuples(st.floats(-(2.0**100), 2.0**100, width=32), st.sampled_from([0.0, 0.25, 1.0])),
        min_size=1,
        max_size=20,
    )
)
def test_bernoulli_stays_finite_on_extreme_logits(pixels: list[tuple[float, float]]) -> None:
    f = torch.tensor([logit for logit, _ in pixels], requires_grad=True)
    x = torch.tensor([value for _, value in pixels])
    log_prob = LIKELIHOODS["bernoulli"](len(pixels)).log_prob(f, x)
    log_prob.backward()
    assert f.grad is not None
    assert f.grad.isfinite().all()
    exact = sum(v * float(stats.logistic.logcdf(a)) + (1 - v) * float(stats.logistic.logsf(a)) for a, v in pixels)
    assert log_prob.item() == pytest.approx(exact, rel=1e-5, abs=1e-5)
    assert log_prob.item() <= 0


def test_bernoulli_on_grey_is_the_cross_entropy_with_its_minimum_at_x() -> None:
    lik = LIKELIHOODS["bernoulli"](3)
    x = torch.tensor([0.1, 0.5, 0.8], dtype=torch.float64)
    f = torch.logit(x).requires_grad_()
    log_prob = lik.log_prob(f, x)
    (gradient,) = torch.autograd.grad(log_prob, f)
    assert gradient.abs().max() < 1e-12
    entropy = stats.bernoulli(x.numpy()).entropy().sum()
    assert -log_prob.item() == pytest.approx(entropy)  # the floor is the pixels' own entropy, not 0
