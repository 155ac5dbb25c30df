"""What a stage is told of its runs, against the run itself and its weights."""

from __future__ import annotations

import asyncio
import io
import json
import re
import signal
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.requests import Request

from pages.shared import runtime
from pages.shared.stage import route
from pages.shared.stage.answer import answer, pixel
from pages.shared.stage.show import _looks
from tests.pages.conftest import ROOT
from tests.training import DIGITS, saved, small
from vae_core import LIKELIHOODS, Snapshot, train
from vae_core.checkpoint import load_vae
from vae_core.runs import kept
from vae_core.runs.messages import Progress, numbers, pictures
from vae_core.runs.store import Store
from vae_core.spec import RunSpec


def keep(store: Store, spec: RunSpec) -> list[Snapshot]:
    """A run as a worker sends it, kept."""
    store.queue(spec)
    snapshots = list(train(spec, DIGITS, device="cpu"))
    for snapshot in snapshots:
        curve = [[point.step, point.reconstruction, point.kl] for point in snapshot.curve]
        sent: dict[str, Any] = {"numbers": numbers(snapshot), "pictures": pictures(snapshot), "curve": curve}
        store.add_snapshot(spec, Progress(run=spec.id, token="", images_per_second=1.0, **sent))
    store.finish(spec.id, "done", "")
    return snapshots


def told(store: Store, **asked: int) -> tuple[dict[str, Any], bytes]:
    return taken_apart(answer(store, asked))


