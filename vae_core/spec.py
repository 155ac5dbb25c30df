"""RunSpec: everything that determines a run, checked, as a value with an identity.

Same spec, same result. The page process uses this file too, so it imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from vae_core.data import BINARIZE, DATASETS
from vae_core.errors import SpecError
from vae_core.likelihoods import LIKELIHOODS

CHOICES: dict[str, tuple[str, ...]] = {
    "dataset": tuple(DATASETS),
    "likelihood": tuple(LIKELIHOODS),
    "binarize": BINARIZE,
}
WHOLE: dict[str, tuple[int, int]] = {
    "latent_dim": (1, 64),
    "mc_samples": (1, 64),
    "batch_size": (1, 4096),
    "epochs": (1, 10_000),
    "seed": (0, 2**31 - 1),
}
REAL: dict[str, tuple[float, float]] = {
    "beta": (0.0, 1000.0),
    "learning_rate": (1e-6, 1.0),
    "sigma": (0.01, 30.0),
    "variance_floor": (1e-8, 1.0),
    "scale": (0.01, 1000.0),
    "held_out": (0.02, 0.5),
}
MAX_LAYERS, MAX_WIDTH = 4, 8192
MAX_MEMORY, MAX_SECONDS = 2 << 30, 2 * 3600.0  # what one run may be expected to take
_OF_SOME = {name for kind in LIKELIHOODS.values() for name in kind.settings}
_UNUSED = {key: _OF_SOME - set(kind.settings) for key, kind in LIKELIHOODS.items()}
LIVE_IMAGES = 1000  # held-out images that each snapshot is evaluated on; the result is on all of them
# One Xeon core trains the default network at about 90 GFLOP/s and pays about a millisecond a step besides.
NOMINAL_FLOPS, NOMINAL_STEP_SECONDS = 60e9, 1e-3


@dataclass(frozen=True)
class RunSpec:
    """One run: data, p(x|z,w), network, objective and luck. Invalid values raise SpecError.

    `sigma` counts for `gaussian_identity` alone, `variance_floor` for `gaussian_learned` and `scale` for `laplace`; a
    field that the likelihood does not use goes back to its default and is no part of the run's identity.
    """

    dataset: str = "mnist"
    likelihood: str = "bernoulli"
    latent_dim: int = 10
    hidden: tuple[int, ...] = (400,)  # the encoder's layers; the decoder mirrors them
    beta: float = 1.0  # weight of the KL in the objective, never in the reported ELBO
    mc_samples: int = 1  # L draws of z an image
    batch_size: int = 128
    learning_rate: float = 1e-3
    epochs: int = 24
    seed: int = 0
    binarize: str = "none"
    sigma: float = 1.0
    variance_floor: float = 1e-3
    scale: float = 1.0
    held_out: float = 0.2  # share of the images kept away from training

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise SpecError(name, f"{name} is {shown(value)}; allowed: {', '.join(allowed)}.")
        for name, bounds in WHOLE.items():
            object.__setattr__(self, name, _whole(name, getattr(self, name), *bounds))
        for name, (low, high) in REAL.items():
            object.__setattr__(self, name, _real(name, getattr(self, name), low, high))
        object.__setattr__(self, "hidden", _layers(self.hidden))
        for field in fields(self):  # what the likelihood does not use does not tell runs apart
            if field.name in _UNUSED[self.likelihood]:
                object.__setattr__(self, field.name, field.default)
        self._check_cost()

    def _check_cost(self) -> None:
        need = cost(self)
        if need.memory_bytes > MAX_MEMORY:
            raise SpecError(
                "hidden",
                f"hidden={list(self.hidden)} with batch_size={self.batch_size} and mc_samples={self.mc_samples} would "
                f"need about {need.memory_bytes / 2**30:.1f} GiB; allowed: {MAX_MEMORY / 2**30:.0f} GiB. "
                "Make the layers, the batch or L smaller.",
            )
        if need.seconds > MAX_SECONDS:
            raise SpecError(
                "epochs",
                f"epochs={self.epochs} with these layers would train for about {need.seconds / 3600:.1f} hours; "
                f"allowed: {MAX_SECONDS / 3600:.0f} hours. Ask for fewer epochs, smaller layers or fewer images.",
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunSpec:
        """A spec from JSON or a URL. Raises SpecError for a key that no spec has."""
        known = [f.name for f in fields(cls)]
        for key in values:
            if key not in known:
                raise SpecError(str(key), f"{shown(key)} is not a setting; allowed: {', '.join(known)}.")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """What determines the run: every field but those that the likelihood does not use."""
        used = {name: value for name, value in asdict(self).items() if name not in _UNUSED[self.likelihood]}
        return used | {"hidden": list(self.hidden)}

    @property
    def canonical_json(self) -> str:
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def id(self) -> str:
        """16 hex digits of SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()[:16]

    @property
    def n_pixels(self) -> int:
        return DATASETS[self.dataset].n_pixels

    @property
    def n_held_out(self) -> int:
        return max(1, round(self.held_out * DATASETS[self.dataset].n_images))

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil((DATASETS[self.dataset].n_images - self.n_held_out) / self.batch_size)

    @property
    def total_steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    def with_epochs(self, epochs: int) -> RunSpec:
        return replace(self, epochs=epochs)


