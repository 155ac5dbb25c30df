"""The lines of PyTorch that the page offers for each kind of data, executed against SciPy or an exact sum."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import integrate, special, stats

from pages.questions.which_decoder import Kind, kinds

KINDS = {kind.title: kind for kind in kinds()[1]}
ROWS, D, N = 4, 6, 5
LEVELS = np.arange(256)


def draws() -> dict[str, torch.Tensor]:
    """Raw outputs and data, float64: (ROWS, D), with a last dimension N where there is one."""
    g = torch.Generator().manual_seed(8)
    normal = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)
    return {
        "f": normal(ROWS, D),
        "classes": normal(ROWS, D, N),
        "mu": torch.rand(ROWS, D, generator=g, dtype=torch.float64),
        "s": 0.02 + 0.1 * torch.rand(ROWS, D, generator=g, dtype=torch.float64),
        "log": 0.3 * normal(D),
        "other": 0.3 * normal(ROWS, D),
        "unit": 0.02 + 0.96 * torch.rand(ROWS, D, generator=g, dtype=torch.float64),
        "k": torch.tensor([[0.0, 255, 3, 128, 250, 77]] * ROWS, dtype=torch.float64),
    }


def run(kind: Kind, **names: Any) -> dict[str, Any]:
    names = {"F": F, "torch": torch, **names}
    exec(kind.lines, names)
    return names


def agree(found: torch.Tensor, log_p: np.ndarray) -> None:
    assert found.shape == (ROWS,)
    np.testing.assert_allclose(found.numpy(), -np.asarray(log_p).reshape(ROWS, -1).sum(1), rtol=1e-6)


def bins(mu: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Mass of a logistic on each of 256 levels, the outermost bins open: (..., 256)."""
    edges = stats.logistic.cdf((LEVELS[:-1] + 0.5) / 255, mu[..., None], s[..., None])
    return np.diff(np.concatenate([np.zeros_like(edges[..., :1]), edges, np.ones_like(edges[..., :1])], -1))


def masks(kind: Kind) -> None:
    d = draws()
    x = (d["unit"] > 0.5).double()
    agree(run(kind, f=d["f"], x=x)["nll"], stats.bernoulli.logpmf(x.numpy(), special.expit(d["f"].numpy())))


def pictures(kind: Kind) -> None:
    d = draws()
    mass = bins(d["mu"].numpy(), d["s"].numpy())
    np.testing.assert_allclose(mass.sum(-1), 1)
    mass = np.maximum(np.take_along_axis(mass, d["k"].numpy().astype(int)[..., None], -1), 1e-12)
    agree(run(kind, k=d["k"], mu=d["mu"], s=d["s"])["nll"], np.log(mass))


def with_a_gaussian(kind: Kind) -> None:
    d, log_sigma = draws(), torch.tensor(-1.3, dtype=torch.float64)
    found = run(kind, k=d["k"], mu=d["mu"], log_sigma=log_sigma)
    x = found["x"].numpy()
    assert (np.abs(x * 255 - d["k"].numpy()) <= 0.5).all() and not (x * 255 == d["k"].numpy()).any()
    agree(found["nll"], stats.norm.logpdf(x, d["mu"].numpy(), math.exp(-1.3)))
    # E_u ln p(k + u) - ln 255 is at most ln P(bin): at one level far out, by quadrature.
    p = lambda u: stats.norm.logpdf((200 + u) / 255, 0.5, 0.1)
    mean = integrate.quad(p, -0.5, 0.5)[0]
    mass = stats.norm.cdf(200.5 / 255, 0.5, 0.1) - stats.norm.cdf(199.5 / 255, 0.5, 0.1)
    assert math.log(mass) - 0.01 < mean - math.log(255) <= math.log(mass)


def real(kind: Kind) -> None:
    d = draws()
    found = run(kind, x=d["f"], mu=d["mu"], log_sigma=d["log"])["nll"]
    agree(found, stats.norm.logpdf(d["f"].numpy(), d["mu"].numpy(), np.exp(d["log"].numpy())))


