"""A run's weights, optimiser and generator state as one safetensors file: enough to go on as if never stopped."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Generator, Tensor

from vae_core.errors import CheckpointError, SpecError
from vae_core.model import VAE
from vae_core.spec import RunSpec


@dataclass
class Window:
    """Sums of the training terms over the steps since the last curve point, kept on the device."""

    sums: Tensor  # (2,) float64: reconstruction, kl, each the mean over a batch
    steps: int = 0

    def means(self) -> tuple[float, float]:
        reconstruction, kl = (self.sums / max(1, self.steps)).tolist()
        return reconstruction, kl


@dataclass
class State:
    """Everything that training changes."""

    vae: VAE
    optimiser: torch.optim.Adam
    generator: Generator
    window: Window
    step: int = 0
    seconds: float = 0.0

    def capture(self) -> Checkpoint:
        tensors = {f"model.{name}": value.detach().cpu().clone() for name, value in self.vae.state_dict().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            for name, value in moments.items():
                tensors[f"adam.{index}.{name}"] = value.detach().cpu().clone()
        tensors["generator"] = self.generator.get_state()
        tensors["window"] = self.window.sums.cpu().clone()
        return Checkpoint(self.vae.spec, self.step, self.window.steps, self.seconds, tensors)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Put back what `capture` took. Raises CheckpointError where shapes or names do not fit."""
        tensors = checkpoint.tensors
        if not checkpoint.whole:
            raise CheckpointError(
                "Of this run the model's weights alone are kept, to look at: train it from the start, which gives the "
                "same numbers."
            )
        try:
            self._check(checkpoint)
            self.vae.load_state_dict(checkpoint.model_state())
            adam: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith("adam."):
                    _, index, name = key.split(".")
                    adam.setdefault(int(index), {})[name] = value.clone()
            self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": adam})
            self.generator.set_state(tensors["generator"])
            self.window = Window(tensors["window"].to(self.window.sums.device), checkpoint.window_steps)
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise CheckpointError(f"The saved weights do not fit this run ({error}); train it again.") from error
        self.step, self.seconds = checkpoint.step, checkpoint.seconds

    def _check(self, checkpoint: Checkpoint) -> None:
        """What torch takes on trust: a moment of the wrong shape would have Adam write outside its memory."""
        expected: dict[str, tuple[int, ...]] = {"window": (2,)}
        for index, parameter in enumerate(self.vae.parameters() if checkpoint.step else ()):
            shapes = {"step": (), "exp_avg": tuple(parameter.shape), "exp_avg_sq": tuple(parameter.shape)}
            expected |= {f"adam.{index}.{name}": shape for name, shape in shapes.items()}
        found = {k: tuple(v.shape) for k, v in checkpoint.tensors.items() if k.startswith("adam.") or k == "window"}
        if found != expected:
            raise ValueError("the optimiser's state is not of this network")
        checkpoint.check_weights()  # one that came from no file has not been asked


@dataclass(frozen=True)
class Checkpoint:
    spec: RunSpec
    step: int
    window_steps: int
    seconds: float
    tensors: dict[str, Tensor] = field(repr=False)

    @property
    def whole(self) -> bool:
        """Whether training can go on from it; `lighten` leaves the model's weights alone."""
        return any(not name.startswith("model.") for name in self.tensors)

    def model_state(self) -> dict[str, Tensor]:
        return {k.removeprefix("model."): v for k, v in self.tensors.items() if k.startswith("model.")}

    def check_weights(self) -> None:
        """Raises ValueError where a weight is no finite number: it would make every picture and number NaN."""
        for name, value in self.model_state().items():
            if not bool(value.isfinite().all()):
                raise ValueError(f"the weights in {name} are not all finite numbers")

    def to_bytes(self) -> bytes:
        facts = {"step": self.step, "window_steps": self.window_steps, "seconds": self.seconds}
        metadata = {"spec": self.spec.canonical_json, "facts": json.dumps(facts), "sha256": _digest(self.tensors)}
        return safetensors.torch.save(self.tensors, metadata)

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """Raises CheckpointError where the bytes are no whole checkpoint, or a weight is no finite number."""
        try:
            tensors = safetensors.torch.load(data)
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
            spec = RunSpec.from_dict(json.loads(header["spec"]))
            facts = json.loads(header["facts"])
            if header["sha256"] != _digest(tensors):
                raise ValueError("some of its numbers have changed")
            step, window_steps, seconds = int(facts["step"]), int(facts["window_steps"]), float(facts["seconds"])
            if min(step, window_steps) < 0 or not 0 <= seconds < math.inf:
                raise ValueError("it claims an impossible progress")
            checkpoint = cls(spec, step, window_steps, seconds, tensors)
            checkpoint.check_weights()
            return checkpoint
        except (SafetensorError, SpecError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise CheckpointError(f"The saved weights cannot be read ({error}); train this run again.") from error


def _digest(tensors: dict[str, Tensor]) -> str:
    """safetensors checks its header alone; flipped bits in the numbers would train on unseen."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        sha.update(name.encode())
        sha.update(tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def load_vae(data: bytes) -> VAE:
    """The trained VAE in a checkpoint's bytes, on the CPU. Raises CheckpointError."""
    checkpoint = Checkpoint.from_bytes(data)
    vae = VAE(checkpoint.spec)
    try:
        vae.load_state_dict(checkpoint.model_state())
    except RuntimeError as error:
        raise CheckpointError(f"The saved weights do not fit their own spec ({error}); train it again.") from error
    return vae.eval()