@dataclass(frozen=True)
class Cost:
    """What a run is expected to take on one ordinary core. An estimate, for limits and for telling the user."""

    parameters: int
    step_flops: float
    memory_bytes: float
    seconds: float


def cost(spec: RunSpec) -> Cost:
    encoder_weights, decoder_weights, width = _sizes(spec)
    rows = spec.batch_size * spec.mc_samples  # images through the decoder
    # A step costs 2 flops a weight and row forward and 4 backward. Held at the worst moment, in units of the weights:
    # themselves, gradients, Adam's two moments, two copies of the last good state (3 each) and a third as bytes.
    step_flops = 6.0 * (encoder_weights * spec.batch_size + decoder_weights * rows)
    parameters = encoder_weights + decoder_weights
    memory = 4.0 * (13 * parameters + 4 * width * rows)
    snapshot_seconds = 2.0 * parameters * LIVE_IMAGES / NOMINAL_FLOPS + 0.01
    step_seconds = step_flops / NOMINAL_FLOPS + NOMINAL_STEP_SECONDS + snapshot_seconds / snapshot_stride(spec)
    return Cost(parameters, step_flops, memory, spec.total_steps * step_seconds)


def snapshot_stride(spec: RunSpec) -> int:
    """Steps between snapshots, a power of two: about 0.3 s of work, the same for every likelihood.

    It hangs on the spec and not on the clock, so that a run's curves are the same on every machine, and not on
    `epochs`, so that a continued run's are those of a long one.
    """
    encoder_weights, decoder_weights, _ = _sizes(spec, outputs_a_pixel=1)
    flops = 6.0 * spec.batch_size * (encoder_weights + decoder_weights * spec.mc_samples)
    return 2 ** min(5, max(0, round(math.log2(0.3 / (flops / NOMINAL_FLOPS + NOMINAL_STEP_SECONDS)))))


def _sizes(spec: RunSpec, outputs_a_pixel: int | None = None) -> tuple[int, int, int]:
    """Weights of the encoder and of the decoder, and how many numbers an image becomes on its way through both."""
    n_outputs = spec.n_pixels * (outputs_a_pixel or 0) or LIKELIHOODS[spec.likelihood](spec.n_pixels).n_outputs
    encoder = [spec.n_pixels, *spec.hidden, 2 * spec.latent_dim]
    decoder = [spec.latent_dim, *reversed(spec.hidden), n_outputs]
    encoder_weights, decoder_weights = (sum((a + 1) * b for a, b in zip(w, w[1:])) for w in (encoder, decoder))
    return encoder_weights, decoder_weights, sum(encoder) + sum(decoder) + 2 * spec.n_pixels


def setting(name: str, text: str) -> Any:
    """A setting from a word typed or in a URL; what is no number stays text, for RunSpec to refuse."""
    try:
        if name == "hidden":
            return [int(part) for part in text.split(",")]
        if name in WHOLE:
            return int(text)
        return float(text) if name in REAL else text
    except ValueError:
        return text


def shown(value: Any) -> str:
    """A value as a sentence may hold it: short."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a number too long to show"
    return text if len(text) <= 60 else text[:57] + "..."


def _whole(name: str, value: Any, low: int, high: int) -> int:
    try:
        whole = low - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        whole = low - 1
    if not low <= whole <= high:
        raise SpecError(name, f"{name} is {shown(value)}; allowed: a whole number from {low} to {high}.")
    return whole


def _real(name: str, value: Any, low: float, high: float) -> float:
    try:
        real = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, OverflowError):
        real = math.nan
    if not low <= real <= high:  # also false for NaN
        raise SpecError(name, f"{name} is {shown(value)}; allowed: a number from {low:g} to {high:g}.")
    return real + 0.0  # -0.0 and 0.0 are one value


def _layers(value: Any) -> tuple[int, ...]:
    allowed = f"allowed: 1 to {MAX_LAYERS} layer sizes, each a whole number from 1 to {MAX_WIDTH}."
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_LAYERS:
        raise SpecError("hidden", f"hidden is {shown(value)}; {allowed}")
    try:
        return tuple(_whole("hidden", width, 1, MAX_WIDTH) for width in value)
    except SpecError:
        raise SpecError("hidden", f"hidden is {shown(value)}; {allowed}") from None
