"""What a loss means: the table people meet, and every snippet executed against torch.distributions."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

from vae_core.errors import SpecError
from vae_core.lessons.assumed import (
    LOSSES,
    RANGES,
    REDUCTIONS,
    LossCode,
    corrected,
    derivation,
    forecast,
    lines_corrected,
    lines_written,
    meaning,
    noise_left,
    outlook,
    right_already,
    run_spec,
    units_cost,
)
from vae_core.lessons.exact import eigenvalues
from vae_core.spec import make_likelihood

B, D, L = 5, 12, 3


@pytest.mark.parametrize(
    ("code", "value"),
    [  # teaching.md 3.4
        (LossCode(half=True, pixels="sum", batch="sum", kl_batch="sum"), 1.0),
        (LossCode(pixels="sum"), 0.5),
        (LossCode(), 392.0),
        (LossCode(weight=0.00025), 392 * 0.00025),
        (LossCode(loss="bce_grey"), 784.0),
        (LossCode(loss="bce_binary"), 784.0),
        (LossCode(loss="bce_binary", pixels="sum"), 1.0),
        (LossCode(loss="absolute", pixels="sum"), 1.0),
        (LossCode(loss="absolute"), 784.0),
        (LossCode(latents="mean", latent_dim=2), 196.0),
        (LossCode(batch="sum", kl_batch="sum"), 392.0),  # a sum over the batch in both changes the scale alone
        (LossCode(batch="mean", kl_batch="sum", batch_size=128), 392.0 * 128),
        (LossCode(batch="sum", kl_batch="mean", batch_size=128), 392.0 / 128),
        (LossCode(n_pixels=12288, weight=0.00025), 1.536),
        (LossCode(n_pixels=12288), 6144.0),
        (LossCode(n_pixels=12288, weight=0.1, latents="mean", latent_dim=32), 19.2),  # 10 times a mean error, mean KL
        (LossCode(pixels="sum", pixel_range="-1..1"), 0.5 / 4),
        (LossCode(weight=0.0256, pixel_range="-1..1"), 392 * 0.0256 / 4),
        (LossCode(pixels="sum", half=True, pixel_range="0..255"), 1 / 255**2),
        (LossCode(loss="absolute", pixels="sum", pixel_range="0..255"), 1 / 255),
        (LossCode(loss="bce_binary", pixels="sum", pixel_range="0..255"), 1.0),  # which has no choice
    ],
)
def test_the_table(code: LossCode, value: float) -> None:
    assert meaning(code).value == pytest.approx(value, rel=1e-12)


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()
    x = torch.rand(B, D, generator=generator, dtype=torch.float64)
    return {"x": x, "out": draw(B, D), "m": draw(B, L), "log_s2": draw(B, L)}


def executed(lines: str, values: dict[str, torch.Tensor], code: LossCode) -> torch.Tensor:
    black, white = RANGES[code.pixel_range] if code.loss in ("squared", "absolute") else (0, 1)
    own = {name: black + (white - black) * values[of] for name, of in {"x": "x", "mu": "out"}.items()}
    names: dict[str, Any] = {"F": F, "math": math, "f": values["out"], **values, **own}
    exec(lines, names)  # the page's own words, to be pasted into a training loop
    return names["loss"]


def minus_elbo(code: LossCode, values: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean over the batch of -E[ln p(x|z)] + KL under the distribution that `meaning` names."""
    found, out, x = meaning(code), values["out"], values["x"]
    q = Normal(values["m"], (0.5 * values["log_s2"]).exp())
    kl = kl_divergence(q, Normal(0.0, 1.0)).sum(1)
    if found.parameter == "sigma2":
        return (kl - Normal(out, math.sqrt(found.value)).log_prob(x).sum(1)).mean()
    if found.parameter == "b":
        return (kl - Laplace(out, found.value).log_prob(x).sum(1)).mean()
    x = (x > 0.5).double() if found.normalised else x
    log_p = Bernoulli(logits=out, validate_args=False).log_prob(x).sum(1)
    return (found.value * kl - log_p).mean()


