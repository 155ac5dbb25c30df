"""The densities in JavaScript against torch: every decoder's numbers for one pixel, in a real browser."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page
from scipy import integrate, stats

from pages.shared.widget import SHARED
from vae_core.likelihoods import LIKELIHOODS, Laplace, Likelihood, Support
from vae_core.likelihoods.levels import LEAST_LOG_SCALE

SETTINGS: dict[str, list[dict[str, float]]] = {
    "gaussian_identity": [{"sigma": sigma} for sigma in (1.0, 0.03, 3.0)],
    "gaussian_learned": [{"variance_floor": floor} for floor in (1e-3, 0.5, 1.0)],
    "gaussian_shared": [{"variance_floor": 1e-3}],
    "laplace": [{"scale": scale} for scale in (1.0, 0.03, 3.0)],
    "discretized_logistic": [{"levels": levels} for levels in (2, 5, 17, 256)],
    "categorical": [{"levels": levels} for levels in (2, 5, 17)],
}


def usual(key: str) -> dict[str, float]:
    """The settings of a decoder at their defaults."""
    return LIKELIHOODS[key](1).given


CASES = [
    pytest.param(key, settings, id="-".join([key, *(f"{k}={v}" for k, v in settings.items())]))
    for key in LIKELIHOODS
    for settings in SETTINGS.get(key, [usual(key)])
]
every_case = pytest.mark.parametrize(("key", "settings"), CASES)
VERBS = ["mean", "stddev", "log_prob", "slope", "cdf", "sample", "entropy", "say", "worked"]
WANTED = ["support", "link", "parameters", *VERBS]
FIRST = [-40.0, -8.0, -1.5, 0.0, 0.3, 1.0, 2.0, 8.0, 40.0]
FAR = [-30.0, -5.0, -1.0, -0.01, 0.0, 0.5, 2.0, 30.0]  # standard deviations from the mean

NUMBERS = """({ key, settings, points }) => points.map(([f, x]) => {
  const likelihood = LIKELIHOODS[key];
  const one = { on_floor: likelihood.on_floor?.(f, settings) ?? false, outside: outside(likelihood, f, settings) };
  for (const name of ["log_prob", "slope", "cdf"]) one[name] = likelihood[name](f, x, settings);
  for (const name of ["mean", "stddev", "entropy"]) one[name] = likelihood[name](f, settings);
  return one;
})"""
SAMPLES = """({ key, settings, f, count }) => {
  const draw = chance(uniforms(1));
  return Array.from({ length: count }, () => LIKELIHOODS[key].sample(f, settings, draw));
}"""


@pytest.fixture(scope="module")
def browser_page(browser: Browser):
    page = browser.new_page()
    for name in ("svg", "likelihoods"):
        page.add_script_tag(content=(SHARED / f"{name}.js").read_text(encoding="utf-8"))
    yield page
    page.close()


def unwritten(page: Page) -> list[str]:
    """A sentence for each decoder that Python has and the browser has not, or not wholly."""
    written = page.evaluate("Object.fromEntries(Object.entries(LIKELIHOODS).map(([k, one]) => [k, Object.keys(one)]))")
    missing = {key: [name for name in WANTED if name not in written.get(key, [])] for key in LIKELIHOODS}
    return [
        f"The decoder {key!r} is in vae_core/likelihoods; its entry in pages/shared/likelihoods.js lacks: "
        f"{', '.join(names)}. Write them, and the top of that file says what each is."
        for key, names in missing.items()
        if names
    ]


def points(likelihood: Likelihood, settings: dict[str, float]) -> list[tuple[list[float], float]]:
    """Raw outputs and an x each, with extremes: sure coins, far tails, and at, below and above a floor."""
    floor = math.log(settings.get("variance_floor", 1e-3))
    second = [[-40.0, floor - 0.1, floor, floor + 0.1, 0.5, 3.0]] * (likelihood.n_outputs - 1)
    if likelihood.second == "log_scale":
        second = [[-12.0, LEAST_LOG_SCALE - 0.1, -6.0, -5.5, -4.1, -2.0, 0.5, 3.0]]
    found = []
    for f in logits(likelihood.n_outputs) if likelihood.n_outputs > 2 else itertools.product(FIRST, *second):
        if likelihood.support is Support.REAL:
            sigma = float(likelihood.stddev(torch.tensor(f, dtype=torch.float64)))
            xs = [f[0] + far * sigma for far in FAR]
        else:
            xs = [0.0, 0.3, 0.5, 1.0]
        found += [(list(f), x) for x in xs]
    return found


def logits(n: int) -> list[list[float]]:
    """Of a softmax: even, two peaks, one sure level, and so far apart that an exponential over- or underflows."""
    x = np.arange(n) / (n - 1)
    rows = [0 * x, 3 * (2 * x - 1) ** 2, 40 * (x == 1), 2000 * x - 1000, np.random.default_rng(0).normal(0, 4, n)]
    return [row.tolist() for row in rows]


def scipys(key: str, f: torch.Tensor) -> Any:
    """A SciPy distribution where torch has none, or one that is not exact everywhere; None where torch's will do."""
    a = float(f[0])
    if key == "bernoulli":
        return stats.bernoulli(1 / (1 + math.exp(-a)))
    if key == "continuous_bernoulli":  # the density falls as e^(-|a|x), from the left or from the right
        return stats.truncexpon(abs(a), scale=1 / abs(a)) if a else stats.uniform()
    return None


