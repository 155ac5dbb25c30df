"""Images per second of the training loop against the textbook's, and against the matrix products alone.

    python -m tests.benchmarks.bench_training    (from the root of the repository; `make bench` runs it too)

784-400-20-400-784 on the bundled MNIST, batch 128, one thread. The loops take turns of a few epochs, each going on
from its own weights, so that other load on the machine meets them all alike; a ratio is that of turns side by side.
Late steps count as early ones do: from some 800 steps on, Adam's moments of dead weights would be denormal.
Then each other decoder against the products of its own shapes, and what its probability of the pixels adds to a
snapshot.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset as TorchDataset

from vae_core import evaluation
from vae_core.checkpoint import State, Window
from vae_core.data import Dataset, load_dataset, split
from vae_core.feed import Feed
from vae_core.likelihoods import LIKELIHOODS
from vae_core.model import VAE, stream
from vae_core.runs.messages import pictures
from vae_core.spec import RunSpec, curve_stride, make_likelihood
from vae_core.training import _Loop, train

SIDE, HIDDEN, LATENT, BATCH = 28, 400, 20, 128
N_PIXELS = SIDE**2
EPOCHS_A_TURN = 3  # 96 steps, 12,000 images, of every loop
WINDOWS = {"steps 96-576": range(1, 6), "steps 1,632-2,112": range(17, 22)}  # turns counted from 0
WHOLE_EPOCHS = 10  # of train() with its snapshots
DECODER_TURNS = 5  # of each other decoder; the first warms up
SNAPSHOTS = 12  # with ln P and without, in turns


def main() -> None:
    torch.set_num_threads(1)
    data = load_dataset("mnist")
    bernoulli, learned = spec_of("bernoulli"), spec_of("gaussian_learned")
    loops: dict[str, Core | Products | Textbook] = {
        "core, Bernoulli": Core(bernoulli, data),
        "its GEMMs": Products(bernoulli),
        "textbook, floats in memory": Textbook(bernoulli, data, floats_in_memory=True),
        "textbook, ToTensor": Textbook(bernoulli, data, floats_in_memory=False),
        "core, learned variance": Core(learned, data),
        "its wider GEMMs": Products(learned),
    }
    seconds: dict[str, dict[int, float]] = {name: {} for name in loops}  # by turn
    for turn in range(max(window.stop for window in WINDOWS.values())):
        shown = any(turn in window for window in WINDOWS.values())
        for name, loop in loops.items():
            if shown or not isinstance(loop, Products):  # what trains must come to its late steps
                seconds[name][turn] = processor_time(loop.turn)

    images = EPOCHS_A_TURN * (data.images.shape[0] - bernoulli.n_held_out)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread, {cpu()}")
    print(f"{N_PIXELS}-{HIDDEN}-{LATENT}-{HIDDEN}-{N_PIXELS}, batch {BATCH}; median (min-max) of turns")
    print("\n" + row("images/s", *WINDOWS))
    for name, took in seconds.items():
        print(row(name, *(spread([images / took[t] for t in window], ",.0f") for window in WINDOWS.values())))
    print("\n" + row("ratio of rates", *WINDOWS, "target"))
    for ours, other, target in (
        ("core, Bernoulli", "textbook, floats in memory", ">= 2.00"),
        ("core, Bernoulli", "textbook, ToTensor", ">= 2.00"),
        ("core, Bernoulli", "its GEMMs", ">= 0.50"),
        ("core, learned variance", "its wider GEMMs", ">= 0.35"),
        ("textbook, floats in memory", "its GEMMs", ""),
        ("textbook, ToTensor", "its GEMMs", ""),
    ):
        ratios = {turn: took / seconds[ours][turn] for turn, took in seconds[other].items() if turn in seconds[ours]}
        cells = (spread([ratios[t] for t in window], ".2f") for window in WINDOWS.values())
        print(row(f"{ours} / {other}", *cells, target))

    print("\nthe whole of train(): snapshots, pictures and the last evaluation included")
    for spec in (bernoulli.with_epochs(WHOLE_EPOCHS), learned.with_epochs(WHOLE_EPOCHS)):
        began = time.perf_counter()
        snapshots = list(train(spec, data, device="cpu"))
        wall = time.perf_counter() - began
        result = snapshots[-1].result
        assert result is not None
        print(
            f"{spec.likelihood}: {images / EPOCHS_A_TURN * spec.epochs / wall:,.0f} images/s "
            f"(its own figure, of steps alone: {result.images_per_second:,.0f}); "
            f"{spec.total_steps} steps and {len(snapshots)} snapshots in {wall:.1f} s"
        )
    every_decoder(data)


def every_decoder(data: Dataset) -> None:
    """A step on grey pixels, and what a snapshot pays for ln P of grey and of black-and-white ones."""
    print("\n" + row("every decoder", "step / own GEMMs, grey", "snapshot's ln P, grey", "snapshot's ln P, b/w"))
    for likelihood in LIKELIHOODS:
        grey = spec_of(likelihood)
        core, gemms = Core(grey, data), Products(grey)
        ratios = in_turns(gemms.turn, core.turn, DECODER_TURNS)
        black_and_white = Core(replace(grey, binarize="threshold"), data)
        black_and_white.turn()
        added = [added_by_log_mass(one.loop) for one in (core, black_and_white)]
        print(row(likelihood, spread(ratios, ".2f"), *added))


def added_by_log_mass(loop: _Loop) -> str:
    """What it adds to a snapshot: evaluation, the state kept, pictures and their PNGs. In per cent."""
    if not evaluation.scores(loop.state.vae.likelihood, loop.spec.n_levels):
        return "not scored"

    def snapshot() -> None:
        measured = loop.evaluate(loop.live)
        loop.good = loop.state.capture()
        pictures(loop.snapshot(measured))

    def without() -> None:
        with mock.patch.object(evaluation, "scores", lambda *_: False):
            snapshot()

    return spread([100 * (ratio - 1) for ratio in in_turns(snapshot, without, SNAPSHOTS)], "+.0f") + " %"


def in_turns(a: Callable[[], None], b: Callable[[], None], turns: int) -> list[float]:
    """How many times as long `a` takes as `b`, in each turn but the first."""
    ratios = [processor_time(a) / processor_time(b) for _ in range(turns)]
    return ratios[1:]


def processor_time(act: Callable[[], None]) -> float:
    began = time.process_time()  # one thread that never waits: steadier beside other load than wall time
    act()
    return time.process_time() - began


class Core:
    """train() without its snapshots: gathering batches, steps, points of the curve."""

    def __init__(self, spec: RunSpec, data: Dataset):
        vae = VAE(spec)
        optimiser = torch.optim.Adam(vae.parameters(), lr=spec.learning_rate, fused=True)
        window = Window(torch.zeros(2, dtype=torch.float64))
        self.state = State(vae, optimiser, stream(spec.seed, "noise"), window)
        self.loop = _Loop(spec, Feed(spec, data, torch.device("cpu")), self.state)
        self.curve_stride = curve_stride(spec)

    def turn(self) -> None:
        torch.set_flush_denormal(True)  # as train() does
        done = self.state.step // self.loop.spec.steps_per_epoch
        for epoch in range(done, done + EPOCHS_A_TURN):
            for rows in self.loop.feed.epoch(epoch, 0):
                self.loop.step(rows)
                if self.state.step % self.curve_stride == 0:
                    assert self.loop.close_window(), "the loss stopped being a number"


class Products:
    """The matrix products of the same steps, into memory that is there already, and nothing else."""

    def __init__(self, spec: RunSpec):
        likelihood = make_likelihood(spec)
        n_outputs = likelihood.n_outputs - likelihood.n_shared
        shapes = [*pairwise([N_PIXELS, HIDDEN, 2 * LATENT]), *pairwise([LATENT, HIDDEN, n_outputs])]
        weights = [torch.randn(width, fan_in) for fan_in, width in shapes]
        left_over = (len(split(spec)[0]) - 1) % BATCH + 1
        full, last = products(weights, BATCH), products(weights, left_over)
        self.epoch = [full] * (spec.steps_per_epoch - 1) + [last]

    def turn(self) -> None:
        for step in self.epoch * EPOCHS_A_TURN:
            for a, b, out in step:
                torch.mm(a, b, out=out)


def products(weights: list[Tensor], batch: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(a, b, room for a @ b): forward, then the gradients of weights and of all inputs but the images."""
    forward, backward = [], []
    for number, w in enumerate(weights):
        width, fan_in = w.shape
        x, of_outputs = torch.randn(batch, fan_in), torch.randn(batch, width)
        forward.append((x, w.t(), torch.empty(batch, width)))
        backward.append((of_outputs.t(), x, torch.empty(width, fan_in)))
        if number > 0:
            backward.append((of_outputs, w, torch.empty(batch, fan_in)))
    return forward + backward[::-1]


