"""What a worker does, without Dask: the messages it sends, what it returns, and what it refuses."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import vae_core.download
from tests.runs.conftest import assert_ended_as_here, pngs, small, trained_here, without
from vae_core import RunSpec, load_dataset
from vae_core.catalogue import DATASETS
from vae_core.checkpoint import Checkpoint
from vae_core.errors import CheckpointError, DamagedStoreError, DataError, SpecError, StoreError
from vae_core.pictures import Pictures
from vae_core.runs import worker
from vae_core.runs.cluster import ENVIRONMENT
from vae_core.runs.messages import Begun, Ended, Message, Progress, Said, numbers
from vae_core.runs.store import Store

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "abc-1"


def run_at_once(stop: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that awaits nothing: asyncio.run refuses while a browser's loop is open in this thread."""
    with pytest.raises(StopIteration):
        stop.send(None)


def run(spec: RunSpec, checkpoint: bytes | None = None, token: str = TOKEN) -> tuple[list[Any], Ended]:
    """All that is sent, and what is returned. The spec travels as JSON does."""
    sent: list[Any] = []
    canonical = json.loads(json.dumps(spec.to_dict()))
    return sent, worker.run_spec(canonical, checkpoint, token, sent.append)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian_identity", "gaussian_learned"])
def test_messages_are_what_train_yields(likelihood: str) -> None:
    spec = small(likelihood=likelihood, epochs=10)
    (begin, *sent), last = run(spec)
    assert begin == Begun(run=spec.id, token=TOKEN, step=-1)
    snapshots = trained_here(spec)
    assert len(sent) + 1 == len(snapshots) > 3
    assert {type(message) for message in sent} == {Progress}
    for message, snapshot in zip((*sent, last), snapshots):
        assert (message.run, message.token) == (spec.id, TOKEN)
        assert without(message.numbers, "seconds") == without(numbers(snapshot), "seconds")
        assert message.pictures == pngs(snapshot)
        assert message.curve == [[p.step, p.reconstruction, p.kl] for p in snapshot.curve]
    end = snapshots[-1]
    assert end.result is not None
    assert end.checkpoint is not None
    assert (last.status, last.message) == ("done", "")
    assert last.result is not None
    assert without(last.result, "images_per_second") == without(asdict(end.result), "images_per_second")
    assert last.result["images_per_second"] > 0
    weights = Checkpoint.from_bytes(last.weights)
    assert weights.spec.id == spec.id
    assert all(tensor.equal(end.checkpoint.tensors[name]) for name, tensor in weights.tensors.items())


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian_learned"])
@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_pictures_are_small_pngs(dataset: str, likelihood: str) -> None:
    """Dask's scheduler keeps 20 messages of a topic."""
    spec = RunSpec(dataset=dataset, likelihood=likelihood, hidden=(8,), latent_dim=2, epochs=1, batch_size=2000)
    sent, last = run(spec)
    side = 8 if dataset == "digits" else 28
    rows = {"input": 1, "mean": 1, "sample": 1, "sigma": 1, "prior_mean": 2, "prior_sample": 2}
    names = {*Pictures.__dataclass_fields__} - ({"sigma"} if likelihood == "bernoulli" else set())
    for message in (*sent[1:], last):
        assert message.pictures.keys() == names
        numbers_a_pixel = 1 + (2 if likelihood == "gaussian_learned" else 1)  # x and the outputs, four bytes each
        assert len(message.pictures["exact"]) == 4 * 6 * numbers_a_pixel * side**2
        for name in names - {"exact"}:
            data = message.pictures[name]
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                assert (image.format, image.mode) == ("PNG", "L")
                assert image.size == (6 * (side + 1) - 1, rows[name] * (side + 1) - 1)
        assert sum(len(message.pictures[name]) for name in names - {"exact"}) < 30_000
        assert len(pickle.dumps(without(vars(message), "weights", "pictures"))) < 10_000