def gradients(value: torch.Tensor, values: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    return list(torch.autograd.grad(value, [values["out"], values["m"], values["log_s2"]]))


CODES = [
    LossCode(loss, half, *reductions, weight=weight, n_pixels=D, latent_dim=L, batch_size=B, pixel_range=pixel_range)
    for loss, half, reductions, weight, pixel_range in product(
        LOSSES, (False, True), product(REDUCTIONS, REDUCTIONS, REDUCTIONS, REDUCTIONS), (1.0, 0.03), RANGES
    )
]


def test_every_written_snippet_is_the_elbo_it_is_said_to_be() -> None:
    """768 ways to write it: the value up to the stated scale and offset, the gradients up to the scale."""
    for code in CODES:
        values, found = tensors(), meaning(code)
        loss, elbo = executed(lines_written(code), values, code), minus_elbo(code, values)
        assert loss.item() == pytest.approx(found.scale * elbo.item() + found.offset, rel=1e-7), (
            code
        )  # .float() in the snippet
        for mine, theirs in zip(gradients(loss, values), gradients(elbo, values)):
            torch.testing.assert_close(
                mine, found.scale * theirs, rtol=1e-6, atol=1e-9 * max(1, found.scale / found.value)
            )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("noise", [0.04, 2.5])
@pytest.mark.parametrize("pixel_range", RANGES)
def test_every_corrected_snippet_is_minus_the_elbo(loss: str, noise: float, pixel_range: str) -> None:
    code = LossCode(loss, n_pixels=D, latent_dim=L, batch_size=B, pixel_range=pixel_range)
    right = corrected(code, noise)
    values = tensors()
    loss_value, elbo = executed(lines_corrected(code, noise), values, code), minus_elbo(right, values)
    assert loss_value.item() == pytest.approx(
        elbo.item() + units_cost(code), rel=1e-5
    )  # sigma is shown with six digits
    for mine, theirs in zip(gradients(loss_value, values), gradients(elbo, values)):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-8)
    assert meaning(right).normalised
    assert meaning(right).value == pytest.approx(1.0 if loss.startswith("bce") else noise)


def test_every_run_has_the_minimiser_of_its_code() -> None:
    """The trainer minimises beta * KL - ln p: its gradients must be the written loss's up to one factor."""
    for short in CODES:
        code = replace(short, n_pixels=64)
        spec = run_spec(code, "digits", epochs=1)
        ratio = {"sigma": spec.sigma**2 * spec.beta, "scale": spec.scale * spec.beta}
        held = make_likelihood(spec).settings
        value = next((ratio[name] for name in held), spec.beta)
        assert value == pytest.approx(meaning(code).value, rel=1e-12)


def test_runs_within_and_beyond_their_bounds() -> None:
    inside = run_spec(LossCode(), "mnist", epochs=2, seed=3)
    assert (inside.likelihood, inside.sigma, inside.beta) == ("gaussian_identity", math.sqrt(392), 1.0)
    assert (inside.binarize, inside.epochs, inside.seed, inside.latent_dim) == ("none", 2, 3, 10)
    beyond = run_spec(LossCode(kl_batch="sum"), "mnist", epochs=2)
    assert (beyond.sigma, beyond.beta) == (30.0, pytest.approx(392 * 128 / 900))
    below = run_spec(LossCode(weight=1e-8), "mnist", epochs=2)
    assert (below.sigma, below.beta) == (0.01, pytest.approx(392e-8 / 1e-4))
    assert run_spec(LossCode("bce_binary", pixels="sum"), "mnist", 2).binarize == "threshold"
    assert run_spec(LossCode("absolute", pixels="sum", weight=0.2), "mnist", 2).scale == pytest.approx(0.2)
    with pytest.raises(SpecError, match="at most 1,000"):
        run_spec(LossCode("bce_grey", kl_batch="sum"), "mnist", epochs=2)


@pytest.mark.parametrize(
    ("code", "latex"),
    [
        (LossCode(), r"\sigma^2 = \frac{D}{2} = \frac{784}{2} = 392"),
        (LossCode(half=True, pixels="sum"), r"\sigma^2 = 1"),
        (LossCode(weight=0.00025), r"\sigma^2 = \frac{c\cdot D}{2} = \frac{0.00025\cdot 784}{2} = 0.098"),
        (LossCode(pixel_range="-1..1"), r"\sigma^2 = \frac{D}{2\cdot R^2} = \frac{784}{2\cdot 2^2} = 98"),
        (LossCode("absolute", pixels="sum", pixel_range="0..255"), r"b = \frac{1}{R} = \frac{1}{255} = 0.003922"),
        (LossCode("bce_grey", latents="mean", latent_dim=2), r"\beta = \frac{D}{J} = \frac{784}{2} = 392"),
        (LossCode("absolute", pixels="sum", batch="sum", batch_size=64), r"b = \frac{1}{B} = \frac{1}{64} = 0.01562"),
        (
            LossCode(half=True, kl_batch="sum", weight=1e-5),
            r"\sigma^2 = c\cdot D\cdot B = 1\cdot 10^{-5}\cdot 784\cdot 128 = 1.004",
        ),
    ],
)
def test_the_derivation_in_latex(code: LossCode, latex: str) -> None:
    assert derivation(code) == latex