def taken_apart(data: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack("<I", data[:4])
    return json.loads(data[4 : 4 + length]), data[4 + length :]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_snapshot_comes_once_with_its_pictures(store: Store, likelihood: str) -> None:
    spec = small(likelihood=likelihood, epochs=6, binarize="threshold")
    snapshots = keep(store, spec)
    header, blobs = told(store, **{spec.id: -1})
    run = header["runs"][spec.id]
    assert (run["status"], run["step"]) == ("done", spec.total_steps)
    assert [one["step"] for one in run["snapshots"]] == [one.step for one in snapshots]
    for one, snapshot in zip(run["snapshots"], snapshots):
        means = snapshot.held_out.means
        assert [one[name] for name in ("reconstruction", "kl", "mse")] == [means.reconstruction, means.kl, means.mse]
        assert means.log_mass is not None
        assert one["bits"] == pytest.approx(
            [-means.log_mass / 64 / np.log(2), (means.kl - means.log_mass) / 64 / np.log(2)]
        )
        assert one["parts"].keys() == pictures(snapshot).keys() - {"exact"}
        start, end = one["parts"]["prior_mean"]
        sheet = np.asarray(Image.open(io.BytesIO(blobs[start:end])))
        np.testing.assert_array_equal(sheet[:8, :8], snapshot.pictures.prior_mean[0])
        np.testing.assert_array_equal(sheet[9:, -8:], snapshot.pictures.prior_mean[11])
    assert [point[0] for point in run["curve"]] == [point.step for one in snapshots for point in one.curve]

    later, _ = told(store, **{spec.id: snapshots[1].step})
    assert [one["step"] for one in later["runs"][spec.id]["snapshots"]] == [one.step for one in snapshots[2:]]
    assert min(point[0] for point in later["runs"][spec.id]["curve"]) > snapshots[1].step
    nothing, blobs = told(store, **{spec.id: spec.total_steps})
    assert (nothing["runs"][spec.id]["snapshots"], blobs) == ([], b"")
    assert nothing["remarks"] == header["remarks"]


def test_two_runs_and_one_that_is_not_here(store: Store) -> None:
    specs = [small(likelihood=key) for key in ("bernoulli", "gaussian_learned")]
    for spec in specs:
        keep(store, spec)
    header, _ = told(store, **{specs[0].id: -1, specs[1].id: -1, "0" * 16: -1})
    assert header["runs"].keys() == {spec.id for spec in specs}
    ends = [part for run in header["runs"].values() for one in run["snapshots"] for part in one["parts"].values()]
    assert all(before[1] == after[0] for before, after in zip(ends, ends[1:]))  # no byte belongs to two


def test_what_was_deleted_while_it_was_open_is_told(store: Store) -> None:
    gone, here = small(seed=1), small(seed=2)
    keep(store, gone)
    keep(store, here)
    assert told(store, **{gone.id: -1, here.id: -1})[0]["removed"] == []
    kept.remove(store, gone.id)
    header, _ = told(store, **{gone.id: gone.total_steps, here.id: here.total_steps, "0" * 16: 3})
    assert (header["removed"], [*header["runs"]]) == ([gone.id], [here.id])
    assert header["problem"] == "This run was deleted: Bernoulli. Training it again gives the same."
    assert told(store, **{gone.id: -1})[0]["removed"] == []  # who has nothing of it need not hear of it
    store.queue(gone)
    header, _ = told(store, **{gone.id: gone.total_steps})
    assert (header["removed"], header["runs"][gone.id]["status"]) == ([], "queued")


def test_who_waits_is_told_its_place(store: Store) -> None:
    first, second = small(seed=1), small(seed=2)
    store.queue(first)
    store.queue(second)
    runs = told(store, **{first.id: -1, second.id: -1})[0]["runs"]
    assert [(runs[spec.id]["in_line"], runs[spec.id]["training"]) for spec in (first, second)] == [(2, 0)] * 2
    assert runs[first.id]["status"] == "queued"
    store.begin(first.id, 0)
    run = told(store, **{second.id: -1})[0]["runs"][second.id]
    assert (run["in_line"], run["training"]) == (1, 1)  # next, and not starting: a worker has the other


def test_a_class_that_asks_for_the_same_is_answered_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = small(epochs=1)
    keep(store, spec)
    worked_out: list[dict[str, int]] = []

    def counted(store: Store, asked: dict[str, int], problem: str) -> bytes:
        worked_out.append(asked)
        return answer(store, asked, problem)

    monkeypatch.setattr(route, "answer", counted)
    new, seen = ((spec.id, -1),), ((spec.id, spec.total_steps),)
    with ThreadPoolExecutor(8) as pool:
        same = {*pool.map(lambda _: route.told_once(store, new, store.news.version, "", 0), range(30))}
    assert (same, worked_out) == ({answer(store, dict(new))}, [dict(new)])
    assert route.told_once(store, seen, store.news.version, "", 0) == answer(store, dict(seen))
    changed = route.told_once(store, new, store.news.version, "The disk is full.", 0)
    assert changed == answer(store, dict(new), "The disk is full.")
    route.told_once(store, new, store.news.version + 1, "", 0)
    route.told_once(store, new, store.news.version, "", 1)
    assert worked_out == [dict(one) for one in (new, seen, new, new, new)]


@pytest.mark.parametrize("wrong", ["", "The disk is full."])
@pytest.mark.parametrize("warming", ["", "They are warming up."])
def test_a_stage_hears_how_it_is_with_the_workers(
    store: Store, monkeypatch: pytest.MonkeyPatch, wrong: str, warming: str
) -> None:
    """What is wrong before what passes; and why runs wait only where one of its own does."""
    waits, over = small(seed=1), small(seed=2, epochs=1)
    store.queue(waits)
    keep(store, over)
    engine = SimpleNamespace(store=store, problem=wrong, warming=warming, busy="2 more wait in line.", state="ready")
    monkeypatch.setattr(route, "engine_itself", lambda: engine)
    for spec, busy in ((waits, engine.busy), (over, "")):
        query = f"run={spec.id}:-1&since=-1".encode()
        reply = asyncio.run(route.news(Request({"type": "http", "query_string": query})))
        header, _ = taken_apart(bytes(reply.body))
        assert header["problem"] == (wrong or warming or busy)


@pytest.mark.parametrize("why", ["the server ends", "the browser has gone"])
def test_who_waits_for_no_news_is_let_go(store: Store, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """(A server that was told to end waits for its answers, and so would who told it.)"""
    spec = small(epochs=1)
    keep(store, spec)
    engine = SimpleNamespace(store=store, problem="", warming="", busy="", state="ready")
    monkeypatch.setattr(route, "engine_itself", lambda: engine)
    monkeypatch.setattr(route, "ENDING", [])
    gone = asyncio.Event()

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def ask() -> int:
        query = f"run={spec.id}:{spec.total_steps}&since={store.news.version}".encode()
        task = asyncio.create_task(route.news(Request({"type": "http", "query_string": query}, receive)))
        while not store.news._waiting:
            await asyncio.sleep(0.01)
        if why == "the server ends":
            route.ENDING.append(signal.SIGTERM)
        else:
            gone.set()
        return (await asyncio.wait_for(task, route.LONGEST_WAIT / 2)).status_code

    assert asyncio.run(ask()) == 200


def test_a_server_hears_that_it_is_to_end_before_it_waits_for_its_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "ENDING", [])
    told: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    async def serve() -> None:
        for number in before:
            signal.signal(number, lambda number, _: told.append(number))  # the server's own
        async with runtime.engine_from_the_start(None):
            assert not runtime.ENDING
            signal.raise_signal(signal.SIGTERM)

    try:
        asyncio.run(serve())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert runtime.ENDING == told == [signal.SIGTERM]


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_pixel_has_the_numbers_of_the_decoder(store: Store, likelihood: str) -> None:
    spec = small(likelihood=likelihood, epochs=6, binarize="threshold")
    snapshots = keep(store, spec)
    found = pixel(store, spec.id, 2, 27)
    assert found["steps"] == [one.step for one in snapshots]
    vae = load_vae(saved(snapshots[-1]).to_bytes())
    x = torch.from_numpy(snapshots[-1].pictures.exact[:, :64])
    assert found["x"] == x[2, 27].item()
    with torch.no_grad():
        whole = vae.decode(vae.encode(x)[0])[2:3]
        whole_likelihood, pixels = vae.likelihood.log_prob(whole, x[2:3]).item(), range(64)
    one = type(vae.likelihood)(1, **vae.likelihood.given)
    each = [pixel(store, spec.id, 2, place) for place in pixels]
    sum_of_pixels = sum(
        one.log_prob(torch.tensor([found["outputs"][-1]]), torch.tensor([[found["x"]]])).item() for found in each
    )
    assert sum_of_pixels == pytest.approx(whole_likelihood, rel=1e-4, abs=1e-3)


def test_pixels_that_are_not_there(store: Store) -> None:
    spec = small()
    keep(store, spec)
    for run, image, place in (("0" * 16, 0, 0), (spec.id, 6, 0), (spec.id, -1, 0), (spec.id, 0, 64), (spec.id, 0, -1)):
        with pytest.raises(LookupError):
            pixel(store, run, image, place)


def test_a_run_of_an_earlier_app_kept_no_pixels(store: Store) -> None:
    spec = small()
    store.queue(spec)
    earlier = Progress(
        run=spec.id,
        token="",
        numbers={"step": 0, "images_seen": 0, "seconds": 0.0},
        pictures={"mean": b""},
        curve=[],
        images_per_second=0.0,
    )
    store.add_snapshot(spec, earlier)
    assert pixel(store, spec.id, 0, 0) == {"x": None, "steps": [], "outputs": []}


def test_lanes_are_told_apart_by_colour_and_dash() -> None:
    every = [small(likelihood=key) for key in LIKELIHOODS]
    sigmas = [small(likelihood="gaussian_identity", sigma=sigma) for sigma in (1.0, 0.5, 0.25, 0.1)]
    for specs in (every, sigmas, [*sigmas, small(likelihood="gaussian_learned")]):
        looks = [(colour, tuple(dash)) for colour, dash in _looks(specs)]
        assert len({colour for colour, _ in looks}) == len({dash for _, dash in looks}) == len(specs)
    assert _looks(every[1:2]) == [_looks(every)[1]]  # a decoder alone has its own


def test_every_decoder_has_a_formula_whose_symbols_light_what_there_is() -> None:
    text = (ROOT / "pages" / "shared" / "formulas.js").read_text(encoding="utf-8")
    assert re.findall(r"^  (\w+): ", text, re.MULTILINE) == list(LIKELIHOODS)
    assert set(re.findall(r'symbol\("(\w+)"', text)) == {"x", "z", "mean", "sigma"}
