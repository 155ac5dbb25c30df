"""RunSpec: everything that determines a run, checked, as a value with an identity.

Same spec, same result. The page process uses this file too, so it imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from vae_core.catalogue import BINARIZE, DATASETS, DEQUANTIZE
from vae_core.errors import SpecError
from vae_core.likelihoods import LIKELIHOODS, Likelihood, Support
from vae_core.values import Choice, Layers, Real, Rule, Whole, shown

BETA, SIGMA, SCALE = Real(0.0, 1000.0), Real(0.01, 30.0), Real(0.01, 1000.0)  # also for who looks for a value within
_PIXELS = (
    "A Bernoulli is a probability of black-and-white pixels only. *Tossed like coins* makes a pixel white with its "
    "grey level as probability: anew at each training step, once and for all when held out."
)
_FLOOR = "The least σ² that a learned variance may be; without it the density has no upper bound."
_NOISE = (
    "Added to grey levels before a density sees them, folded back into [0,1]: a density of discrete pixels bounds no "
    "probability, one of noisy pixels does. Decoders that are masses see the pixels as they are."
)
_FORMS = {"network": "ReLU networks", "linear": "Linear, no hidden layer"}
_LINEAR = (
    "Linear: the decoder's outputs are Wz + c, the encoder's are linear in x, and *Layer sizes* count for nothing. "
    "Where the noise is Gaussian with one σ, no other encoder gives a better q, and at β = 1 the best end is known: "
    "page *Linear VAE*."
)
MAX_MEMORY, MAX_SECONDS = 2 << 30, 2 * 3600.0  # what one run may be expected to take
_OF_SOME = {name for kind in LIKELIHOODS.values() for name in kind.settings}
_UNUSED = {  # noise is for densities: a mass is on the levels themselves
    key: (_OF_SOME - set(kind.settings)) | ({"dequantize"} if kind.kind == "mass" else set())
    for key, kind in LIKELIHOODS.items()
}
LIVE_IMAGES = 160  # held-out images that each snapshot is evaluated on; the last one, and the result, on all of them
# One Xeon core trains the default network at about 90 GFLOP/s and pays about a millisecond a step besides.
NOMINAL_FLOPS, NOMINAL_STEP_SECONDS = 60e9, 1e-3


@dataclass(frozen=True)
class Setting:
    """What is known of a field of RunSpec: forms, help, addresses and refusals are made from it."""

    rule: Rule
    label: str
    help: str
    step: float | None = None  # of the arrows beside a number
    added_later: bool = False  # then a run that leaves it at its default keeps the id it had before


def _setting(default: Any, rule: Rule, label: str, help: str, **more: Any) -> Any:
    return field(default=default, metadata={"setting": Setting(rule, label, help, **more)})


@dataclass(frozen=True)
class RunSpec:
    """One run: data, p(x|z,w), network, objective and luck. Invalid values raise SpecError.

    A field that is a setting of other likelihoods alone (`settings` of each class), or `hidden` where no layer is, goes
    back to its default and is no part of the run's identity. A new field must be `added_later`: the ids of earlier runs
    and links then stay.
    """

    dataset: str = _setting("mnist", Choice({k: info.title for k, info in DATASETS.items()}), "Data", "What to learn.")
    likelihood: str = _setting(
        "bernoulli", Choice({k: kind.name for k, kind in LIKELIHOODS.items()}), "Decoder", "What its outputs mean."
    )
    latent_dim: int = _setting(10, Whole(1, 64), "Latent size", "How many numbers z has.")
    hidden: tuple[int, ...] = _setting(
        (400,), Layers(4, Whole(1, 8192)), "Layer sizes", "Of the encoder, commas between; the decoder mirrors them."
    )
    beta: float = _setting(
        1.0, BETA, "β", "Weight of the KL in what is maximised. The ELBO shown always has weight 1.", step=0.5
    )
    mc_samples: int = _setting(
        1, Whole(1, 64), "L", "Draws of z for each image in the Monte-Carlo estimate of the reconstruction."
    )
    batch_size: int = _setting(128, Whole(1, 4096), "Batch size", "Images a step.")
    learning_rate: float = _setting(
        1e-3, Real(1e-6, 1.0), "Learning rate", "Step size of the optimiser, Adam.", step=0.0005
    )
    epochs: int = _setting(24, Whole(1, 10_000), "Epochs", "Passes over the training images.")
    seed: int = _setting(
        0, Whole(0, 2**31 - 1), "Seed", "Same seed, same result: weights, order of images, z and held-out images."
    )
    binarize: str = _setting("none", Choice(BINARIZE), "Pixels", _PIXELS)
    sigma: float = _setting(
        1.0, SIGMA, "Fixed σ", "Of the Gaussian N(μ, σ²I). 1 is identity covariance, what ½·SSE means.", step=0.1
    )
    variance_floor: float = _setting(1e-3, Real(1e-8, 1.0), "Floor on σ²", _FLOOR, step=0.001)
    scale: float = _setting(
        1.0, SCALE, "Laplace's b", "Scale of the Laplace noise: its standard deviation is √2·b.", step=0.1
    )
    levels: int = _setting(
        17,
        Whole(2, 32),
        "Categorical's levels",
        "Grey levels in its softmax; no more than the pixels have.",
        added_later=True,
    )
    dequantize: str = _setting("none", Choice(DEQUANTIZE), "Noise on pixels", _NOISE, added_later=True)
    decoder: str = _setting("network", Choice(_FORMS), "Encoder and decoder", _LINEAR, added_later=True)
    held_out: float = _setting(0.2, Real(0.02, 0.5), "Held-out share", "Images kept away from training.", step=0.05)

    def __post_init__(self) -> None:
        for one in fields(self):
            checked = one.metadata["setting"].rule.check(one.name, getattr(self, one.name))
            object.__setattr__(self, one.name, checked)
        for name in self._unused:  # does not tell runs apart
            object.__setattr__(self, name, getattr(type(self), name))
        if "levels" in LIKELIHOODS[self.likelihood].settings:
            object.__setattr__(self, "levels", min(self.levels, self.n_levels))
        self._check_cost()

    def _check_cost(self) -> None:
        need = cost(self)
        if need.memory_bytes > MAX_MEMORY:
            layers = f"hidden={list(self.hidden)} with " if self.hidden_layers else ""
            raise SpecError(
                "hidden" if layers else "batch_size",
                f"{layers}batch_size={self.batch_size} and mc_samples={self.mc_samples} would "
                f"need about {need.memory_bytes / 2**30:.1f} GiB; allowed: {MAX_MEMORY / 2**30:.0f} GiB. "
                f"Make {'the layers, ' if layers else ''}the batch or L smaller.",
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
        """What determines the run, its canonical form: without what it does not use, and without what was added later
        and is at its default."""
        values = asdict(self) | {"hidden": list(self.hidden)}
        for one in fields(self):
            unchanged = one.metadata["setting"].added_later and values[one.name] == one.default
            if unchanged or one.name in self._unused:
                del values[one.name]
        return values

    @cached_property  # a page asks a hundred times a rerun, and a spec never changes
    def canonical_json(self) -> str:
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @cached_property
    def id(self) -> str:
        """16 hex digits of SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()[:16]

    @property
    def _unused(self) -> set[str]:
        return _UNUSED[self.likelihood] | ({"hidden"} if self.decoder == "linear" else set())

    @property
    def hidden_layers(self) -> tuple[int, ...]:
        """Sizes of the encoder's hidden layers; the decoder mirrors them."""
        return () if self.decoder == "linear" else self.hidden

    @property
    def n_pixels(self) -> int:
        return DATASETS[self.dataset].n_pixels

    @property
    def n_levels(self) -> int:
        """How many values a pixel has before noise is added."""
        return DATASETS[self.dataset].levels + 1 if self.binarize == "none" else 2

    @property
    def loss_only(self) -> bool:
        """Whether -ln p is a usable loss, but ln p the log of nothing: the pixels lie outside p's support."""
        pixels = Support.LEVELS if self.binarize == "none" else Support.BOOLEAN
        if self.dequantize != "none":
            pixels = Support.UNIT_INTERVAL
        return not pixels <= LIKELIHOODS[self.likelihood].support

    @property
    def n_held_out(self) -> int:
        return max(1, round(self.held_out * DATASETS[self.dataset].n_images))

    @property
    def n_training(self) -> int:
        return DATASETS[self.dataset].n_images - self.n_held_out

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.n_training / self.batch_size)

    @property
    def total_steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    def with_epochs(self, epochs: int) -> RunSpec:
        return replace(self, epochs=epochs)