EIGENVALUES = np.array([4.0, 2.0, 1.0, 0.1])


def test_forecasts() -> None:
    seen = forecast(LossCode(pixels="sum", n_pixels=4, latent_dim=2), EIGENVALUES, 7.1)
    assert seen.linear is not None and seen.linear.active == 2
    assert seen.linear.kl == pytest.approx(0.5 * math.log(4 * 2 / 0.25))
    assert seen.most_kl == pytest.approx(7.1)  # total variance / (2 sigma^2), sigma^2 = 1/2
    other = forecast(LossCode("bce_binary", n_pixels=4, latent_dim=2), EIGENVALUES, 3.0)
    assert other.linear is None
    assert other.most_kl == pytest.approx(3.0 / 4)


@pytest.mark.parametrize(
    ("weight", "word"), [(9.0, "collapse"), (5.0, "some"), (3.0, "noisy"), (1.1, "fair"), (0.2, "too sure")]
)
def test_outlooks_of_a_gaussian(weight: float, word: str) -> None:
    """sigma^2 is half the weight; the best one is 0.1 with three latents, 0.55 with two."""
    latent_dim = 3 if word == "noisy" else 2
    eigenvalues = np.array([4.0, 2.0, 1.9, 0.1]) if word == "noisy" else EIGENVALUES
    code = LossCode(pixels="sum", weight=weight, n_pixels=4, latent_dim=latent_dim)
    seen = forecast(code, eigenvalues, 7.1)
    assert outlook(code, seen, float(eigenvalues[latent_dim:].mean())) == word


def test_outlooks_without_an_exact_forecast() -> None:
    code = LossCode("bce_grey", n_pixels=4, latent_dim=2)
    assert outlook(code, forecast(code, EIGENVALUES, 3.9), 0.55) == "ceiling collapse"
    assert outlook(code, forecast(code, EIGENVALUES, 4.1), 0.55) == "no forecast"


def test_the_unit_of_a_density() -> None:
    """What ln p loses in units of 0 to 255: nats an image."""
    assert units_cost(LossCode(pixel_range="0..255")) == pytest.approx(4344.4, abs=0.05)
    x, mu = torch.tensor([0.2, 0.9], dtype=torch.float64), torch.tensor([0.5, 0.6], dtype=torch.float64)
    grey, bytes_ = Normal(mu, 0.3).log_prob(x).sum(), Normal(255 * mu, 255 * 0.3).log_prob(255 * x).sum()
    assert units_cost(LossCode(n_pixels=2, pixel_range="0..255")) == pytest.approx((grey - bytes_).item())


def test_what_is_right_already() -> None:
    assert right_already(LossCode("bce_binary", pixels="sum"))
    assert right_already(LossCode("bce_binary", pixels="sum", batch="sum", kl_batch="sum"))
    assert not right_already(LossCode("bce_binary"))
    assert not right_already(LossCode("bce_grey", pixels="sum"))
    assert not right_already(LossCode(pixels="sum", half=True))  # sigma^2 = 1 is a claim about the data


def test_the_noise_left_has_two_digits() -> None:
    images = np.random.default_rng(3).normal(size=(200, 8)) * np.linspace(2, 0.1, 8)
    values = eigenvalues(images)
    sigma = math.sqrt(noise_left("squared", 3, lambda: images, values))
    assert sigma == pytest.approx(math.sqrt(values[3:].mean()), rel=0.05)
    assert sigma == pytest.approx(round(sigma, 2), abs=1e-12)
    assert 0 < noise_left("absolute", 3, lambda: images, values) < sigma  # E|e| < its deviation
    assert noise_left("bce_grey", 3, lambda: images, values) == 0