def cdf(key: str, likelihood: Likelihood, f: torch.Tensor, x: torch.Tensor) -> float:
    if (scipy := scipys(key, f)) is None:
        return float(likelihood.distribution(f).cdf(x))
    mirrored = key == "continuous_bernoulli" and f[0] > 0
    return float(scipy.sf(1 - float(x)) if mirrored else scipy.cdf(float(x)))


def entropy(key: str, likelihood: Likelihood, f: torch.Tensor) -> float:
    scipy = scipys(key, f) if key != "bernoulli" else None
    return float(likelihood.distribution(f).entropy() if scipy is None else scipy.entropy())


@every_case
def test_the_numbers_are_torchs(browser_page: Page, key: str, settings: dict[str, float]) -> None:
    likelihood = LIKELIHOODS[key](1, **settings)
    at = points(likelihood, settings)
    found = browser_page.evaluate(NUMBERS, {"key": key, "settings": settings, "points": at})
    expected: list[dict[str, Any]] = []
    for raw, value in at:
        f = torch.tensor(raw, dtype=torch.float64, requires_grad=True)
        x = torch.tensor([value], dtype=torch.float64)
        log_prob = likelihood.log_prob(f, x)
        (slope,) = torch.autograd.grad(log_prob, f)
        f = f.detach()
        below, within = (cdf(key, likelihood, f, torch.full((1,), edge, dtype=torch.float64)) for edge in (0.0, 1.0))
        on_floor = getattr(likelihood, "on_floor", None)
        expected.append(
            {
                "log_prob": log_prob.item(),
                "slope": slope.tolist(),
                "cdf": cdf(key, likelihood, f, x),
                "mean": likelihood.mean(f).item(),
                "stddev": likelihood.stddev(f).item(),
                "entropy": entropy(key, likelihood, f),
                "on_floor": bool(on_floor and on_floor(f)),
                "outside": below + 1 - within if likelihood.support is Support.REAL else 0,
            }
        )
    for name in expected[0]:
        np.testing.assert_allclose(
            np.array([one[name] for one in found], float),
            np.array([one[name] for one in expected], float),
            rtol=1e-6,
            atol=1e-6,
            err_msg=name,
        )


def outputs(likelihood: Likelihood, first: float, second: float) -> list[float]:
    """So many raw outputs as it has: these two, or in turns."""
    return [first, second, *([first, second] * likelihood.n_outputs)][: likelihood.n_outputs]


@every_case
def test_samples_have_the_distribution(browser_page: Page, key: str, settings: dict[str, float]) -> None:
    likelihood, count = LIKELIHOODS[key](1, **settings), 20_000
    f = torch.tensor(outputs(likelihood, 0.7, -1.0), dtype=torch.float64)
    values = {"key": key, "settings": settings, "f": f.tolist(), "count": count}
    draws = np.array(browser_page.evaluate(SAMPLES, values))
    error = (draws - likelihood.mean(f).item()) / likelihood.stddev(f).item()
    assert abs(error.mean()) < 5 / math.sqrt(count)  # five standard errors
    assert (error**2).mean() == pytest.approx(1, abs=0.08)
    if likelihood.kind == "density":  # away from 0, where torch's continuous Bernoulli is not exact
        assert stats.kstest(draws, lambda x: likelihood.distribution(f).cdf(torch.from_numpy(x)).numpy()).pvalue > 1e-3
    else:
        levels = likelihood.distribution(f).enumerate_support().flatten().tolist()
        assert set(draws) <= set(levels)
        if key == "bernoulli":
            return
        expected = count * likelihood.distribution(f).log_prob(torch.tensor(levels, dtype=torch.float64)).exp().numpy()
        seen = np.array([(draws == level).sum() for level in levels])
        often = expected > 20  # where a chi-squared test may be trusted
        assert (((seen - expected) ** 2 / expected)[often]).sum() < stats.chi2(often.sum()).ppf(1 - 1e-4)


