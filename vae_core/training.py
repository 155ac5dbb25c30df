"""The training loop: a spec and its data in, a stream of snapshots out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from vae_core.checkpoint import Checkpoint, State, Window
from vae_core.data import Dataset
from vae_core.elbo import elbo_terms
from vae_core.errors import CheckpointError, SpecError
from vae_core.evaluation import Evaluation, Means, evaluate
from vae_core.feed import Feed
from vae_core.model import VAE, stream
from vae_core.pictures import Pictures, take_pictures
from vae_core.spec import RunSpec, curve_stride, snapshot_stride

Status = Literal["running", "done", "stopped", "diverged", "aside"]


@dataclass(frozen=True)
class CurvePoint:
    """Training terms in nats per image, averaged over the steps since the point before."""

    step: int
    reconstruction: float
    kl: float


@dataclass(frozen=True)
class Result:
    """The final weights on every image of both parts."""

    train: Means
    held_out: Means
    active_latents: int
    images_per_second: float


@dataclass(frozen=True)
class Snapshot:
    step: int
    total_steps: int
    images_seen: int
    seconds: float  # spent in this loop, evaluation included, whether in one go or in several
    held_out: Evaluation  # on up to LIVE_IMAGES images; the last snapshot's on all
    pictures: Pictures
    curve: list[CurvePoint]  # the points since the snapshot before
    status: Status = "running"
    message: str = ""  # why a run ended early
    checkpoint: Checkpoint | None = field(default=None, repr=False)  # with the last snapshot
    result: Result | None = None  # with the last snapshot, but for a run set aside


def pick_device(name: str | None = None) -> torch.device:
    """The device of that name, or the best this machine has. Raises SpecError for one it has not."""
    here = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    if name is not None and name not in here:
        raise SpecError("device", f"device is {name!r}; allowed on this machine: {', '.join(here)}.")
    return torch.device(name or here[0])


def train(
    spec: RunSpec,
    data: Dataset,
    *,
    device: str | None = None,
    resume: Checkpoint | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    give_way: Callable[[], bool] = lambda: False,
) -> Iterator[Snapshot]:
    """Maximise the ELBO (KL weighted by beta) with Adam, and yield what to look at.

    The first snapshot comes before the first step; the last has a status other than "running", the checkpoint and
    the result. `resume` goes on from a checkpoint of the same spec with as many or fewer epochs, and ends with the
    weights that training in one go would have given. `should_stop` and `give_way` are asked before every step: the
    first ends the run, the second sets it aside, for the rest to be trained from the checkpoint later.
    Raises ValueError when the data or the checkpoint belong to another spec, CheckpointError when its tensors do not
    fit, SpecError for a device that is not here.
    """
    if data.name != spec.dataset:
        raise ValueError(f"the data are {data.name!r}, the spec asks for {spec.dataset!r}")
    if resume is not None and resume.spec.with_epochs(spec.epochs) != spec:
        raise ValueError("the checkpoint belongs to a run with other settings than the epochs")
    if resume is not None and resume.step > spec.total_steps:
        raise ValueError(f"the checkpoint is at step {resume.step}, beyond the {spec.total_steps} of these epochs")
    torch.set_flush_denormal(True)  # Adam's moments of dead weights go denormal: without this, 20-40 % slower
    place = pick_device(device)
    vae = VAE(spec).to(place)
    optimiser = torch.optim.Adam(vae.parameters(), lr=spec.learning_rate, fused=True)
    generator = stream(spec.seed, "noise", place)
    window = Window(torch.zeros(2, dtype=torch.float64, device=_float64_device(place)))
    state = State(vae, optimiser, generator, window)
    if resume is not None:
        state.restore(resume)
    yield from _Loop(spec, Feed(spec, data, place), state).run(should_stop, give_way)


class _Loop:
    def __init__(self, spec: RunSpec, feed: Feed, state: State):
        self.spec, self.feed, self.state = spec, feed, state
        self.live = [feed.live()]  # made once: gathering them and cutting their pixels is no part of a snapshot
        self.shown = next(feed.part(feed.held_out_part))
        self.curve: list[CurvePoint] = []
        self.good = state.capture()  # the last state known to be finite
        self.started = time.perf_counter() - state.seconds
        self.images, self.stepping = 0, 0.0  # trained on in this go, and the seconds that the steps alone took

    def run(self, should_stop: Callable[[], bool], give_way: Callable[[], bool]) -> Iterator[Snapshot]:
        spec, state = self.spec, self.state
        stride, stride_of_curve = snapshot_stride(spec), curve_stride(spec)
        evaluation = self.evaluate(self.live)
        if not evaluation.is_finite:
            raise CheckpointError("The saved weights give no finite loss; train this run again.")
        yield self.snapshot(evaluation)
        while state.step < spec.total_steps:
            epoch, skip = divmod(state.step, spec.steps_per_epoch)
            for rows in self.feed.epoch(epoch, skip):
                if should_stop():
                    yield self.last_snapshot("stopped", f"Stopped at step {state.step:,} of {spec.total_steps:,}.")
                    return
                if give_way():
                    yield self.set_aside()
                    return
                self.step(rows)
                if state.step % stride_of_curve == 0 and not self.close_window():
                    yield self.diverged()
                    return
                if state.step % stride == 0 and state.step < spec.total_steps:
                    evaluation = self.evaluate(self.live)
                    if not evaluation.is_finite:
                        yield self.diverged()
                        return
                    del self.good  # before its successor is made: two would be 23 MB
                    self.good = state.capture()
                    yield self.snapshot(evaluation)
        yield self.last_snapshot("done", "")

    def step(self, rows: Tensor) -> None:
        state, began = self.state, time.perf_counter()
        x = self.feed.pixels(rows, state.generator)  # (batch, n_pixels)
        terms = elbo_terms(state.vae, x, self.spec.mc_samples, state.generator)
        reconstruction, kl = terms.reconstruction.mean(), terms.kl.sum(-1).mean()  # means over images, here alone
        loss = self.spec.beta * kl - reconstruction
        loss.backward()
        state.optimiser.step()
        state.optimiser.zero_grad(set_to_none=True)  # here, so that the next forward reuses the memory
        with torch.no_grad():
            state.window.sums += torch.stack([reconstruction, kl]).to(state.window.sums)
        state.window.steps += 1
        state.step += 1
        self.images += len(rows)
        self.stepping += time.perf_counter() - began

    def close_window(self) -> bool:
        """Add a curve point; False when it is not finite."""
        reconstruction, kl = self.state.window.means()
        if not math.isfinite(reconstruction + kl):
            return False
        self.curve.append(CurvePoint(self.state.step, reconstruction, kl))
        self.state.window.sums.zero_()
        self.state.window.steps = 0
        return True

    def evaluate(self, batches: Iterable[Tensor]) -> Evaluation:
        generator = stream(self.spec.seed, "evaluation", self.feed.device)  # the same draws at every snapshot
        return evaluate(self.state.vae, batches, generator)

    def snapshot(self, evaluation: Evaluation) -> Snapshot:
        state, n_train = self.state, len(self.feed.train_part)
        state.seconds = time.perf_counter() - self.started
        epoch, batches = divmod(state.step, self.spec.steps_per_epoch)
        curve, self.curve = self.curve, []
        return Snapshot(
            step=state.step,
            total_steps=self.spec.total_steps,
            images_seen=epoch * n_train + min(n_train, batches * self.spec.batch_size),
            seconds=state.seconds,
            held_out=evaluation,
            pictures=take_pictures(state.vae, self.shown),
            curve=curve,
        )

    def last_snapshot(self, status: Status, message: str) -> Snapshot:
        held_out = self.evaluate(self.feed.part(self.feed.held_out_part))
        if not held_out.is_finite:
            return self.diverged()
        train = self.evaluate(self.feed.part(self.feed.train_part))
        snapshot = self.snapshot(held_out)
        result = Result(
            train=train.means,
            held_out=held_out.means,
            active_latents=held_out.active_latents,
            images_per_second=self.images / self.stepping if self.stepping else 0.0,
        )
        return replace(snapshot, status=status, message=message, checkpoint=self.state.capture(), result=result)

    def set_aside(self) -> Snapshot:
        evaluation = self.evaluate(self.live)
        if not evaluation.is_finite:
            return self.diverged()
        return replace(self.snapshot(evaluation), status="aside", checkpoint=self.state.capture())

    def diverged(self) -> Snapshot:
        """Go back to the last finite weights and end there, saying why."""
        failed_at = self.state.step
        self.state.restore(self.good)
        self.curve = [point for point in self.curve if point.step <= self.good.step]
        return self.last_snapshot(
            "diverged",
            f"The loss was no number any more by step {failed_at:,}. The weights of step {self.good.step:,} are kept. "
            f"A smaller learning rate (it was {self.spec.learning_rate:g}) is the usual cure.",
        )


def _float64_device(device: torch.device) -> torch.device:
    return torch.device("cpu") if device.type == "mps" else device  # MPS has no float64
