"""What a class looks at together is computed once: the image, its pixels under a decoder, and the estimate."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pages.shared.trained import data_of
from vae_core.lessons.one_image import Estimate, Pixels, estimate, held_out_image, latent_of, pixels_at
from vae_core.spec import RunSpec

if TYPE_CHECKING:
    from torch import Tensor

    from vae_core.model import VAE

# A key keeps its decoder in memory, some 3 MB where no other page does.


@lru_cache(maxsize=256)
def image(spec: RunSpec, number: int) -> Tensor:
    """(n_pixels,) in [0,1]. Raises DataError."""
    return held_out_image(spec, data_of(spec.dataset), number)


@lru_cache(maxsize=64)
def pixels(vae: VAE, number: int, seed: int | None) -> Pixels:
    """At the mean of q(z|x), or at the first draw of `seed`."""
    x = image(vae.spec, number)
    return pixels_at(vae, x, latent_of(vae, x, seed))


@lru_cache(maxsize=64)
def estimated(vae: VAE, number: int, n_draws: int, draw: int) -> Estimate:
    return estimate(vae, image(vae.spec, number), n_draws, draw)
