"""What the scripts of Two pixels compute, against the core, in a real browser."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from scipy import stats

from pages.shared.widget import SHARED
from vae_core.lessons.two_pixels import (
    CHANGE,
    CURVES,
    LOGIT_SCALE,
    PLANE,
    SIGMA,
    Bernoulli,
    Decoder,
    Gaussian,
    Q,
    best_q,
    corners,
    elbo,
    gap,
    humps,
    log_evidence,
    posterior,
)
from vae_core.lessons.two_pixels_draws import effective_draws, importance_weighted_bound, log_weights, reach

FILES = ("shared/svg", "two_pixels/exact", "two_pixels/numbers")
GIVEN = {"curves": CURVES, "logit_scale": LOGIT_SCALE}
USUAL = {"likelihood": "gaussian", "curve": "arc", "noise": "changes", "sigma": 0.4, "b": 0.0, "x1": 1.2, "x2": 0.6}
USUAL |= {"corner": "11", "z": 0.5, "m": 0.5, "s": 0.6, "follows": "no", "k": 8, "draw": 1}
NUMBERS = """({ states, given, eps }) => states.map((state) => {
  const model = makeModel(state, given);
  const { exact, ...now } = numbersOf(state, model);
  const logs = logWeights(model.decoder, now.x, now.q, Float64Array.from(eps));
  const best = elbo(model.decoder, now.x, bestGaussian(model.decoder, now.x, exact)).elbo;
  const bound = importanceWeightedBound(logs);
  const weights = { bound, effective: effectiveDraws(logs), ...reachOf(model.decoder, now.x, now.q, now.log_evidence) };
  return { ...now, normaliser: exact.logNormaliser, best, logs: [...logs], ...weights, ...model.corners };
})"""


@pytest.fixture(scope="module")
def scripts(browser: Browser):
    page = browser.new_page()
    for name in FILES:
        page.add_script_tag(content=(SHARED.parent / f"{name}.js").read_text(encoding="utf-8"))
    yield page
    page.close()


def states() -> list[dict[str, Any]]:
    """Many, and the edges of what is allowed."""
    dice = np.random.default_rng(3)
    found = []
    for curve in CURVES:
        for sigma, b in itertools.product((*SIGMA, 0.3), (*CHANGE, 0.0)):
            x1, x2 = dice.uniform(*PLANE, 2).tolist()
            m, s = float(dice.uniform(-4, 4)), float(np.exp(dice.uniform(np.log(0.003), np.log(3))))
            changed = {"curve": curve, "sigma": sigma, "b": b, "x1": x1, "x2": x2, "m": m, "s": s}
            found.append(USUAL | changed | {"z": float(dice.uniform(-4, 4))})
        for corner in ("00", "01", "10", "11"):
            found.append(USUAL | {"likelihood": "bernoulli", "curve": curve, "corner": corner, "m": -0.7, "s": 1.1})
    return found


def core(state: dict[str, Any]) -> tuple[Decoder, np.ndarray, Q]:
    q = Q(state["m"], state["s"])
    if state["likelihood"] == "bernoulli":
        return Bernoulli(state["curve"]), np.array([float(one) for one in state["corner"]]), q
    b = state["b"] if state["noise"] == "changes" else 0.0
    return Gaussian(state["curve"], state["sigma"], b), np.array([state["x1"], state["x2"]]), q


def check(state: dict[str, Any], seen: dict[str, Any]) -> None:
    """What the browser found is what the core finds, and the bar adds up."""
    decoder, x, q = core(state)
    near = lambda value: pytest.approx(value, abs=1e-6, rel=1e-10)
    bound = elbo(decoder, x, q)
    assert seen["log_evidence"] == near(log_evidence(decoder, x))
    assert (seen["reconstruction"], seen["kl"], seen["elbo"]) == near((bound.reconstruction, bound.kl, bound.elbo))
    assert seen["gap"] == near(gap(decoder, x, q))
    assert seen["elbo"] + seen["gap"] == pytest.approx(seen["log_evidence"], abs=1e-6)
    assert seen["log_likelihood"] == near(float(decoder.log_likelihood(x, np.array(state["z"]))))
    assert seen["tops"] == near(humps(posterior(decoder, x)).tolist())
    share, missed = reach(decoder, x, q)
    assert seen["share"] == pytest.approx(share, rel=1e-6)
    assert seen["missed"] == near(missed)
    if isinstance(decoder, Bernoulli):
        found = corners(decoder.curve)
        assert seen["masses"] == near(found.probabilities.ravel().tolist())
        assert (seen["covariance"], seen["information"]) == near((found.covariance, found.mutual_information))


def test_the_browsers_numbers_are_the_cores(scripts: Page) -> None:
    eps = np.random.default_rng(4).standard_normal(32)
    asked = states()
    found = scripts.evaluate(NUMBERS, {"states": asked, "given": GIVEN, "eps": eps.tolist()})
    for state, seen in zip(asked, found):
        check(state, seen)
        decoder, x, q = core(state)
        assert seen["normaliser"] == pytest.approx(posterior(decoder, x).log_normaliser, abs=1e-6)
        assert seen["best"] == pytest.approx(elbo(decoder, x, best_q(decoder, x)).elbo, abs=1e-6)
        logs = log_weights(decoder, x, q, eps)
        np.testing.assert_allclose(seen["logs"], logs, atol=1e-6, rtol=1e-10)
        assert seen["bound"] == pytest.approx(float(importance_weighted_bound(logs)), abs=1e-6)
        assert seen["effective"] == pytest.approx(float(effective_draws(logs)), rel=1e-6)


@pytest.mark.parametrize(("curve", "sigma", "b"), [("loop", 0.05, -0.8), ("arc", 0.4, 0.0), ("hairpin", 1.5, 0.8)])
def test_the_tube_is_the_evidence(scripts: Page, curve: str, sigma: float, b: float) -> None:
    across = 24
    call = "({ state, given, across }) => [...densityOnGrid(decoderOf(state, given), [-3, 3], across)]"
    state = USUAL | {"curve": curve, "sigma": sigma, "b": b}
    found = np.array(scripts.evaluate(call, {"state": state, "given": GIVEN, "across": across})).reshape(across, across)
    middles = np.linspace(*PLANE, across, endpoint=False) + 3 / across
    decoder = Gaussian(curve, sigma, b)
    exact = np.exp([[log_evidence(decoder, np.array([a, c])) for a in middles] for c in middles[::-1]])
    np.testing.assert_allclose(found, exact, atol=2e-3 * exact.max())


def test_the_draws_are_standard_normal_and_the_same_for_a_seed(scripts: Page) -> None:
    first, again, other = (np.array(scripts.evaluate(f"[...normals({seed})]")) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).mean() > 0.99
    assert stats.kstest(first, "norm").pvalue > 1e-3
    # One repeat after the other, and in each the first K draws.
    logs = np.random.default_rng(5).normal(-3, 2, (200, 128))
    found = scripts.evaluate("(logs) => boundsOf(Float64Array.from(logs))", logs.ravel().tolist())
    for one in found:
        bounds = importance_weighted_bound(logs[:, : one["k"]])
        assert (one["mean"], one["spread"]) == pytest.approx((bounds.mean(), bounds.std(ddof=1)), abs=1e-9)


def test_only_a_straight_line_with_one_sigma_has_a_gaussian_posterior(scripts: Page) -> None:
    """And it is seen by the posterior alone, whatever made it."""
    call = """({ states, given }) =>
      states.map((state) => isGaussianShaped(numbersOf(state, makeModel(state, given)).exact))"""
    asked = states()
    straight = [state["curve"] == "line" and state["likelihood"] == "gaussian" and not state["b"] for state in asked]
    assert scripts.evaluate(call, {"states": asked, "given": GIVEN}) == straight
    assert 0 < sum(straight) < len(straight)
