"""What a class looks at together is computed once: the pixels of an image under a decoder, and the estimate."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pages.shared.held_out import image_of
from vae_core.lessons.one_image import Estimate, Pixels, estimate, latent_of, pixels_at

if TYPE_CHECKING:
    from vae_core.model import VAE

# A key keeps its decoder in memory, some 3 MB where no other page does.


@lru_cache(maxsize=64)
def pixels(vae: VAE, number: int, seed: int | None) -> Pixels:
    """At the mean of q(z|x), or at the first draw of `seed`."""
    x = image_of(vae.spec, number)
    return pixels_at(vae, x, latent_of(vae, x, seed))


@lru_cache(maxsize=64)
def estimated(vae: VAE, number: int, n_draws: int, draw: int) -> Estimate:
    return estimate(vae, image_of(vae.spec, number), n_draws, draw)