def test_the_input_picture_shows_held_out_images() -> None:
    spec = small()
    sent, _ = run(spec)
    with Image.open(io.BytesIO(sent[1].pictures["input"])) as image:
        sheet = np.asarray(image)
    images = load_dataset("digits").images[vae_core.data.split(spec)[1][:6]].reshape(6, 8, 8)
    for i in range(6):
        np.testing.assert_array_equal(sheet[:, 9 * i : 9 * i + 8], np.round(images[i] * (255 / 16)))


def test_images_per_second_is_of_this_go_alone() -> None:
    first, half = run(small(epochs=10))
    for sent, last, start in ((first, half, 0), (*run(small(epochs=20), half.weights), 10 * 1438)):
        messages = [*sent[1:], last]
        times = [(message.numbers["seconds"], message.numbers["images_seen"]) for message in messages]
        assert times[0][1] == start
        assert messages[0].images_per_second == 0.0
        for message, (seconds, images) in zip(messages[1:], times[1:]):
            assert message.images_per_second == (images - start) / (seconds - times[0][0]) > 0
    assert last.numbers["seconds"] > half.numbers["seconds"]  # the seconds are of both


@pytest.mark.parametrize("epochs", [10, 11])
def test_a_checkpoint_is_gone_on_from(epochs: int) -> None:
    half = run(small(epochs=10, binarize="stochastic"))[1]
    spec = small(epochs=epochs, binarize="stochastic")
    sent, last = run(spec, half.weights)
    assert sent[0].step == 120
    assert [message.numbers["step"] for message in sent[1:]] == [120, 128][: epochs - 9]
    assert last.numbers["step"] == 12 * epochs
    saved, once = Checkpoint.from_bytes(last.weights), Checkpoint.from_bytes(run(spec)[1].weights)
    assert all(tensor.equal(once.tensors[name]) for name, tensor in saved.tensors.items())
    assert saved.step == once.step


def test_the_store_keeps_what_the_worker_sends(tmp_path: Path) -> None:
    """The whole way from spec to store and back, with nothing between."""
    store, spec = Store(tmp_path), small(likelihood="gaussian_learned", epochs=20)
    store.queue(spec)
    (begin, *sent), last = run(spec)
    store.begin(spec.id, begin.step)
    for message in (*sent, last):
        store.add_snapshot(spec, message)
    store.save_weights(spec.id, last.weights)
    assert last.status == "done"
    store.finish(spec.id, last.status, last.message, last.result)
    assert_ended_as_here(store, spec)


# ---- stopping


@pytest.fixture(autouse=True)
def nothing_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "STOPPED", set())


def test_a_stop_ends_that_try_alone() -> None:
    spec = small(epochs=10)
    run_at_once(worker.stop("other-1"))
    run_at_once(worker.stop(TOKEN))
    sent, last = run(spec)
    assert [message.numbers["step"] for message in sent[1:]] == [0]
    assert (last.status, last.message) == ("stopped", "Stopped at step 0 of 120.")
    assert Checkpoint.from_bytes(last.weights).step == 0
    assert {"other-1"} == worker.STOPPED  # a token is used once
    assert run(spec)[1].status == "done"


def test_a_stop_in_mid_run_keeps_the_steps_done() -> None:
    spec = small(epochs=10)

    def send(message: Message) -> None:
        if isinstance(message, Progress) and message.numbers["step"] == 64:
            run_at_once(worker.stop(TOKEN))

    last = worker.run_spec(spec.to_dict(), None, TOKEN, send)
    assert (last.status, last.numbers["step"]) == ("stopped", 64)
    assert set() == worker.STOPPED
    again = run(spec, last.weights)[1]
    once = Checkpoint.from_bytes(run(spec)[1].weights)
    assert all(t.equal(once.tensors[name]) for name, t in Checkpoint.from_bytes(again.weights).tensors.items())


def test_a_run_that_diverges_says_so() -> None:
    _, last = run(small(hidden=(64,) * 4, learning_rate=1.0, epochs=10))
    assert last.status == "diverged"
    assert "smaller learning rate" in last.message
    json.dumps(without(vars(last), "pictures", "weights"), allow_nan=False)


# ---- what is said meanwhile, and what goes wrong