def test_what_is_declared_is_declared_on_both_sides(browser_page: Page) -> None:
    read = (
        "Object.fromEntries(Object.entries(LIKELIHOODS).map(([k, one]) => [k, [one.support, one.parameters.length]]))"
    )
    declared = {
        # a softmax has as many outputs as levels, and makes one parameter of them
        key: [kind.support.name.lower(), kind(1).n_outputs if kind(1).n_outputs <= 2 else 1]
        for key, kind in LIKELIHOODS.items()
    }
    assert browser_page.evaluate(read) == declared


@pytest.mark.parametrize("a", [-40.0, -4.6, -0.2, -1e-7, 0.0, 0.01, 0.4999, 0.5001, 4.59512, 40.0])
def test_the_normaliser_is_the_area_that_quadrature_finds(browser_page: Page, a: float) -> None:
    log_odds = (math.log1p(math.exp(a)), math.log1p(math.exp(-a)))
    area = integrate.quad(lambda x: math.exp(-x * log_odds[1] - (1 - x) * log_odds[0]), 0, 1, epsabs=1e-12)[0]
    assert browser_page.evaluate("areaWithoutC", a) == pytest.approx(area, rel=1e-9)
    if a in (0.0, 4.59512):  # lambda = 1/2 and 0.99
        assert area == pytest.approx({0.0: 0.5, 4.59512: 0.2133}[a], abs=1e-4)


@every_case
def test_words_hold_their_numbers(browser_page: Page, key: str, settings: dict[str, float]) -> None:
    likelihood = LIKELIHOODS[key](1, **settings)
    f, x = torch.tensor(outputs(likelihood, 0.25, 0.1), dtype=torch.float64), 1.0
    one = "LIKELIHOODS[key]"
    say = f"({{ key, settings, f, x }}) => [{one}.say(f, settings, String), ...{one}.worked(f, x, settings)]"
    said, *lines = browser_page.evaluate(say, {"key": key, "settings": settings, "f": f.tolist(), "x": x})
    assert any(float(number) == pytest.approx(likelihood.mean(f).item()) for number in re.findall(r"[\d.]*\d", said))
    log_prob = likelihood.log_prob(f, torch.tensor([x], dtype=torch.float64)).item()
    assert f"<b>{log_prob:.3f}</b> nats".replace("-", "−") in lines[1]
    assert "undefined" not in "".join([said, *lines]) and "NaN" not in "".join([said, *lines])


@every_case
@pytest.mark.parametrize("raw", [(0.2537, -3.317), (-4.21, -8.0)])
def test_the_last_step_gives_the_result(browser_page: Page, key: str, settings: dict[str, float], raw) -> None:
    """Whoever checks a sum or product with the numbers shown finds the result shown."""
    likelihood = LIKELIHOODS[key](1, **settings)
    f, x = list(raw[: likelihood.n_outputs]), 0.37
    call = "({ key, settings, f, x }) => LIKELIHOODS[key].worked(f, x, settings)[1]"
    line = browser_page.evaluate(call, {"key": key, "settings": settings, "f": f, "x": x})
    steps, shown = re.findall(r"^(.*) = <b>([^<]*)</b> nats$", line.replace("−", "-"))[0]
    for step in steps.split("<br>= ")[1:]:
        sum_of = re.sub(r"\|([^|]*)\|", r"abs(\1)", step).replace("½ ", "0.5*").replace("·", "*").replace("²", "**2")
        if re.fullmatch(r"[\d.\s()+\-*/abs]+", sum_of):  # arithmetic, and no letters
            assert eval(sum_of) == pytest.approx(float(shown), abs=0.0005 + 1e-5)


def test_every_decoder_is_written(browser_page: Page) -> None:
    assert not unwritten(browser_page), "\n".join(unwritten(browser_page))


def test_a_decoder_without_an_entry_is_told(browser_page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIKELIHOODS, "student_t", Laplace)
    (sentence,) = unwritten(browser_page)
    assert "'student_t'" in sentence and "pages/shared/likelihoods.js lacks: support, link," in sentence
