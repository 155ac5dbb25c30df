"""What a run's pictures are called: a sample is clipped only where draws may leave [0,1]; one σ for all is told."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from vae_core import load_dataset, train
from vae_core.likelihoods import LIKELIHOODS, Support
from vae_core.runs.messages import Progress, numbers
from vae_core.runs.store import Store
from vae_core.spec import RunSpec
from vae_core.tiles import png


def shown(home: Path, spec: RunSpec) -> str:
    """The captions under a run trained for a moment."""
    store = Store(home)
    store.queue(spec)
    *_, last = train(spec, load_dataset(spec.dataset), device="cpu")
    pictures = {name: png(sheet) for name, sheet in vars(last.pictures).items() if sheet is not None}
    store.add_snapshot(
        spec, Progress(run="", token="", numbers=numbers(last), pictures=pictures, curve=[], images_per_second=1.0)
    )

    def script(home: str, run_id: str) -> None:
        from pathlib import Path

        from pages.shared.run_view import pictures
        from vae_core.runs.store import Store

        store = Store(Path(home))
        run = store.run(run_id)
        assert run is not None
        pictures(store, run, store.history(run_id)[-1], "sample")

    page = AppTest.from_function(script, kwargs={"home": str(home), "run_id": spec.id}).run()
    assert not page.exception
    return "\n".join(one.value for one in page.caption)


@pytest.mark.parametrize("key", LIKELIHOODS)
def test_a_sample_is_clipped_where_it_can_leave_the_greys(tmp_path: Path, key: str) -> None:
    captions = shown(tmp_path, RunSpec(dataset="digits", likelihood=key, epochs=1, hidden=(8,)))
    real = LIKELIHOODS[key].support is Support.REAL
    assert ("clipped to [0,1] for display" in captions) == real
    assert ("samples from p(x|z,w), clipped for display" in captions) == real
    assert ("of every pixel, one learned weight" in captions) == (key == "gaussian_shared")


def test_a_shared_sigma_at_its_floor_is_told(tmp_path: Path) -> None:
    spec = RunSpec(dataset="digits", likelihood="gaussian_shared", epochs=1, hidden=(8,), variance_floor=1.0)
    assert f"{math.sqrt(spec.variance_floor):.3g}, its floor: it would be smaller" in shown(tmp_path, spec)
