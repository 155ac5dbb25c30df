"""Runs that ship with the app, as weights or as numbers alone: `python -m vae_core ship` trains them again.

No torch is needed to read what was measured on them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from vae_core.data import load_dataset
from vae_core.folders import ASSETS
from vae_core.measures import Means, SigmaStats
from vae_core.spec import RunSpec

if TYPE_CHECKING:
    from vae_core.evaluation import Evaluation
    from vae_core.training import Snapshot

SHIPPED_RUNS = ASSETS / "runs"
MEASURED, PICTURES = SHIPPED_RUNS / "measured.json", SHIPPED_RUNS / "pictures.npz"
DECODERS = ("bernoulli", "gaussian_identity", "gaussian_learned")
SIGMAS = (1.0, 0.5, 0.25, 0.1)  # of the fixed-variance runs, for what the assumed noise does to training
# Black-and-white pixels, so that the Bernoulli's number is the log of a true probability.
SPECS = {key: RunSpec(likelihood=key, binarize="threshold", epochs=40, seed=1) for key in DECODERS}
SHARED = replace(SPECS["gaussian_identity"], likelihood="gaussian_shared")
SIGMA_SPECS = {sigma: replace(SPECS["gaussian_identity"], sigma=sigma) for sigma in SIGMAS}
SHIPPED = (  # with their weights, by file name, and what was measured on them
    SPECS
    | {f"sigma_{sigma:g}": spec for sigma, spec in SIGMA_SPECS.items() if sigma != 1}
    | {"gaussian_shared": SHARED}
)
# For the latent page: all of z on one plane. Their weights alone ship; Compare and the others look into ten latents.
TWO_LATENTS = {key: replace(spec, latent_dim=2) for key, spec in SPECS.items()}
WITH_WEIGHTS = SHIPPED | {f"{key}_two_latents": spec for key, spec in TWO_LATENTS.items()}  # by file name

# The experiments: their numbers and a few pictures ship, 3 MB of weights each would be too much.
FLOORS = {-3: 0.04979, -5: 0.006738, -7: 0.0009119, -9: 0.0001234, -11: 1.67e-05}  # e to each power, four digits
FLOOR_SPECS = {power: replace(SPECS["gaussian_learned"], variance_floor=floor) for power, floor in FLOORS.items()}
GREY = replace(SPECS["bernoulli"], binarize="none")
GREY_SPECS = {
    "loss": GREY,
    "tossed": replace(GREY, binarize="stochastic"),
    "continuous": replace(GREY, likelihood="continuous_bernoulli"),
    "continuous_noise": replace(GREY, likelihood="continuous_bernoulli", dequantize="uniform"),
    "logistic": replace(GREY, likelihood="discretized_logistic"),
}
# Each sigma is the root-MSE at drawn z of the run before, from sigma = 1, four digits; by the images it is taken on.
SIGMA_ROUNDS = {"held_out": (1.0, 0.2330, 0.1969), "train": (1.0, 0.2273, 0.1837)}
ROUND_SPECS = {
    part: [replace(SPECS["gaussian_identity"], sigma=sigma) for sigma in sigmas]
    for part, sigmas in SIGMA_ROUNDS.items()
}
EXPERIMENTS = (  # without those that ship as weights too
    {f"floor_e{power}": spec for power, spec in FLOOR_SPECS.items()}
    | {f"grey_{name}": spec for name, spec in GREY_SPECS.items()}
    | {f"round_{spec.sigma:g}": spec for rounds in ROUND_SPECS.values() for spec in rounds if spec.sigma != 1}
)

MOST_POINTS = 40  # of a trail
N_PRIOR = 12  # of the new images that a run's pictures hold
SAME = 0.5  # nats of held-out ELBO between the same run on two kinds of processor


def shipped_weights(spec: RunSpec) -> bytes | None:
    """The safetensors of a shipped run; None when this one is not shipped."""
    name = next((name for name, shipped in WITH_WEIGHTS.items() if shipped == spec), None)
    path = SHIPPED_RUNS / f"{name}.safetensors"
    return path.read_bytes() if name and path.exists() else None


# What was measured ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    """The held-out means after so many steps: nats per image, mse per pixel."""

    step: int
    reconstruction: float
    kl: float
    elbo: float
    mse: float
    log_mass: float | None  # None where the decoder gives the grey levels no probability


@dataclass(frozen=True)
class Measured:
    """What a run of SHIPPED or EXPERIMENTS ended with, on all held-out images, and its way there."""

    means: Means
    train: Means  # the same on the training images
    active_latents: int
    sigma: SigmaStats | None  # of the decoders that learn one
    trail: tuple[Point, ...]  # from step 0 to the last, at most MOST_POINTS


def measured(spec: RunSpec) -> Measured | None:
    """Of a run that ships, as weights or as numbers; None of any other."""
    return _all_measured().get(spec.id)


@lru_cache(maxsize=1)
def _all_measured() -> dict[str, Measured]:
    return {run_id: _measured(facts) for run_id, facts in json.loads(MEASURED.read_text("utf-8")).items()}


def _measured(facts: dict[str, Any]) -> Measured:
    return Measured(
        means=Means(**facts["means"]),
        train=Means(**facts["train"]),
        active_latents=facts["active_latents"],
        sigma=SigmaStats(**facts["sigma"]) if facts["sigma"] else None,
        trail=tuple(Point(*point) for point in facts["trail"]),
    )


@lru_cache(maxsize=32)
def pictures(spec: RunSpec) -> dict[str, np.ndarray] | None:
    """Of a run that ships, as weights or as numbers: uint8 images (n, side, side), as `Pictures` names them, of
    held-out digits `input`, `mean` and `sample` (clipped), and of new ones `prior_mean`; None of any other."""
    with np.load(PICTURES, allow_pickle=False) as arrays:
        found = {key.partition(".")[2]: arrays[key] for key in arrays.files if key.startswith(f"{spec.id}.")}
    return found or None


# Making them ---------------------------------------------------------------------------------------------------------


def make_shipped() -> None:
    """Train the shipped runs and the experiments, and write to assets/runs the weights of the former and what was
    measured on all but those with two latents. Takes some five minutes. Weights that are there stay where training
    gives the same again, but for how this processor rounds."""
    import torch

    torch.set_num_threads(1)
    SHIPPED_RUNS.mkdir(exist_ok=True)
    facts: dict[str, dict[str, Any]] = {}
    arrays: dict[str, np.ndarray] = {}
    measured_too = SHIPPED | EXPERIMENTS
    for name, spec in (WITH_WEIGHTS | EXPERIMENTS).items():
        snapshots = _snapshots(spec)
        weights = _weights(snapshots[-1])
        if name in WITH_WEIGHTS:
            weights = _kept(name, spec, weights)
        if name in measured_too:
            facts[spec.id] = _facts(spec, weights, snapshots)
            arrays |= {f"{spec.id}.{part}": images for part, images in _pictures(spec, weights).items()}
    lines = ",\n".join(f"{json.dumps(run_id)}: {json.dumps(one, allow_nan=False)}" for run_id, one in facts.items())
    MEASURED.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    np.savez_compressed(PICTURES, **arrays)  # type: ignore[arg-type]
    _all_measured.cache_clear()
    pictures.cache_clear()


def _kept(name: str, spec: RunSpec, weights: bytes) -> bytes:
    """What is in the file now: these weights, or those that were there and do the same."""
    path = SHIPPED_RUNS / f"{name}.safetensors"
    if path.exists() and abs(_elbo(spec, path.read_bytes()) - _elbo(spec, weights)) < SAME:
        weights = path.read_bytes()
    path.write_bytes(weights)
    return weights


def _snapshots(spec: RunSpec) -> list[Snapshot]:
    from vae_core.training import train

    return list(train(spec, load_dataset(spec.dataset), device="cpu"))


def _weights(last: Snapshot) -> bytes:
    assert last.checkpoint is not None and last.status == "done"
    weights_only = {name: value for name, value in last.checkpoint.tensors.items() if name.startswith("model.")}
    return replace(last.checkpoint, tensors=weights_only).to_bytes()


def _evaluated(spec: RunSpec, weights: bytes, part: str) -> Evaluation:
    """On all images of the part "held_out" or "train", with the draws of training."""
    from vae_core.checkpoint import load_vae
    from vae_core.evaluation import evaluate
    from vae_core.feed import Feed
    from vae_core.model import stream

    feed = Feed(spec, load_dataset(spec.dataset))
    images = feed.part(feed.held_out_part if part == "held_out" else feed.train_part)
    return evaluate(load_vae(weights), images, stream(spec.seed, "evaluation"))


def _elbo(spec: RunSpec, weights: bytes) -> float:
    return _evaluated(spec, weights, "held_out").means.elbo


def _facts(spec: RunSpec, weights: bytes, snapshots: list[Snapshot]) -> dict[str, Any]:
    """What measured.json holds of a run: its weights' numbers to seven digits, a float32's, and its way there."""
    held_out, train = (_evaluated(spec, weights, part) for part in ("held_out", "train"))
    means = _rounded(asdict(held_out.means))
    trail = [_point(one.step, _rounded(asdict(one.held_out.means))) for one in thinned(snapshots, MOST_POINTS)]
    return {
        "spec": spec.to_dict(),
        "means": means,
        "train": _rounded(asdict(train.means)),
        "active_latents": held_out.active_latents,
        "sigma": _rounded(asdict(held_out.sigma)) if held_out.sigma else None,
        "trail": [*trail[:-1], _point(spec.total_steps, means)],
    }


def _point(step: int, means: dict[str, float | None]) -> list[float | None]:
    return [step, *(means[name] for name in ("reconstruction", "kl", "elbo", "mse", "log_mass"))]


def _rounded(numbers: dict[str, float | None]) -> dict[str, float | None]:
    return {name: None if number is None else float(f"{number:.7g}") for name, number in numbers.items()}


def thinned(items: list[Snapshot], most: int) -> list[Snapshot]:
    """At most so many of them, evenly, the first and the last among them."""
    if len(items) <= most:
        return items
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def _pictures(spec: RunSpec, weights: bytes) -> dict[str, np.ndarray]:
    from vae_core.checkpoint import load_vae
    from vae_core.feed import Feed
    from vae_core.pictures import take_pictures

    feed = Feed(spec, load_dataset(spec.dataset))
    held_out = next(feed.part(feed.held_out_part))  # a batch, as a snapshot's are made of
    shown = take_pictures(load_vae(weights), held_out)
    return {"input": shown.input, "mean": shown.mean, "sample": shown.sample, "prior_mean": shown.prior_mean[:N_PRIOR]}
