"""What every p(x|z,w) has in common: the verbs, where its values lie, and the bins that make it a probability.

Stored pixels are one of n grey levels, x = k/(n-1). A distribution's *mass* on a level is what it gives to the bin
around it, with edges (k -+ 1/2)/(n-1) and the outermost bins open, so that it sums to 1 over the levels for every
decoder: the one currency in which they can be compared. Theis, van den Oord & Bethge 2016 (arXiv 1511.01844).
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from vae_core.errors import LevelsError
from vae_core.lazy_torch import torch

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.distributions import Distribution

LN_2PI = math.log(2 * math.pi)
OPEN = (
    1e6  # how far the outermost bins reach: far beyond the noise of any run, and finite, so that no gradient is 0 * inf
)


class Support(IntEnum):
    """Where the value of a pixel lies, as `support` says it in torch.distributions. Each lies within the next, so
    `a <= b` says that a lies within b."""

    BOOLEAN = 0  # 0 and 1
    LEVELS = 1  # the n grey levels k/(n-1)
    UNIT_INTERVAL = 2  # [0,1]
    REAL = 3

    @property
    def kind(self) -> Literal["mass", "density"]:
        """What p gives to a value: a probability, or a probability per unit of grey."""
        return "mass" if self <= Support.LEVELS else "density"


class Likelihood(Protocol):
    """The verbs every decoder has. `outputs` is (..., n_outputs), `x` is (..., n_pixels), and they broadcast."""

    name: ClassVar[str]  # as the page calls it
    symbol: ClassVar[str]  # p(x|z,w) of a whole image, LaTeX
    link: ClassVar[str]  # how its parameters come from the decoder's raw output f, LaTeX
    mean_symbol: ClassVar[str]  # what a pixel's mean is called; "" where it has no letter of its own
    loss_line: ClassVar[str]  # of PyTorch, as people write -ln p(x|z,w)
    support: ClassVar[Support]  # where the values lie to which p gives a probability, or a density
    kind: ClassVar[Literal["mass", "density"]] = "density"  # follows from the support, below
    settings: ClassVar[tuple[str, ...]] = ()  # the RunSpec fields that are part of this distribution
    learns_sigma: ClassVar[bool] = False  # whether the network gives each pixel a spread of its own
    second: ClassVar[str] = ""  # what code calls a pixel's second output, where it has one: "log_var", "log_scale"
    n_shared: ClassVar[int] = 0  # how many of the outputs, the last ones, are weights of their own: no functions of z

    n_pixels: int

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.kind = cls.support.kind

    def __init__(self, n_pixels: int, **settings: float): ...
    @property
    def title(self) -> str:
        return self.name  # with settings that are not the usual ones

    @property
    def given(self) -> dict[str, float]:
        """What was chosen before training: its settings and, of a mass on levels, how many there are."""
        return {name: value for name, value in vars(self).items() if name != "n_pixels"}

    @property
    def n_outputs(self) -> int: ...  # width of the decoder's last layer, and of what is shared
    def distribution(self, outputs: Tensor) -> Distribution: ...  # one independent distribution a pixel
    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor: ...  # (...,) nats, summed over pixels
    def check_levels(self, levels: int) -> None:
        """Raises LevelsError where this distribution gives no probability to one of so many grey levels."""
        return

    def log_mass(self, outputs: Tensor, x: Tensor, levels: int) -> Tensor:
        """ln of the probability of each pixel's grey level, the nearest of `levels` to x: (..., n_pixels) nats.
        Raises LevelsError as `check_levels` does."""
        ...

    def mean(self, outputs: Tensor) -> Tensor: ...  # (..., n_pixels)
    def stddev(self, outputs: Tensor) -> Tensor: ...  # (..., n_pixels) standard deviation of each pixel
    def sample(self, outputs: Tensor, generator: Generator | None = None) -> Tensor: ...  # (..., n_pixels)


def level_of(x: Tensor, levels: int) -> Tensor:
    """k, as a float: of the level k/(levels-1) that is nearest to x. Noise up to half a level goes away again."""
    return (x * (levels - 1)).round().clamp(0, levels - 1)


def greys(levels: int, like: Tensor) -> Tensor:
    """0, 1/(levels-1), ..., 1: (levels,), of the type and on the device of `like`."""
    return torch.arange(levels, device=like.device, dtype=like.dtype) / (levels - 1)


def side_of(x: Tensor) -> Tensor:
    """Of black-and-white pixels, whose one edge is at 1/2: 1 where white, -1 where black."""
    return 2 * level_of(x, 2) - 1


def as_stored(x: Tensor, levels: int) -> Tensor:
    """The grey of each pixel's level, of so many as it is stored with: in {k/(levels-1)}, any noise gone."""
    return level_of(x, levels) / (levels - 1)


def bin_around(x: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """The edges of the bin around x's level, the outermost bins open: two of (..., n_pixels)."""
    k, half = level_of(x, levels), 0.5 / (levels - 1)
    centre = k / (levels - 1)
    return centre - half - OPEN * (1 - k).relu(), centre + half + OPEN * (k - (levels - 2)).relu()


def log1mexp(t: Tensor) -> Tensor:
    """ln(1 - e^-t) for t > 0, exact to an ulp of 1."""
    return torch.log(-torch.expm1(-t))


def scores(likelihood: Likelihood, levels: int) -> bool:
    """Whether it gives each of so many grey levels a probability."""
    try:
        likelihood.check_levels(levels)
    except LevelsError:
        return False
    return True


def bits_per_pixel(log_mass: float, n_pixels: int, kl: float = 0.0) -> float:
    """Of ln P(x|z,w) of an image's grey levels and, with the KL, of what bounds ln P(x|w): nats per image to bits."""
    return (kl - log_mass) / (n_pixels * math.log(2))


def uniform_bits(levels: int) -> float:
    """Bits per pixel of a guess that gives every level the same probability."""
    return math.log2(levels)


def noise_like(mean: Tensor, generator: Generator | None) -> Tensor:
    return torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