class Images(TorchDataset[tuple[Tensor, int]]):
    """Images and labels one by one, as torchvision's MNIST gives them."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Callable[[np.ndarray], Tensor]):
        self.images, self.labels, self.transform = images, labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def to_tensor(image: np.ndarray) -> Tensor:
    """What torchvision's MNIST and ToTensor() do to every image every time: array, PIL image, array, tensor, float."""
    pixels = torch.from_numpy(np.array(Image.fromarray(image), copy=True))
    return pixels.view(*image.shape, 1).permute(2, 0, 1).contiguous().float().div(255)


class Textbook:
    """The loop of the tutorials: DataLoader, sigmoid, cross-entropy on probabilities, default Adam, loss.item()."""

    def __init__(self, spec: RunSpec, data: Dataset, floats_in_memory: bool):
        torch.manual_seed(spec.seed)
        rows = split(spec)[0]
        if floats_in_memory:
            images = Images(data.scaled(rows).reshape(-1, 1, SIDE, SIDE), data.labels[rows], torch.from_numpy)
        else:
            images = Images(data.images[rows].reshape(-1, SIDE, SIDE), data.labels[rows], to_tensor)
        self.loader = DataLoader(images, batch_size=BATCH, shuffle=True, num_workers=0)
        self.encoder = nn.Sequential(nn.Linear(N_PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * LATENT))
        self.decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, N_PIXELS), nn.Sigmoid())
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimiser = torch.optim.Adam(parameters, lr=spec.learning_rate)

    def turn(self) -> None:
        torch.set_flush_denormal(False)  # as it is unless one asks for it
        for _ in range(EPOCHS_A_TURN):
            total = 0.0
            for x, _label in self.loader:
                x = x.view(-1, N_PIXELS)
                m, log_var = self.encoder(x).chunk(2, dim=1)
                z = m + torch.exp(0.5 * log_var) * torch.randn_like(m)
                reconstruction = F.binary_cross_entropy(self.decoder(z), x, reduction="sum")
                kl = -0.5 * torch.sum(1 + log_var - m.pow(2) - log_var.exp())
                loss = (reconstruction + kl) / len(x)
                self.optimiser.zero_grad()
                loss.backward()
                self.optimiser.step()
                total += loss.item()


def spec_of(likelihood: str) -> RunSpec:
    return RunSpec(likelihood=likelihood, hidden=(HIDDEN,), latent_dim=LATENT, batch_size=BATCH)


def row(title: str, *cells: str) -> str:
    return f"{title:<46}" + "".join(f"{cell:>26}" for cell in cells)


def spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def cpu() -> str:
    info = Path("/proc/cpuinfo")  # Linux says it there; others in platform
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
