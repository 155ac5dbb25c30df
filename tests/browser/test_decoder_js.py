"""The decoder in JavaScript against torch: the same weights, the same z, in a real browser. What its outputs mean, and
how they are drawn from, test_likelihoods_js.py holds against torch pixel by pixel."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page

from pages.shared.widget import SHARED
from vae_core.checkpoint import load_vae
from vae_core.lessons.latent_weights import flat, shared
from vae_core.likelihoods import LIKELIHOODS
from vae_core.model import VAE
from vae_core.shipped import SPECS, shipped_weights
from vae_core.spec import RunSpec

DECODE = """({ run, weights, zs }) => {
  const bytes = Uint8Array.from(atob(weights), (letter) => letter.charCodeAt(0));
  const decode = makeDecoder(run, new Float32Array(bytes.buffer));
  return zs.map((z) => {
    const decoded = decode(Float32Array.from(z));
    const flat = decoded.sample({ uniform: () => 0.5, normal: () => 0 }); // of a symmetric density: its middle
    return { mean: [...decoded.mean], sigma: [...decoded.sigma], entropy: decoded.entropy(), sample: [...flat] };
  });
}"""
UNTRAINED = [
    RunSpec(likelihood="bernoulli", dataset="digits", latent_dim=1, hidden=(8,)),
    RunSpec(likelihood="gaussian_learned", dataset="digits", latent_dim=64, hidden=(33, 7), variance_floor=0.9),
    RunSpec(likelihood="gaussian_identity", dataset="digits", latent_dim=3, hidden=(17,), sigma=0.25),
    *(RunSpec(likelihood=key, dataset="digits", latent_dim=2, hidden=(16,)) for key in LIKELIHOODS),
    RunSpec(likelihood="discretized_logistic", latent_dim=5, hidden=(16,)),  # 256 levels
    RunSpec(likelihood="categorical", dataset="digits", latent_dim=2, hidden=(16,), levels=3),
    RunSpec(likelihood="gaussian_shared", dataset="digits", latent_dim=6, decoder="linear"),
    RunSpec(likelihood="bernoulli", dataset="digits", latent_dim=4, decoder="linear"),
]


@pytest.fixture(scope="module")
def browser_page(browser: Browser):
    page = browser.new_page()
    for name in ("shared/svg", "shared/likelihoods", "latent/decoder"):
        page.add_script_tag(content=(SHARED.parent / f"{name}.js").read_text(encoding="utf-8"))
    yield page
    page.close()


def described(vae: VAE) -> dict[str, Any]:
    """What the page sends: see pages/latent/pack.py."""
    decoder, spec = flat(vae.decoder), vae.spec
    run: dict[str, Any] = {"likelihood": spec.likelihood, "settings": vae.likelihood.given, "shared": shared(vae)}
    run |= {"layers": decoder.layers, "pixels": spec.n_pixels}
    return {"run": run, "weights": base64.b64encode(decoder.data).decode()}


def middle(vae: VAE, outputs: torch.Tensor) -> torch.Tensor:
    """The value at which each pixel's cdf is 1/2: (n, n_pixels)."""
    pixel = vae.likelihood.distribution(outputs)
    if vae.spec.likelihood == "continuous_bernoulli":  # torch's own is not exact near 0
        a = outputs.double()
        return torch.log1p(0.5 * torch.expm1(a)) / a
    if vae.likelihood.kind == "density":
        return pixel.icdf(torch.tensor(0.5))
    levels = pixel.enumerate_support(expand=False)  # (levels, 1, 1)
    reached = pixel.log_prob(levels).exp().cumsum(0) > 0.5  # (levels, n, n_pixels)
    return levels.flatten()[reached.int().argmax(0)]


def trained(spec: RunSpec) -> VAE:
    weights = shipped_weights(spec)
    vae = load_vae(weights) if weights else VAE(spec)
    if vae.shared is not None:
        torch.nn.init.constant_(vae.shared, -0.15)  # moved, as training moves it
    return vae


def entropies(vae: VAE, outputs: torch.Tensor) -> torch.Tensor:
    """Of each pixel: (n, n_pixels)."""
    if vae.spec.likelihood == "continuous_bernoulli":  # by its mean: ln p is linear in x
        of_one = type(vae.likelihood)(1)
        return -of_one.log_prob(outputs[..., None], vae.likelihood.mean(outputs)[..., None])
    return vae.likelihood.distribution(outputs).entropy()


@pytest.mark.parametrize("spec", [*SPECS.values(), *UNTRAINED], ids=lambda spec: f"{spec.likelihood}-{spec.latent_dim}")
def test_mean_sigma_and_entropy_are_torchs(browser_page: Page, spec: RunSpec) -> None:
    vae = trained(spec)
    z = 2 * torch.randn(100, spec.latent_dim, generator=torch.Generator().manual_seed(1))
    z[0] = 0  # nothing but the biases reaches the first hidden layer
    found = browser_page.evaluate(DECODE, {**described(vae), "zs": z.tolist()})
    with torch.inference_mode():
        outputs = vae.decode(z)
        mean, sigma = vae.likelihood.mean(outputs), vae.likelihood.stddev(outputs.double())
        entropy = entropies(vae, outputs.double()).sum(-1)
    assert np.abs(np.array([one["mean"] for one in found]) - mean.numpy()).max() < 1e-4  # a grey level is 1/255
    samples = np.array([one["sample"] for one in found])
    assert (np.abs(samples - middle(vae, outputs).numpy()) < 1e-4).mean() > 0.999  # rounding at 0.5
    np.testing.assert_allclose([one["sigma"] for one in found], sigma.numpy(), rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose([one["entropy"] for one in found], entropy.numpy(), rtol=2e-4, atol=1e-3)


def test_weights_of_another_shape_are_refused(browser_page: Page) -> None:
    values = described(VAE(UNTRAINED[0]))
    values["run"]["layers"] = [[1, 8], [8, 63]]
    with pytest.raises(Exception, match="the network wants 583 weights, 592 came"):
        browser_page.evaluate(DECODE, {**values, "zs": [[0.0]]})
    values["run"]["likelihood"] = "unheard_of"
    assert browser_page.evaluate("({ run }) => makeDecoder(run, new Float32Array(0))", values) is None