def outliers(kind: Kind) -> None:
    d = draws()
    found = run(kind, x=d["f"], mu=d["mu"], log_sigma=d["log"], log_b=d["log"])
    x, mu, scale = d["f"].numpy(), d["mu"].numpy(), np.exp(d["log"].numpy())
    agree(found["nll"], stats.t.logpdf(x, 4, mu, scale))
    agree(found["nll_laplace"], stats.laplace.logpdf(x, mu, scale))


def counts(kind: Kind) -> None:
    d = draws()
    x = torch.tensor([[0.0, 1, 2, 7, 30, 4]] * ROWS, dtype=torch.float64)
    found = run(kind, x=x, log_rate=d["f"], log_r=d["log"], f=d["f"])
    f, r = d["f"].numpy(), np.exp(d["log"].numpy())
    agree(found["nll"], stats.poisson.logpmf(x.numpy(), np.exp(f)))
    nb = stats.nbinom(r, special.expit(-f))  # SciPy's p is that of the other side
    agree(found["nll_nb"], nb.logpmf(x.numpy()))
    np.testing.assert_allclose(nb.mean(), r * np.exp(f))
    assert (nb.var() > nb.mean()).all()


def audio(kind: Kind) -> None:
    d = draws()
    g = torch.Generator().manual_seed(3)
    mu, s, w = (torch.rand(ROWS, D, 3, generator=g, dtype=torch.float64) for _ in range(3))
    s = 0.02 + 0.1 * s
    mass = (special.softmax(w.numpy(), -1)[..., None] * bins(mu.numpy(), s.numpy())).sum(-2)
    np.testing.assert_allclose(mass.sum(-1), 1)
    mass = np.take_along_axis(mass, d["k"].numpy().astype(int)[..., None], -1)
    agree(run(kind, k=d["k"], mu=mu, s=s, w=w)["nll"], np.log(np.maximum(mass, 1e-12)))


def categories(kind: Kind) -> None:
    d = draws()
    k = torch.randint(N, (ROWS, D), generator=torch.Generator().manual_seed(1))
    log_p = special.log_softmax(d["classes"].numpy(), -1)
    agree(run(kind, f=d["classes"], k=k)["nll"], np.take_along_axis(log_p, k.numpy()[..., None], -1))


def proportions(kind: Kind) -> None:
    d = draws()
    shares = torch.softmax(d["f"], -1)
    found = run(kind, x=d["unit"], f=d["f"], log_a=d["log"], log_b=d["other"], log_c=d["other"], shares=shares)
    a, x = d["f"].numpy(), d["unit"].numpy()
    agree(found["nll"], a * x - np.log(np.expm1(a) / a))
    agree(found["nll_beta"], stats.beta.logpdf(x, np.exp(d["log"].numpy()), np.exp(d["other"].numpy())))
    rows = zip(shares.numpy(), np.exp(d["other"].numpy()))
    agree(found["nll_shares"], np.array([stats.dirichlet.logpdf(share, c) for share, c in rows]))


CHECKS: dict[str, Callable[[Kind], None]] = {
    "Black-and-white masks, scans, binary data": masks,
    "Photographs and other 8-bit pictures": pictures,
    "8-bit pictures with a Gaussian": with_a_gaussian,
    "Real values: sensors, measurements, embeddings": real,
    "Real values with outliers": outliers,
    "Counts: gene expression, clicks, words in a document": counts,
    "Audio": audio,
    "Categories, tokens, classes": categories,
    "Proportions between 0 and 1": proportions,
}


@pytest.mark.parametrize("title", KINDS)
def test_the_lines_are_minus_ln_p(title: str) -> None:
    kind = KINDS[title]
    assert kind.decoder and kind.why and kind.lines
    CHECKS[title](kind)