def test_a_download_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(info: Any, progress: Callable[[str, float], None], should_stop: Callable[[], bool]) -> None:
        for share in (0.404, 1.0):
            progress(f"Downloading {info.title}", share)
        progress("", 1.0)
        assert not should_stop()
        worker.STOPPED.add(TOKEN)
        assert should_stop()

    monkeypatch.setattr(vae_core.download, "cached_download", slow)
    spec = RunSpec(dataset="mnist_full", hidden=(8,), epochs=1)
    sent: list[Any] = []
    worker.fetch(spec.to_dict(), TOKEN, sent.append, lambda: False)
    title = DATASETS["mnist_full"].title
    sentences = (*(f"Downloading {title}: {share}%" for share in (0, 40, 100)), "")
    assert sent == [Said(run=spec.id, token=TOKEN, sentence=sentence) for sentence in sentences]
    assert TOKEN not in worker.STOPPED


def test_data_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mnist_60k.npz").write_bytes(b"half a download")
    with pytest.raises(DataError, match="delete it and try again"):
        run(RunSpec(dataset="mnist_full", hidden=(8,), epochs=1))


@pytest.mark.parametrize("kind", ["garbage", "cut short", "other network", "other seed", "other data", "empty"])
def test_weights_that_cannot_be_gone_on_from(kind: str) -> None:
    """Whatever is wrong with them, the app must hear CheckpointError, and so train again without them."""
    spec = small(epochs=3)
    others: dict[str, dict[str, Any]] = {
        "other network": {"hidden": (8,)},
        "other seed": {"seed": 1},
        "other data": {"dataset": "mnist"},
    }
    good = run(RunSpec(**{**asdict(small(epochs=1)), **others.get(kind, {})}))[1].weights
    data = {"garbage": b"<html>", "cut short": good[:-7], "empty": b""}.get(kind, good)
    with pytest.raises(CheckpointError):
        run(spec, data)


@pytest.mark.parametrize("kind", [DataError, CheckpointError, StoreError, DamagedStoreError])
def test_errors_travel_whole(kind: type[Exception]) -> None:
    error = kind("A sentence.")
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back)) == (kind, "A sentence.")


def test_a_spec_error_travels_with_its_field() -> None:
    back = pickle.loads(pickle.dumps(SpecError("epochs", "epochs is 0.")))
    assert (type(back), back.field, str(back)) == (SpecError, "epochs", "epochs is 0.")


def test_this_module_costs_the_page_no_torch() -> None:
    """The engine imports it for the names of its functions."""
    program = "import sys, vae_core.runs.worker, vae_core.runs.engine; print({'torch', 'distributed'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_what_a_run_took_goes_back_to_the_system() -> None:
    """A page fault for every page of every step would give it back too, at twice the time: so the glibc of a worker is
    left as it is."""
    assert not [name for name in ENVIRONMENT if name.startswith("MALLOC")]
    program = (
        "import os, threading, psutil; from vae_core import RunSpec; from vae_core.runs import worker\n"
        "memory = lambda: psutil.Process().memory_info().rss >> 20\n"
        "def train():\n"
        "    spec = RunSpec(dataset='digits', hidden=(2048, 2048), epochs=1, likelihood='gaussian_learned')\n"
        "    worker.run_spec(spec.to_dict(), None, 't', lambda _: None)\n"
        "def in_a_thread():\n"
        "    one = threading.Thread(target=train); one.start(); one.join()\n"
        "worker.warm_up(); before = memory(); in_a_thread(); held = memory(); worker.give_back_memory()\n"
        "print(before, held, memory())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100)
    before, held, after = map(int, done.stdout.split())
    assert held > before + 30, done.stdout
    assert after < before + 15, done.stdout


def test_warming_up_trains_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam's first step is what takes seconds; a warm-up that makes none would warm nothing."""
    import torch

    steps = itertools.count()
    step = torch.optim.Adam.step

    def counted(self: Any, *arguments: Any) -> Any:
        next(steps)
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", counted)
    worker.warm_up()
    assert next(steps) == 2
    assert torch.get_num_threads() == 1