SETTINGS: dict[str, Setting] = {one.name: one.metadata["setting"] for one in fields(RunSpec)}


def make_likelihood(spec: RunSpec) -> Likelihood:
    kind = LIKELIHOODS[spec.likelihood]
    settings = {name: getattr(spec, name) for name in kind.settings}
    if kind.support is Support.LEVELS:
        settings.setdefault("levels", spec.n_levels)
    return kind(spec.n_pixels, **settings)


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
    parameters = encoder_weights + decoder_weights + make_likelihood(spec).n_shared
    memory = 4.0 * (13 * parameters + 4 * width * rows)
    snapshot_seconds = 2.0 * parameters * LIVE_IMAGES / NOMINAL_FLOPS + 0.01
    step_seconds = step_flops / NOMINAL_FLOPS + NOMINAL_STEP_SECONDS + snapshot_seconds / snapshot_stride(spec)
    return Cost(parameters, step_flops, memory, spec.total_steps * step_seconds)


def snapshot_stride(spec: RunSpec) -> int:
    """Steps between snapshots: about 0.15 s of work, so that a default run has some fifty."""
    return max(1, _stride(spec) // 2)


def curve_stride(spec: RunSpec) -> int:
    """Steps between the points of the training curve."""
    return max(1, _stride(spec) // 8)


def _stride(spec: RunSpec) -> int:
    """Steps in about 0.3 s of work, a power of two, the same for every likelihood.

    It hangs on the spec and not on the clock, so that a run's curves are the same on every machine, and not on
    `epochs`, so that a continued run's are those of a long one.
    """
    encoder_weights, decoder_weights, _ = _sizes(spec, outputs_a_pixel=1)
    flops = 6.0 * spec.batch_size * (encoder_weights + decoder_weights * spec.mc_samples)
    return 2 ** min(5, max(0, round(math.log2(0.3 / (flops / NOMINAL_FLOPS + NOMINAL_STEP_SECONDS)))))


def _sizes(spec: RunSpec, outputs_a_pixel: int | None = None) -> tuple[int, int, int]:
    """Weights of the encoder and of the decoder, and how many numbers an image becomes on its way through both."""
    likelihood = make_likelihood(spec)
    n_outputs = spec.n_pixels * (outputs_a_pixel or 0) or likelihood.n_outputs - likelihood.n_shared
    encoder = [spec.n_pixels, *spec.hidden_layers, 2 * spec.latent_dim]
    decoder = [spec.latent_dim, *reversed(spec.hidden_layers), n_outputs]
    encoder_weights, decoder_weights = (sum((a + 1) * b for a, b in zip(w, w[1:])) for w in (encoder, decoder))
    return encoder_weights, decoder_weights, sum(encoder) + sum(decoder) + 2 * spec.n_pixels
